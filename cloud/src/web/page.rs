//! What every page inherits: title, menu, texts, token. Templates extend
//! `web/layout/base.html` and hold a field `page: Page`.

use super::request::Request;
use super::session::{Permission, Session};
use crate::i18n::Texts;

/// One entry of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NavItem {
    /// Text id of the heading it stands under, such as `nav-group-shop`.
    pub group: &'static str,
    /// Text id of its label.
    pub label: &'static str,
    pub href: &'static str,
    /// Shown to those who hold it.
    pub permission: Permission,
    /// Name of an icon in the sprite.
    pub icon: &'static str,
}

/// What `base.html` needs.
#[derive(Debug, Clone)]
pub struct Page {
    /// Text id of the title.
    pub title: &'static str,
    pub texts: Texts,
    pub session: Option<Session>,
    pub csrf_token: String,
    /// The entries this reader may open.
    pub nav: Vec<NavItem>,
    /// The path being shown, to mark the menu.
    pub path: String,
}

impl Request {
    /// What every page needs: menu, texts, token. `title` is a text id.
    #[must_use]
    pub fn page(&self, title: &'static str) -> Page {
        Page::new(self, title)
    }
}

impl Page {
    fn new(request: &Request, title: &'static str) -> Self {
        let session = request.session.clone();
        let may_open = |item: &&NavItem| session.as_ref().is_some_and(|s| s.may(item.permission));
        let nav = request.app().nav.iter().filter(may_open).copied().collect();
        Self {
            title,
            texts: request.texts(),
            csrf_token: request.csrf_token().to_owned(),
            nav,
            path: request.path().to_owned(),
            session,
        }
    }

    /// A text by id: `{{ page.t("till-title") }}`.
    pub fn t(&self, id: &str) -> String {
        self.texts.get(id)
    }

    /// A text with one argument: `{{ page.t1("till-total", "amount", total) }}`.
    #[expect(clippy::needless_pass_by_value, reason = "calls read better without a borrow")]
    pub fn t1(&self, id: &str, name: &'static str, value: impl ToString) -> String {
        self.texts.with(id, &[(name, value.to_string())])
    }

    /// The name of a word that data holds: text `act-till-sale` for the act `till.sale`,
    /// `subject-user` for the subject `user`; the word itself where nobody named it.
    pub fn named(&self, kind: &str, word: &str) -> String {
        let id = format!("{kind}-{}", word.replace(['.', '_'], "-"));
        let name = self.texts.get(&id);
        if name == id { word.to_owned() } else { name }
    }

    /// Where an embedded file is served: `{{ page.asset("app.css") }}`.
    pub fn asset(&self, name: &str) -> String {
        super::assets::path(name)
    }

    /// A picture of the icon sprite: `<use href="{{ page.icon("clock") }}"/>`.
    pub fn icon(&self, name: &str) -> String {
        format!("{}#{name}", super::assets::path("icons.svg"))
    }

    /// The menu as headings with their entries.
    pub fn nav_groups(&self) -> Vec<(&'static str, Vec<NavItem>)> {
        let mut groups: Vec<(&'static str, Vec<NavItem>)> = Vec::new();
        for item in &self.nav {
            match groups.iter_mut().find(|(group, _)| *group == item.group) {
                Some((_, items)) => items.push(*item),
                None => groups.push((item.group, vec![*item])),
            }
        }
        groups
    }

    /// The first letters of the reader's name.
    pub fn initials(&self) -> String {
        let name = self.session.as_ref().map_or("", |session| session.user_name.as_str());
        let letters = name.split_whitespace().filter_map(|word| word.chars().next()).take(2);
        letters.flat_map(char::to_uppercase).collect()
    }

    /// A fresh idempotency key for a form.
    pub fn new_key(&self) -> String {
        uuid::Uuid::now_v7().to_string()
    }

    /// True for the menu entry the reader is in.
    pub fn is_current(&self, item: &NavItem) -> bool {
        let deeper = self.path.strip_prefix(item.href).is_some_and(|rest| rest.starts_with('/'));
        self.path == item.href || deeper
    }

    /// True when the reader holds a permission, by its word.
    pub fn may(&self, permission: &str) -> bool {
        self.session.as_ref().is_some_and(|s| s.permissions.iter().any(|word| word == permission))
    }
}
