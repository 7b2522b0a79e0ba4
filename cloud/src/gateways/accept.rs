//! The first minute of a session: is its key still good, and where do the logs stand.
//! Everything a session begins with is one transaction.

use chrono::{DateTime, TimeDelta, Utc};
use fournil_protocol::close;
use fournil_protocol::hello::{Hello, Mode};
use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

use super::end::End;
use super::health::{self, add_cloud_notice};
use super::model::{DownResume, Head, Identity, Resume, UpResume, resume};
use super::rotate;
use super::sql::lost::{self, Lost};
use super::sql::sessions::{self as sql, Accepted, NewSession};
use crate::db::{Act, Db, DbError};

/// Boots of a gateway are compared over this long: two machines that take each other's place
/// do so within minutes.
const BOOTS_COMPARED: TimeDelta = TimeDelta::minutes(10);

/// What a session begins with.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) generation: u64,
    pub(super) mode: Mode,
    pub(super) up_epoch: u64,
    pub(super) up_durable: u64,
    pub(super) down_epoch: u64,
    /// The gateway has the down log up to here.
    pub(super) down_durable: u64,
    /// The cloud has sent up to here.
    pub(super) down_sent: u64,
}

/// Where a session runs and from where it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) node: &'p str,
    pub(super) peer: &'p str,
    /// The key that signed its Hello.
    pub(super) public_key: &'p [u8],
    /// Until when the client certificate it came with is good.
    pub(super) certificate_until: Option<DateTime<Utc>>,
}

/// What became of a Hello.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Opened(Opened),
    /// It contradicts what is known, and nothing was written: either a copy speaks, or
    /// the Hello waited so long for the database that its sender is gone and has come
    /// back since. Ask for proof of life, then open again with the same `generation`.
    Suspect {
        generation: u64,
    },
}

/// Opens the session: new generation, both logs, clone signals; one transaction.
///
/// `alive_since` is the generation of an [`Outcome::Suspect`] after which the sender
/// showed that it is there: only then does a suspicion count, and only if no other
/// session began meanwhile.
pub(super) async fn open(
    db: &Db,
    identity: &Identity,
    hello: &Hello,
    place: Place<'_>,
    alive_since: Option<u64>,
) -> Result<Outcome, End> {
    let mut act = db.begin(&identity.actor()).await.map_err(|e| End::of_db(&e))?;
    let outcome = open_in(&mut act, identity, hello, place, alive_since).await?;
    if let Outcome::Opened(_) = outcome {
        act.hint(health::TOPIC, Some(identity.gateway_id));
        act.commit().await.map_err(|e| End::of_db(&e))?;
    }
    Ok(outcome)
}

async fn open_in(
    act: &mut Act,
    identity: &Identity,
    hello: &Hello,
    place: Place<'_>,
    alive_since: Option<u64>,
) -> Result<Outcome, End> {
    let (company, gateway_id) = (identity.company, identity.gateway_id);
    let db_end = |error: DbError| End::of_db(&error);
    let locked = sql::lock(act.connection(), company, gateway_id).await.map_err(db_end)?;
    let Some(mut locked) = locked.filter(|locked| locked.state == "active") else {
        return Err(End::of(close::REVOKED, "this gateway was revoked"));
    };
    let (up, is_closed) = sql::known_up(act.connection(), company, gateway_id, hello.up.epoch)
        .await
        .map_err(db_end)?;
    locked.known.up = up;
    locked.known.is_closed_epoch = is_closed;
    let since = act.now() - BOOTS_COMPARED;
    locked.known.is_boot_back =
        sql::is_boot_back(act.connection(), company, gateway_id, &hello.boot_id, since)
            .await
            .map_err(db_end)?;
    let resume = resume(&locked.known, hello);
    if alive_since.is_some_and(|seen| seen != locked.generation) {
        return Err(End::of(close::SUPERSEDED, "another session began meanwhile"));
    }
    if locked.mode != "read_only" && resume.suspicion.is_some() && alive_since.is_none() {
        return Ok(Outcome::Suspect { generation: locked.generation });
    }
    let is_suspect = locked.mode == "read_only" || resume.suspicion.is_some();
    let is_key_good = if is_suspect {
        rotate::is_good(act, gateway_id, place.public_key).await
    } else {
        rotate::seen(act, gateway_id, place.public_key).await
    };
    if !is_key_good.map_err(db_end)? {
        return Err(End::of(close::UNKNOWN_KEY, "this key is no longer good: enrol it again"));
    }
    let generation = locked.generation + 1;
    let session = NewSession {
        generation,
        node: place.node,
        peer: place.peer,
        boot_id: &hello.boot_id,
        certificate_until: place.certificate_until,
    };
    sql::begin(act.connection(), company, gateway_id, &session).await.map_err(db_end)?;
    if is_suspect {
        let opened = open_read_only(act, identity, hello, generation, &locked, &resume).await;
        return opened.map(Outcome::Opened).map_err(db_end);
    }
    let accepted = Accepted {
        generation,
        software: &hello.software,
        incarnation: hello.incarnation,
        boot_id: &hello.boot_id,
        head: Head { epoch: hello.up.epoch, seq: hello.up.last, hash: hello.up.head_hash.clone() },
    };
    sql::accept(act.connection(), company, gateway_id, &accepted).await.map_err(db_end)?;
    let up_durable = resume_up(act, gateway_id, hello, resume.up).await.map_err(db_end)?;
    let down = resume_down(act, gateway_id, &locked, hello, resume.down).await.map_err(db_end)?;
    Ok(Outcome::Opened(Opened {
        generation,
        mode: Mode::Normal,
        up_epoch: hello.up.epoch,
        up_durable,
        down_epoch: down.epoch,
        down_durable: down.durable,
        down_sent: down.sent,
    }))
}

