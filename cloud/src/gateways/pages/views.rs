//! What the templates are given: every word ready, every instant in the shop's zone.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use data_encoding::HEXLOWER;
use ring::digest;
use uuid::Uuid;

use super::room::room;
use crate::gateways::model::{Kind, State};
use crate::gateways::reasons::{close_text, evidence_text, reason_text, state_badge, state_text};
use crate::gateways::sql::bundles::BundleLine;
use crate::gateways::sql::keys::KeyLine;
use crate::gateways::sql::lists::{CommandLine, DeviceLine, GatewayRow, NoticeLine, StepLine};
use crate::gateways::warnings::{ClockState, Expiry, clock_state, overdue_since};
use crate::i18n::{Message, Texts};
use crate::time::{self, At, at};

/// A short mark of what a part shows: asked with the same mark, nothing is sent again.
pub(super) fn mark_of(rows: &impl Debug) -> String {
    let digest = digest::digest(&digest::SHA256, format!("{rows:?}").as_bytes());
    HEXLOWER.encode(digest.as_ref().get(..8).unwrap_or_default())
}

/// A gateway's card.
#[derive(Debug, Clone)]
pub(super) struct GatewayView {
    pub(super) gateway_id: Uuid,
    pub(super) name: String,
    pub(super) store: String,
    pub(super) zone: Tz,
    pub(super) state: String,
    /// Machine word of the badge: `online`, `offline`, `new`, `revoked`, `read-only`.
    pub(super) live: &'static str,
    pub(super) live_text: String,
    pub(super) badge: &'static str,
    pub(super) since: Option<At>,
    pub(super) heard: Option<At>,
    /// When and why the newest session that is over ended.
    pub(super) last_end: Option<(At, String)>,
    pub(super) remedy: Option<String>,
    pub(super) software: String,
    pub(super) hostname: String,
    pub(super) peer: String,
    pub(super) fingerprint: String,
    pub(super) journal_pending: Option<i64>,
    pub(super) disk: Option<String>,
    /// How its clock stands, once it has measured.
    pub(super) clock: Option<ClockView>,
    pub(super) unsettled: i64,
    pub(super) code_expires: Option<At>,
    pub(super) devices: Vec<DeviceView>,
    /// What became of the wish for another key.
    pub(super) rotation: Option<String>,
    /// Until when the certificate that the box saw is good, and the one it brought.
    pub(super) certificate_seen: Option<At>,
    pub(super) certificate_own: Option<At>,
    pub(super) expiries: Vec<ExpiryView>,
}

/// A certificate whose end is near.
#[derive(Debug, Clone)]
pub(super) struct ExpiryView {
    /// Machine word: `server`, `authority`, `gateways`, `seen`, `own`.
    pub(super) what: String,
    pub(super) style: &'static str,
    pub(super) text: String,
}

/// Nothing while the end is far.
pub(super) fn expiry(
    what: &str,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    texts: &Texts,
) -> Option<ExpiryView> {
    let (style, when) = match Expiry::of(until?, now) {
        Expiry::Far => return None,
        Expiry::Soon(days) => ("notice--warn", in_days(days, texts)),
        Expiry::Near(days) => ("notice--bad", in_days(days, texts)),
        Expiry::Over => ("notice--bad", texts.get("gateways-expiry-over")),
    };
    let text = texts.with(&format!("gateways-expiry-{what}"), &[("when", when)]);
    Some(ExpiryView { what: what.to_owned(), style, text })
}

fn in_days(days: i64, texts: &Texts) -> String {
    texts.with("gateways-expiry-in", &[("days", days.to_string())])
}

/// A key's line.
#[derive(Debug, Clone)]
pub(super) struct KeyView {
    pub(super) fingerprint: String,
    pub(super) state: String,
    pub(super) state_text: String,
    pub(super) badge: &'static str,
    pub(super) since: At,
    pub(super) connected: Option<At>,
}

pub(super) fn key(line: &KeyLine, zone: Tz, texts: &Texts) -> KeyView {
    let state = line.state.as_str();
    let until = line.retires_at.map(|until| at(until, zone).shown);
    let id = format!("gateways-key-{state}");
    KeyView {
        fingerprint: line.fingerprint.clone(),
        state: line.state.clone(),
        state_text: match until {
            Some(until) if state == "retiring" => texts.with(&id, &[("until", until)]),
            _ => texts.get(&id),
        },
        badge: match state {
            "active" => "badge--ok",
            "next" | "retiring" => "badge--warn",
            _ => "badge--idle",
        },
        since: at(line.added_at, zone),
        connected: line.connected_at.map(|connected| at(connected, zone)),
    }
}

