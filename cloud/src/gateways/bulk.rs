//! Transfers that come up in chunks: what a diagnostic command asked for, and nothing else.
//!
//! PostgreSQL holds all there is to know, so a transfer goes on in whatever session and on
//! whatever node the gateway comes back. A chunk is confirmed after its COMMIT; the whole
//! counts once its digest is right. Bounded: [`TRANSFERS_OPEN_MAX`] begun per gateway,
//! [`KEPT`] complete ones, each at most [`TRANSFER_BYTES_MAX`].

use fournil_protocol::bulk::{Chunk, Grant, Offer, Stop};
use fournil_protocol::frame::Kind;
use fournil_protocol::limits::{
    BULK_WINDOW_BYTES, BULK_WINDOW_CHUNKS, CHUNK_BYTES_MIN, DIGEST_BYTES, TRANSFER_BYTES_MAX,
    TRANSFERS_OPEN_MAX,
};
use fournil_protocol::{close, words};
use ring::digest;
use uuid::Uuid;

use super::end::End;
use super::lease::lock_mine;
use super::model::{Identity, Kind as CommandKind};
use super::outbox::STATES_TOPIC;
use super::sql;
use super::sql::bundles::{self, Name};
use crate::db::{Act, Db, DbError};

/// Complete ones of a gateway; older ones are taken away.
const KEPT: i64 = 3;

/// What is said to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Everything up to here is stored; the whole length: it is complete.
    Durable(u64),
    Stopped(&'static str),
    /// It ended the transfer itself.
    Nothing,
}

/// Takes in an offer, a chunk or the end of one, and gives what is answered. What a session
/// said that no longer holds the gateway counts for nothing: the newer one was told where
/// the transfer stands.
pub(super) async fn take(
    db: &Db,
    identity: &Identity,
    generation: u64,
    said: &Kind,
) -> Result<Option<Kind>, End> {
    let transfer_id = match said {
        Kind::Offer(offer) => &offer.transfer_id,
        Kind::Chunk(chunk) => &chunk.transfer_id,
        Kind::Stop(stop) => &stop.transfer_id,
        _ => return Ok(None),
    };
    let Ok(command_id) = Uuid::from_slice(transfer_id) else {
        return Ok(Some(stop(transfer_id, words::TRANSFER_UNEXPECTED)));
    };
    let name = Name { company: identity.company, gateway_id: identity.gateway_id, command_id };
    let answer = in_act(db, identity, generation, name, said).await?;
    Ok(match answer {
        Answer::Durable(durable_bytes) => Some(Kind::Grant(Grant {
            transfer_id: transfer_id.clone(),
            durable_bytes,
            window_chunks: BULK_WINDOW_CHUNKS,
            window_bytes: BULK_WINDOW_BYTES,
            held_us: 0,
        })),
        Answer::Stopped(reason) => Some(stop(transfer_id, reason)),
        Answer::Nothing => None,
    })
}

/// What is said to whoever offers where nothing is taken.
pub(super) fn stop(transfer_id: &[u8], reason: &str) -> Kind {
    Kind::Stop(Stop { transfer_id: transfer_id.to_vec(), reason: reason.to_owned() })
}

async fn in_act(
    db: &Db,
    identity: &Identity,
    generation: u64,
    name: Name,
    said: &Kind,
) -> Result<Answer, End> {
    let mut act = db.begin(&identity.actor()).await?;
    if lock_mine(&mut act, identity, generation).await?.mode != "normal" {
        return Err(End::of(close::RESYNC, "this gateway is held for a check"));
    }
    let answer = match said {
        Kind::Offer(offer) => take_offer(&mut act, name, offer).await?,
        Kind::Chunk(chunk) => take_chunk(&mut act, name, chunk).await?,
        _ => {
            bundles::forget(act.connection(), name).await?;
            Answer::Nothing
        }
    };
    act.commit().await?;
    Ok(answer)
}

