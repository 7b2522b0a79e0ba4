use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

use super::{Given, Language, Texts};

/// id, or `id.attribute`, and the arguments it takes.
type Known = BTreeMap<String, BTreeSet<String>>;

fn arguments(pattern: &Pattern<&str>, found: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        let PatternElement::Placeable { expression } = element else { continue };
        match expression {
            Expression::Inline(inline) => argument(inline, found),
            Expression::Select { selector, variants } => {
                argument(selector, found);
                for variant in variants {
                    arguments(&variant.value, found);
                }
            }
        }
    }
}

fn argument(inline: &InlineExpression<&str>, found: &mut BTreeSet<String>) {
    if let InlineExpression::VariableReference { id } = inline {
        found.insert(id.name.to_owned());
    }
}

/// The text files of a language.
fn files(language: Language) -> Vec<String> {
    let name = if language == Language::Fr { "fr.ftl" } else { "en.ftl" };
    let mut found = Vec::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    let wanted = found.iter().filter(|path| path.ends_with(name));
    wanted.map(|path| std::fs::read_to_string(path).expect("a text file")).collect()
}

fn known(language: Language) -> Known {
    let mut known = Known::new();
    for text in files(language) {
        let resource = FluentResource::try_new(text).map_err(|(_, faults)| faults);
        for entry in resource.expect("a file that can be read").entries() {
            let Entry::Message(message) = entry else { continue };
            let mut take = |id: String, pattern: &Pattern<&str>| {
                let mut found = BTreeSet::new();
                arguments(pattern, &mut found);
                assert!(known.insert(id.clone(), found).is_none(), "{id} is given twice");
            };
            if let Some(value) = &message.value {
                take(message.id.name.to_owned(), value);
            }
            for attribute in &message.attributes {
                let id = format!("{}.{}", message.id.name, attribute.id.name);
                take(id, &attribute.value);
            }
        }
    }
    known
}

fn gather(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() { gather(&path, found) } else { found.push(path) }
    }
}

/// Product code: path below `src` and text, comments and inline tests left out.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    gather(&root, &mut found);
    let is_test = |path: &str| {
        path.split('/').any(|part| ["tests", "tests.rs"].contains(&part))
            || path.ends_with("_tests.rs")
    };
    let mut sources: Vec<(String, String)> = found
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below src").display().to_string();
            let text = std::fs::read_to_string(path).expect("a source");
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
            (name, code.collect::<Vec<_>>().join("\n"))
        })
        .filter(|(name, _)| !is_test(name))
        .collect();
    sources.sort();
    sources
}

/// The string literals of a source.
fn literals(code: &str) -> impl Iterator<Item = &str> {
    code.split('"').skip(1).step_by(2)
}

/// Ids that are put together from a table, with the table's words.
fn made() -> BTreeSet<String> {
    crate::cli::doctor::text_ids().into_iter().collect()
}

