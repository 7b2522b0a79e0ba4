//! What the cloud is told of a clock besides its punches: what it is and how full, whom it
//! knows, what was done to it. Told when it changes or when somebody asks; told twice it is
//! recognised.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fournil_protocol::event::{
    Body, ClockLink, ClockOperation, ClockState, ClockUser, ClockUsers, PunchSource, Severity,
};
use fournil_protocol::words;
use ring::digest::{SHA256, digest};
use tokio::time::Instant;

use super::{ClockPart, SessionEnd};
use crate::clock::client::{ClientError, Session, Table};
use crate::clock::config::Transport;
use crate::clock::layout::{Operation, UserTable, decode_operations};
use crate::clock::ledger::{Origin, instant_of};
use crate::i18n::say;

/// Counts and drift alone are told this often at most.
const STATE_EVERY: Duration = Duration::from_mins(10);
/// Users in one event, far below its bound: names have 24 bytes.
const USERS_PER_PART: usize = 200;
/// Lines of the operation log in one request to the journal.
const OPERATIONS_PER_REQUEST: usize = 200;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    state: Option<(ClockState, Instant)>,
    /// Count of operations at which their log was read last.
    operations_seen: Option<u32>,
    /// When the log was read whole, in true time, and how many records it held.
    pub(super) whole_read: Option<(i64, u32)>,
}

impl ClockPart {
    /// Everything beside the punches, after a reading of the log.
    pub(super) async fn tell_all(
        &mut self,
        session: &mut Session,
        origin: &Origin,
    ) -> Result<(), SessionEnd> {
        let is_asked = !self.asked.is_empty();
        self.tell_state(is_asked).await?;
        let are_users_asked = self.asked.iter().any(|job| {
            use fournil_protocol::command::Body as Order;
            matches!(&job.command.body, Some(Order::ReadClock(wish)) if wish.users)
        });
        if let Some(users) = self.memory.users.clone() {
            self.tell_users(&origin.serial, &users, are_users_asked).await?;
        }
        self.tell_operations(session, origin).await
    }

    async fn tell_state(&mut self, is_asked: bool) -> Result<(), SessionEnd> {
        let now = Instant::now();
        let state = self.state();
        let is_due = match &self.told.state {
            None => true,
            Some((told, at)) => {
                is_asked || lasting(told) != lasting(&state) || *at + STATE_EVERY <= now
            }
        };
        if is_due {
            self.recorder.record(vec![Body::ClockState(state.clone())]).await?;
            self.told.state = Some((state, now));
        }
        Ok(())
    }

    fn state(&self) -> ClockState {
        let (identity, sizes) = (&self.condition.identity, &self.condition.sizes);
        let layout = self.memory.layout.map(|layout| layout.to_string());
        let link = match self.config.transport {
            Transport::Tcp => ClockLink::Tcp,
            Transport::Udp => ClockLink::Udp,
        };
        ClockState {
            clock_serial: identity.serial.clone(),
            device: self.config.name.clone(),
            model: identity.model.clone(),
            platform: identity.platform.clone(),
            firmware: identity.firmware.clone(),
            zone: self.config.zone.name().to_owned(),
            layout: layout.unwrap_or_default(),
            link: link.into(),
            pin_width: self.profile.pin_width.unwrap_or_default(),
            users: sizes.users,
            users_capacity: sizes.users_capacity,
            records: sizes.records,
            records_capacity: sizes.records_capacity,
            operations: sizes.oplog,
            drift_ms: self.condition.drift_ms,
            heard_ms: self.now().timestamp_millis(),
            whole_read_ms: self.told.whole_read.map(|(at_ms, _)| at_ms),
            whole_read_records: self.told.whole_read.map(|(_, held)| held).unwrap_or_default(),
            address: self.target.to_string(),
        }
    }

    /// Tells the table of users when it is another one than was told, or was asked for.
    pub(super) async fn tell_users(
        &mut self,
        serial: &str,
        users: &Arc<UserTable>,
        is_asked: bool,
    ) -> Result<(), SessionEnd> {
        let told: Vec<ClockUser> = users.users().iter().map(told_user).collect();
        let digest = digest_of(&told);
        if !is_asked && digest == self.profile.users_told {
            return Ok(());
        }
        let read_ms = self.now().timestamp_millis();
        let count = told.len().div_ceil(USERS_PER_PART).max(1);
        let parts = u32::try_from(count).unwrap_or(u32::MAX);
        for part in 0..count {
            let users = told.iter().skip(part * USERS_PER_PART).take(USERS_PER_PART);
            let body = Body::ClockUsers(ClockUsers {
                clock_serial: serial.to_owned(),
                read_ms,
                part: u32::try_from(part).unwrap_or(u32::MAX),
                parts,
                users: users.cloned().collect(),
                is_partial: false,
            });
            self.recorder.record(vec![body]).await?;
        }
        self.profile.users_told = digest;
        self.save_profile();
        Ok(())
    }