impl GatewayView {
    pub(super) fn is_active(&self) -> bool {
        self.state == "active"
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.state == "revoked"
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.live == "read-only"
    }

    pub(super) fn is_online(&self) -> bool {
        self.live == "online"
    }
}

/// The clock of the box itself.
#[derive(Debug, Clone)]
pub(super) struct ClockView {
    /// Machine word: `right`, `warn`, `alarm`.
    pub(super) state: &'static str,
    pub(super) shown: String,
    /// What it means and what to do, with the style of the notice.
    pub(super) remedy: Option<(&'static str, String)>,
}

/// A device's line.
#[derive(Debug, Clone)]
pub(super) struct DeviceView {
    pub(super) device: String,
    pub(super) kind_text: String,
    pub(super) icon: &'static str,
    pub(super) state: String,
    pub(super) state_text: String,
    pub(super) badge: &'static str,
    pub(super) code: String,
    pub(super) remedy: Option<String>,
    pub(super) detail: String,
    pub(super) figures: Vec<String>,
    pub(super) told: At,
}

pub(super) fn gateway(
    row: &GatewayRow,
    devices: &[DeviceLine],
    now: DateTime<Utc>,
    texts: &Texts,
) -> GatewayView {
    let zone = time::zone(&row.zone);
    let live = live_word(row);
    let own = devices.iter().filter(|line| line.gateway_id == row.gateway_id);
    let is_live = row.is_live;
    GatewayView {
        gateway_id: row.gateway_id,
        name: row.name.clone(),
        store: row.store.clone(),
        zone,
        state: row.state.clone(),
        live,
        live_text: texts.get(&format!("gateways-live-{live}")),
        badge: match live {
            "online" => "badge--ok",
            "offline" => "badge--bad",
            "read-only" => "badge--warn",
            _ => "badge--idle",
        },
        since: row.since.filter(|_| is_live).map(|since| at(since, zone)),
        // While it is live the last contact is now, and telling the second of it would
        // change the page for nothing.
        heard: row.heard_at.filter(|_| !is_live).map(|heard| at(heard, zone)),
        last_end: row.last_end_at.map(|ended| {
            let code = row.last_close_code.map(|code| u16::try_from(code).unwrap_or(u16::MAX));
            (at(ended, zone), texts.say(&close_text(code)))
        }),
        remedy: remedy(row, live, texts),
        software: row.software.clone(),
        hostname: row.hostname.clone(),
        peer: row.peer.clone().unwrap_or_default(),
        fingerprint: row.fingerprint.clone().unwrap_or_default(),
        journal_pending: row.journal_pending,
        disk: row.disk_free_bytes.map(|bytes| room(bytes, texts)),
        clock: row.clock_offset_ms.map(|offset_ms| clock(offset_ms, texts)),
        unsettled: row.unsettled,
        code_expires: row.code_expires_at.map(|expires| at(expires, zone)),
        devices: own.map(|line| device(line, zone, texts)).collect(),
        rotation: row
            .rotation
            .as_ref()
            .map(|rotation| texts.get(&format!("gateways-rotation-{rotation}"))),
        certificate_seen: row.server_certificate_until.map(|until| at(until, zone)),
        certificate_own: row.client_certificate_until.map(|until| at(until, zone)),
        expiries: [("seen", row.server_certificate_until), ("own", row.client_certificate_until)]
            .into_iter()
            .filter(|_| row.state == "active")
            .filter_map(|(what, until)| expiry(what, until, now, texts))
            .collect(),
    }
}

fn live_word(row: &GatewayRow) -> &'static str {
    match (row.state.as_str(), row.mode.as_str()) {
        ("revoked", _) => "revoked",
        ("new", _) => "new",
        (_, "read_only") => "read-only",
        _ if row.is_live => "online",
        _ => "offline",
    }
}

fn remedy(row: &GatewayRow, live: &str, texts: &Texts) -> Option<String> {
    match live {
        "offline" => Some(texts.get("gateways-offline-remedy")),
        "read-only" => {
            let reason = texts.get(&format!("gateways-suspicion-{}", row.mode_reason));
            Some(texts.with("gateways-read-only-remedy", &[("reason", reason)]))
        }
        _ => None,
    }
}

