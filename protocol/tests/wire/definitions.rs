//! `docs/protocol.proto`, made from the declarations of this crate: whoever writes another
//! gateway reads tags and types there, and they cannot differ from what is spoken here.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use syn::{Attribute, Expr, Fields, Item, ItemEnum, ItemStruct, Lit, Meta, Type};

const WRITE: &str = "FOURNIL_WRITE_DOCS";
/// Files in reading order; others follow by name.
const FIRST: &[&str] = &["frame.rs", "hello.rs", "event.rs", "command.rs", "document.rs"];
const HEAD: &str = "\
// The messages between a shop's gateway and its cloud; docs/protocol.md says how they are used.
// Made from protocol/src by `FOURNIL_WRITE_DOCS=1 cargo test -p fournil-protocol`.
syntax = \"proto3\";

package fournil.gateway.v1;
";

fn sources() -> Vec<(String, syn::File)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut names: Vec<String> = fs::read_dir(folder.clone())
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let place = |name: &String| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len());
    names.sort_by_key(|name| (place(name), name.clone()));
    let read = |name: String| {
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        (name, syn::parse_file(&text).unwrap())
    };
    names.into_iter().map(read).collect()
}

fn derives(attributes: &[Attribute], wanted: &str) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("derive")
            && list.tokens.to_string().split([',', ' ', ':']).any(|word| word == wanted)
    })
}

/// The lines of a doc comment; links to Rust items become plain names.
fn comments(attributes: &[Attribute]) -> Vec<String> {
    let doc = |attribute: &Attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &pair.value else { return None };
        let Lit::Str(text) = &literal.lit else { return None };
        pair.path.is_ident("doc").then(|| plain(text.value().trim_end()))
    };
    attributes.iter().filter_map(doc).collect()
}

fn plain(text: &str) -> String {
    let mut pieces = text.split("[`");
    let mut told = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (link, rest) = piece.split_once("`]").unwrap();
        told.push('`');
        told.push_str(link.rsplit("::").next().unwrap());
        told.push('`');
        told.push_str(rest);
    }
    told
}

fn write_comments(out: &mut String, indent: &str, attributes: &[Attribute]) {
    for line in comments(attributes) {
        writeln!(out, "{indent}//{line}").unwrap();
    }
}

/// What `#[prost(…)]` says: words and their values.
fn prost(attributes: &[Attribute]) -> Option<BTreeMap<String, String>> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("prost"))?;
    let mut said = BTreeMap::new();
    attribute
        .parse_nested_meta(|meta| {
            let word = meta.path.get_ident().unwrap().to_string();
            let value = match meta.value() {
                Ok(value) => value.parse::<syn::LitStr>()?.value(),
                Err(_) => String::new(),
            };
            said.insert(word, value);
            Ok(())
        })
        .unwrap();
    Some(said)
}

/// The name inside `Vec<…>` and `Option<…>`.
fn inner(ty: &Type) -> String {
    let Type::Path(path) = ty else { panic!("a field of an unexpected type") };
    let last = path.path.segments.last().unwrap();
    if let syn::PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(syn::GenericArgument::Type(ty)) = arguments.args.first()
    {
        return inner(ty);
    }
    last.ident.to_string()
}