    /// Reads the operation log when its count has changed, and tells its new lines.
    async fn tell_operations(
        &mut self,
        session: &mut Session,
        origin: &Origin,
    ) -> Result<(), SessionEnd> {
        let count = self.condition.sizes.oplog;
        if count == 0 || self.told.operations_seen == Some(count) {
            return Ok(());
        }
        let log = match session.read_table(Table::Operations, self.memory.chunk_bytes).await {
            Ok(log) => log,
            // A help, not a condition: many clocks keep none.
            Err(error @ (ClientError::Refused { .. } | ClientError::Senseless { .. })) => {
                tracing::debug!(clock.name = self.config.name, %error, "no operation log");
                self.told.operations_seen = Some(count);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let lines = decode_operations(&log.records);
        let new = self.first_new(&lines);
        let told = operations(&lines, origin);
        for part in told.get(new..).unwrap_or_default().chunks(OPERATIONS_PER_REQUEST) {
            let bodies = part.iter().cloned().map(Body::ClockOperation).collect();
            self.recorder.record(bodies).await?;
        }
        if new < lines.len() || lines.len() < self.profile.operations_told {
            self.profile.operations_told = lines.len();
            self.profile.last_operation =
                lines.last().map(|line| short(&line.raw)).unwrap_or_default();
            self.save_profile();
        }
        self.told.operations_seen = Some(count);
        Ok(())
    }

    /// Where the lines begin that were not told. A log that was emptied or has gone round
    /// since is told from its beginning.
    fn first_new(&self, lines: &[Operation]) -> usize {
        let told = self.profile.operations_told;
        let last = told.checked_sub(1).and_then(|at| lines.get(at));
        let is_same = last.is_some_and(|line| short(&line.raw) == self.profile.last_operation);
        if is_same { told } else { 0 }
    }

    /// Takes up the profile of a clock, and tells when it has become another one.
    pub(super) async fn meet_profile(&mut self, session: &mut Session) -> Result<(), SessionEnd> {
        let identity = self.condition.identity.clone();
        if self.profile.serial != identity.serial {
            self.profile = super::Profile::load(self.store.as_ref(), &identity.serial);
            self.told = Told::default();
            let layout = self.profile.layout.as_deref();
            self.memory.layout = layout.and_then(|layout| layout.parse().ok());
        }
        if let Some(store) = &self.store {
            self.profile.follow((store.generation)());
        }
        let before = self.profile.clone();
        if let Some(was) = self.profile.meet(&identity) {
            self.memory.layout = None;
            let now = format!("{} {} {}", identity.model, identity.platform, identity.firmware);
            let detail = say("clock-profile-changed", &[("was", &was), ("now", &now)]);
            self.notice(Severity::Warning, words::CLOCK_PROFILE_CHANGED, detail).await?;
        }
        if self.profile.pin_width.is_none() {
            self.profile.pin_width = Some(session.pin_width().await?);
        }
        if self.profile != before {
            self.save_profile();
        }
        Ok(())
    }

    /// Notes the layout that the log turned out to have.
    pub(super) fn learn_layout(&mut self) {
        let layout = self.memory.layout.map(|layout| layout.to_string());
        if layout.is_some() && self.profile.layout != layout {
            self.profile.layout = layout;
            self.save_profile();
        }
    }

    fn save_profile(&self) {
        let Some(store) = &self.store else { return };
        if let Err(error) = self.profile.save(store) {
            tracing::warn!(clock.name = self.config.name, %error, "the clock's profile is not kept");
        }
    }
}

/// A state without what changes by itself.
fn lasting(state: &ClockState) -> ClockState {
    ClockState {
        users: 0,
        records: 0,
        operations: 0,
        drift_ms: None,
        heard_ms: 0,
        whole_read_ms: None,
        whole_read_records: 0,
        ..state.clone()
    }
}

fn told_user(user: &crate::clock::layout::User) -> ClockUser {
    ClockUser {
        slot: user.uid.into(),
        user_id: user.user_id.clone(),
        name: user.name.clone(),
        privilege: user.privilege.into(),
        card: user.card.into(),
        group: user.group.into(),
        is_name_garbled: user.is_name_foreign,
    }
}

fn digest_of(users: &[ClockUser]) -> String {
    use prost::Message as _;
    let bytes: Vec<u8> = users.iter().flat_map(ClockUser::encode_length_delimited_to_vec).collect();
    short(&bytes)
}

fn short(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    let bytes = digest.as_ref();
    data_encoding::HEXLOWER.encode(bytes.get(..16).unwrap_or(bytes))
}

/// Lines of the log as facts: equal ones are numbered in the order of the log.
fn operations(lines: &[Operation], origin: &Origin) -> Vec<ClockOperation> {
    let mut seen: HashMap<&[u8], u32> = HashMap::new();
    let fact = |line| operation(line, 0, origin);
    let mut facts: Vec<ClockOperation> = lines.iter().map(fact).collect();
    for (fact, line) in facts.iter_mut().zip(lines) {
        let count = seen.entry(&line.raw).or_default();
        fact.occurrence = *count;
        *count += 1;
    }
    facts
}

fn operation(line: &Operation, occurrence: u32, origin: &Origin) -> ClockOperation {
    let (instant, _) = instant_of(line.time, origin.zone);
    ClockOperation {
        clock_serial: origin.serial.clone(),
        local_time: line.time.to_string(),
        zone: origin.zone.name().to_owned(),
        instant_ms: instant.map(|instant| instant.timestamp_millis()),
        operation: line.operation.into(),
        admin: line.admin.to_string(),
        parameters: line.parameters.iter().map(u16::to_string).collect(),
        occurrence,
        raw: line.raw.clone(),
        source: PunchSource::Poll.into(),
    }
}
