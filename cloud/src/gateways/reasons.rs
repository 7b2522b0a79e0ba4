//! The shop's machine words, in words for people: what is wrong and what to do.

use super::model::State;
use crate::i18n::Message;

/// A reason or a device's code. A word this build does not know is shown as it is.
#[must_use]
pub fn reason_text(reason: &str) -> Message {
    let id = match reason {
        "" | "ok" => "gateways-reason-none",
        "paper-out" => "gateways-reason-paper-out",
        "paper-low" => "gateways-reason-paper-low",
        "cover-open" => "gateways-reason-cover-open",
        "unreachable" | "offline" | "printer-off" | "connection-lost" => {
            "gateways-reason-unreachable"
        }
        "cutter-error" => "gateways-reason-cutter-error",
        "printer-error" => "gateways-reason-printer-error",
        "busy" => "gateways-reason-busy",
        "no-printer" | "no-clock" | "no-device" | "unknown-device" => "gateways-reason-no-device",
        "comm-key-refused" => "gateways-reason-comm-key-refused",
        "layout-ambiguous" => "gateways-reason-layout-ambiguous",
        "log-nearly-full" => "gateways-reason-log-nearly-full",
        "clock-reset" => "gateways-reason-clock-reset",
        "clock-drift" => "gateways-reason-clock-drift",
        "serial-mismatch" => "gateways-reason-serial-mismatch",
        "journal-full" | "disk-full" => "gateways-reason-journal-full",
        "journal-broken" | "journal-quarantined" => "gateways-reason-journal-broken",
        "expired" | "deadline" | "too-late" => "gateways-reason-deadline",
        "cancelled" | "person-cancelled" => "gateways-reason-cancelled",
        "too-large" | "document-too-large" => "gateways-reason-too-large",
        "document-empty" => "gateways-reason-document-empty",
        "no-proof" | "restarted" => "gateways-reason-no-proof",
        "journal-lost" => "gateways-reason-journal-lost",
        "events-lost" => "gateways-reason-events-lost",
        "gateway-revoked" => "gateways-reason-gateway-revoked",
        "person-said-done" => "gateways-reason-person-said-done",
        "person-said-not-done" => "gateways-reason-person-said-not-done",
        "clone-suspected" => "gateways-reason-clone-suspected",
        "report-unknown-command" | "report-without-command" => "gateways-reason-unknown-command",
        other => return Message::new("gateways-reason-other").with("code", other),
    };
    Message::new(id)
}

/// What is known of a printed page, in words; the level stays in them.
pub(super) const fn evidence_text(evidence: i16) -> &'static str {
    match evidence {
        1 => "gateways-evidence-1",
        2 => "gateways-evidence-2",
        3 => "gateways-evidence-3",
        4 => "gateways-evidence-4",
        _ => "gateways-evidence-0",
    }
}

/// Text id of a command's state. "Waiting" is a delivered command with a reason.
pub(super) const fn state_text(state: State, has_reason: bool) -> &'static str {
    match state {
        State::Queued => "gateways-state-queued",
        State::Leased => "gateways-state-leased",
        State::Delivered if has_reason => "gateways-state-waiting",
        State::Delivered => "gateways-state-delivered",
        State::Started => "gateways-state-started",
        State::Done => "gateways-state-done",
        State::Failed => "gateways-state-failed",
        State::Expired => "gateways-state-expired",
        State::Cancelled => "gateways-state-cancelled",
        State::InDoubt => "gateways-state-in-doubt",
        State::Unsupported => "gateways-state-unsupported",
    }
}

/// The badge of a command's state.
pub(super) const fn state_badge(state: State, has_reason: bool) -> &'static str {
    match state {
        State::Delivered if has_reason => "badge--warn",
        State::Queued | State::Leased | State::Delivered | State::Started | State::Cancelled => {
            "badge--idle"
        }
        State::Done => "badge--ok",
        State::Failed | State::Unsupported | State::Expired => "badge--bad",
        State::InDoubt => "badge--unknown",
    }
}