fn kind(said: &BTreeMap<String, String>, ty: &Type) -> String {
    const SCALARS: &[&str] =
        &["string", "bytes", "bool", "uint32", "uint64", "int32", "int64", "sint64", "fixed64"];
    if said.contains_key("message") {
        return inner(ty);
    }
    if let Some(name) = said.get("enumeration") {
        return name.clone();
    }
    let scalar = SCALARS.iter().find(|scalar| said.contains_key(**scalar));
    (*scalar.unwrap_or_else(|| panic!("no type in {said:?}"))).to_owned()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn write_message(out: &mut String, item: &ItemStruct, oneofs: &BTreeMap<String, &ItemEnum>) {
    writeln!(out).unwrap();
    write_comments(out, "", &item.attrs);
    let Fields::Named(fields) = &item.fields else {
        writeln!(out, "message {} {{}}", item.ident).unwrap();
        return;
    };
    if fields.named.is_empty() {
        writeln!(out, "message {} {{}}", item.ident).unwrap();
        return;
    }
    writeln!(out, "message {} {{", item.ident).unwrap();
    for field in &fields.named {
        let said = prost(&field.attrs).unwrap();
        let name = field.ident.as_ref().unwrap();
        write_comments(out, "  ", &field.attrs);
        if let Some(oneof) = said.get("oneof") {
            write_oneof(out, &name.to_string(), oneofs[oneof], &said["tags"]);
            continue;
        }
        let is_scalar = !said.contains_key("message");
        let label = match () {
            () if said.contains_key("repeated") => "repeated ",
            () if said.contains_key("optional") && is_scalar => "optional ",
            () => "",
        };
        if said.contains_key("required") {
            writeln!(out, "  // Always there.").unwrap();
        }
        writeln!(out, "  {label}{} {name} = {};", kind(&said, &field.ty), said["tag"]).unwrap();
    }
    writeln!(out, "}}").unwrap();
}

fn write_oneof(out: &mut String, name: &str, item: &ItemEnum, tags: &str) {
    writeln!(out, "  oneof {name} {{").unwrap();
    let mut written = Vec::new();
    for variant in &item.variants {
        let said = prost(&variant.attrs).unwrap();
        let Fields::Unnamed(fields) = &variant.fields else { panic!("a variant without content") };
        let ty = kind(&said, &fields.unnamed[0].ty);
        write_comments(out, "    ", &variant.attrs);
        writeln!(out, "    {ty} {} = {};", snake(&variant.ident.to_string()), said["tag"]).unwrap();
        written.push(said["tag"].clone());
    }
    assert_eq!(written.join(", "), tags, "the tags of {name} are not those of its variants");
    writeln!(out, "  }}").unwrap();
}

fn write_enumeration(out: &mut String, item: &ItemEnum) {
    writeln!(out).unwrap();
    write_comments(out, "", &item.attrs);
    writeln!(out, "enum {} {{", item.ident).unwrap();
    let prefix = snake(&item.ident.to_string()).to_uppercase();
    for variant in &item.variants {
        let Some((_, Expr::Lit(literal))) = &variant.discriminant else {
            panic!("{} has no number", variant.ident)
        };
        let Lit::Int(number) = &literal.lit else { panic!("a number") };
        let name = snake(&variant.ident.to_string()).to_uppercase();
        write_comments(out, "  ", &variant.attrs);
        writeln!(out, "  {prefix}_{name} = {number};").unwrap();
    }
    writeln!(out, "}}").unwrap();
}

fn definitions() -> String {
    let sources = sources();
    let mut out = HEAD.to_owned();
    for (_, file) in &sources {
        let enums = || {
            file.items.iter().filter_map(|item| match item {
                Item::Enum(item) => Some(item),
                _ => None,
            })
        };
        let oneofs: BTreeMap<String, &ItemEnum> = enums()
            .filter(|item| derives(&item.attrs, "Oneof"))
            .map(|item| (item.ident.to_string(), item))
            .collect();
        for item in &file.items {
            match item {
                Item::Struct(item) if derives(&item.attrs, "Message") => {
                    write_message(&mut out, item, &oneofs);
                }
                Item::Enum(item) if derives(&item.attrs, "Enumeration") => {
                    write_enumeration(&mut out, item);
                }
                _ => {}
            }
        }
    }
    out
}

#[test]
fn the_definitions_for_strangers_are_those_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.proto");
    let made = definitions();
    if std::env::var_os(WRITE).is_some() {
        fs::write(&file, &made).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "docs/protocol.proto is not what the code says: write it with {WRITE}=1");
}
