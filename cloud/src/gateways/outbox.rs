//! The outbox: wishes to the shops, written in the transaction of the business act
//! that has them. One row from wish to outcome; the same source asks once.

use chrono::{DateTime, Utc};
use fournil_protocol::command::{self, Body, Command};
use fournil_protocol::event::{CommandReport, CommandState};
use fournil_protocol::limits::COMMAND_BYTES_MAX;
use fournil_protocol::words;
use prost::Message;
use uuid::Uuid;

use super::health::add_cloud_notice;
use super::model::{Kind, Policy, Reported, State};
use super::sql;
use super::sql::outbox::SourceCommand;
use super::warnings::overdue_since;
use crate::db::{Act, CompanyId, DbError, Scope};

/// The hint that wakes whoever holds the gateway: something was queued.
pub const TOPIC: &str = "commands";
/// The hint for those who show commands: a state changed.
pub const STATES_TOPIC: &str = "command-states";

/// A wish.
#[derive(Debug, Clone)]
pub struct NewCommand<'c> {
    pub gateway_id: Uuid,
    /// The device's configured name; empty for the only one of its kind.
    pub device: &'c str,
    /// Names it in lists, such as a ticket's number.
    pub title: &'c str,
    pub body: Body,
    /// After this it must not begin.
    pub not_after: Option<DateTime<Utc>>,
    /// The business fact and what of it: asked twice, one command.
    pub source_kind: &'c str,
    pub source_id: Uuid,
    pub purpose: &'c str,
    /// The command a copy repeats.
    pub copy_of: Option<Uuid>,
}

/// What came of calling a command back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It had not left: nothing of it happens.
    Cancelled,
    /// The shop was asked to leave it; the command's own state will say.
    Asked,
    /// It has begun or ended.
    TooLate(State),
    NotFound,
}

/// What came of a person's word on a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubtOutcome {
    Settled,
    /// There is no doubt about it (any more).
    NotInDoubt(State),
    NotFound,
}

/// Puts a command into the outbox, or finds the one its source already has.
///
/// A body over the wire's limit becomes a failed command with the reason `too-large`,
/// so that the business fact stands and the screen says why nothing is printed.
pub async fn enqueue(act: &mut Act, new: NewCommand<'_>) -> Result<Uuid, DbError> {
    let (kind, policy) = kind_and_policy(&new.body);
    let command_id = Uuid::now_v7();
    let command = Command {
        seq: 0,
        command_id: command_id.as_bytes().to_vec(),
        policy: wire_policy(policy) as i32,
        not_after_ms: new.not_after.map_or(0, |at| at.timestamp_millis()),
        device: new.device.to_owned(),
        body: Some(new.body),
    };
    let body = command.encode_to_vec();
    // The sequence is put in later and takes up to 11 bytes.
    let is_too_large = body.len() + 11 > COMMAND_BYTES_MAX;
    let actor = act.actor().clone();
    let row = sql::outbox::NewRow {
        command_id,
        gateway_id: new.gateway_id,
        kind: kind.word(),
        policy: policy.word(),
        device: new.device,
        title: new.title,
        body: &body,
        not_after: new.not_after,
        is_too_large,
        source_kind: new.source_kind,
        source_id: new.source_id,
        purpose: new.purpose,
        copy_of: new.copy_of,
        asked_by: &actor.label,
        asked_by_user: actor.user_id(),
    };
    if sql::outbox::insert(act.connection(), actor.company, &row).await? {
        act.hint(TOPIC, Some(new.gateway_id));
        return Ok(command_id);
    }
    sql::outbox::id_of_source(
        act.connection(),
        actor.company,
        new.source_kind,
        new.source_id,
        new.purpose,
    )
    .await
}

/// The active gateway of a shop, if it has one.
pub async fn gateway_of_store(act: &mut Act, store_id: Uuid) -> Result<Option<Uuid>, DbError> {
    let company = act.company();
    sql::outbox::gateway_of_store(act.connection(), company, store_id).await
}