/// A suspected copy may speak, and nothing it says becomes known: both copies stay out
/// until a person decides.
async fn open_read_only(
    act: &mut Act,
    identity: &Identity,
    hello: &Hello,
    generation: u64,
    locked: &sql::Locked,
    resume: &Resume,
) -> Result<Opened, DbError> {
    let (company, gateway_id) = (identity.company, identity.gateway_id);
    let reason = resume.suspicion.map(super::model::Suspicion::word);
    sql::accept_read_only(act.connection(), company, gateway_id, generation, reason).await?;
    if let (Some(reason), "normal") = (reason, locked.mode.as_str()) {
        add_cloud_notice(act, gateway_id, "clone-suspected", reason).await?;
    }
    let followed = locked.known.up.filter(|up| up.epoch == hello.up.epoch);
    let first_kept = hello.up.first_kept.max(1);
    Ok(Opened {
        generation,
        mode: Mode::ReadOnly,
        up_epoch: hello.up.epoch,
        up_durable: followed.map_or(first_kept - 1, |up| up.durable.min(hello.up.last)),
        down_epoch: locked.known.down_epoch,
        down_durable: locked.known.down_durable,
        down_sent: locked.known.down_durable,
    })
}

async fn resume_up(
    act: &mut Act,
    gateway_id: Uuid,
    hello: &Hello,
    resume: UpResume,
) -> Result<u64, DbError> {
    let company = act.company();
    match resume {
        UpResume::Follow { durable } => Ok(durable),
        UpResume::Gap { first_lost, last_lost } => {
            let detail = format!("{first_lost}-{last_lost}");
            add_cloud_notice(act, gateway_id, "events-lost", &detail).await?;
            let connection = act.connection();
            super::sql::intake::advance_watermark(
                connection,
                company,
                gateway_id,
                hello.up.epoch,
                last_lost,
            )
            .await?;
            Ok(last_lost)
        }
        UpResume::NewJournal { lost_after, first_kept } => {
            let connection = act.connection();
            let from = first_kept - 1;
            let durable =
                sql::follow_new_log(connection, company, gateway_id, hello.up.epoch, from).await?;
            if let Some(lost_after) = lost_after {
                lost::settle(act.connection(), company, gateway_id, Lost::Everything).await?;
                add_cloud_notice(act, gateway_id, "journal-lost", &lost_after.to_string()).await?;
                act.hint(super::outbox::STATES_TOPIC, Some(gateway_id));
            }
            if durable == from && from > 0 {
                let detail = format!("1-{durable}");
                add_cloud_notice(act, gateway_id, "events-lost", &detail).await?;
            }
            Ok(durable)
        }
    }
}

/// Where the down log stands as a session begins.
struct DownStand {
    epoch: u64,
    durable: u64,
    sent: u64,
}

async fn resume_down(
    act: &mut Act,
    gateway_id: Uuid,
    locked: &sql::Locked,
    hello: &Hello,
    resume: DownResume,
) -> Result<DownStand, DbError> {
    let company = act.company();
    let told = hello.down;
    match resume {
        DownResume::Follow { durable } => {
            let epoch = locked.known.down_epoch;
            let connection = act.connection();
            super::sql::outbox::delivered(connection, company, gateway_id, epoch, durable).await?;
            Ok(DownStand { epoch, durable, sent: locked.known.down_next - 1 })
        }
        DownResume::Begin => {
            let known = &locked.known;
            if told.epoch == known.down_epoch && told.durable < known.down_durable {
                let lost = Lost::After { epoch: told.epoch, durable: told.durable };
                lost::settle(act.connection(), company, gateway_id, lost).await?;
                act.hint(super::outbox::STATES_TOPIC, Some(gateway_id));
            }
            let epoch = random_epoch();
            sql::begin_down_log(act.connection(), company, gateway_id, epoch).await?;
            Ok(DownStand { epoch, durable: 0, sent: 0 })
        }
    }
}

/// A random epoch, never 0: that says "never held a command".
fn random_epoch() -> u64 {
    let mut bytes = [0; 8];
    // The system's randomness does not fail once the system runs; a time-ordered id
    // still tells two logs apart if it did.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        bytes = u64::try_from(Uuid::now_v7().as_u128() & u128::from(u64::MAX))
            .unwrap_or(1)
            .to_be_bytes();
    }
    u64::from_be_bytes(bytes).max(1)
}
