//! Taking events in: one transaction per batch, behind one locked watermark row that
//! alone decides what is new. An acknowledgement exists only after its commit.

use std::future::Future;
use std::pin::Pin;

use fournil_protocol::close;
use fournil_protocol::event::{self, Event, Stamp};
use fournil_protocol::frame::Events;
use prost::Message;
use uuid::Uuid;

use super::end::End;
use super::health::add_cloud_notice;
use super::lease::{self, Confirmed};
use super::model::Identity;
use super::sql::intake::{self as sql, RawEvent};
use crate::db::{Act, Db, DbError};

/// The word for events kept as they came.
const UNREAD_NOTICE: &str = "events-unread";

/// Which gateway an event came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    pub gateway_id: Uuid,
}

/// The future of [`EventSink::take`].
pub type Taken<'a> = Pin<Box<dyn Future<Output = Result<(), DbError>> + Send + 'a>>;

/// What becomes of an event, inside the transaction that acknowledges it. Wired in
/// `crate::ingest`, so that this area names no other.
pub trait EventSink: Send + Sync + 'static {
    /// Takes one event in. A refusal other than an unavailable database keeps the event
    /// raw and goes on: one bad event must not hold up a shop.
    fn take<'a>(
        &'a self,
        act: &'a mut Act,
        origin: Origin,
        body: &'a event::Body,
        recorded: Option<&'a Stamp>,
    ) -> Taken<'a>;
}

/// What a batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Took {
    /// Committed up to here.
    pub(super) durable: u64,
    /// The batch left a hole: what follows it was not taken.
    pub(super) has_gap: bool,
}

/// The number of an event, readable whatever else is in it.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Numbered {
    #[prost(uint64, tag = "1")]
    seq: u64,
}

struct Entry<'e> {
    seq: u64,
    bytes: &'e [u8],
}

/// Takes in the contiguous run after the watermark and commits. `epoch` names the epoch
/// followed; frames of another are refused. What the shop confirmed just before is written in
/// the same transaction: reports follow confirmations so closely that a commit for each would
/// double the wait for a report.
pub(super) async fn take(
    db: &Db,
    sink: &dyn EventSink,
    identity: &Identity,
    frames: &[Events],
    epoch: u64,
    confirmed: Option<Confirmed>,
) -> Result<Took, End> {
    let entries = number(frames, epoch)?;
    let batch = Batch { identity, entries, epoch, confirmed };
    let first = try_take(db, sink, &batch, Care::Batch).await;
    match first {
        Err(Fault::Db(DbError::Contention(_))) => try_take(db, sink, &batch, Care::Batch).await,
        // Something in the batch was refused: find out what, keep it raw, go on.
        Err(Fault::Db(DbError::Constraint { .. } | DbError::Other(_) | DbError::KeyReused)) => {
            try_take(db, sink, &batch, Care::EachEvent).await
        }
        other => other,
    }
    .map_err(|fault| match fault {
        Fault::Db(error) => End::of_db(&error),
        Fault::End(end) => end,
    })
}

/// Keeps what a suspected copy says, out of the books and unacknowledged.
pub(super) async fn quarantine(
    db: &Db,
    identity: &Identity,
    generation: u64,
    frames: &[Events],
) -> Result<(), End> {
    let db_end = |error: DbError| End::of_db(&error);
    let mut act = db.begin(&identity.actor()).await.map_err(db_end)?;
    for frame in frames {
        for bytes in &frame.events {
            let seq = Numbered::decode(bytes.as_slice()).map_or(0, |numbered| numbered.seq);
            let event = RawEvent { epoch: frame.epoch, seq, bytes };
            let (company, gateway_id) = (identity.company, identity.gateway_id);
            sql::quarantine(act.connection(), company, gateway_id, generation, &event)
                .await
                .map_err(db_end)?;
        }
    }
    act.commit().await.map_err(db_end)
}

/// Whether each event is taken in behind a savepoint of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    Batch,
    EachEvent,
}

