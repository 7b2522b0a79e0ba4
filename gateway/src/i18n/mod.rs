//! Every text a person reads in the shop, in Fluent files beside the code that says it
//! (`fr.ftl`, `en.ftl`). Logged field names and machine words are not texts and stay as
//! they are.
//!
//! The files are read when the program is built (`build.rs`); what is left here is to put
//! a text together. A process speaks one language, chosen once before it says anything
//! ([`choose`]); what must speak another one takes [`Texts`] in hand.

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

include!(concat!(env!("OUT_DIR"), "/texts.rs"));

/// Marks that `build.rs` leaves in a text. An argument is `ARGUMENT name END`; a choice is
/// `CHOICE name END`, then `VARIANT key END text` for each, the default last, then `OVER`.
const ARGUMENT: char = '\u{1}';
const END: char = '\u{2}';
const CHOICE: char = '\u{3}';
const VARIANT: char = '\u{4}';
const OVER: char = '\u{5}';

/// A language the gateway speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    Fr,
    En,
}

impl Language {
    /// The language of a locale's name such as `en_GB.UTF-8`; `None` for those without
    /// texts here.
    #[must_use]
    pub fn of_locale(locale: &str) -> Option<Self> {
        match locale.split(['_', '.', '@', '-']).next()? {
            "fr" => Some(Self::Fr),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// Whether a whole number takes the singular: in French 0 does.
    const fn is_one(self, number: i64) -> bool {
        number == 1 || (number == 0 && matches!(self, Self::Fr))
    }
}

static CHOSEN: OnceLock<Language> = OnceLock::new();

/// Chooses the language of this process; the first choice counts.
pub fn choose(language: Language) {
    let _ = CHOSEN.set(language);
}

/// The language of this process.
#[must_use]
pub fn chosen() -> Language {
    CHOSEN.get().copied().unwrap_or_default()
}

/// What goes into a text.
pub type Given<'a> = &'a [(&'static str, &'a dyn Display)];

/// A text in the language of this process.
#[must_use]
pub fn say(id: &str, given: Given<'_>) -> String {
    Texts::of(chosen()).say(id, given)
}

/// The texts of one language.
#[derive(Debug, Clone, Copy)]
pub struct Texts {
    language: Language,
    patterns: &'static [(&'static str, &'static str)],
}

impl Texts {
    #[must_use]
    pub fn of(language: Language) -> Self {
        let patterns = match language {
            Language::Fr => FR,
            Language::En => EN,
        };
        Self { language, patterns }
    }

    /// A text; one that is missing shows its id, and a test finds it before.
    #[must_use]
    pub fn say(&self, id: &str, given: Given<'_>) -> String {
        self.format(id, given).unwrap_or_else(|| id.to_owned())
    }

    /// What to do about what the text says; `None` when there is nothing to do.
    #[must_use]
    pub fn remedy(&self, id: &str, given: Given<'_>) -> Option<String> {
        self.format(&format!("{id}.remedy"), given)
    }

    fn format(&self, id: &str, given: Given<'_>) -> Option<String> {
        let at = self.patterns.binary_search_by_key(&id, |(known, _)| known).ok()?;
        let (_, pattern) = self.patterns.get(at)?;
        let mut text = String::new();
        self.put(pattern, given, &mut text);
        Some(text)
    }

    fn put(&self, pattern: &str, given: Given<'_>, text: &mut String) {
        let mut rest = pattern;
        while let Some(at) = rest.find([ARGUMENT, CHOICE]) {
            let (words, marked) = rest.split_at(at);
            text.push_str(words);
            let (name, after) = marked.split_once(END).unwrap_or((marked, ""));
            let value = value(given, name.trim_start_matches([ARGUMENT, CHOICE]));
            if name.starts_with(ARGUMENT) {
                text.push_str(&value);
                rest = after;
            } else {
                let (variants, after) = after.split_once(OVER).unwrap_or((after, ""));
                self.put(self.variant(&value, variants), given, text);
                rest = after;
            }
        }
        text.push_str(rest);
    }

    /// The variant of that very key, else of the number's plural category, else the last.
    fn variant<'v>(&self, value: &str, variants: &'v str) -> &'v str {
        let of = |wanted: &str| {
            let mut all = variants.split(VARIANT).filter_map(|variant| variant.split_once(END));
            all.find_map(|(key, said)| (key == wanted).then_some(said))
        };
        let is_one = value.parse().is_ok_and(|number| self.language.is_one(number));
        let found = of(value).or_else(|| of("one").filter(|_| is_one));
        let last = || variants.rsplit(VARIANT).next().and_then(|variant| variant.split_once(END));
        found.or_else(|| last().map(|(_, said)| said)).unwrap_or_default()
    }
}

/// An argument as it is written; one that is missing shows its name, and a test finds it
/// before.
fn value(given: Given<'_>, name: &str) -> String {
    let found = given.iter().find(|(known, _)| *known == name);
    found.map_or_else(|| format!("{{${name}}}"), |(_, value)| value.to_string())
}
