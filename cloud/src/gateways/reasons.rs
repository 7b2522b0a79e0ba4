//! The shop's machine words, in words for people: what is wrong and what to do.

use fournil_protocol::{close, words};

use super::model::State;
use crate::i18n::Message;

/// A reason or a device's code. A word this build does not know is shown as it is.
#[must_use]
pub fn reason_text(reason: &str) -> Message {
    let id = match reason {
        "" | words::OK => "gateways-reason-none",
        words::STARTING => "gateways-reason-starting",
        words::PAPER_OUT => "gateways-reason-paper-out",
        words::PAPER_LOW => "gateways-reason-paper-low",
        words::COVER_OPEN => "gateways-reason-cover-open",
        words::OFFLINE => "gateways-reason-offline",
        words::UNREACHABLE => "gateways-reason-unreachable",
        words::CUTTER_ERROR => "gateways-reason-cutter-error",
        words::PRINTER_ERROR => "gateways-reason-printer-error",
        words::BUSY => "gateways-reason-busy",
        words::DEADLINE_PASSED => "gateways-reason-deadline",
        words::CANCELLED => "gateways-reason-cancelled",
        words::TOO_LATE => "gateways-reason-too-late",
        words::NOTHING_TO_CANCEL => "gateways-reason-nothing-to-cancel",
        words::NO_SUCH_DEVICE => "gateways-reason-no-device",
        words::DEVICE_NOT_NAMED => "gateways-reason-device-not-named",
        words::UNKNOWN_KIND | words::NOT_A_CLOCK_COMMAND => "gateways-reason-unknown-kind",
        words::DOCUMENT_EMPTY => "gateways-reason-document-empty",
        words::DOCUMENT_TOO_LARGE | "too-large" => "gateways-reason-too-large",
        words::DRAWER_PIN => "gateways-reason-drawer-pin",
        words::CONNECTION_LOST => "gateways-reason-connection-lost",
        words::NO_PROOF => "gateways-reason-no-proof",
        words::STALLED => "gateways-reason-stalled",
        words::INTERRUPTED => "gateways-reason-interrupted",
        words::JOURNAL_FULL => "gateways-reason-journal-full",
        words::JOURNAL_WAS_FULL => "gateways-reason-journal-was-full",
        words::JOURNAL_BROKEN | words::JOURNAL_QUARANTINED => "gateways-reason-journal-broken",
        words::JOURNAL_EPOCH_RENEWED => "gateways-reason-journal-renewed",
        words::JOURNAL_WRITE_ERROR => "gateways-reason-journal-write-error",
        words::JOURNAL_RECOVERED => "gateways-reason-journal-recovered",
        words::COMMAND_MALFORMED => "gateways-reason-command-malformed",
        words::TRANSFER_SENDING => "gateways-reason-transfer-sending",
        words::TRANSFER_UNEXPECTED => "gateways-reason-transfer-unexpected",
        words::TRANSFER_TOO_LARGE => "gateways-reason-transfer-too-large",
        words::TRANSFER_TOO_MANY => "gateways-reason-transfer-too-many",
        words::TRANSFER_CORRUPT => "gateways-reason-transfer-corrupt",
        // What the cloud itself finds.
        "journal-lost" => "gateways-reason-journal-lost",
        "events-lost" => "gateways-reason-events-lost",
        "events-unread" => "gateways-reason-events-unread",
        "gateway-revoked" => "gateways-reason-gateway-revoked",
        "person-said-done" => "gateways-reason-person-said-done",
        "person-said-not-done" => "gateways-reason-person-said-not-done",
        "person-gave-up" => "gateways-reason-person-gave-up",
        "attempted-twice" => "gateways-reason-attempted-twice",
        "clone-suspected" => "gateways-reason-clone-suspected",
        "report-unknown-command" | "report-without-command" => "gateways-reason-unknown-command",
        other => match clock_reason(other) {
            Some(id) => id,
            None => return Message::new("gateways-reason-other").with("code", other),
        },
    };
    Message::new(id)
}