enum Fault {
    Db(DbError),
    End(End),
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

fn number(frames: &[Events], epoch: u64) -> Result<Vec<Entry<'_>>, End> {
    let mut entries = Vec::new();
    for frame in frames {
        if frame.epoch != epoch {
            return Err(End::of(close::RESYNC, "events of another epoch"));
        }
        for bytes in &frame.events {
            let numbered = Numbered::decode(bytes.as_slice())
                .map_err(|_| End::of(close::MALFORMED, "an event without a number"))?;
            entries.push(Entry { seq: numbered.seq, bytes });
        }
    }
    Ok(entries)
}

/// What one transaction takes in.
struct Batch<'b> {
    identity: &'b Identity,
    entries: Vec<Entry<'b>>,
    epoch: u64,
    confirmed: Option<Confirmed>,
}

async fn try_take(
    db: &Db,
    sink: &dyn EventSink,
    batch: &Batch<'_>,
    care: Care,
) -> Result<Took, Fault> {
    let &Batch { identity, ref entries, epoch, confirmed } = batch;
    let (company, gateway_id) = (identity.company, identity.gateway_id);
    let mut act = db.begin(&identity.actor()).await?;
    // First, because whoever opens a session locks the gateway before its watermark.
    if let Some(confirmed) = confirmed {
        lease::confirm_in(&mut act, identity, confirmed).await.map_err(Fault::End)?;
    }
    let mark = sql::lock_watermark(act.connection(), company, gateway_id, epoch).await?;
    let mark = mark
        .filter(|mark| !mark.is_closed)
        .ok_or_else(|| Fault::End(End::of(close::RESYNC, "this journal is no longer followed")))?;
    if mark.state != "active" {
        return Err(Fault::End(End::of(close::REVOKED, "this gateway was revoked")));
    }
    if mark.mode != "normal" {
        return Err(Fault::End(End::of(close::RESYNC, "this gateway is held for a check")));
    }
    let mut took = Took { durable: mark.durable, has_gap: false };
    for entry in entries {
        if entry.seq <= took.durable {
            continue;
        }
        if entry.seq != took.durable + 1 {
            took.has_gap = true;
            break;
        }
        let raw = RawEvent { epoch, seq: entry.seq, bytes: entry.bytes };
        take_one(&mut act, sink, gateway_id, &raw, care).await?;
        took.durable = entry.seq;
    }
    if took.durable > mark.durable {
        let connection = act.connection();
        sql::advance_watermark(connection, company, gateway_id, epoch, took.durable).await?;
    }
    if took.durable > mark.durable || confirmed.is_some() {
        act.commit().await?;
    }
    Ok(took)
}

async fn take_one(
    act: &mut Act,
    sink: &dyn EventSink,
    gateway_id: Uuid,
    raw: &RawEvent<'_>,
    care: Care,
) -> Result<(), DbError> {
    let company = act.company();
    let unread = |reason: &'static str| (reason, raw);
    let (reason, raw) = match Event::decode(raw.bytes) {
        Err(_) => unread("undecodable"),
        Ok(Event { body: None, .. }) => unread("unknown-kind"),
        Ok(Event { body: Some(body), recorded, .. }) => {
            let origin = Origin { gateway_id };
            if care == Care::Batch {
                return sink.take(act, origin, &body, recorded.as_ref()).await;
            }
            sql::mark(act.connection()).await?;
            match sink.take(act, origin, &body, recorded.as_ref()).await {
                Ok(()) => return sql::drop_mark(act.connection()).await,
                Err(error @ (DbError::Unavailable(_) | DbError::Contention(_))) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::error!(
                        gateway.id = %gateway_id, event.seq = raw.seq, error = ?error,
                        "an event was refused and kept raw"
                    );
                    sql::back_to_mark(act.connection()).await?;
                    unread("refused")
                }
            }
        }
    };
    sql::keep_unread(act.connection(), company, gateway_id, raw, reason).await?;
    // Acknowledged and not understood: somebody must know, once a day.
    if sql::is_news(act.connection(), company, gateway_id, UNREAD_NOTICE).await? {
        let detail = format!("{reason} {}", raw.seq);
        add_cloud_notice(act, gateway_id, UNREAD_NOTICE, &detail).await?;
    }
    Ok(())
}
