//! Whose signature is this. A good one costs one verification and at most one look-up; bad ones
//! cost their sender, never the gateway they pretend to be.
//!
//! The keys of gateways that were looked up are kept here, so the true gateway comes in
//! whatever a flood from its own address does. What is kept may be old: a session is opened
//! only after its transaction has asked the database about the key again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use fournil_protocol::hello::{self, Hello};
use fournil_protocol::limits::{ID_BYTES, SIGNATURE_BYTES};
use fournil_protocol::{Versions, close};
use ring::signature::{ED25519, UnparsedPublicKey};
use uuid::Uuid;

use super::end::End;
use super::model::Identity;
use super::sql::sessions::{self as sql, HelloRow};
use crate::db::Db;
use crate::web::{Allowance, ClientCertificate, RateLimits, caller};

/// Handshakes that one address begins: a shop's worth at once, then four a second. A proof
/// gives them all back, so gateways behind one address do not wait for each other.
const BEGUN: Allowance = Allowance { burst: 64, refill_ms: 250 };
/// Failed proofs of one address: ten at once, then two a minute.
const FAILURES: Allowance = Allowance { burst: 10, refill_ms: 30_000 };
/// Look-ups for the sake of one gateway whose signature did not fit what is kept.
const LOOKUPS: Allowance = Allowance { burst: 3, refill_ms: 5_000 };
/// The state of a gateway that never comes back.
const REVOKED: &str = "revoked";
/// Gateways whose keys are kept; past it they are looked up again.
const KEPT_MAX: usize = 50_000;

/// Where a session came from, as far as the socket says.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Address, as text.
    pub peer: String,
    /// What the TLS handshake proved, where gateways bring certificates.
    pub certificate: Option<ClientCertificate>,
}

impl From<&str> for Caller {
    fn from(peer: &str) -> Self {
        Self { peer: peer.to_owned(), certificate: None }
    }
}

impl From<&String> for Caller {
    fn from(peer: &String) -> Self {
        Self::from(peer.as_str())
    }
}

impl Caller {
    /// What counts as one sender.
    fn key(&self) -> String {
        let address = self.peer.parse::<IpAddr>().map(|ip| caller(ip).to_string());
        format!("address:{}", address.unwrap_or_else(|_| self.peer.clone()))
    }
}

/// Who said Hello, and by what.
#[derive(Debug, Clone)]
pub(super) struct Proven {
    pub(super) identity: Identity,
    /// The key that signed.
    pub(super) public_key: Vec<u8>,
}

/// One node's memory of keys and of failures.
#[derive(Default)]
pub(super) struct Gate {
    limits: RateLimits,
    /// Apart from those, which a flood of addresses must not crowd out.
    begun: RateLimits,
    kept: Mutex<HashMap<Uuid, Kept>>,
}

/// What was looked up of a gateway.
#[derive(Clone)]
struct Kept {
    row: HelloRow,
    /// Something about the gateway changed since: a session began or ended, or more. Its keys
    /// are still worth a try.
    is_stale: bool,
}

/// A Hello and what it answers.
pub(super) struct Asked<'h> {
    pub(super) caller: &'h Caller,
    pub(super) versions: Versions,
    /// The name we are dialled by: a signature given to another server is worth nothing here.
    pub(super) public_name: &'h str,
    pub(super) nonce: &'h [u8],
    pub(super) hello: &'h Hello,
    pub(super) now: DateTime<Utc>,
}

impl Gate {
    /// Whether an address may begin another handshake, which is paid for before it proves
    /// anything.
    pub(super) fn may_begin(&self, caller: &Caller, now: DateTime<Utc>) -> Result<(), End> {
        self.begun
            .take(&caller.key(), BEGUN, now)
            .map_err(|seconds| tired("too many begin from this address", seconds))
    }

    /// Checks version, signature and certificate.
    pub(super) async fn identify(&self, db: &Db, asked: &Asked<'_>) -> Result<Proven, End> {
        let proven = self.prove(db, asked).await?;
        self.begun.forgive(&asked.caller.key(), asked.now);
        Ok(proven)
    }

    async fn prove(&self, db: &Db, asked: &Asked<'_>) -> Result<Proven, End> {
        let hello = asked.hello;
        if !asked.versions.speaks(hello.version) {
            return Err(End::of(close::VERSION, "no common protocol version: update this gateway"));
        }
        let is_whole =
            hello.gateway_id.len() == ID_BYTES && hello.signature.len() == SIGNATURE_BYTES;
        let Some(gateway_id) = Uuid::from_slice(&hello.gateway_id).ok().filter(|_| is_whole) else {
            return Err(self.failed(asked, unknown()));
        };
        let kept = self.kept(gateway_id);
        if kept.as_ref().is_some_and(|kept| kept.row.state == REVOKED) {
            // For good: there is nothing to look up, however often it asks.
            return Err(self.failed(asked, revoked()));
        }
        let is_stale = kept.as_ref().is_some_and(|kept| kept.is_stale);
        let proven = kept.and_then(|kept| judge(asked, gateway_id, &kept.row).ok());
        match proven {
            Some(proven) if !is_stale => return Ok(proven),
            // Its own signature pays for a look at what changed: its name, perhaps.
            Some(_) => {}
            None => self.may_look(asked, gateway_id, is_stale)?,
        }
        let row = sql::find_hello(db.pool(), gateway_id).await.map_err(|e| End::of_db(&e))?;
        let judged = match &row {
            Some(row) => judge(asked, gateway_id, row),
            None => Err(unknown()),
        };
        self.keep(gateway_id, row);
        match judged {
            Ok(proven) => {
                self.limits.forgive(&lookups_of(gateway_id), asked.now);
                Ok(proven)
            }
            Err(end) => Err(self.failed(asked, end)),
        }
    }