fn clock(offset_ms: i64, texts: &Texts) -> ClockView {
    let seconds = (offset_ms.unsigned_abs() / 1_000).to_string();
    let way = if offset_ms < 0 { "gateways-clock-ahead" } else { "gateways-clock-behind" };
    let shown = texts.with(way, &[("seconds", seconds)]);
    let remedy = |id: &str| texts.with(id, &[("error", shown.clone())]);
    match clock_state(offset_ms) {
        ClockState::Right => {
            ClockView { state: "right", shown: texts.get("gateways-clock-right"), remedy: None }
        }
        ClockState::Warn => {
            let remedy = Some(("notice--warn", remedy("gateways-clock-warn")));
            ClockView { state: "warn", shown, remedy }
        }
        ClockState::Alarm => {
            let remedy = Some(("notice--bad", remedy("gateways-clock-alarm")));
            ClockView { state: "alarm", shown, remedy }
        }
    }
}

fn device(line: &DeviceLine, zone: Tz, texts: &Texts) -> DeviceView {
    let is_well = line.code.is_empty() || line.code == "ok";
    let mut figures = Vec::new();
    if let Some(drift) = line.drift_ms.filter(|drift| drift.abs() >= 1_000) {
        figures.push(texts.with("gateways-drift", &[("seconds", (drift / 1_000).to_string())]));
    }
    if line.records_capacity > 0 {
        let records = line.records.to_string();
        let capacity = line.records_capacity.to_string();
        figures
            .push(texts.with("gateways-records", &[("records", records), ("capacity", capacity)]));
    }
    DeviceView {
        device: line.device.clone(),
        kind_text: texts.get(&format!("gateways-kind-{}", line.kind)),
        icon: match line.kind.as_str() {
            "clock" => "clock",
            "printer" => "printer",
            _ => "settings",
        },
        state: line.state.clone(),
        state_text: texts.get(&format!("gateways-device-{}", line.state)),
        badge: match line.state.as_str() {
            "ok" => "badge--ok",
            "warning" => "badge--warn",
            "down" => "badge--bad",
            _ => "badge--unknown",
        },
        code: line.code.clone(),
        remedy: (!is_well).then(|| texts.say(&reason_text(&line.code))),
        detail: if line.serial.is_empty() {
            line.detail.clone()
        } else {
            format!("{} · {}", line.serial, line.detail)
        },
        figures,
        told: at(line.told_at, zone),
    }
}

/// A command's line.
#[derive(Debug, Clone)]
pub(super) struct CommandView {
    pub(super) command_id: Uuid,
    pub(super) kind_text: String,
    pub(super) title: String,
    pub(super) is_copy: bool,
    pub(super) state: String,
    pub(super) state_text: String,
    pub(super) badge: &'static str,
    pub(super) reason: Option<String>,
    pub(super) detail: String,
    /// What is known of the paper; only for pages.
    pub(super) evidence: Option<String>,
    pub(super) attempt: i32,
    pub(super) asked_by: String,
    pub(super) asked: At,
    pub(super) settled: Option<At>,
    pub(super) may_cancel: bool,
    /// Since when the shop owes an answer.
    pub(super) overdue: Option<At>,
    pub(super) is_in_doubt: bool,
    pub(super) is_page: bool,
}

pub(super) fn command(
    line: &CommandLine,
    now: DateTime<Utc>,
    zone: Tz,
    texts: &Texts,
) -> CommandView {
    let state = State::parse(&line.state).unwrap_or(State::InDoubt);
    let kind = Kind::parse(&line.kind).unwrap_or(Kind::Print);
    let has_reason = !line.reason.is_empty();
    let is_page = kind == Kind::Print;
    CommandView {
        command_id: line.command_id,
        kind_text: texts.get(&format!("gateways-kind-name-{}", line.kind)),
        title: line.title.clone(),
        is_copy: line.copy_of.is_some(),
        state: line.state.clone(),
        state_text: texts.get(state_text(state, has_reason)),
        badge: state_badge(state, has_reason),
        reason: has_reason.then(|| texts.say(&reason_text(&line.reason))),
        detail: line.detail.clone(),
        evidence: (is_page && state == State::Done)
            .then(|| texts.get(evidence_text(line.evidence))),
        attempt: line.attempt,
        asked_by: line.asked_by.clone(),
        asked: at(line.queued_at, zone),
        settled: line.settled_at.map(|settled| at(settled, zone)),
        may_cancel: kind != Kind::Cancel
            && matches!(state, State::Queued | State::Leased | State::Delivered),
        overdue: overdue_since(state, line.leased_at, line.not_after, now)
            .map(|since| at(since, zone)),
        is_in_doubt: state == State::InDoubt,
        is_page,
    }
}

