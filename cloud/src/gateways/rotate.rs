//! How a gateway's key gives way to another: proposed over HTTPS with the signatures of
//! both, proven by a session, and only then is the old one given a day to live.
//!
//! What the gateway signs is a nonce that any node can check again without keeping it: an
//! hour of birth and an HMAC. It need not serve once only, because the same proposal twice
//! changes nothing.

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use fournil_protocol::limits::{PUBLIC_KEY_BYTES, SIGNATURE_BYTES};
use fournil_protocol::rotate::{Proposal, RotateAnswer, RotateRequest, signed_bytes};
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};
use uuid::Uuid;

use super::enrol::words_of;
use super::health::TOPIC;
use super::model::Identity;
use super::sql::{enrol as codes, keys, sessions};
use crate::db::{Act, Db, DbError};
use crate::i18n::Message;

/// How long a challenge may wait for its answer.
const CHALLENGE_LIFE: TimeDelta = TimeDelta::minutes(5);
/// How long a key is good after its successor has opened a session.
pub const RETIRE_AFTER: TimeDelta = TimeDelta::hours(24);
/// A wish for another key that nothing came of is told again to a gateway that comes back
/// with the old one after so long: perhaps nobody heard it.
const TELL_AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);
/// Keys of one gateway that may be on their way out at a time: a Hello is checked against each.
pub(super) const RETIRING_MAX: i64 = 3;
/// Birth in milliseconds, randomness, HMAC-SHA-256.
const NONCE_PARTS: (usize, usize) = (8, 16);

/// Why a key was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error("the challenge is too old or of another gateway")]
    ChallengeStale,
    #[error("the gateway or its key is not known")]
    KeyUnknown,
    #[error("the new key was used before or belongs to another gateway")]
    KeyTaken,
    #[error("a copy is suspected: no key changes until a person has looked")]
    NotNow,
    #[error("the key that proposes has not opened a session yet")]
    NotConnected,
    #[error("the key that proposes has given way to another")]
    KeyRetired,
    #[error("too many keys of the gateway are on their way out")]
    TooOften,
    #[error("the request cannot be read or a signature is wrong")]
    BadRequest,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl RotateError {
    /// The word machines get.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::ChallengeStale => "challenge-stale",
            Self::KeyUnknown | Self::KeyRetired => "key-unknown",
            Self::KeyTaken => "key-taken",
            Self::NotNow | Self::NotConnected | Self::TooOften => "not-now",
            Self::BadRequest => "bad-request",
            Self::Db(_) => "unavailable",
        }
    }

    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::ChallengeStale | Self::BadRequest => 400,
            Self::KeyUnknown | Self::KeyRetired => 403,
            Self::KeyTaken | Self::NotNow | Self::NotConnected | Self::TooOften => 409,
            Self::Db(_) => 503,
        }
    }

    pub(super) const fn message(&self) -> Message {
        Message::new(match self {
            Self::ChallengeStale => "gateways-rotate-challenge-stale",
            Self::KeyUnknown => "gateways-rotate-key-unknown",
            Self::KeyTaken => "gateways-rotate-key-taken",
            Self::NotNow => "gateways-rotate-not-now",
            Self::NotConnected => "gateways-rotate-not-connected",
            Self::KeyRetired => "gateways-rotate-key-retired",
            Self::TooOften => "gateways-rotate-too-often",
            Self::BadRequest => "gateways-rotate-bad-request",
            Self::Db(_) => "gateways-rotate-unavailable",
        })
    }
}

/// Something fresh for a gateway to sign. Asks nothing about the gateway: a stranger learns
/// nothing from it.
pub async fn challenge(
    db: &Db,
    gateway_id: Uuid,
    now: DateTime<Utc>,
) -> Result<String, RotateError> {
    let mut nonce = now.timestamp_millis().to_be_bytes().to_vec();
    nonce.extend_from_slice(Uuid::new_v4().as_bytes());
    let secret = hmac_key(&codes::secret(db.pool()).await?);
    let mac = hmac::sign(&secret, &marked(&nonce, gateway_id));
    nonce.extend_from_slice(mac.as_ref());
    Ok(BASE64URL_NOPAD.encode(&nonce))
}

