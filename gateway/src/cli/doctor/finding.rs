//! What was found, in words a script may rely on, and how it is told to a person.
//!
//! A finding is a check and a code; both are machine words that do not change. Its texts
//! are `doctor-CHECK-CODE` and that text's `.remedy` in the Fluent files beside this.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;

#[cfg(test)]
use super::codes::{BECAUSE, CHECKS};
use super::codes::{CODES, Verdict};
use crate::i18n::{Given, Texts};

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

    /// Whether both are about one device.
    pub(super) fn is_about(&self, other: &Self) -> bool {
        self.device.is_some() && self.device == other.device
    }

    /// The same check, not looked at because `because` failed.
    pub(super) fn into_skipped(self, because: &'static str) -> Self {
        Self { device: self.device, ..Self::skipped(self.check, because) }
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
    pub(super) fn texts(&self, texts: Texts) -> (String, Option<String>) {
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
    pub(super) fn line(&self, texts: Texts) -> String {
        let (text, remedy) = self.texts(texts);
        let mark = texts.say(self.verdict.mark(), &[]);
        let label = texts.say(&format!("doctor-label-{}", self.check), &[]);
        let text = match &self.device {
            Some(device) => texts.say("doctor-of-device", &[("device", device), ("text", &text)]),
            None => text,
        };
        let remedy = remedy.map_or_else(String::new, |remedy| format!(" → {remedy}"));
        format!("{mark:<11}  {label:<13}  {text}{remedy}")
    }

    pub(super) fn told(&self, texts: Texts) -> Told<'_> {
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
