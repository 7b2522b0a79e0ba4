//! The acts of the area.

use fournil_protocol::iclock::body::BodyError;
use fournil_protocol::iclock::{Command, Told};
use ring::hmac;

use super::model::{self, ANSWER_WITHIN, ASKED_LIFE, GIVEN_AT_ONCE, Mark, OPEN_MAX, TRIES_MAX};
use super::sql::{self, DueBounds, Found, NewClock};
use crate::db::{Act, Actor, CompanyId, Db, DbError};
use crate::people::{attendance, clocks};

/// Why a clock is sent away.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Nobody let this number in, or not any more.
    #[error("this number is not let in")]
    Unknown,
    /// A key is asked for and another or none was given.
    #[error("another key than the one agreed")]
    Key,
    /// With a key agreed, only where the key was said counts.
    #[error("no hello with the key came from this address")]
    NoHello,
    /// What it sent cannot be read.
    #[error(transparent)]
    Body(BodyError),
    /// It tells a table that is not kept here.
    #[error("a table that is not kept here")]
    Table,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Refusal {
    /// The word kept beside the clock.
    const fn word(&self) -> Option<&'static str> {
        match self {
            Self::Key => Some("key"),
            Self::NoHello => Some("no-hello"),
            Self::Body(_) => Some("body"),
            Self::Table => Some("table"),
            Self::Unknown | Self::Db(_) => None,
        }
    }
}

/// A clock that may speak.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) serial: String,
    pub(super) zone: String,
    pub(super) address: String,
    pub(super) firmware: String,
    actor: Actor,
}

/// A clock says hello: it must bring its key where one is agreed.
pub(super) async fn greet(
    db: &Db,
    serial: &str,
    key: Option<&str>,
    address: &str,
) -> Result<Caller, Refusal> {
    let found = sql::find(db.pool(), serial).await?.ok_or(Refusal::Unknown)?;
    if let Some(mac) = &found.key_mac {
        let secret = hmac_key(&sql::secret(db.pool()).await?);
        let given = key.unwrap_or_default();
        if hmac::verify(&secret, given.as_bytes(), mac).is_err() {
            return Err(refuse(db, serial, found.company, Refusal::Key).await);
        }
    }
    let caller = caller(serial, &found, address);
    let mut act = db.begin(&caller.actor).await?;
    sql::note_hello(act.connection(), found.company, serial, address).await?;
    act.commit().await?;
    Ok(caller)
}

/// A clock calls after its hello.
pub(super) async fn admit(db: &Db, serial: &str, address: &str) -> Result<Caller, Refusal> {
    let found = sql::find(db.pool(), serial).await?.ok_or(Refusal::Unknown)?;
    if found.key_mac.is_some() && found.greeted_from.as_deref() != Some(address) {
        return Err(refuse(db, serial, found.company, Refusal::NoHello).await);
    }
    Ok(caller(serial, &found, address))
}

fn caller(serial: &str, found: &Found, address: &str) -> Caller {
    Caller {
        serial: serial.to_owned(),
        zone: found.zone.clone(),
        address: address.to_owned(),
        firmware: String::new(),
        actor: Actor::system(found.company, &format!("clock {serial}")),
    }
}

/// What a clock sent cannot be kept; it will send it again, and somebody must look.
pub(super) async fn refuse_told(db: &Db, caller: &Caller, refusal: Refusal) -> Refusal {
    refuse(db, &caller.serial, caller.actor.company, refusal).await
}

/// Writes the refusal beside the clock, so that its owner sees it.
async fn refuse(db: &Db, serial: &str, company: CompanyId, refusal: Refusal) -> Refusal {
    let Some(word) = refusal.word() else { return refusal };
    let actor = Actor::system(company, "clock push");
    let noted = async {
        let mut act = db.begin(&actor).await?;
        sql::note_refusal(act.connection(), company, serial, word).await?;
        act.commit().await
    };
    match noted.await {
        Ok(()) => refusal,
        Err(error) => Refusal::Db(error),
    }
}

/// How far both logs were taken: punches, operations.
pub(super) async fn marks(db: &Db, caller: &Caller) -> Result<(String, String), DbError> {
    let company = caller.actor.company;
    let mut scope = db.read(company).await?;
    sql::marks(scope.connection(), company, &caller.serial).await
}

/// What one call brought.
#[derive(Debug, Default)]
pub(super) struct Brought {
    pub(super) told: Told,
    /// Results of commands: number, and what the clock answered.
    pub(super) results: Vec<(i64, i64)>,
    /// How far a log goes now.
    pub(super) mark: Option<(Mark, String)>,
}

