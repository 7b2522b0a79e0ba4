//! What the journal has to say of itself, until it is told as an event.

use fournil_protocol::event::{Body, Notice, Severity};
use fournil_protocol::words;

/// What the journal has to say of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnNotice {
    severity: Severity,
    code: &'static str,
    detail: String,
}

/// What was dropped or refused since it was last told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Losses {
    /// Health reports and notices that were dropped.
    pub(super) dropped: u64,
    /// Requests that were refused; whoever asked still has the fact.
    pub(super) refused: u64,
}

impl OwnNotice {
    pub(super) fn new(severity: Severity, code: &'static str, detail: String) -> Self {
        Self { severity, code, detail }
    }

    pub(super) fn quarantined(detail: String) -> Self {
        Self { severity: Severity::Alarm, code: words::JOURNAL_QUARANTINED, detail }
    }

    pub(super) fn epoch_renewed(detail: String) -> Self {
        Self { severity: Severity::Alarm, code: words::JOURNAL_EPOCH_RENEWED, detail }
    }

    pub(super) fn write_error(segment: u64, cause: &std::io::Error) -> Self {
        let detail = format!("segment {segment} abandoned: {cause}; check the disk");
        Self { severity: Severity::Alarm, code: words::JOURNAL_WRITE_ERROR, detail }
    }

    pub(super) fn recovered(reason: &str) -> Self {
        let detail = format!("{reason}; it works again, check the disk");
        Self { severity: Severity::Alarm, code: words::JOURNAL_RECOVERED, detail }
    }

    pub(super) fn losses(losses: Losses) -> Self {
        let detail = format!(
            "the journal was full: {} health reports and notices dropped, {} requests refused",
            losses.dropped, losses.refused
        );
        Self { severity: Severity::Warning, code: words::JOURNAL_WAS_FULL, detail }
    }

    pub(super) fn into_body(self) -> Body {
        Body::Notice(Notice {
            severity: self.severity.into(),
            code: self.code.to_owned(),
            detail: self.detail,
            device: String::new(),
        })
    }
}
