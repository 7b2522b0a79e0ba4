//! How a gateway is born, gets its key, and ends.
//!
//! A person makes a gateway and reads its one-time code to the machine; the machine
//! redeems it with a key that never leaves it; both sides show the key's four words.
//! A code lives 15 minutes and 5 tries; what is stored of it is an HMAC.

use chrono::TimeDelta;
use data_encoding::BASE64;
use fournil_protocol::enrol::{
    CODE_ALPHABET, CODE_LETTERS, EnrolAnswer, EnrolRequest, normalise_code, signed_bytes,
};
use fournil_protocol::fingerprint;
use fournil_protocol::limits::{PUBLIC_KEY_BYTES, SIGNATURE_BYTES};
use ring::signature::{ED25519, UnparsedPublicKey};
use ring::{digest, hmac};
use uuid::Uuid;

use super::health::TOPIC;
use super::outbox::{STATES_TOPIC, TOPIC as QUEUE_TOPIC};
use super::sql;
use super::sql::enrol::{CodeRow, Machine, NewCode};
use crate::db::{Act, Actor, ActorKind, Db, DbError};
use crate::i18n::Message;
use crate::time::TimeSource;

/// How long a code lives.
pub const CODE_LIFE_MINUTES: i64 = 15;
/// How often a code may be tried, the good try included.
pub const CODE_TRIES_MAX: i32 = 5;
/// The first letters, stored in the clear, to count a wrong guess on the code it aimed at.
const LOCATOR_LETTERS: usize = 3;
/// What a machine says of itself is kept to this many characters.
const TOLD_CHARS_MAX: usize = 64;

/// Why a code was not redeemed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error("no such code")]
    CodeUnknown,
    #[error("the code is past its time")]
    CodeExpired,
    #[error("the code was tried too often")]
    TooManyTries,
    #[error("the request cannot be read or its signature is wrong")]
    BadRequest,
    #[error("the key belongs to another gateway")]
    KeyTaken,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl EnrolError {
    /// The word machines get.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::CodeUnknown => "code-unknown",
            Self::CodeExpired => "code-expired",
            Self::TooManyTries => "too-many-tries",
            Self::BadRequest | Self::KeyTaken => "bad-request",
            Self::Db(_) => "unavailable",
        }
    }

    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::CodeUnknown | Self::CodeExpired => 404,
            Self::TooManyTries => 429,
            Self::BadRequest | Self::KeyTaken => 400,
            Self::Db(_) => 503,
        }
    }

    pub(super) const fn message(&self) -> Message {
        Message::new(match self {
            Self::CodeUnknown => "gateways-enrol-code-unknown",
            Self::CodeExpired => "gateways-enrol-code-expired",
            Self::TooManyTries => "gateways-enrol-too-many-tries",
            Self::BadRequest => "gateways-enrol-bad-request",
            Self::KeyTaken => "gateways-enrol-key-taken",
            Self::Db(_) => "gateways-enrol-unavailable",
        })
    }
}

/// Redeems a code. The same machine asking again with the same code gets the same answer.
pub async fn redeem(
    db: &Db,
    time: &TimeSource,
    request: &EnrolRequest,
) -> Result<EnrolAnswer, EnrolError> {
    let (code, public_key) = checked(request)?;
    let row = find_code(db, &code).await?;
    if row.tries > CODE_TRIES_MAX {
        return Err(EnrolError::TooManyTries);
    }
    if row.expires_at <= time.now() {
        return Err(EnrolError::CodeExpired);
    }
    redeem_row(db, &row, request, &public_key).await
}

/// The code in its one form and the key, once the key has signed for it.
pub fn checked(request: &EnrolRequest) -> Result<(String, Vec<u8>), EnrolError> {
    let code = normalise_code(&request.code).ok_or(EnrolError::CodeUnknown)?;
    let public_key = decoded(&request.public_key, PUBLIC_KEY_BYTES)?;
    let signature = decoded(&request.signature, SIGNATURE_BYTES)?;
    UnparsedPublicKey::new(&ED25519, &public_key)
        .verify(&signed_bytes(&code, &public_key), &signature)
        .map_err(|_| EnrolError::BadRequest)?;
    Ok((code, public_key))
}

