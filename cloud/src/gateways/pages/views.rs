//! What the templates are given: every word ready, every instant in the shop's zone.

use std::fmt::Debug;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use data_encoding::HEXLOWER;
use ring::digest;
use uuid::Uuid;

use crate::gateways::model::{Kind, State, overdue_since};
use crate::gateways::reasons::{evidence_text, reason_text, state_badge, state_text};
use crate::gateways::sql::lists::{CommandLine, DeviceLine, GatewayRow, NoticeLine, StepLine};
use crate::i18n::{Message, Texts};
use crate::time;

/// An instant, for machines and for people.
#[derive(Debug, Clone)]
pub(super) struct At {
    pub(super) iso: String,
    pub(super) shown: String,
}

pub(super) fn at(instant: DateTime<Utc>, zone: Tz) -> At {
    At {
        iso: instant.to_rfc3339_opts(SecondsFormat::Secs, true),
        shown: time::french_minute(instant, zone),
    }
}

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
    pub(super) remedy: Option<String>,
    pub(super) software: String,
    pub(super) hostname: String,
    pub(super) peer: String,
    pub(super) fingerprint: String,
    pub(super) journal_pending: Option<i64>,
    pub(super) disk: Option<String>,
    pub(super) unsettled: i64,
    pub(super) code_expires: Option<At>,
    pub(super) devices: Vec<DeviceView>,
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

pub(super) fn gateway(row: &GatewayRow, devices: &[DeviceLine], texts: &Texts) -> GatewayView {
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
        remedy: remedy(row, live, texts),
        software: row.software.clone(),
        hostname: row.hostname.clone(),
        peer: row.peer.clone().unwrap_or_default(),
        fingerprint: row.fingerprint.clone().unwrap_or_default(),
        journal_pending: row.journal_pending,
        disk: row.disk_free_bytes.map(|bytes| {
            texts.with("gateways-disk-value", &[("mib", (bytes / 1_048_576).to_string())])
        }),
        unsettled: row.unsettled,
        code_expires: row.code_expires_at.map(|expires| at(expires, zone)),
        devices: own.map(|line| device(line, zone, texts)).collect(),
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
