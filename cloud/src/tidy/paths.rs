//! Which modules and crates a file's product code names, wherever it names them: in `use`,
//! in paths, climbing by `super`, and inside the bodies of macros.

use std::collections::BTreeSet;

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::Visit;

use super::Source;

/// Paths of a file's product code: `crate::…` and those of outside crates.
pub(super) struct Paths {
    /// First name below the crate's root.
    pub(super) own: BTreeSet<String>,
    /// First name of every other path.
    pub(super) outside: BTreeSet<String>,
    /// How many modules stand around the code being looked at.
    depth: usize,
}

/// What a path of a file names.
pub(super) fn paths(source: &Source) -> Paths {
    paths_of(&source.path, &source.text)
}

fn paths_of(path: &str, text: &str) -> Paths {
    let folders = path.matches('/').count();
    let is_folder = path.ends_with("/mod.rs");
    let is_root = ["lib.rs", "main.rs"].contains(&path);
    let depth = if is_folder || is_root { folders } else { folders + 1 };
    let file = syn::parse_file(text).expect("a file that compiles");
    let mut paths = Paths { own: BTreeSet::new(), outside: BTreeSet::new(), depth };
    paths.visit_file(&file);
    paths
}

fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Meta>().is_ok_and(|meta| match meta {
                syn::Meta::Path(path) => path.is_ident("test"),
                syn::Meta::List(list) => list.tokens.to_string().contains("test"),
                syn::Meta::NameValue(_) => false,
            })
    })
}

impl Paths {
    /// Takes one whole path.
    fn take(&mut self, names: &[String]) {
        let climbed = names.iter().take_while(|name| *name == "super" || *name == "self").count();
        let supers = names.iter().take(climbed).filter(|name| *name == "super").count();
        let rest = names.get(climbed..).unwrap_or_default();
        if climbed > 0 {
            let reached = rest.first().filter(|_| supers == self.depth);
            self.own.extend(reached.cloned());
            return;
        }
        match rest {
            [root, name, ..] if root == "crate" || root == "$crate" => {
                self.own.insert(name.clone());
            }
            [name, _, ..] => {
                self.outside.insert(name.clone());
            }
            _ => {}
        }
    }

    fn tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&path.tree, &with(&path.ident)),
            syn::UseTree::Name(name) => self.take(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.take(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.take(&[before, &["*".to_owned()]].concat()),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, before);
                }
            }
        }
    }

    /// Every path among the tokens of a macro's body, however deep in brackets.
    fn tokens(&mut self, mut cursor: Cursor<'_>) {
        let mut names: Vec<String> = Vec::new();
        while !cursor.eof() {
            if let Some((inside, _, _, after)) = cursor.any_group() {
                self.take(&std::mem::take(&mut names));
                self.tokens(inside);
                cursor = after;
            } else if let Some((name, after)) = cursor.ident() {
                // Two names without `::` between them are two paths.
                self.take(&std::mem::take(&mut names));
                names.push(name.to_string());
                cursor = after;
                while let Some((name, after)) = after_colons(cursor) {
                    names.push(name);
                    cursor = after;
                }
            } else if let Some((_, after)) = cursor.token_tree() {
                self.take(&std::mem::take(&mut names));
                cursor = after;
            } else {
                return;
            }
        }
        self.take(&names);
    }
}

/// The name behind a `::`.
fn after_colons(cursor: Cursor<'_>) -> Option<(String, Cursor<'_>)> {
    let (first, cursor) = cursor.punct()?;
    let (second, cursor) = cursor.punct()?;
    if first.as_char() != ':' || second.as_char() != ':' {
        return None;
    }
    cursor.ident().map(|(name, after)| (name.to_string(), after))
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test_only(&item.attrs) {
            self.tree(&item.tree, &[]);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test_only(&item.attrs) {
            self.depth += 1;
            syn::visit::visit_item_mod(self, item);
            self.depth -= 1;
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.take(&names);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, made: &'ast syn::Macro) {
        self.visit_path(&made.path);
        self.tokens(TokenBuffer::new2(made.tokens.clone()).begin());
    }
}

#[test]
fn no_way_of_naming_another_area_is_overlooked() {
    for (path, text) in [
        ("stock/model.rs", "use crate::till::Ticket;"),
        ("stock/model.rs", "use crate::{db, till};"),
        ("stock/model.rs", "use crate::till as counter;"),
        ("stock/model.rs", "fn f() { crate::till::sell() }"),
        ("stock/model.rs", "use super::super::till::Ticket;"),
        ("stock/mod.rs", "use super::till;"),
        ("stock/mod.rs", "pub use self::super::till::*;"),
        ("stock/pages/list.rs", "fn f() { super::super::super::till::sell() }"),
        ("stock/model.rs", "mod inner { fn f() { super::super::super::till::sell() } }"),
        ("stock/model.rs", "fn f() { select! { x = crate::till::sell() => {} } }"),
        ("stock/model.rs", "fn f() { vec![(1, [super::super::till::sell()])] }"),
    ] {
        let own = paths_of(path, text).own;
        assert!(own.contains("till"), "{path}: {text}: {own:?}");
    }
    for (path, text) in [
        ("stock/model.rs", "use super::till::Drawer;"),
        ("stock/pages/list.rs", "use super::super::till;"),
        ("stock/model.rs", "#[cfg(test)] mod tests { use super::super::super::till; }"),
        ("stock/model.rs", "fn f() { format!(\"crate::till::x {}\", till) }"),
    ] {
        let own = paths_of(path, text).own;
        assert!(!own.contains("till"), "{path}: {text}: {own:?}");
    }
    let hidden = "fn f() { select! { _ = async { warp::reply() } => sqlx::query!(\"x::y\") } }";
    let outside = paths_of("stock/pages.rs", hidden).outside;
    assert!(outside.contains("warp") && outside.contains("sqlx"), "{outside:?}");
}