async fn take_offer(act: &mut Act, name: Name, offer: &Offer) -> Result<Answer, DbError> {
    let (total, is_whole) = (offer.total_bytes, offer.sha256.len() == DIGEST_BYTES);
    if total == 0 || total > TRANSFER_BYTES_MAX || !is_whole {
        return Ok(Answer::Stopped(words::TRANSFER_TOO_LARGE));
    }
    let refusal = refusal(act, name).await?;
    let begun = bundles::lock(act.connection(), name).await?;
    if begun.as_ref().is_some_and(|row| row.is_complete) {
        // It was stored, and the word of it was lost on the way.
        return Ok(Answer::Durable(total));
    }
    if let Some(reason) = refusal {
        bundles::forget(act.connection(), name).await?;
        return Ok(Answer::Stopped(reason));
    }
    let total_bytes = i64::try_from(total).unwrap_or(i64::MAX);
    if let Some(row) = begun {
        if row.total_bytes == total_bytes && row.sha256 == offer.sha256 {
            return Ok(Answer::Durable(row.received_bytes.cast_unsigned()));
        }
        // Gathered anew since.
        bundles::forget(act.connection(), name).await?;
    }
    bundles::forget_ended(act.connection(), name.company, name.gateway_id).await?;
    let open = bundles::open_count(act.connection(), name.company, name.gateway_id).await?;
    if usize::try_from(open).unwrap_or(usize::MAX) >= TRANSFERS_OPEN_MAX {
        return Ok(Answer::Stopped(words::TRANSFER_TOO_MANY));
    }
    bundles::begin(act.connection(), name, total_bytes, &offer.sha256).await?;
    Ok(Answer::Durable(0))
}

/// Why nothing (more) is taken; `None` while a command waits for it. The command's row is
/// locked, before the transfer's.
async fn refusal(act: &mut Act, name: Name) -> Result<Option<&'static str>, DbError> {
    let command =
        sql::outbox::lock_command(act.connection(), name.company, name.command_id).await?;
    let wanted = command.filter(|row| {
        row.gateway_id == name.gateway_id
            && row.kind == CommandKind::Diagnostics
            && !row.state.is_final()
    });
    let Some(wanted) = wanted else { return Ok(Some(words::TRANSFER_UNEXPECTED)) };
    let is_late = wanted.not_after.is_some_and(|not_after| act.now() > not_after);
    Ok(is_late.then_some(words::DEADLINE_PASSED))
}

async fn take_chunk(act: &mut Act, name: Name, chunk: &Chunk) -> Result<Answer, DbError> {
    let refusal = refusal(act, name).await?;
    let Some(row) = bundles::lock(act.connection(), name).await? else {
        return Ok(Answer::Stopped(words::TRANSFER_UNEXPECTED));
    };
    let (received, total) = (row.received_bytes.cast_unsigned(), row.total_bytes.cast_unsigned());
    if row.is_complete {
        return Ok(Answer::Durable(received));
    }
    if let Some(reason) = refusal {
        bundles::forget(act.connection(), name).await?;
        return Ok(Answer::Stopped(reason));
    }
    if chunk.offset != received {
        // What is here already, or what lies beyond a gap: told where to go on.
        return Ok(Answer::Durable(received));
    }
    let durable = received.saturating_add(chunk.bytes.len() as u64);
    let bytes_min = if chunk.is_last { 1 } else { CHUNK_BYTES_MIN };
    let is_sound = chunk.bytes.len() >= bytes_min && chunk.is_last == (durable == total);
    if durable > total || !is_sound {
        bundles::forget(act.connection(), name).await?;
        return Ok(Answer::Stopped(words::TRANSFER_CORRUPT));
    }
    bundles::add_part(act.connection(), name, row.received_bytes, &chunk.bytes).await?;
    if durable < total {
        return Ok(Answer::Durable(durable));
    }
    let mut hash = digest::Context::new(&digest::SHA256);
    bundles::each_part(act.connection(), name, |part| hash.update(part)).await?;
    if hash.finish().as_ref() != row.sha256 {
        bundles::forget(act.connection(), name).await?;
        return Ok(Answer::Stopped(words::TRANSFER_CORRUPT));
    }
    bundles::complete(act.connection(), name, KEPT).await?;
    act.hint(STATES_TOPIC, Some(name.gateway_id));
    Ok(Answer::Durable(total))
}