/// The code's row, its try counted whether the guess is right or not.
async fn find_code(db: &Db, code: &str) -> Result<CodeRow, EnrolError> {
    let secret = hmac_key(&sql::enrol::secret(db.pool()).await?);
    let rows = sql::enrol::try_code(db.pool(), locator(code)).await?;
    let is_worn_out = rows.iter().any(|row| row.tries > CODE_TRIES_MAX);
    rows.into_iter()
        // Compares in constant time.
        .find(|row| hmac::verify(&secret, code.as_bytes(), &row.mac).is_ok())
        .ok_or(if is_worn_out { EnrolError::TooManyTries } else { EnrolError::CodeUnknown })
}

async fn redeem_row(
    db: &Db,
    row: &CodeRow,
    request: &EnrolRequest,
    public_key: &[u8],
) -> Result<EnrolAnswer, EnrolError> {
    let words = words_of(public_key);
    let hostname = told(&request.hostname);
    let actor = Actor {
        company: row.company,
        kind: ActorKind::Gateway(row.gateway_id),
        label: hostname.clone(),
    };
    let mut act = db.begin(&actor).await?;
    let (company, gateway_id) = (row.company, row.gateway_id);
    let redeemed_by = sql::enrol::lock_code(act.connection(), company, row.code_id).await?;
    match redeemed_by {
        Some(known) if known == public_key => {}
        Some(_) => return Err(EnrolError::CodeUnknown),
        None => {
            let machine = Machine {
                public_key,
                fingerprint: &words,
                software: &told(&request.software),
                hostname: &hostname,
            };
            let redeemed =
                sql::enrol::redeem(act.connection(), company, row.code_id, gateway_id, &machine)
                    .await
                    .map_err(|error| match error.constraint() {
                        Some("gateway_key_unique") => EnrolError::KeyTaken,
                        _ => EnrolError::Db(error),
                    })?;
            if !redeemed {
                return Err(EnrolError::CodeUnknown);
            }
            let details = serde_json::json!({ "fingerprint": words, "hostname": hostname });
            act.audit("gateways.enrol", "gateway", &gateway_id.to_string(), details).await?;
            act.hint(TOPIC, Some(gateway_id));
        }
    }
    let (name, company_name) = sql::enrol::names(act.connection(), company, gateway_id).await?;
    act.commit().await?;
    Ok(EnrolAnswer {
        gateway_id: gateway_id.to_string(),
        name,
        company: company_name,
        fingerprint: words,
    })
}

/// Makes a gateway that waits for a machine.
pub async fn create_gateway(act: &mut Act, store_id: Uuid, name: &str) -> Result<Uuid, DbError> {
    let gateway_id = Uuid::now_v7();
    let company = act.company();
    sql::enrol::insert_gateway(act.connection(), company, gateway_id, store_id, name.trim())
        .await?;
    let details = serde_json::json!({ "store_id": store_id });
    act.audit("gateways.create", "gateway", &gateway_id.to_string(), details).await?;
    act.hint(TOPIC, Some(gateway_id));
    Ok(gateway_id)
}

/// The gateway of a name that is still in use.
pub async fn find_by_name(act: &mut Act, name: &str) -> Result<Option<Uuid>, DbError> {
    let company = act.company();
    sql::enrol::find_by_name(act.connection(), company, name.trim()).await
}

/// The company's shops, by name.
pub async fn stores(act: &mut Act) -> Result<Vec<(Uuid, String)>, DbError> {
    let company = act.company();
    sql::lists::stores(act.connection(), company).await
}

/// A code in the form people read: `ABCD-1234`. Shown once; only its HMAC stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCode {
    pub code: String,
    pub expires_at: chrono::DateTime<chrono::Utc>,
}