/// Calls a command back.
pub async fn cancel(act: &mut Act, command_id: Uuid) -> Result<CancelOutcome, DbError> {
    let company = act.company();
    let Some(row) = sql::outbox::lock_command(act.connection(), company, command_id).await? else {
        return Ok(CancelOutcome::NotFound);
    };
    match row.state {
        State::Queued => {
            let by = act.actor().label.clone();
            let step = plain_step(State::Cancelled, "person-cancelled", &by);
            sql::outbox::step(act.connection(), company, command_id, &step).await?;
            act.hint(STATES_TOPIC, Some(row.gateway_id));
            Ok(CancelOutcome::Cancelled)
        }
        State::Leased | State::Delivered if row.kind != Kind::Cancel => {
            ask_to_leave(act, row.gateway_id, command_id).await?;
            Ok(CancelOutcome::Asked)
        }
        other => Ok(CancelOutcome::TooLate(other)),
    }
}

/// Asks the shop not to begin a command.
async fn ask_to_leave(act: &mut Act, gateway_id: Uuid, command_id: Uuid) -> Result<(), DbError> {
    let body = Body::Cancel(command::Cancel { command_id: command_id.as_bytes().to_vec() });
    let new = NewCommand {
        gateway_id,
        device: "",
        title: "",
        body,
        not_after: None,
        source_kind: "command",
        source_id: command_id,
        purpose: "cancel",
        copy_of: None,
    };
    enqueue(act, new).await.map(drop)
}

/// What came of giving a command up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUpOutcome {
    /// Nobody waits for it any more; where that leaves it.
    GivenUp(State),
    /// The shop still has time to answer.
    NotOverdue,
    /// It ended, or only a doubt is left.
    TooLate(State),
    NotFound,
}

/// A person no longer waits for a shop that should have answered. What may have happened
/// is doubtful afterwards, and the shop's own word still counts when it comes; should the
/// shop not have begun, it is asked not to.
pub async fn give_up(act: &mut Act, command_id: Uuid) -> Result<GiveUpOutcome, DbError> {
    let company = act.company();
    let Some(row) = sql::outbox::lock_command(act.connection(), company, command_id).await? else {
        return Ok(GiveUpOutcome::NotFound);
    };
    let Some(state) = row.state.given_up(row.policy) else {
        return Ok(GiveUpOutcome::TooLate(row.state));
    };
    if overdue_since(row.state, row.leased_at, row.not_after, act.now()).is_none() {
        return Ok(GiveUpOutcome::NotOverdue);
    }
    let by = act.actor().label.clone();
    let step = plain_step(state, "person-gave-up", &by);
    sql::outbox::step(act.connection(), company, command_id, &step).await?;
    if row.kind != Kind::Cancel {
        ask_to_leave(act, row.gateway_id, command_id).await?;
    }
    act.hint(STATES_TOPIC, Some(row.gateway_id));
    Ok(GiveUpOutcome::GivenUp(state))
}

/// A person saw the paper, or did not.
pub async fn settle_doubt(
    act: &mut Act,
    command_id: Uuid,
    has_happened: bool,
) -> Result<DoubtOutcome, DbError> {
    let company = act.company();
    let Some(row) = sql::outbox::lock_command(act.connection(), company, command_id).await? else {
        return Ok(DoubtOutcome::NotFound);
    };
    if row.state != State::InDoubt {
        return Ok(DoubtOutcome::NotInDoubt(row.state));
    }
    let by = act.actor().label.clone();
    let step = if has_happened {
        plain_step(State::Done, "person-said-done", &by)
    } else {
        plain_step(State::Failed, "person-said-not-done", &by)
    };
    sql::outbox::step(act.connection(), company, command_id, &step).await?;
    act.hint(STATES_TOPIC, Some(row.gateway_id));
    Ok(DoubtOutcome::Settled)
}

/// The document a print command carries, to print it again.
pub async fn printed_document(
    act: &mut Act,
    command_id: Uuid,
) -> Result<Option<(Uuid, command::Print)>, DbError> {
    let company = act.company();
    let row = sql::outbox::lock_command(act.connection(), company, command_id).await?;
    let Some(row) = row else { return Ok(None) };
    let command = sql::decode(&row.body)?;
    match command.body {
        Some(Body::Print(print)) => Ok(Some((row.gateway_id, print))),
        _ => Ok(None),
    }
}

/// The commands of business facts, for the area that shows them.
pub async fn of_sources(
    scope: &mut Scope,
    company: CompanyId,
    source_kind: &str,
    source_ids: &[Uuid],
    purpose: &str,
) -> Result<Vec<SourceCommand>, DbError> {
    sql::outbox::of_sources(scope.connection(), company, source_kind, source_ids, purpose).await
}

