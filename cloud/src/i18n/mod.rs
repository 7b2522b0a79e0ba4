//! Every string a person reads, in Fluent files beside the areas (`fr.ftl`, then
//! `ar.ftl`, `en.ftl`), gathered at build time. A text missing in a language falls
//! back to French; an unknown id shows itself, and a test finds it before.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

include!(concat!(env!("OUT_DIR"), "/texts.rs"));

/// A text and its arguments, not yet in any language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: &'static str,
    pub args: Vec<(&'static str, String)>,
}

impl Message {
    #[must_use]
    pub const fn new(id: &'static str) -> Self {
        Self { id, args: Vec::new() }
    }

    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "calls read better without a borrow")]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.args.push((name, value.to_string()));
        self
    }
}

/// All texts of all languages.
pub struct Catalogue {
    bundles: HashMap<&'static str, FluentBundle<FluentResource>>,
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Catalogue").finish_non_exhaustive()
    }
}

/// Why the texts cannot be loaded; a fault of the program, found by a test.
#[derive(Debug, thiserror::Error)]
#[error("texts in {file} cannot be read: {fault}")]
pub struct CatalogueError {
    file: &'static str,
    fault: String,
}

/// The language every text exists in.
const FALLBACK: &str = "fr";

impl Catalogue {
    /// Loads every embedded file; refuses a broken one or an id given twice.
    pub fn load() -> Result<Arc<Self>, CatalogueError> {
        let mut bundles = HashMap::new();
        for (language, file, text) in TEXTS.iter().copied() {
            let fault = |fault: String| CatalogueError { file, fault };
            let resource = FluentResource::try_new(text.to_owned())
                .map_err(|(_, errors)| fault(format!("{errors:?}")))?;
            let bundle = match bundles.entry(language) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(free) => {
                    let id: LanguageIdentifier =
                        language.parse().map_err(|_| fault("unknown language".into()))?;
                    let mut bundle = FluentBundle::new_concurrent(vec![id]);
                    // Marks around arguments upset copying and tests; French needs none.
                    bundle.set_use_isolating(language == "ar");
                    free.insert(bundle)
                }
            };
            bundle.add_resource(resource).map_err(|errors| fault(format!("{errors:?}")))?;
        }
        Ok(Arc::new(Self { bundles }))
    }

    /// The texts in one language.
    #[must_use]
    pub fn in_language(self: &Arc<Self>, language: &str) -> Texts {
        let known = self.bundles.keys().find(|known| **known == language);
        Texts { catalogue: Self::clone_handle(self), language: known.copied().unwrap_or(FALLBACK) }
    }

    fn clone_handle(catalogue: &Arc<Self>) -> Arc<Self> {
        Arc::clone(catalogue)
    }

    /// True when the text exists in the fallback language.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.bundles.get(FALLBACK).is_some_and(|bundle| bundle.has_message(id))
    }
}

/// The texts in one language. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Texts {
    catalogue: Arc<Catalogue>,
    pub language: &'static str,
}

impl Texts {
    /// The same texts in another language, for what is kept or printed for others.
    #[must_use]
    pub fn in_language(&self, language: &str) -> Self {
        self.catalogue.in_language(language)
    }

    /// A text without arguments.
    #[must_use]
    pub fn get(&self, id: &str) -> String {
        self.with(id, &[])
    }

    /// A text with arguments.
    #[must_use]
    pub fn with(&self, id: &str, args: &[(&'static str, String)]) -> String {
        let mut fluent_args = FluentArgs::new();
        for (name, value) in args {
            fluent_args.set(*name, argument(value));
        }
        [self.language, FALLBACK]
            .iter()
            .find_map(|language| self.format(language, id, &fluent_args))
            .unwrap_or_else(|| id.to_owned())
    }

    /// A message in this language.
    #[must_use]
    pub fn say(&self, message: &Message) -> String {
        self.with(message.id, &message.args)
    }

    /// `rtl` for Arabic, `ltr` otherwise.
    #[must_use]
    pub fn direction(&self) -> &'static str {
        if self.language == "ar" { "rtl" } else { "ltr" }
    }

    fn format(&self, language: &str, id: &str, args: &FluentArgs<'_>) -> Option<String> {
        let bundle = self.catalogue.bundles.get(language)?;
        let pattern = bundle.get_message(id)?.value()?;
        let mut faults = Vec::new();
        let text = bundle.format_pattern(pattern, Some(args), &mut faults).into_owned();
        for fault in faults {
            tracing::warn!(text.id = id, %fault, "a text could not be completed");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_file_loads_and_no_id_is_given_twice() {
        Catalogue::load().expect("texts");
    }

    #[test]
    fn one_and_many_are_told_apart() {
        let texts = Catalogue::load().expect("texts").in_language("fr");
        let said = |count: i64| texts.say(&Message::new("error-too-many").with("seconds", count));
        assert!(said(1).contains(" 1 seconde "), "{}", said(1));
        assert!(said(2).contains(" 2 secondes "), "{}", said(2));
        assert!(said(1_000_000).contains(" 1000000 secondes "), "{}", said(1_000_000));
    }

    #[test]
    fn what_only_looks_like_a_number_is_written_as_it_is() {
        let texts = Catalogue::load().expect("texts").in_language("fr");
        for word in ["0012", "+5", "-0", "1e3", "12345678901234567890", "7"] {
            let message = Message::new("till-ticket-number").with("code", word);
            assert_eq!(texts.say(&message), format!("Ticket {word}"));
        }
    }

    #[test]
    fn arguments_are_put_in() {
        let texts = Catalogue::load().expect("texts").in_language("fr");
        let message = Message::new("error-too-many").with("seconds", 30);
        assert!(texts.say(&message).contains("30"));
    }
}