/// What the HMAC of a nonce covers; the purpose keeps it apart from codes.
fn marked(nonce: &[u8], gateway_id: Uuid) -> Vec<u8> {
    [b"rotation\0".as_slice(), gateway_id.as_bytes(), nonce].concat()
}

fn is_fresh(secret: &hmac::Key, nonce: &str, gateway_id: Uuid, now: DateTime<Utc>) -> bool {
    let Ok(bytes) = BASE64URL_NOPAD.decode(nonce.as_bytes()) else { return false };
    let Some((told, mac)) = bytes.split_at_checked(NONCE_PARTS.0 + NONCE_PARTS.1) else {
        return false;
    };
    let born = told.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
    let born = born.and_then(DateTime::from_timestamp_millis);
    // Compares in constant time.
    hmac::verify(secret, &marked(told, gateway_id), mac).is_ok()
        && born.is_some_and(|born| (now - born).abs() <= CHALLENGE_LIFE)
}

/// Takes a new key beside the one that proposes it. The same proposal again gets the same
/// answer, also when its key has come to be the only one meanwhile.
pub async fn rotate(
    db: &Db,
    public_name: &str,
    now: DateTime<Utc>,
    request: &RotateRequest,
) -> Result<RotateAnswer, RotateError> {
    let gateway_id = Uuid::parse_str(&request.gateway_id).map_err(|_| RotateError::BadRequest)?;
    let (old_key, new_key) = proven(public_name, gateway_id, request)?;
    let secret = hmac_key(&codes::secret(db.pool()).await?);
    if !is_fresh(&secret, &request.nonce, gateway_id, now) {
        return Err(RotateError::ChallengeStale);
    }
    let found =
        sessions::find_hello(db.pool(), gateway_id).await?.ok_or(RotateError::KeyUnknown)?;
    let identity = Identity { company: found.company, gateway_id, name: found.name };
    let mut act = db.begin(&identity.actor()).await?;
    let fingerprint = words_of(&new_key);
    propose(&mut act, gateway_id, &old_key, &new_key, &fingerprint).await?;
    act.commit().await?;
    Ok(RotateAnswer { fingerprint })
}

/// Both keys, once both have signed. Costs no look-up: nonsense is turned away here.
fn proven(
    public_name: &str,
    gateway_id: Uuid,
    request: &RotateRequest,
) -> Result<(Vec<u8>, Vec<u8>), RotateError> {
    let old_key = decoded(&request.old_key, PUBLIC_KEY_BYTES)?;
    let new_key = decoded(&request.new_key, PUBLIC_KEY_BYTES)?;
    let proposal = Proposal {
        nonce: &request.nonce,
        gateway_id: gateway_id.as_bytes(),
        old_key: &old_key,
        new_key: &new_key,
    };
    let signed = signed_bytes(public_name, &proposal);
    for (key, signature) in [(&old_key, &request.old_signature), (&new_key, &request.new_signature)]
    {
        let signature = decoded(signature, SIGNATURE_BYTES)?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&signed, &signature)
            .map_err(|_| RotateError::BadRequest)?;
    }
    Ok((old_key, new_key))
}

