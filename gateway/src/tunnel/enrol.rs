//! Redeeming a one-time code: one HTTPS POST, one answer.
//!
//! The key is on disk before the code is spent, and becomes the identity only after
//! a good answer, so a cut at any point leaves either the old identity or a second try.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use fournil_protocol::enrol::{self, EnrolAnswer, EnrolRefusal, EnrolRequest};
use uuid::Uuid;

use super::https::{self, PostError};
use super::identity::{self, Enrolled, IdentityError, PendingKey};
use super::target::{BadAddress, ENROL_PATH, Target};
use super::trust::{Trust, TrustError};

/// What a person typed.
#[derive(Debug, Clone)]
pub struct Enrolment {
    pub state_dir: PathBuf,
    pub url: String,
    pub code: String,
    /// PEM file of the cloud's own authority.
    pub ca_file: Option<PathBuf>,
    /// Replace an identity that is there.
    pub force: bool,
}

/// Why the enrolment failed, in one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    Address(#[from] BadAddress),
    #[error(
        "« {0} » n'est pas un code : il a 8 lettres ou chiffres, comme ABCD-EFGH ; recopiez \
         celui de la page Passerelles"
    )]
    NotACode(String),
    #[error(
        "cette passerelle est déjà enrôlée sous le nom « {0} » : ajoutez --force pour changer \
         d'identité"
    )]
    AlreadyEnrolled(String),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The cloud's own words.
    #[error("{message}")]
    Refused { code: String, message: String },
    #[error(transparent)]
    Post(#[from] PostError),
    #[error("{target} a donné une réponse qui n'est pas celle d'un cloud Fournil ({why})")]
    Answer { target: Target, why: String },
    #[error(
        "le cloud montre l'empreinte {theirs}, ici la clé a {ours} : quelqu'un s'est mis entre \
         les deux ; rien n'a été gardé"
    )]
    Fingerprint { ours: String, theirs: String },
}

/// Redeems the code and keeps the identity.
pub async fn run(enrolment: &Enrolment) -> Result<Enrolled, EnrolError> {
    let target = Target::parse(&enrolment.url)?;
    let code = enrol::normalise_code(&enrolment.code)
        .ok_or_else(|| EnrolError::NotACode(enrolment.code.clone()))?;
    if identity::is_enrolled(&enrolment.state_dir) && !enrolment.force {
        let name = identity::Identity::load(&enrolment.state_dir)
            .map_or_else(|_| "inconnu".to_owned(), |identity| identity.enrolled.name);
        return Err(EnrolError::AlreadyEnrolled(name));
    }
    let ca_pem = enrolment.ca_file.as_deref().map(read_ca).transpose()?;
    let trust = match (&ca_pem, &enrolment.ca_file) {
        (Some(pem), Some(path)) => Trust::pinned(pem.as_bytes(), path)?,
        _ => Trust::public()?,
    };
    let key = PendingKey::take_up(&enrolment.state_dir)?;
    let _lock = identity::Lock::take(&enrolment.state_dir)?;
    let answer = redeem(&target, &trust, &code, &key).await?;
    let fingerprint = key.fingerprint();
    if answer.fingerprint != fingerprint {
        return Err(EnrolError::Fingerprint { ours: fingerprint, theirs: answer.fingerprint });
    }
    let gateway_id = Uuid::parse_str(&answer.gateway_id)
        .map_err(|error| EnrolError::Answer { target: target.clone(), why: error.to_string() })?;
    let enrolled = Enrolled {
        gateway_id,
        name: answer.name,
        company: answer.company,
        url: target.to_string(),
        fingerprint,
        ca_pem,
    };
    key.adopt(&enrolled)?;
    Ok(enrolled)
}

fn read_ca(path: &Path) -> Result<String, TrustError> {
    std::fs::read_to_string(path)
        .map_err(|error| TrustError::Unreadable { path: path.to_owned(), why: error.to_string() })
}

async fn redeem(
    target: &Target,
    trust: &Trust,
    code: &str,
    key: &PendingKey,
) -> Result<EnrolAnswer, EnrolError> {
    let answer = |why: String| EnrolError::Answer { target: target.clone(), why };
    let signature = key.sign(&enrol::signed_bytes(code, key.public_key()));
    let request = EnrolRequest {
        code: code.to_owned(),
        public_key: BASE64.encode(key.public_key()),
        signature: BASE64.encode(&signature),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
    };
    let body = serde_json::to_vec(&request).map_err(|error| answer(error.to_string()))?;
    let posted = https::post(target, trust, ENROL_PATH, body).await?;
    if posted.is_ok() {
        return serde_json::from_slice(&posted.body).map_err(|error| answer(error.to_string()));
    }
    match serde_json::from_slice::<EnrolRefusal>(&posted.body) {
        Ok(refusal) => Err(EnrolError::Refused {
            code: refusal.error,
            message: refusal.message.lines().collect::<Vec<_>>().join(" "),
        }),
        Err(_) => Err(answer(posted.why())),
    }
}