    /// The same, and asks the database again whatever is kept: for an answer that no
    /// transaction stands behind.
    pub(super) async fn identify_anew(&self, db: &Db, asked: &Asked<'_>) -> Result<Proven, End> {
        let proven = self.identify(db, asked).await?;
        self.note_change(proven.identity.gateway_id);
        self.identify(db, asked).await
    }

    /// A look-up is paid for by the address, and by the gateway it is about; the first after
    /// a change of the gateway is free, for it may be the new key that asks.
    fn may_look(&self, asked: &Asked<'_>, gateway_id: Uuid, is_stale: bool) -> Result<(), End> {
        self.limits
            .wait(&asked.caller.key(), FAILURES, asked.now)
            .map_err(|seconds| tired("too many failed proofs from this address", seconds))?;
        if is_stale {
            return Ok(());
        }
        // Not counted on the address: with the database away the true gateway comes here too.
        self.limits
            .take(&lookups_of(gateway_id), LOOKUPS, asked.now)
            .map_err(|seconds| tired("too many failed proofs for this gateway", seconds))
    }

    /// Counts a failure on its address.
    fn failed(&self, asked: &Asked<'_>, end: End) -> End {
        match self.limits.take(&asked.caller.key(), FAILURES, asked.now) {
            Ok(()) => end,
            Err(seconds) => tired("too many failed proofs from this address", seconds),
        }
    }

    /// Something about a gateway changed.
    pub(super) fn note_change(&self, gateway_id: Uuid) {
        if let Some(kept) = self.all_kept().get_mut(&gateway_id) {
            kept.is_stale = true;
        }
    }

    fn kept(&self, gateway_id: Uuid) -> Option<Kept> {
        self.all_kept().get(&gateway_id).cloned()
    }

    fn keep(&self, gateway_id: Uuid, row: Option<HelloRow>) {
        let mut kept = self.all_kept();
        match row {
            None => {
                kept.remove(&gateway_id);
            }
            Some(row) => {
                if kept.len() >= KEPT_MAX && !kept.contains_key(&gateway_id) {
                    kept.clear();
                }
                kept.insert(gateway_id, Kept { row, is_stale: false });
            }
        }
    }

    fn all_kept(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Kept>> {
        // Nothing panics while it is held, and a map of rows is whole at any moment.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn judge(asked: &Asked<'_>, gateway_id: Uuid, row: &HelloRow) -> Result<Proven, End> {
    if row.state == REVOKED {
        return Err(revoked());
    }
    let Asked { public_name, nonce, hello, .. } = *asked;
    let signed = hello::signed_bytes(hello.version, public_name, nonce, &hello.gateway_id);
    let signer = row.public_keys.iter().find(|key| {
        UnparsedPublicKey::new(&ED25519, key).verify(&signed, &hello.signature).is_ok()
    });
    let Some(public_key) = signer.cloned() else {
        return Err(if hello.server_name == public_name {
            unknown()
        } else {
            let reason = format!(
                "signed for '{}', this server is '{public_name}': enrol with its own name",
                hello.server_name
            );
            End::of(close::UNKNOWN_KEY, &reason)
        });
    };
    let certificate = asked.caller.certificate.as_ref();
    if certificate.is_some_and(|certificate| certificate.holder != Some(gateway_id)) {
        let reason = "the client certificate belongs to another gateway: issue one for this one";
        return Err(End::of(close::UNKNOWN_KEY, reason));
    }
    let identity = Identity { company: row.company, gateway_id, name: row.name.clone() };
    Ok(Proven { identity, public_key })
}

fn lookups_of(gateway_id: Uuid) -> String {
    format!("gateway:{gateway_id}")
}

fn revoked() -> End {
    End::of(close::REVOKED, "this gateway was revoked")
}

fn unknown() -> End {
    End::of(close::UNKNOWN_KEY, "gateway or key not known: enrol it again")
}

/// Come back later: said in the reason too, for whoever reads a log.
fn tired(why: &str, seconds: u64) -> End {
    let reason = format!("{why}: come back in {seconds} s");
    let retry_after_ms = u32::try_from(seconds.saturating_mul(1_000)).unwrap_or(u32::MAX);
    End { retry_after_ms, ..End::of(close::OVERLOAD, &reason) }
}
