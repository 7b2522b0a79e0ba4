//! Who is asking: a session as the ground knows it. What a permission means is
//! the identity area's business; here it is a word that is there or not.

use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;

use crate::db::{Actor, ActorKind, CompanyId};

/// A permission by its word, such as `till.sell`. Declared in `identity::permission` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission(pub &'static str);

/// A signed-in user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub company: CompanyId,
    pub user_id: Uuid,
    pub user_name: String,
    pub email: String,
    pub role: String,
    /// Sorted.
    pub permissions: Vec<String>,
    pub csrf_token: String,
    /// `fr`, `ar` or `en`.
    pub language: String,
}

impl Session {
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.binary_search_by(|word| word.as_str().cmp(permission.0)).is_ok()
    }

    /// The user as the actor of a business act.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            company: self.company,
            kind: ActorKind::User(self.user_id),
            label: self.user_name.clone(),
        }
    }
}

/// What is known of a cookie value without a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is this session, seen a moment ago.
    Alive(Session),
    /// It was a session when last looked at, some time ago.
    Stale,
    /// It is none.
    Nobody,
    /// Only a look-up tells.
    Unknown,
}

/// A session being looked up.
pub type Looked<'a> = Pin<Box<dyn Future<Output = super::Result<Option<Session>>> + Send + 'a>>;

/// How the table finds out who is asking; implemented by the identity area.
pub trait Sessions: Send + Sync + 'static {
    /// What is known of a cookie value without asking anybody.
    fn known(&self, cookie: &str) -> Known;

    /// The session behind a cookie value, if it is alive; counts as its use.
    fn find<'a>(&'a self, cookie: &'a str) -> Looked<'a>;

    /// The same without counting as use: what asks by itself keeps no session alive.
    fn look<'a>(&'a self, cookie: &'a str) -> Looked<'a>;
}
