//! Giving commands to the session that holds the gateway: in order, contiguous in the
//! down log, fenced by the session's generation, never past their deadline.

use fournil_protocol::command::Command;
use fournil_protocol::{close, limits};
use prost::Message;

use super::end::End;
use super::model::Identity;
use super::outbox::STATES_TOPIC;
use super::sql;
use crate::db::{Act, Db, DbError};

/// What a session may still send before the gateway confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) commands: u32,
    pub(super) bytes: u32,
}

/// Commands to send, and whether more wait.
#[derive(Debug, Default)]
pub(super) struct Leased {
    pub(super) commands: Vec<Command>,
    pub(super) has_more: bool,
}

/// Leases what fits. Committed before it is returned, so a command that was sent is
/// always known to have been.
pub(super) async fn lease(
    db: &Db,
    identity: &Identity,
    generation: u64,
    room: Room,
) -> Result<Leased, End> {
    let mut act = db.begin(&identity.actor()).await.map_err(|e| End::of_db(&e))?;
    let leased = lease_in(&mut act, identity, generation, room).await?;
    act.commit().await.map_err(|e| End::of_db(&e))?;
    Ok(leased)
}

async fn lease_in(
    act: &mut Act,
    identity: &Identity,
    generation: u64,
    room: Room,
) -> Result<Leased, End> {
    let (company, gateway_id) = (identity.company, identity.gateway_id);
    let db_end = |error: DbError| End::of_db(&error);
    let locked = lock_mine(act, identity, generation).await?;
    if locked.mode != "normal" || room.commands == 0 {
        return Ok(Leased::default());
    }
    let at_most = i64::from(room.commands) + 1;
    let queued = sql::outbox::queued(act.connection(), company, gateway_id, at_most)
        .await
        .map_err(db_end)?;
    let epoch = locked.known.down_epoch;
    let first_seq = locked.known.down_next;
    let mut leased = Leased::default();
    let (mut ids, mut bytes_left) = (Vec::new(), room.bytes as usize);
    for (row, seq) in queued.iter().zip(first_seq..) {
        let mut command = sql::decode(&row.body).map_err(db_end)?;
        command.seq = seq;
        let length = command.encoded_len();
        if ids.len() >= room.commands as usize || length > bytes_left {
            leased.has_more = true;
            break;
        }
        bytes_left -= length;
        ids.push(row.command_id);
        leased.commands.push(command);
    }
    if !ids.is_empty() {
        let lease = sql::outbox::Lease { epoch, first_seq, generation };
        sql::outbox::lease(act.connection(), company, gateway_id, &ids, &lease)
            .await
            .map_err(db_end)?;
    }
    Ok(leased)
}

/// What was sent before and not confirmed: sent again, same numbers, same ids.
pub(super) async fn unconfirmed(
    db: &Db,
    identity: &Identity,
    epoch: u64,
    durable: u64,
) -> Result<Vec<Command>, End> {
    let db_end = |error: DbError| End::of_db(&error);
    let mut scope = db.read(identity.company).await.map_err(db_end)?;
    let rows = sql::outbox::sent_after(
        scope.connection(),
        identity.company,
        identity.gateway_id,
        epoch,
        durable,
    )
    .await
    .map_err(db_end)?;
    let mut commands = Vec::with_capacity(rows.len());
    for (seq, body) in rows {
        let mut command = sql::decode(&body).map_err(db_end)?;
        command.seq = seq;
        commands.push(command);
    }
    Ok(commands)
}

/// The shop's journal holds everything up to there. The word of an older generation
/// is not heard: the newer session was told better.
pub(super) async fn confirm(db: &Db, identity: &Identity, confirmed: Confirmed) -> Result<(), End> {
    let db_end = |error: DbError| End::of_db(&error);
    let mut act = db.begin(&identity.actor()).await.map_err(db_end)?;
    confirm_in(&mut act, identity, confirmed).await?;
    act.commit().await.map_err(db_end)
}

/// What a session was told of the shop's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Confirmed {
    pub(super) generation: u64,
    pub(super) durable: u64,
}

/// As [`confirm`], within a transaction that locks nothing of this gateway before.
pub(super) async fn confirm_in(
    act: &mut Act,
    identity: &Identity,
    confirmed: Confirmed,
) -> Result<(), End> {
    let Confirmed { generation, durable } = confirmed;
    let (company, gateway_id) = (identity.company, identity.gateway_id);
    let locked = lock_mine(act, identity, generation).await?;
    let epoch = locked.known.down_epoch;
    sql::outbox::delivered(act.connection(), company, gateway_id, epoch, durable)
        .await
        .map_err(|error| End::of_db(&error))?;
    act.hint(STATES_TOPIC, Some(gateway_id));
    Ok(())
}

/// Locks the gateway's row and makes sure this session still holds it.
pub(super) async fn lock_mine(
    act: &mut Act,
    identity: &Identity,
    generation: u64,
) -> Result<sql::sessions::Locked, End> {
    let (company, gateway_id) = (identity.company, identity.gateway_id);
    let locked = sql::sessions::lock(act.connection(), company, gateway_id)
        .await
        .map_err(|e| End::of_db(&e))?;
    let Some(locked) = locked.filter(|locked| locked.state == "active") else {
        return Err(End::of(close::REVOKED, "this gateway was revoked"));
    };
    if locked.generation != generation {
        return Err(End::of(close::SUPERSEDED, "a newer session of this gateway took over"));
    }
    Ok(locked)
}

/// Cuts commands into frames that keep within the wire's limits.
pub(super) fn frames(commands: Vec<Command>) -> Vec<Vec<Command>> {
    // The envelope and each entry's own head take a few bytes.
    const FRAME_ROOM: usize = limits::FRAME_BYTES_MAX - 1024;
    let mut frames: Vec<Vec<Command>> = Vec::new();
    let (mut current, mut bytes) = (Vec::new(), 0);
    for command in commands {
        let length = command.encoded_len() + 8;
        let is_full =
            current.len() >= limits::COMMANDS_PER_FRAME_MAX || bytes + length > FRAME_ROOM;
        if is_full && !current.is_empty() {
            frames.push(std::mem::take(&mut current));
            bytes = 0;
        }
        bytes += length;
        current.push(command);
    }
    if !current.is_empty() {
        frames.push(current);
    }
    frames
}