/// A diagnostic's line.
#[derive(Debug, Clone)]
pub(super) struct BundleView {
    pub(super) command_id: Uuid,
    pub(super) state: String,
    pub(super) state_text: String,
    pub(super) badge: &'static str,
    pub(super) reason: Option<String>,
    pub(super) asked_by: String,
    pub(super) asked: At,
    /// Bytes here and in all, while it comes.
    pub(super) progress: Option<Progress>,
    pub(super) is_complete: bool,
    pub(super) size: String,
    pub(super) may_cancel: bool,
}

/// How far a transfer is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) received: i64,
    pub(super) total: i64,
    pub(super) text: String,
}

pub(super) fn bundle(line: &BundleLine, zone: Tz, texts: &Texts) -> BundleView {
    let state = State::parse(&line.state).unwrap_or(State::InDoubt);
    let has_reason = !line.reason.is_empty();
    let is_complete = line.completed_at.is_some();
    let kib = |bytes: i64| (bytes.max(0).cast_unsigned().div_ceil(1_024)).to_string();
    let progress = match (line.received_bytes, line.total_bytes) {
        (Some(received), Some(total)) if !is_complete && !state.is_final() => {
            let told = [("received", kib(received)), ("total", kib(total))];
            Some(Progress { received, total, text: texts.with("gateways-bundle-progress", &told) })
        }
        _ => None,
    };
    let size = line
        .total_bytes
        .filter(|_| is_complete)
        .map(|total| texts.with("gateways-bundle-size", &[("kib", kib(total))]));
    BundleView {
        command_id: line.command_id,
        state: line.state.clone(),
        state_text: texts.get(state_text(state, has_reason)),
        badge: state_badge(state, has_reason),
        reason: has_reason.then(|| texts.say(&reason_text(&line.reason))),
        asked_by: line.asked_by.clone(),
        asked: at(line.queued_at, zone),
        progress,
        is_complete,
        size: size.unwrap_or_default(),
        may_cancel: matches!(state, State::Queued | State::Leased | State::Delivered),
    }
}

/// A step in a command's life.
#[derive(Debug, Clone)]
pub(super) struct StepView {
    pub(super) at: At,
    pub(super) state_text: String,
    pub(super) badge: &'static str,
    pub(super) reason: Option<String>,
    pub(super) detail: String,
    pub(super) evidence: Option<String>,
    pub(super) attempt: i32,
    pub(super) actor: String,
}

pub(super) fn step(line: &StepLine, zone: Tz, texts: &Texts) -> StepView {
    let state = State::parse(&line.state).unwrap_or(State::InDoubt);
    let has_reason = !line.reason.is_empty();
    StepView {
        at: at(line.at, zone),
        state_text: texts.get(state_text(state, has_reason)),
        badge: state_badge(state, has_reason),
        reason: has_reason.then(|| texts.say(&reason_text(&line.reason))),
        detail: line.detail.clone(),
        evidence: (line.evidence > 0).then(|| texts.get(evidence_text(line.evidence))),
        attempt: line.attempt,
        actor: line.actor.clone(),
    }
}

/// A notice's line.
#[derive(Debug, Clone)]
pub(super) struct NoticeView {
    pub(super) style: &'static str,
    pub(super) severity: String,
    pub(super) text: String,
    pub(super) code: String,
    pub(super) detail: String,
    pub(super) at: At,
}

pub(super) fn notice(line: &NoticeLine, zone: Tz, texts: &Texts) -> NoticeView {
    NoticeView {
        style: match line.severity.as_str() {
            "info" => "badge--idle",
            "warning" => "badge--warn",
            _ => "badge--bad",
        },
        severity: texts.get(&format!("gateways-severity-{}", line.severity)),
        text: texts.say(&reason_text(&line.code)),
        code: line.code.clone(),
        detail: if line.device.is_empty() {
            line.detail.clone()
        } else {
            format!("{} · {}", line.device, line.detail)
        },
        at: at(line.at, zone),
    }
}

/// The message for a command that can no longer be changed so.
pub(super) fn too_late(id: &'static str, state: State, texts: &Texts) -> Message {
    Message::new(id).with("state", texts.get(state_text(state, false)))
}
