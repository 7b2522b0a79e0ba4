//! How a gateway changes its key: two HTTPS POSTs of JSON, to `/gateway/rotate/challenge`
//! and to `/gateway/rotate`, signed by the key it has and by the key it wants.
//!
//! Both keys open sessions until the new one has; the old one ends a day later. The same
//! request sent twice has the same answer, so a lost answer costs nothing.

use serde::{Deserialize, Serialize};

/// Asks for something fresh to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRequest {
    /// UUID, text form.
    pub gateway_id: String,
}

/// Something fresh to sign, good for a few minutes and for this gateway only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChallengeAnswer {
    pub nonce: String,
}

/// What the gateway sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// UUID, text form.
    pub gateway_id: String,
    /// As the challenge had it.
    pub nonce: String,
    /// The Ed25519 key it has, base64.
    pub old_key: String,
    /// The Ed25519 key it wants, base64.
    pub new_key: String,
    /// Over [`signed_bytes`] by the old key, base64.
    pub old_signature: String,
    /// Over [`signed_bytes`] by the new key, base64: proof that it is held.
    pub new_signature: String,
}

/// The cloud has stored the new key: from now on it may open sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateAnswer {
    /// Four words of the new key.
    pub fingerprint: String,
}

/// What the cloud answers when it did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateRefusal {
    /// Machine word: `challenge-stale`, `key-unknown`, `key-taken`, `not-now`,
    /// `bad-request`, `unavailable`.
    pub error: String,
    /// What is wrong and what to do, in French.
    pub message: String,
}

/// The bytes both keys sign: bound to the purpose, the server that was verified, the fresh
/// nonce, the gateway and both keys.
#[must_use]
pub fn signed_bytes(server_name: &str, request: &Proposal<'_>) -> Vec<u8> {
    let mut bytes = b"fournil gateway key rotation\0".to_vec();
    let Proposal { nonce, gateway_id, old_key, new_key } = *request;
    for part in [server_name.as_bytes(), nonce.as_bytes(), gateway_id, old_key, new_key] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// What is signed of a rotation, besides the server's name.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'p> {
    pub nonce: &'p str,
    /// 16 bytes.
    pub gateway_id: &'p [u8],
    /// 32 bytes.
    pub old_key: &'p [u8],
    /// 32 bytes.
    pub new_key: &'p [u8],
}
