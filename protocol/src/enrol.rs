//! How a gateway gets its name: one HTTPS POST of JSON to `/gateway/enrol`.
//!
//! The gateway makes an Ed25519 key that never leaves it and redeems a one-time
//! code a person read to it. Both sides then show the key's four-word fingerprint.

use serde::{Deserialize, Serialize};

/// What the gateway sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The code, in the form people type it; see [`normalise_code`].
    pub code: String,
    /// Ed25519 public key, base64.
    pub public_key: String,
    /// Ed25519 signature over [`signed_bytes`], base64: proof that the key is held.
    pub signature: String,
    /// Release of the gateway.
    pub software: String,
    /// The machine's own name, to help a person tell boxes apart.
    pub hostname: String,
}

/// What the cloud answers when the code was good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// UUID, text form.
    pub gateway_id: String,
    /// The name the shop gave this gateway.
    pub name: String,
    pub company: String,
    /// Four words; the screen of the ERP shows the same.
    pub fingerprint: String,
}

/// What the cloud answers when it was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRefusal {
    /// Machine word: `code-unknown`, `code-expired`, `too-many-tries`, `bad-request`, `unavailable`.
    pub error: String,
    /// What is wrong and what to do, in French.
    pub message: String,
}

/// Letters of a code: Crockford's base32, no I, L, O or U.
pub const CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters in a code; 8 of 32 make 40 bits.
pub const CODE_LETTERS: usize = 8;

/// Brings what a person typed into the one form that is compared: upper case, no
/// spaces or dashes, I and L read as 1, O as 0. `None` when it cannot be a code.
#[must_use]
pub fn normalise_code(typed: &str) -> Option<String> {
    let code: String = typed
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '-')
        .map(|letter| match letter.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            other => other,
        })
        .collect();
    let is_code = code.len() == CODE_LETTERS && code.bytes().all(|b| CODE_ALPHABET.contains(&b));
    is_code.then_some(code)
}

/// The bytes the gateway signs to show that it holds the key.
#[must_use]
pub fn signed_bytes(normalised_code: &str, public_key: &[u8]) -> Vec<u8> {
    let mut bytes = b"fournil gateway enrolment\0".to_vec();
    bytes.extend_from_slice(normalised_code.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(public_key);
    bytes
}