/// What the shop says of a command. The newest word wins, save that a final state is
/// never left; `None` when it changes nothing.
pub async fn record_report(
    act: &mut Act,
    gateway_id: Uuid,
    report: &CommandReport,
) -> Result<Option<Reported>, DbError> {
    let company = act.company();
    let Ok(command_id) = Uuid::from_slice(&report.command_id) else {
        add_cloud_notice(act, gateway_id, "report-without-command", "").await?;
        return Ok(None);
    };
    let row = sql::outbox::lock_command(act.connection(), company, command_id).await?;
    let Some(row) = row.filter(|row| row.gateway_id == gateway_id) else {
        // Forgotten by a cloud that was restored, or of another gateway.
        add_cloud_notice(act, gateway_id, "report-unknown-command", &command_id.to_string())
            .await?;
        return Ok(None);
    };
    let told = CommandState::try_from(report.state).unwrap_or(CommandState::Unknown);
    let Some(state) = row.state.after_report(told, row.policy) else { return Ok(None) };
    if row.state == State::Queued {
        sql::outbox::take_unasked(act.connection(), company, command_id).await?;
    }
    let said = Said::of(&row, state, report);
    if said.is_broken_promise {
        add_cloud_notice(act, gateway_id, "attempted-twice", &command_id.to_string()).await?;
    }
    let state = said.state;
    let step = sql::outbox::Step {
        state,
        reason: said.reason,
        detail: &report.detail,
        evidence: said.evidence,
        attempt: said.attempt,
        by: "gateway",
    };
    sql::outbox::step(act.connection(), company, command_id, &step).await?;
    act.hint(STATES_TOPIC, Some(gateway_id));
    Ok(Some(Reported {
        command_id,
        kind: row.kind,
        state,
        source_kind: row.source_kind,
        source_id: row.source_id,
        purpose: row.purpose,
    }))
}

/// A report as far as it can be true: what a shop that broke its word says is not lost
/// for that, and is not believed beyond what can be.
struct Said<'r> {
    state: State,
    reason: &'r str,
    evidence: i16,
    attempt: i32,
    /// It began more than once what may begin once.
    is_broken_promise: bool,
}

impl<'r> Said<'r> {
    fn of(row: &sql::outbox::CommandRow, state: State, report: &'r CommandReport) -> Self {
        let attempt = i32::try_from(report.attempt).unwrap_or(i32::MAX);
        let is_broken_promise = row.policy == Policy::AtMostOnce && attempt > 1;
        let proves = matches!(state, State::Started | State::Done | State::Failed | State::InDoubt);
        let evidence =
            if proves { i16::try_from(report.evidence).unwrap_or(0).clamp(0, 4) } else { 0 };
        // Called printed, and nothing says so.
        let is_unproven = row.kind == Kind::Print && state == State::Done && evidence == 0;
        Self {
            state: if is_unproven { State::InDoubt } else { state },
            reason: if is_unproven { words::NO_PROOF } else { &report.reason },
            evidence,
            attempt: match (is_broken_promise, state) {
                (true, _) => 1,
                (false, State::Started) => attempt.max(1),
                (false, _) => attempt,
            },
            is_broken_promise,
        }
    }
}

const fn plain_step<'s>(state: State, reason: &'s str, by: &'s str) -> sql::outbox::Step<'s> {
    sql::outbox::Step { state, reason, detail: "", evidence: 0, attempt: 0, by }
}

const fn kind_and_policy(body: &Body) -> (Kind, Policy) {
    match body {
        Body::Print(_) => (Kind::Print, Policy::Ask),
        Body::OpenDrawer(_) => (Kind::Drawer, Policy::AtMostOnce),
        Body::ReadClock(_) => (Kind::ReadClock, Policy::Repeatable),
        Body::ReadStatus(_) => (Kind::ReadStatus, Policy::Repeatable),
        Body::Cancel(_) => (Kind::Cancel, Policy::Repeatable),
        Body::SendDiagnostics(_) => (Kind::Diagnostics, Policy::Repeatable),
        Body::SetClockTime(_) => (Kind::SetClockTime, Policy::Repeatable),
        Body::WriteClockUsers(_) => (Kind::WriteClockUsers, Policy::Repeatable),
        Body::ClearClockLog(_) => (Kind::ClearClockLog, Policy::AtMostOnce),
    }
}

const fn wire_policy(policy: Policy) -> command::Policy {
    match policy {
        Policy::AtMostOnce => command::Policy::AtMostOnce,
        Policy::Ask => command::Policy::Ask,
        Policy::Repeatable => command::Policy::Repeatable,
    }
}
