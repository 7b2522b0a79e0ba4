//! Every text a person reads in the shop, in Fluent files beside the code that says it
//! (`fr.ftl`, `en.ftl`). Logged field names and machine words are not texts and stay as
//! they are.
//!
//! A process speaks one language, chosen once before it says anything ([`choose`]); what
//! must speak another one in the same process (`doctor --lang`) takes [`Texts`] in hand.
//! A language is read when its first text is asked for.

#[cfg(test)]
mod tests;

use std::fmt::{self, Display};
use std::sync::{LazyLock, OnceLock};

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use serde::{Deserialize, Serialize};
use unic_langid::langid;

/// The files, French then English.
static FILES: &[(&str, &str)] = &[
    (include_str!("../cli/fr.ftl"), include_str!("../cli/en.ftl")),
    (include_str!("../cli/doctor/fr.ftl"), include_str!("../cli/doctor/en.ftl")),
    (include_str!("../clock/fr.ftl"), include_str!("../clock/en.ftl")),
    (include_str!("../config/fr.ftl"), include_str!("../config/en.ftl")),
    (include_str!("../printer/fr.ftl"), include_str!("../printer/en.ftl")),
    (include_str!("../tunnel/fr.ftl"), include_str!("../tunnel/en.ftl")),
];

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
}

static CHOSEN: OnceLock<Language> = OnceLock::new();
static FRENCH: LazyLock<Texts> = LazyLock::new(|| Texts::read(Language::Fr));
static ENGLISH: LazyLock<Texts> = LazyLock::new(|| Texts::read(Language::En));

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
pub fn say(id: &str, args: Given<'_>) -> String {
    Texts::of(chosen()).say(id, args)
}

/// The texts of one language.
pub struct Texts {
    bundle: FluentBundle<FluentResource>,
}

impl fmt::Debug for Texts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Texts").field("locales", &self.bundle.locales).finish_non_exhaustive()
    }
}

impl Texts {
    #[must_use]
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::Fr => &FRENCH,
            Language::En => &ENGLISH,
        }
    }

    fn read(language: Language) -> Self {
        let name = match language {
            Language::Fr => langid!("fr"),
            Language::En => langid!("en"),
        };
        let mut bundle = FluentBundle::new_concurrent(vec![name]);
        // Marks around arguments upset copying a command; neither language needs them.
        bundle.set_use_isolating(false);
        for (french, english) in FILES {
            let text = if language == Language::Fr { french } else { english };
            // What cannot be read is left out and found by a test.
            let resource = FluentResource::try_new((*text).to_owned());
            let _ = bundle.add_resource(resource.unwrap_or_else(|(read, _)| read));
        }
        Self { bundle }
    }

    /// A text; one that is missing shows its id, and a test finds it before.
    #[must_use]
    pub fn say(&self, id: &str, args: Given<'_>) -> String {
        self.format(id, None, args).unwrap_or_else(|| id.to_owned())
    }

    /// What to do about what the text says; `None` when there is nothing to do.
    #[must_use]
    pub fn remedy(&self, id: &str, args: Given<'_>) -> Option<String> {
        self.format(id, Some("remedy"), args)
    }

    fn format(&self, id: &str, attribute: Option<&str>, args: Given<'_>) -> Option<String> {
        let message = self.bundle.get_message(id)?;
        let pattern = match attribute {
            Some(name) => message.get_attribute(name)?.value(),
            None => message.value()?,
        };
        let mut given = FluentArgs::new();
        for (name, value) in args {
            given.set(*name, argument(&value.to_string()));
        }
        let mut faults = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&given), &mut faults).into_owned();
        for fault in faults {
            tracing::debug!(%fault, text.id = id, "a text could not be completed");
        }
        Some(text)
    }
}

/// A whole number goes in as a number, so that a text can tell one from many. Only as it
/// would be written back: `0012` on a clock is a name.
fn argument(value: &str) -> FluentValue<'static> {
    const DIGITS_MAX: usize = 15;
    let number = value.parse::<i64>().ok().filter(|number| number.to_string() == value);
    match number {
        Some(number) if value.len() <= DIGITS_MAX => FluentValue::from(number),
        _ => FluentValue::from(value.to_owned()),
    }
}
