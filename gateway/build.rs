//! Turns the Fluent files beside the code (`fr.ftl`, `en.ftl`) into tables that the binary
//! carries ready to use. Reading them at run time would cost 100 KB of program, memory and a parse
//! at each start; here a file that is wrong stops the build.
//!
//! What the texts may use: words, `{ $argument }`, and selection on an argument (by word,
//! by number, by plural category). Anything else is refused, not ignored.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a build script has nobody to tell but the build, which stops"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fluent_syntax::ast::{
    Entry, Expression, InlineExpression, Pattern, PatternElement, VariantKey,
};

const LANGUAGES: [&str; 2] = ["fr", "en"];

fn main() {
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    gather(Path::new("src"), &mut files);
    files.sort();
    let mut made = String::new();
    for language in LANGUAGES {
        let name = format!("{language}.ftl");
        let mut messages = BTreeMap::new();
        for file in files.iter().filter(|file| file.ends_with(&name)) {
            read(file, &mut messages);
        }
        write_table(&mut made, language, &messages);
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    std::fs::write(out.join("texts.rs"), made).expect("OUT_DIR can be written");
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src can be read").flatten() {
        let path = entry.path();
        if path.is_dir() { gather(&path, files) } else { files.push(path) }
    }
}

/// Ids, and `id.attribute`, with their texts.
fn read(file: &Path, messages: &mut BTreeMap<String, String>) {
    let shown = file.display();
    let text = std::fs::read_to_string(file).expect("the file was just listed");
    let resource = fluent_syntax::parser::parse(text.as_str())
        .unwrap_or_else(|(_, faults)| panic!("{shown}: {faults:?}"));
    let mut add = |id: String, pattern: &Pattern<&str>| {
        let text =
            marked(pattern, true).unwrap_or_else(|what| panic!("{shown}, {id}: no {what} here"));
        assert!(messages.insert(id.clone(), text).is_none(), "{shown}: {id} is given twice");
    };
    for entry in &resource.body {
        match entry {
            Entry::Message(message) => {
                let id = message.id.name;
                if let Some(value) = &message.value {
                    add(id.to_owned(), value);
                }
                for attribute in &message.attributes {
                    add(format!("{id}.{}", attribute.id.name), &attribute.value);
                }
            }
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
            Entry::Term(term) => panic!("{shown}: no terms here ({})", term.id.name),
            Entry::Junk { content } => panic!("{shown}: not understood: {content}"),
        }
    }
}

/// The text with marks for what is put in: see `src/i18n/mod.rs`.
fn marked(pattern: &Pattern<&str>, may_choose: bool) -> Result<String, &'static str> {
    let mut made = String::new();
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { value } if value.contains(char::is_control) => {
                made.push_str(&lines(value)?);
            }
            PatternElement::TextElement { value } => made.push_str(value),
            PatternElement::Placeable { expression: Expression::Inline(inline) } => {
                made.extend(["\u{1}", argument(inline)?, "\u{2}"]);
            }
            PatternElement::Placeable { expression: Expression::Select { selector, variants } } => {
                if !may_choose {
                    return Err("choice within a choice");
                }
                made.extend(["\u{3}", argument(selector)?, "\u{2}"]);
                // The default last: it is taken when nothing else is.
                let (last, first): (Vec<_>, Vec<_>) =
                    variants.iter().partition(|variant| variant.default);
                for variant in first.iter().chain(&last) {
                    let key = match variant.key {
                        VariantKey::Identifier { name } => name,
                        VariantKey::NumberLiteral { value } => value,
                    };
                    made.extend(["\u{4}", key, "\u{2}", &marked(&variant.value, false)?]);
                }
                made.push('\u{5}');
            }
        }
    }
    Ok(made)
}

/// Of control characters a text may have line ends only.
fn lines(text: &str) -> Result<String, &'static str> {
    let is_mark = |letter: char| letter.is_control() && letter != '\n';
    if text.contains(is_mark) { Err("control characters") } else { Ok(text.to_owned()) }
}

fn argument<'a>(inline: &InlineExpression<&'a str>) -> Result<&'a str, &'static str> {
    match inline {
        InlineExpression::VariableReference { id } => Ok(id.name),
        _ => Err("literals, functions and references"),
    }
}

fn write_table(made: &mut String, language: &str, messages: &BTreeMap<String, String>) {
    writeln!(
        made,
        "/// Ids in order, with what they say.\nstatic {}: &[(&str, &str)] = &[",
        language.to_uppercase()
    )
    .expect("writing to a string cannot fail");
    for (id, text) in messages {
        writeln!(made, "    ({id:?}, {text:?}),").expect("writing to a string cannot fail");
    }
    made.push_str("];\n");
}