/// Keeps what a call brought, all or nothing, and notes that the clock is there.
pub(super) async fn take(db: &Db, caller: &Caller, brought: &Brought) -> Result<(), Refusal> {
    let company = caller.actor.company;
    let Brought { told, results, mark } = brought;
    let mut act = db.begin(&caller.actor).await?;
    contact(&mut act, caller).await?;
    if !told.punches.is_empty() {
        attendance::ingest_many(&mut act, None, &told.punches).await?;
    }
    if !told.operations.is_empty() {
        clocks::ingest_operations(&mut act, None, &told.operations).await?;
    }
    if !told.users.is_empty() {
        let now = act.now();
        clocks::ingest_told_users(&mut act, &caller.serial, now, &told.users).await?;
    }
    if !results.is_empty() {
        sql::put_results(act.connection(), company, &caller.serial, results).await?;
    }
    if let Some((mark, value)) = mark {
        sql::put_mark(act.connection(), company, &caller.serial, *mark, value).await?;
    }
    act.commit().await?;
    Ok(())
}

/// Gives the clock what is asked of it; noted as sent before it is.
pub(super) async fn take_due(db: &Db, caller: &Caller) -> Result<Vec<(i64, Command)>, Refusal> {
    let company = caller.actor.company;
    let mut act = db.begin(&caller.actor).await?;
    contact(&mut act, caller).await?;
    let bounds = DueBounds {
        tries_max: TRIES_MAX,
        asked_before: act.now() - ASKED_LIFE,
        sent_before: act.now() - ANSWER_WITHIN,
        at_most: GIVEN_AT_ONCE,
    };
    let rows = sql::take_due(act.connection(), company, &caller.serial, &bounds).await?;
    act.commit().await?;
    let due = rows.into_iter().filter_map(|row| {
        let (from, to) = (row.from_local.as_deref(), row.to_local.as_deref());
        Some((row.command_no, model::command(&row.kind, from, to)?))
    });
    Ok(due.collect())
}

/// Locks the clock's line first: a call that began before it was sent away for good keeps
/// nothing after.
async fn contact(act: &mut Act, caller: &Caller) -> Result<(), Refusal> {
    let company = act.company();
    let Caller { serial, address, firmware, zone, .. } = caller;
    if !sql::note_contact(act.connection(), company, serial, address, firmware).await? {
        return Err(Refusal::Unknown);
    }
    let contact = clocks::Contact { clock_serial: serial, zone, address, firmware };
    clocks::note_contact(act, contact).await?;
    Ok(())
}

/// Lets a clock in. The key is kept as a hash only.
pub(super) async fn allow(
    act: &mut Act,
    clock_serial: &str,
    label: &str,
    zone: &str,
    key: Option<&str>,
) -> Result<(), DbError> {
    let company = act.company();
    let by = act.actor().label.clone();
    let mac = match key {
        Some(key) => {
            let secret = hmac_key(&sql::secret(act.connection()).await?);
            Some(hmac::sign(&secret, key.as_bytes()))
        }
        None => None,
    };
    let key_mac = mac.as_ref().map(AsRef::as_ref);
    let new = NewClock { clock_serial, label, zone, key_mac, by: &by };
    sql::allow(act.connection(), company, &new).await?;
    let details = serde_json::json!({ "zone": zone, "has_key": key.is_some() });
    act.audit("clock_push.allow", "clock", clock_serial, details).await?;
    Ok(())
}

/// Sends a clock away for good, until it is let in again. False when it was not in.
pub(super) async fn revoke(act: &mut Act, clock_serial: &str) -> Result<bool, DbError> {
    let company = act.company();
    let was_in = sql::revoke(act.connection(), company, clock_serial).await?;
    if was_in {
        act.audit("clock_push.revoke", "clock", clock_serial, serde_json::json!({})).await?;
    }
    Ok(was_in)
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Queued(i64),
    NotAllowed,
    /// So many wait already that one more is not taken.
    TooMany,
}

/// Asks something of a clock; it gets it when it next calls.
pub(super) async fn ask(
    act: &mut Act,
    clock_serial: &str,
    command: Command,
) -> Result<Asked, DbError> {
    let company = act.company();
    if !sql::is_allowed(act.connection(), company, clock_serial).await? {
        return Ok(Asked::NotAllowed);
    }
    if sql::open_count(act.connection(), company, clock_serial).await? >= OPEN_MAX {
        return Ok(Asked::TooMany);
    }
    let by = act.actor().label.clone();
    let command_no = sql::ask(act.connection(), company, clock_serial, command, &by).await?;
    let details = serde_json::json!({
        "command_no": command_no,
        "kind": model::word(command),
        "range": model::range_of(command),
    });
    act.audit("clock_push.ask", "clock", clock_serial, details).await?;
    Ok(Asked::Queued(command_no))
}

fn hmac_key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}
