//! What was found, in words a script may rely on, and how it is told to a person.
//!
//! A finding is a check and a code; both are machine words that do not change. Its texts
//! are `doctor-CHECK-CODE` and that text's `.remedy` in the Fluent files beside this.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;

use crate::i18n::{Given, Texts};

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
const CODES: &[(&str, Verdict, &[&str])] = {
    use Verdict::{Fault, Ok, Warning};
    &[
        ("configuration", Ok, &["read"]),
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
        ("identity", Warning, &["other-address"]),
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
                "cloud-down",
                "proxy",
                "silent",
                "refused",
            ],
        ),
        ("cloud", Ok, &["known"]),
        ("cloud", Warning, &["cannot-tell", "busy"]),
        ("cloud", Fault, &["unknown", "revoked", "other-name", "suspended", "silent"]),
        ("clock", Ok, &["ok"]),
        (
            "clock",
            Warning,
            &["starting", "log-nearly-full", "clock-drift", "layout-ambiguous", "busy"],
        ),
        (
            "clock",
            Fault,
            &["unreachable", "comm-key-refused", "serial-mismatch", "not-a-clock", "odd", "silent"],
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

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) code: &'static str,
    pub(super) verdict: Verdict,
    /// The device by its configured name.
    pub(super) device: Option<String>,
    facts: Vec<(&'static str, String)>,
}

/// A finding for a script: machine words, and the texts in the language asked for.
#[derive(Debug, Serialize)]
pub(super) struct Told<'f> {
    check: &'static str,
    code: &'static str,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'f str>,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    facts: BTreeMap<&'static str, &'f str>,
}

impl Finding {
    pub(super) fn new(check: &'static str, code: &'static str) -> Self {
        let known = CODES.iter().find(|(of, _, codes)| *of == check && codes.contains(&code));
        debug_assert!(known.is_some(), "{check} {code} is not in the table");
        let verdict = known.map_or(Verdict::Fault, |(_, verdict, _)| *verdict);
        Self { check, code, verdict, device: None, facts: Vec::new() }
    }

    /// Not looked at, because the check `because` failed.
    pub(super) fn skipped(check: &'static str, because: &'static str) -> Self {
        let facts = vec![("because", because.to_owned())];
        Self { check, code: NOT_CHECKED, verdict: Verdict::Skipped, device: None, facts }
    }

    /// Adds what the text tells.
    #[expect(clippy::needless_pass_by_value, reason = "calls read better without a borrow")]
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.facts.push((name, value.to_string()));
        self
    }

    pub(super) fn of(mut self, device: &str) -> Self {
        self.device = Some(device.to_owned());
        self
    }

    pub(super) fn is_fault(&self) -> bool {
        self.verdict == Verdict::Fault
    }

    /// What was found and, unless it is well, what to do.
    pub(super) fn texts(&self, texts: &Texts) -> (String, Option<String>) {
        if self.verdict == Verdict::Skipped {
            let because = self.facts.first().map_or("", |(_, because)| because.as_str());
            let because = texts.say(&format!("doctor-because-{because}"), &[]);
            return (texts.say("doctor-not-checked", &[("because", &because)]), None);
        }
        let args: Vec<(&'static str, &dyn Display)> =
            self.facts.iter().map(|(name, value)| (*name, value as &dyn Display)).collect();
        let (id, args): (String, Given<'_>) =
            (format!("doctor-{}-{}", self.check, self.code), &args);
        (texts.say(&id, args), texts.remedy(&id, args))
    }

    /// One line: mark, check, what was found, what to do.
    pub(super) fn line(&self, texts: &Texts) -> String {
        let (text, remedy) = self.texts(texts);
        let mark = texts.say(self.verdict.mark(), &[]);
        let label = texts.say(&format!("doctor-label-{}", self.check), &[]);
        let device = self.device.as_ref().map_or_else(String::new, |name| format!("{name}: "));
        let remedy = remedy.map_or_else(String::new, |remedy| format!(" → {remedy}"));
        format!("{mark:<11}  {label:<13}  {device}{text}{remedy}")
    }

    pub(super) fn told(&self, texts: &Texts) -> Told<'_> {
        let (text, remedy) = self.texts(texts);
        Told {
            check: self.check,
            code: self.code,
            verdict: self.verdict,
            device: self.device.as_deref(),
            text,
            remedy,
            facts: self.facts.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        }
    }
}

const NOT_CHECKED: &str = "not-checked";

/// Every text id that is put together here, for the test of the text files.
#[cfg(test)]
pub(super) fn text_ids() -> Vec<String> {
    let coded = CODES.iter().flat_map(|(check, _, codes)| {
        codes.iter().map(move |code| format!("doctor-{check}-{code}"))
    });
    let labels = CHECKS.iter().map(|check| format!("doctor-label-{check}"));
    let because = BECAUSE.iter().map(|check| format!("doctor-because-{check}"));
    coded.chain(labels).chain(because).collect()
}

/// The checks that others wait for.
#[cfg(test)]
const BECAUSE: &[&str] =
    &["configuration", "permissions", "identity", "name", "network", "tls", "protocol"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn whatever_is_not_well_says_what_to_do_in_both_languages() {
        for language in [Language::Fr, Language::En] {
            let texts = Texts::of(language);
            for (check, verdict, codes) in CODES {
                for code in *codes {
                    let remedy = Finding::new(check, code).texts(texts).1;
                    let is_due = *verdict != Verdict::Ok;
                    assert_eq!(remedy.is_some(), is_due, "{language:?} {check} {code}: {remedy:?}");
                }
            }
        }
    }

    #[test]
    fn every_code_belongs_to_a_check_that_is_told_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for (check, _, codes) in CODES {
            assert!(CHECKS.contains(check), "{check}");
            for code in *codes {
                assert!(seen.insert((check, code)), "{check} {code} stands twice");
            }
        }
    }
}