#[test]
fn both_languages_say_the_same_things_with_the_same_arguments() {
    let (french, english) = (known(Language::Fr), known(Language::En));
    let differing: Vec<String> = french
        .keys()
        .chain(english.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|id| french.get(*id) != english.get(*id))
        .map(|id| format!("{id}: fr {:?}, en {:?}", french.get(id), english.get(id)))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Fluent's own library is the judge of what the tables say.
#[test]
fn every_text_reads_as_fluent_would_have_it() {
    for (language, name) in [(Language::Fr, "fr"), (Language::En, "en")] {
        let mut bundle = FluentBundle::new_concurrent(vec![name.parse().expect("a language")]);
        bundle.set_use_isolating(false);
        for text in files(language) {
            let resource = FluentResource::try_new(text).map_err(|(_, faults)| faults);
            bundle.add_resource(resource.expect("a file that can be read")).expect("ids");
        }
        let texts = Texts::of(language);
        for (id, names) in known(language) {
            for value in ["0", "1", "2", "17", "mot", "fast", "whole"] {
                let given: Vec<(&'static str, &dyn std::fmt::Display)> = names
                    .iter()
                    .map(|name| (&*name.clone().leak(), &value as &dyn std::fmt::Display))
                    .collect();
                let wanted = judged(&bundle, &id, &given);
                assert_eq!(texts.say(&id, &given), wanted, "{name} {id} with {value}");
            }
        }
    }
}

fn judged(bundle: &FluentBundle<FluentResource>, id: &str, given: Given<'_>) -> String {
    let (id, attribute) = id.split_once('.').map_or((id, None), |(id, name)| (id, Some(name)));
    let message = bundle.get_message(id).expect("a message");
    let pattern = match attribute {
        Some(name) => message.get_attribute(name).expect("an attribute").value(),
        None => message.value().expect("a value"),
    };
    let mut args = FluentArgs::new();
    for (name, value) in given {
        let value = value.to_string();
        args.set(
            *name,
            match value.parse::<i64>() {
                Ok(number) => FluentValue::from(number),
                Err(_) => FluentValue::from(value),
            },
        );
    }
    let mut faults = Vec::new();
    let text = bundle.format_pattern(pattern, Some(&args), &mut faults).into_owned();
    assert!(faults.is_empty(), "{id}: {faults:?}");
    text
}

#[test]
fn every_text_that_is_asked_for_exists_and_every_one_that_exists_is_asked_for() {
    let known: BTreeSet<String> =
        known(Language::Fr).into_keys().filter(|id| !id.contains('.')).collect();
    let made = made();
    let mut used = made.clone();
    let mut missing: BTreeSet<String> = made.difference(&known).cloned().collect();
    for (path, code) in sources() {
        let flat = code.split_whitespace().collect::<Vec<_>>().join(" ").replace("( \"", "(\"");
        for id in flat.split("say(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            if !known.contains(id) {
                missing.insert(format!("{id} ({path})"));
            }
        }
        used.extend(literals(&code).map(str::to_owned));
    }
    assert!(missing.is_empty(), "without a text: {missing:#?}");
    let unused: Vec<&String> = known.difference(&used).collect();
    assert!(unused.is_empty(), "nobody asks for: {unused:#?}");
}

/// Words of French that no machine word and no English log message has.
#[test]
fn code_holds_no_french_of_its_own() {
    let letters = ['é', 'è', 'ê', 'à', 'ù', 'ç', 'î', 'ô', 'û', '«', '»', 'É'];
    let words = [
        " de la ", " est ", " pas ", " une ", " avec ", " les ", " des ", " dans ", " pour ",
        " du ",
    ];
    // Not texts: what a printer can print, and the sample it prints.
    let allowed = ["printer/codepage.rs", "printer/render.rs", "printer/symbol.rs"];
    let mut faults = Vec::new();
    for (path, code) in sources() {
        let is_others = LATER.iter().any(|place| path.starts_with(place));
        if is_others || allowed.contains(&path.as_str()) {
            continue;
        }
        let text = code.replace("\\\"", "'");
        for literal in literals(&text) {
            let is_french = literal.contains(letters) || words.iter().any(|w| literal.contains(w));
            // What the test slip shows of each character table.
            if is_french && !literal.ends_with("éèàçùœ€") {
                faults.push(format!("{path}: {literal}"));
            }
        }
    }
    assert!(faults.is_empty(), "texts outside the files:\n{}", faults.join("\n"));
}

/// Places whose texts have not come into the files yet.
const LATER: &[&str] = &["app/", "journal/", "supervise/", "tunnel/enrol.rs", "tunnel/identity.rs"];

#[test]
fn a_locale_names_a_language() {
    for (locale, language) in [
        ("fr_FR.UTF-8", Some(Language::Fr)),
        ("en_GB", Some(Language::En)),
        ("fr", Some(Language::Fr)),
        ("C.UTF-8", None),
        ("ar_DZ.UTF-8", None),
        ("", None),
    ] {
        assert_eq!(Language::of_locale(locale), language, "{locale}");
    }
}

#[test]
fn one_and_many_are_told_apart_and_what_only_looks_like_a_number_stays() {
    let texts = Texts::of(Language::Fr);
    let said = |faults: &str| texts.say("doctor-faults", &[("faults", &faults)]);
    assert_ne!(said("1"), said("2").replace('2', "1"));
    assert!(said("0012").contains("0012"));
}
