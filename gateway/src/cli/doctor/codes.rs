//! The machine words of `doctor`: checks in the order they are told, and every code with
//! its verdict. Scripts rely on them: words are added, and never mean something else.

use serde::Serialize;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// Works, and needs somebody.
    Warning,
    Fault,
    /// Not looked at, because something before it failed.
    Skipped,
}

impl Verdict {
    /// The text of the mark at the beginning of a line.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Ok => "doctor-mark-ok",
            Self::Warning => "doctor-mark-warning",
            Self::Fault => "doctor-mark-fault",
            Self::Skipped => "doctor-mark-skipped",
        }
    }
}

/// Everything that is looked at, in the order it is told.
pub(super) const CHECKS: &[&str] = &[
    "configuration",
    "permissions",
    "disk",
    "service",
    "journal",
    "identity",
    "name",
    "network",
    "tls",
    "time",
    "protocol",
    "cloud",
    "clock",
    "printer",
    "devices",
];

/// Every code by check and verdict. A code that is not here has no verdict and no text.
pub(super) const CODES: &[(&str, Verdict, &[&str])] = {
    use Verdict::{Fault, Ok, Warning};
    &[
        ("configuration", Ok, &["read"]),
        ("configuration", Warning, &["absent"]),
        ("configuration", Fault, &["faulty"]),
        ("permissions", Ok, &["private"]),
        ("permissions", Warning, &["state-missing"]),
        (
            "permissions",
            Fault,
            &[
                "state-unreadable",
                "state-not-a-folder",
                "state-open-to-others",
                "state-foreign",
                "key-open-to-others",
                "key-foreign",
                "device-forbidden",
                "device-missing",
                "device-unreadable",
                "socket-forbidden",
            ],
        ),
        ("disk", Ok, &["roomy"]),
        ("disk", Warning, &["nearly-full", "few-files-left", "slow"]),
        (
            "disk",
            Fault,
            &["full", "no-files-left", "read-only", "not-writable", "broken", "silent"],
        ),
        ("service", Ok, &["running"]),
        ("service", Warning, &["stopped", "running-offline"]),
        ("service", Fault, &["silent"]),
        ("journal", Ok, &["whole", "new"]),
        ("journal", Warning, &["set-aside", "nearly-full", "of-another", "reserve-used"]),
        ("journal", Fault, &["damaged", "full", "not-answering", "unreadable", "silent"]),
        ("identity", Ok, &["whole"]),
        ("identity", Warning, &["other-address", "key-not-seen"]),
        ("identity", Fault, &["missing", "damaged", "unreadable"]),
        ("name", Ok, &["found", "is-address"]),
        ("name", Fault, &["not-found", "resolver-failing", "resolver-silent", "no-address"]),
        ("network", Ok, &["reached"]),
        ("network", Fault, &["refused", "silent", "unreachable", "failed"]),
        ("tls", Ok, &["verified"]),
        (
            "tls",
            Fault,
            &[
                "unknown-authority",
                "other-authority",
                "intercepted",
                "wrong-name",
                "expired",
                "expired-or-clock-wrong",
                "not-yet-valid",
                "not-yet-valid-or-clock-wrong",
                "clock-wrong",
                "certificate-refused",
                "plain-http",
                "not-tls",
                "cut",
                "silent",
                "authority-unusable",
                "client-certificate-unusable",
            ],
        ),
        ("time", Ok, &["right"]),
        ("time", Warning, &["off"]),
        ("time", Fault, &["wrong"]),
        ("protocol", Ok, &["common"]),
        (
            "protocol",
            Fault,
            &[
                "cloud-newer",
                "cloud-older",
                "not-a-cloud",
                "client-certificate-refused",
                "cloud-down",
                "proxy",
                "silent",
                "refused",
            ],
        ),
        ("cloud", Ok, &["known"]),
        ("cloud", Warning, &["cannot-tell", "busy"]),
        ("cloud", Fault, &["unknown", "revoked", "other-name", "suspended", "silent"]),
        ("clock", Ok, &["ok", "push-calls"]),
        (
            "clock",
            Warning,
            &[
                "starting",
                "log-nearly-full",
                "log-full",
                "clock-drift",
                "clock-time-lost",
                "layout-ambiguous",
                "busy",
                "push-starting",
                "push-idle",
            ],
        ),
        (
            "clock",
            Fault,
            &[
                "unreachable",
                "comm-key-refused",
                "serial-mismatch",
                "not-a-clock",
                "odd",
                "silent",
                "push-silent",
                "push-key-refused",
                "push-not-listening",
            ],
        ),
        ("printer", Ok, &["ok"]),
        ("printer", Warning, &["starting", "paper-low", "mute", "busy"]),
        (
            "printer",
            Fault,
            &[
                "unreachable",
                "paper-out",
                "cover-open",
                "offline",
                "cutter-error",
                "printer-error",
                "journal-full",
                "journal-broken",
                "odd",
                "silent",
            ],
        ),
        ("devices", Warning, &["none"]),
    ]
};

/// The checks that others wait for.
#[cfg(test)]
pub(super) const BECAUSE: &[&str] =
    &["configuration", "permissions", "identity", "name", "network", "tls", "protocol"];