/// What concerns clocks only.
fn clock_reason(reason: &str) -> Option<&'static str> {
    Some(match reason {
        words::COMM_KEY_REFUSED => "gateways-reason-comm-key-refused",
        words::SERIAL_MISMATCH => "gateways-reason-serial-mismatch",
        words::LAYOUT_AMBIGUOUS | words::CLOCK_LAYOUT_AMBIGUOUS => {
            "gateways-reason-layout-ambiguous"
        }
        words::LOG_NEARLY_FULL => "gateways-reason-log-nearly-full",
        words::CLOCK_DRIFT => "gateways-reason-clock-drift",
        words::CLOCK_LIVE_DIFFERS => "gateways-reason-clock-live-differs",
        words::LOG_FULL => "gateways-reason-log-full",
        words::NOT_A_CLOCK => "gateways-reason-not-a-clock",
        words::CLOCK_TIME_LOST => "gateways-reason-clock-time-lost",
        words::TRUE_TIME_UNKNOWN => "gateways-reason-true-time-unknown",
        words::CLOCK_REFUSES => "gateways-reason-clock-refuses",
        words::USERS_UNREADABLE => "gateways-reason-users-unreadable",
        words::USERS_NOT_ALL_WRITTEN => "gateways-reason-users-not-all-written",
        words::CLEAR_NOT_ALLOWED => "gateways-reason-clear-not-allowed",
        words::CLEAR_COUNT_DIFFERS => "gateways-reason-clear-count-differs",
        words::CLEAR_NOT_CONFIRMED => "gateways-reason-clear-not-confirmed",
        words::CLOCK_PROFILE_CHANGED => "gateways-reason-clock-profile-changed",
        words::CLOCK_TIME_SET => "gateways-reason-clock-time-set",
        words::CLOCK_SILENT => "gateways-reason-clock-silent",
        words::PUSH_NOT_LISTENING => "gateways-reason-push-not-listening",
        words::CLOCK_ONLY_CALLS => "gateways-reason-clock-only-calls",
        words::CLOCK_NO_ANSWER => "gateways-reason-clock-no-answer",
        words::CLOCK_MOVED => "gateways-reason-clock-moved",
        words::CLOCK_UNKNOWN_CALLS => "gateways-reason-clock-unknown-calls",
        words::CLOCK_LOG_CLEARED => "gateways-reason-clock-log-cleared",
        _ => return None,
    })
}

/// Why a session ended. Code 0 is a line that was simply gone; none at all, a server that
/// stopped without a word. A code this build does not know is shown as it is.
pub(super) fn close_text(code: Option<u16>) -> Message {
    let id = match code {
        None => "gateways-close-server-lost",
        Some(0) => "gateways-close-line-lost",
        Some(close::DRAIN) => "gateways-close-drain",
        Some(close::SUPERSEDED) => "gateways-close-superseded",
        Some(close::HEARTBEAT_LOST) => "gateways-close-heartbeat-lost",
        Some(close::SLOW_CONSUMER) => "gateways-close-slow-consumer",
        Some(close::RESYNC) => "gateways-close-resync",
        Some(close::OVERLOAD) => "gateways-close-overload",
        Some(close::MALFORMED) => "gateways-close-malformed",
        Some(close::UNAVAILABLE) => "gateways-close-unavailable",
        Some(close::ROTATE) => "gateways-close-rotate",
        Some(close::REVOKED) => "gateways-close-revoked",
        Some(close::UNKNOWN_KEY) => "gateways-close-unknown-key",
        Some(close::CLONE) => "gateways-close-clone",
        Some(close::VERSION) => "gateways-close-version",
        Some(close::SUSPENDED) => "gateways-close-suspended",
        Some(other) => return Message::new("gateways-close-other").with("code", other),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Catalogue;

    #[test]
    fn every_end_of_a_session_has_a_text_of_its_own() {
        let texts = Catalogue::load().expect("texts");
        let unknown = close_text(Some(4999)).id;
        let known = close::ALL.iter().map(|code| Some(*code)).chain([None, Some(0)]);
        let ids: Vec<&str> = known.map(|code| close_text(code).id).collect();
        for id in &ids {
            assert_ne!(*id, unknown, "a code is shown as it stands");
            assert!(texts.has(id), "{id} has no French");
        }
        let distinct: std::collections::BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(distinct.len(), close::ALL.len() + 2);
    }

    #[test]
    fn every_word_of_the_shop_has_a_text() {
        let texts = Catalogue::load().expect("texts");
        let unknown = reason_text("a-word-of-a-newer-gateway").id;
        for word in words::ALL {
            let id = reason_text(word).id;
            assert_ne!(id, unknown, "{word} is shown as it stands");
            assert!(texts.has(id), "{id} has no French");
        }
    }
}
