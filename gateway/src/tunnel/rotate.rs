//! A new key in the place of the old one, without an instant in which neither is good.
//!
//! The new key is on disk before the cloud hears of it, the cloud has both before the
//! identity here changes, and it keeps the old one until the new one has opened a session
//! and a day more. Cut anywhere, the same steps again lead to the same end.

use std::path::Path;

use data_encoding::BASE64;
use fournil_protocol::rotate::{
    ChallengeAnswer, ChallengeRequest, Proposal, RotateAnswer, RotateRefusal, RotateRequest,
    signed_bytes,
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::https::{self, PostError};
use super::identity::{self, Enrolled, Identity, IdentityError, PendingKey};
use super::target::{CHALLENGE_PATH, ROTATE_PATH, Target};
use super::trust::Trust;
use crate::i18n::say;

/// The cloud's word for a key that it will never take.
const KEY_TAKEN: &str = "key-taken";

/// Why the key did not change, in one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error("{}", say("tunnel-rotate-credential", &[]))]
    Credential,
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Post(#[from] PostError),
    /// The cloud's own words.
    #[error("{message}")]
    Refused { code: String, message: String },
    #[error("{}", say("tunnel-rotate-answer", &[("target", .target), ("why", .why)]))]
    Answer { target: String, why: String },
    #[error("{}", say("tunnel-rotate-fingerprint", &[("theirs", .theirs), ("ours", .ours)]))]
    Fingerprint { ours: String, theirs: String },
}

/// Where the key lives and who must hear of another.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    pub state_dir: &'p Path,
    pub credential: Option<&'p Path>,
    pub target: &'p Target,
    pub trust: &'p Trust,
}

/// Makes, proposes and takes over a new key; gives its four words.
pub async fn run(place: Place<'_>) -> Result<String, RotateError> {
    let _lock = identity::Lock::take(place.state_dir)?;
    let identity = Identity::load_with(place.state_dir, place.credential)?;
    if identity.is_credential {
        return Err(RotateError::Credential);
    }
    let next = PendingKey::next(place.state_dir)?;
    let asked = propose(place, identity.enrolled.gateway_id, &identity, &next).await;
    let theirs = match asked {
        Err(RotateError::Refused { code, message }) if code == KEY_TAKEN => {
            next.discard()?;
            return Err(RotateError::Refused { code, message });
        }
        other => other?,
    };
    let ours = next.fingerprint();
    if theirs != ours {
        return Err(RotateError::Fingerprint { ours, theirs });
    }
    next.adopt(&Enrolled { fingerprint: ours.clone(), ..identity.enrolled })?;
    Ok(ours)
}

/// Makes the key in use known to a cloud that went back to a time before it, by the word of
/// the key before. Gives whether there was one to try with.
pub async fn reintroduce(place: Place<'_>) -> Result<bool, RotateError> {
    let _lock = identity::Lock::take(place.state_dir)?;
    let identity = Identity::load_with(place.state_dir, place.credential)?;
    let Some(previous) = identity::previous_key(place.state_dir)? else { return Ok(false) };
    propose(place, identity.enrolled.gateway_id, &previous, &identity).await?;
    Ok(true)
}

/// A key that can sign for itself.
trait Signer {
    fn public(&self) -> &[u8];
    fn signed(&self, bytes: &[u8]) -> Vec<u8>;
}

impl Signer for Identity {
    fn public(&self) -> &[u8] {
        self.public_key()
    }

    fn signed(&self, bytes: &[u8]) -> Vec<u8> {
        self.sign(bytes)
    }
}

impl Signer for PendingKey {
    fn public(&self) -> &[u8] {
        self.public_key()
    }

    fn signed(&self, bytes: &[u8]) -> Vec<u8> {
        self.sign(bytes)
    }
}

impl Signer for Ed25519KeyPair {
    fn public(&self) -> &[u8] {
        self.public_key().as_ref()
    }

    fn signed(&self, bytes: &[u8]) -> Vec<u8> {
        self.sign(bytes).as_ref().to_vec()
    }
}

/// Asks the cloud to take `new` beside `old`; gives the four words it understood.
async fn propose(
    place: Place<'_>,
    gateway_id: Uuid,
    old: &(impl Signer + Sync),
    new: &(impl Signer + Sync),
) -> Result<String, RotateError> {
    let asked = ChallengeRequest { gateway_id: gateway_id.to_string() };
    let ChallengeAnswer { nonce } = ask(place, CHALLENGE_PATH, &asked).await?;
    let (old_key, new_key) = (old.public(), new.public());
    let proposal = Proposal { nonce: &nonce, gateway_id: gateway_id.as_bytes(), old_key, new_key };
    let signed = signed_bytes(&place.target.host, &proposal);
    let request = RotateRequest {
        gateway_id: gateway_id.to_string(),
        old_key: BASE64.encode(old_key),
        new_key: BASE64.encode(new_key),
        old_signature: BASE64.encode(&old.signed(&signed)),
        new_signature: BASE64.encode(&new.signed(&signed)),
        nonce,
    };
    let RotateAnswer { fingerprint } = ask(place, ROTATE_PATH, &request).await?;
    Ok(fingerprint)
}

async fn ask<A: DeserializeOwned>(
    place: Place<'_>,
    path: &str,
    request: &(impl Serialize + Sync),
) -> Result<A, RotateError> {
    let wrong = |why: String| RotateError::Answer { target: place.target.to_string(), why };
    let body = serde_json::to_vec(request).map_err(|error| wrong(error.to_string()))?;
    let posted = https::post(place.target, place.trust, path, body).await?;
    if posted.is_ok() {
        return serde_json::from_slice(&posted.body).map_err(|error| wrong(error.to_string()));
    }
    match serde_json::from_slice::<RotateRefusal>(&posted.body) {
        Ok(refusal) => Err(RotateError::Refused {
            code: refusal.error,
            message: refusal.message.lines().collect::<Vec<_>>().join(" "),
        }),
        Err(_) => Err(wrong(posted.why())),
    }
}