/// Only the key in use may bring another. One that has not connected yet would take itself
/// out of the gateway's hands if the answer were lost, and one on its way out may be out
/// because it was stolen; both get the answer to what is done already.
async fn propose(
    act: &mut Act,
    gateway_id: Uuid,
    old_key: &[u8],
    new_key: &[u8],
    fingerprint: &str,
) -> Result<(), RotateError> {
    let company = act.company();
    let locked = sessions::lock(act.connection(), company, gateway_id).await?;
    let locked = locked.filter(|locked| locked.state == "active").ok_or(RotateError::KeyUnknown)?;
    let proposer = keys::stand(act.connection(), company, gateway_id, old_key).await?;
    let proposer = proposer.filter(|stand| is_good_stand(stand)).ok_or(RotateError::KeyUnknown)?;
    if locked.mode == "read_only" {
        return Err(RotateError::NotNow);
    }
    match keys::stand(act.connection(), company, gateway_id, new_key).await?.as_deref() {
        Some("active" | "next") => return Ok(()),
        Some(_) => return Err(RotateError::KeyTaken),
        None => {}
    }
    match proposer.as_str() {
        "active" => {}
        "next" => return Err(RotateError::NotConnected),
        _ => return Err(RotateError::KeyRetired),
    }
    if keys::retiring_count(act.connection(), company, gateway_id).await? >= RETIRING_MAX {
        return Err(RotateError::TooOften);
    }
    let proposed = keys::propose(act.connection(), company, gateway_id, new_key, fingerprint).await;
    proposed.map_err(|error| match error.constraint() {
        Some("gateway_key_unique") => RotateError::KeyTaken,
        _ => RotateError::Db(error),
    })?;
    let details = serde_json::json!({ "fingerprint": fingerprint });
    act.audit("gateways.key-proposed", "gateway", &gateway_id.to_string(), details).await?;
    act.hint(TOPIC, Some(gateway_id));
    Ok(())
}

/// A session begins with this key: if it was proposed, it is the key from now on. False when
/// it may not open sessions any more.
pub(super) async fn seen(
    act: &mut Act,
    gateway_id: Uuid,
    public_key: &[u8],
) -> Result<bool, DbError> {
    let company = act.company();
    match keys::stand(act.connection(), company, gateway_id, public_key).await?.as_deref() {
        Some(stand @ ("active" | "retiring")) => {
            keys::connected(act.connection(), company, gateway_id, public_key).await?;
            if stand == "active" {
                let told_before = act.now() - TELL_AGAIN_AFTER;
                keys::tell_again(act.connection(), company, gateway_id, told_before).await?;
            }
            Ok(true)
        }
        Some("next") => {
            let retires_at = act.now() + RETIRE_AFTER;
            let connection = act.connection();
            let fingerprint =
                keys::activate(connection, company, gateway_id, public_key, retires_at).await?;
            let details = serde_json::json!({ "fingerprint": fingerprint });
            act.audit("gateways.key-changed", "gateway", &gateway_id.to_string(), details).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Whether a key may open sessions; changes nothing.
pub(super) async fn is_good(
    act: &mut Act,
    gateway_id: Uuid,
    public_key: &[u8],
) -> Result<bool, DbError> {
    let company = act.company();
    let stand = keys::stand(act.connection(), company, gateway_id, public_key).await?;
    Ok(stand.is_some_and(|stand| is_good_stand(&stand)))
}

fn is_good_stand(stand: &str) -> bool {
    matches!(stand, "active" | "next" | "retiring")
}

/// A person wants the gateway to change its key. False when it is not in service.
pub async fn ask(act: &mut Act, gateway_id: Uuid) -> Result<bool, DbError> {
    let company = act.company();
    let asked = keys::ask_rotation(act.connection(), company, gateway_id).await?;
    if asked {
        let details = serde_json::json!({});
        act.audit("gateways.key-asked", "gateway", &gateway_id.to_string(), details).await?;
        act.hint(TOPIC, Some(gateway_id));
    }
    Ok(asked)
}

fn decoded(base64: &str, length: usize) -> Result<Vec<u8>, RotateError> {
    let bytes = BASE64.decode(base64.trim().as_bytes()).map_err(|_| RotateError::BadRequest)?;
    if bytes.len() == length { Ok(bytes) } else { Err(RotateError::BadRequest) }
}

fn hmac_key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}