/// Makes a one-time code for a gateway; an unused earlier one ends.
pub async fn new_code(act: &mut Act, gateway_id: Uuid) -> Result<ShownCode, DbError> {
    let code = random_code();
    // By the act's own connection: with a second one a full pool would wait for itself.
    let secret = hmac_key(&sql::enrol::secret(act.connection()).await?);
    let mac = hmac::sign(&secret, code.as_bytes());
    let expires_at = act.now() + TimeDelta::minutes(CODE_LIFE_MINUTES);
    let created_by = act.actor().label.clone();
    let company = act.company();
    let new = NewCode {
        code_id: Uuid::now_v7(),
        gateway_id,
        locator: locator(&code),
        mac: mac.as_ref(),
        created_by: &created_by,
        expires_at,
    };
    sql::enrol::insert_code(act.connection(), company, &new).await?;
    let details = serde_json::json!({});
    act.audit("gateways.code", "gateway", &gateway_id.to_string(), details).await?;
    let (first, second) = code.split_at(CODE_LETTERS / 2);
    Ok(ShownCode { code: format!("{first}-{second}"), expires_at })
}

/// Gives a gateway another name. False when it is not there.
pub async fn rename(act: &mut Act, gateway_id: Uuid, name: &str) -> Result<bool, DbError> {
    let company = act.company();
    let found = sql::enrol::rename(act.connection(), company, gateway_id, name.trim()).await?;
    if found {
        let details = serde_json::json!({ "name": name.trim() });
        act.audit("gateways.rename", "gateway", &gateway_id.to_string(), details).await?;
        act.hint(TOPIC, Some(gateway_id));
    }
    Ok(found)
}

/// Ends a gateway for good: keys, codes, live session, and what was queued. False when
/// it is not there or was ended before.
pub async fn revoke(act: &mut Act, gateway_id: Uuid) -> Result<bool, DbError> {
    let company = act.company();
    let by = act.actor().label.clone();
    let revoked = sql::enrol::revoke(act.connection(), company, gateway_id).await?;
    if revoked {
        sql::outbox::abandon(act.connection(), company, gateway_id, &by).await?;
        let details = serde_json::json!({});
        act.audit("gateways.revoke", "gateway", &gateway_id.to_string(), details).await?;
        act.hint(TOPIC, Some(gateway_id));
        act.hint(STATES_TOPIC, Some(gateway_id));
    }
    Ok(revoked)
}

/// A person looked: there is one machine only. False when nothing was suspected.
pub async fn clear_suspicion(act: &mut Act, gateway_id: Uuid) -> Result<bool, DbError> {
    let company = act.company();
    let cleared = sql::enrol::clear_suspicion(act.connection(), company, gateway_id).await?;
    if cleared {
        let details = serde_json::json!({});
        act.audit("gateways.clear", "gateway", &gateway_id.to_string(), details).await?;
        act.hint(TOPIC, Some(gateway_id));
        act.hint(QUEUE_TOPIC, Some(gateway_id));
    }
    Ok(cleared)
}

/// The four words of a key.
pub(super) fn words_of(public_key: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, public_key);
    digest.as_ref().try_into().map(fingerprint::words).unwrap_or_default()
}

fn decoded(base64: &str, length: usize) -> Result<Vec<u8>, EnrolError> {
    let bytes = BASE64.decode(base64.trim().as_bytes()).map_err(|_| EnrolError::BadRequest)?;
    if bytes.len() == length { Ok(bytes) } else { Err(EnrolError::BadRequest) }
}

fn told(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TOLD_CHARS_MAX).collect()
}

fn hmac_key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

/// A normalised code is ASCII and longer than its locator.
fn locator(code: &str) -> &str {
    code.get(..LOCATOR_LETTERS).unwrap_or(code)
}

/// 40 random bits. `Uuid::new_v4` asks the system's randomness and stops the program
/// rather than give less; bytes 0 to 5 of it are random throughout.
fn random_code() -> String {
    let bits = (Uuid::new_v4().as_u128() >> 88) as u64;
    (0..CODE_LETTERS)
        .map(|place| {
            let letter = usize::try_from(bits >> (5 * place) & 31).unwrap_or_default();
            // Invariant: five bits index an alphabet of 32 letters.
            char::from(CODE_ALPHABET.get(letter).copied().unwrap_or(b'0'))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_people_can_type_back() {
        for _ in 0..100 {
            let code = random_code();
            assert_eq!(normalise_code(&code.to_lowercase()), Some(code));
        }
    }
}
