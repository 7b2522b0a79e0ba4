//! What pages and code name by a string: texts, files, icons, routes in the documents.

use std::collections::BTreeSet;

use super::{assert_none, sources};
use crate::i18n::Catalogue;
use crate::web::assets;

/// The string literals that follow `before` in a text.
fn literals<'t>(text: &'t str, before: &str) -> Vec<&'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Where text ids stand in Rust and in templates.
const ID_AFTER: &[&str] = &[
    "Message::new(\"",
    ".page(\"",
    ".t(\"",
    ".t1(\"",
    ".tn(\"",
    "texts.get(\"",
    "texts.with(\"",
    "Fault::usage(\"",
    "label: \"",
    "group: \"",
];

fn is_id(text: &str) -> bool {
    text.contains('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[test]
fn every_text_that_is_used_exists_in_french() {
    let texts = Catalogue::load().expect("texts");
    let mut missing = BTreeSet::new();
    for source in sources("rs").into_iter().chain(sources("html")) {
        if source.is_test() {
            continue;
        }
        // `Message::new(` may be followed by a line break; examples in comments do not count.
        let code = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let words: Vec<&str> = code.flat_map(str::split_whitespace).collect();
        let flat = words.join(" ").replace("( \"", "(\"");
        for id in ID_AFTER.iter().flat_map(|before| literals(&flat, before)) {
            if is_id(id) && !texts.has(id) {
                missing.insert(format!("{id} ({})", source.path));
            }
        }
    }
    assert_none("texts without French", &missing.into_iter().collect::<Vec<_>>());
}

#[test]
fn templates_hold_no_words_of_their_own() {
    let mut faults = Vec::new();
    for source in sources("html") {
        let text = without_code(&source.text);
        let mut rest = text.as_str();
        let mut shown = String::new();
        // Drop tags, then expressions: what is left is what a reader would see.
        while let Some(start) = rest.find(['<', '{']) {
            shown.push_str(&rest[..start]);
            let end = match &rest[start..] {
                tag if tag.starts_with("{{") => tag.find("}}").map(|end| end + 2),
                tag if tag.starts_with("{%") => tag.find("%}").map(|end| end + 2),
                tag if tag.starts_with("{#") => tag.find("#}").map(|end| end + 2),
                tag if tag.starts_with('<') => end_of_tag(tag),
                _ => Some(1),
            };
            let Some(end) = end else { break };
            shown.push(' ');
            rest = &rest[start + end..];
        }
        let words = shown.split_whitespace().filter(|word| {
            word.chars().filter(|c| c.is_alphabetic()).count() > 3 && *word != "Fournil"
        });
        faults.extend(words.map(|word| format!("{}: {word}", source.path)));
    }
    assert_none("words outside the strings files", &faults);
}

/// A page without what stands in `<code>`: commands are the same in every language.
fn without_code(text: &str) -> String {
    let mut pieces = text.split("<code");
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        kept.push_str(piece.split_once("</code>").map_or(piece, |(_, after)| after));
    }
    kept
}

/// The end of a tag; expressions inside its attributes may hold `>`.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut depth = 0_i32;
    let bytes = tag.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b'>' if depth == 0 => return Some(index + 1),
            _ => {}
        }
    }
    None
}

#[test]
fn every_file_and_icon_a_page_names_is_there() {
    let icons = assets::text("icons.svg");
    let has_icon = |name: &str| icons.contains(&format!("<symbol id=\"{name}\""));
    let mut faults = Vec::new();
    for source in sources("html") {
        for name in literals(&source.text, "page.asset(\"") {
            if !assets::has(name) {
                faults.push(format!("{}: no file {name}", source.path));
            }
        }
        for name in literals(&source.text, "page.icon(\"") {
            if !has_icon(name) {
                faults.push(format!("{}: no icon {name}", source.path));
            }
        }
    }
    for item in crate::routes::nav() {
        if !has_icon(item.icon) {
            faults.push(format!("menu: no icon {}", item.icon));
        }
    }
    assert_none("named but not there", &faults);
}

#[test]
fn pages_obey_their_own_content_policy() {
    let mut faults = Vec::new();
    for source in sources("html") {
        let flat = source.text.replace('\n', " ");
        for (what, sign) in [
            ("inline style", " style=\""),
            ("style element", "<style"),
            ("inline handler", " onclick="),
            ("inline handler", " onchange="),
            ("inline handler", " onsubmit="),
            ("htmx expression", " hx-on"),
            ("foreign address", "src=\"http"),
        ] {
            if flat.contains(sign) {
                faults.push(format!("{}: {what}", source.path));
            }
        }
        for script in flat.split("<script").skip(1) {
            let opening = script.split('>').next().unwrap_or_default();
            if !opening.contains("src=") {
                faults.push(format!("{}: inline script", source.path));
            }
        }
    }
    assert_none("against the content policy", &faults);
}

#[test]
fn style_sheets_know_no_left_and_right() {
    let mut faults = Vec::new();
    for source in sources("css") {
        for (index, line) in source.text.lines().enumerate() {
            let physical = ["margin-left", "margin-right", "padding-left", "padding-right"];
            let aligned = ["text-align: left", "text-align: right", "float: left", "float: right"];
            for word in physical.iter().chain(&aligned).filter(|word| line.contains(**word)) {
                faults.push(format!("{}:{} {word}", source.path, index + 1));
            }
        }
    }
    assert_none("not for Arabic", &faults);
}

/// `docs/routes.md` lists every route; write it anew with `FOURNIL_WRITE_DOCS=1`.
#[test]
fn the_documents_list_every_route() {
    use crate::web::Access;
    let mut lines: Vec<String> = crate::routes::routes()
        .iter()
        .map(|route| {
            let access = match route.access {
                Access::Public => "public".to_owned(),
                Access::SignedIn => "any user".to_owned(),
                Access::Needs(permission) => format!("`{}`", permission.0),
            };
            format!("| `{}` | {} | {access} |", route.path, route.method.as_str())
        })
        .collect();
    lines.sort();
    let head = "# Routes\n\nMade from the route table by `FOURNIL_WRITE_DOCS=1 cargo test -p \
                fournil-cloud the_documents_list_every_route`.\n\n| path | method | access |\n| \
                --- | --- | --- |\n";
    let made = format!("{head}{}\n", lines.join("\n"));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/routes.md");
    if std::env::var_os("FOURNIL_WRITE_DOCS").is_some() {
        std::fs::write(file, &made).expect("docs can be written");
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(found == made, "docs/routes.md is not what the table says: write it anew");
}
