//! The two cookies: the session, and the visitor's token that guards the login form.
//!
//! On TLS their names carry `__Host-`, so that no other host and no plain connection
//! can set them. Without TLS (development, a test) the prefix would be refused.

use hyper::HeaderMap;

use super::response::Response;

/// Seconds a session lives after its last use. The database decides; the cookie outlives
/// it, because it cannot slide without being sent again on every answer.
pub const SESSION_SECONDS: u32 = 12 * 60 * 60;
/// Seconds a session lives at most, however much it is used; the cookie lives as long.
pub const SESSION_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;

pub(super) const fn session_name(secure: bool) -> &'static str {
    if secure { "__Host-fournil" } else { "fournil" }
}

pub(super) const fn visitor_name(secure: bool) -> &'static str {
    if secure { "__Host-fournil-visitor" } else { "fournil-visitor" }
}

/// A cookie of a request by name.
pub(super) fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all("cookie")
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn cookie(name: &str, value: &str, secure: bool, life_s: Option<u32>) -> String {
    let secure = if secure { "; Secure" } else { "" };
    let life = life_s.map(|life_s| format!("; Max-Age={life_s}")).unwrap_or_default();
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{life}")
}

impl Response {
    /// Gives the browser its session.
    #[must_use]
    pub fn with_session(self, token: &str, secure: bool) -> Self {
        let session = cookie(session_name(secure), token, secure, Some(SESSION_SECONDS_MAX));
        self.with_header("set-cookie", &session)
    }

    /// Takes the session from the browser.
    #[must_use]
    pub fn without_session(self, secure: bool) -> Self {
        self.with_header("set-cookie", &cookie(session_name(secure), "", secure, Some(0)))
    }

    pub(super) fn with_visitor(self, token: &str, secure: bool) -> Self {
        self.with_header("set-cookie", &cookie(visitor_name(secure), token, secure, None))
    }
}

/// The machine gives no random bytes; nothing can be kept secret then.
#[derive(Debug, thiserror::Error)]
#[error("the machine gives no random bytes")]
pub struct NoRandomness;

/// A token only we could have made up, as cookies carry them: 43 characters.
pub fn random_token() -> Result<String, NoRandomness> {
    let mut bytes = [0_u8; 32];
    let random = ring::rand::SystemRandom::new();
    ring::rand::SecureRandom::fill(&random, &mut bytes).map_err(|_| NoRandomness)?;
    Ok(data_encoding::BASE64URL_NOPAD.encode(&bytes))
}

/// True for what [`random_token`] makes; anything else is refused without a look-up.
pub(super) fn is_token(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
