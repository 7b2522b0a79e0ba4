//! Who this gateway is: an Ed25519 key that never leaves the machine, and what the
//! cloud said at enrolment.
//!
//! `STATE/identity/` is 0700 and holds `key.pk8` (0600) and `identity.toml`. Each file
//! is replaced whole: written beside, synced, renamed, folder synced. `identity.toml`
//! names its key by fingerprint, so a change of identity that was cut between the two
//! files is finished at the next start. Loose permissions are refused, not mended:
//! whoever could read the key may have.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fournil_protocol::fingerprint;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const FOLDER: &str = "identity";
const KEY: &str = "key.pk8";
/// A key whose enrolment has not been answered yet. Kept, so that a lost answer can
/// be asked for again with the same key.
const KEY_PENDING: &str = "key.pending";
const ENROLLED: &str = "identity.toml";

/// What the cloud said at enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    pub gateway_id: Uuid,
    pub name: String,
    pub company: String,
    /// `https://host[:port]`.
    pub url: String,
    /// Four words of the key this belongs to.
    pub fingerprint: String,
    /// The cloud's own authority, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
}

/// A usable identity.
#[derive(Debug)]
pub struct Identity {
    key: Ed25519KeyPair,
    pub enrolled: Enrolled,
}

/// Why there is no usable identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(
        "cette passerelle n'est pas enrôlée : lancez « fournil-gateway enrol --url https://… \
         --code … » avec un code de la page Passerelles"
    )]
    Missing,
    #[error(
        "{} est ouvert à d'autres (droits {mode:03o}) : lancez « chmod {wanted:03o} {} », et \
         enrôlez de nouveau si quelqu'un a pu lire la clé",
        path.display(), path.display()
    )]
    Loose { path: PathBuf, mode: u32, wanted: u32 },
    #[error(
        "{} appartient à l'utilisateur {owner}, pas à celui de la passerelle ({me}) : \
         rendez-le-lui avec chown",
        path.display()
    )]
    Foreign { path: PathBuf, owner: u32, me: u32 },
    #[error("{} est abîmé ({why}) : enrôlez de nouveau avec --force", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{} : {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Identity {
    /// Reads and checks the identity under a state folder.
    pub fn load(state_dir: &Path) -> Result<Self, IdentityError> {
        let folder = state_dir.join(FOLDER);
        let key_path = folder.join(KEY);
        let enrolled_path = folder.join(ENROLLED);
        if !key_path.exists() || !enrolled_path.exists() {
            return Err(IdentityError::Missing);
        }
        check_private(&folder, 0o700)?;
        check_private(&key_path, 0o600)?;
        let text = fs::read_to_string(&enrolled_path).map_err(io_error(&enrolled_path))?;
        let enrolled: Enrolled = toml::from_str(&text).map_err(|error| IdentityError::Damaged {
            path: enrolled_path,
            why: error.message().to_owned(),
        })?;
        let key = read_key(&key_path)?;
        if fingerprint_of(key.public_key().as_ref()) == enrolled.fingerprint {
            return Ok(Self { key, enrolled });
        }
        let key = finish_change(&folder, &enrolled)?;
        Ok(Self { key, enrolled })
    }

    /// Ed25519 over `bytes`.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.sign(bytes).as_ref().to_vec()
    }

    /// The public half.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    /// Four words for the key, as the ERP shows them.
    pub fn fingerprint(&self) -> String {
        fingerprint_of(self.public_key())
    }
}

/// A key that asks to be enrolled. Only [`PendingKey::adopt`] makes it an identity.
#[derive(Debug)]
pub struct PendingKey {
    folder: PathBuf,
    key: Ed25519KeyPair,
}

impl PendingKey {
    /// Takes up the key of an enrolment that was not answered, or makes a new one.
    pub fn take_up(state_dir: &Path) -> Result<Self, IdentityError> {
        let folder = state_dir.join(FOLDER);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(io_error(&folder))?;
        check_private(&folder, 0o700)?;
        let path = folder.join(KEY_PENDING);
        if !path.exists() {
            let random = SystemRandom::new();
            let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| IdentityError::Io {
                path: path.clone(),
                source: io::Error::other("no randomness"),
            })?;
            write_whole(&path, pkcs8.as_ref()).map_err(io_error(&path))?;
        }
        check_private(&path, 0o600)?;
        let key = read_key(&path)?;
        Ok(Self { folder, key })
    }

    pub fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.sign(bytes).as_ref().to_vec()
    }

    pub fn fingerprint(&self) -> String {
        fingerprint_of(self.public_key())
    }

    /// Makes the key the identity. The old one is good until `identity.toml` is replaced.
    pub fn adopt(self, enrolled: &Enrolled) -> Result<(), IdentityError> {
        let enrolled_path = self.folder.join(ENROLLED);
        let text = toml::to_string(enrolled).map_err(|error| IdentityError::Damaged {
            path: enrolled_path.clone(),
            why: error.to_string(),
        })?;
        write_whole(&enrolled_path, text.as_bytes()).map_err(io_error(&enrolled_path))?;
        promote_pending(&self.folder)
    }
}

/// The file that an enrolment replaces.
pub(crate) fn enrolled_path(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER).join(ENROLLED)
}

/// True when a key and an answer are there, whatever their state.
pub fn is_enrolled(state_dir: &Path) -> bool {
    let folder = state_dir.join(FOLDER);
    folder.join(KEY).exists() && folder.join(ENROLLED).exists()
}

/// A change of identity was cut between its two files: the pending key is the one meant.
fn finish_change(folder: &Path, enrolled: &Enrolled) -> Result<Ed25519KeyPair, IdentityError> {
    let pending = folder.join(KEY_PENDING);
    let damaged = || IdentityError::Damaged {
        path: folder.join(KEY),
        why: format!("ce n'est pas la clé {}", enrolled.fingerprint),
    };
    check_private(&pending, 0o600).map_err(|_| damaged())?;
    let key = read_key(&pending).map_err(|_| damaged())?;
    if fingerprint_of(key.public_key().as_ref()) != enrolled.fingerprint {
        return Err(damaged());
    }
    promote_pending(folder)?;
    Ok(key)
}

fn promote_pending(folder: &Path) -> Result<(), IdentityError> {
    let key_path = folder.join(KEY);
    fs::rename(folder.join(KEY_PENDING), &key_path).map_err(io_error(&key_path))?;
    sync_folder(folder).map_err(io_error(folder))
}

fn fingerprint_of(public_key: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, public_key);
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    fingerprint::words(&bytes)
}

fn read_key(path: &Path) -> Result<Ed25519KeyPair, IdentityError> {
    let pkcs8 = fs::read(path).map_err(io_error(path))?;
    Ed25519KeyPair::from_pkcs8(&pkcs8)
        .map_err(|error| IdentityError::Damaged { path: path.to_owned(), why: error.to_string() })
}

/// Nobody else may read it, and it is ours.
fn check_private(path: &Path, wanted: u32) -> Result<(), IdentityError> {
    let metadata = fs::metadata(path).map_err(io_error(path))?;
    let mode = metadata.mode() & 0o777;
    if mode & !wanted != 0 {
        return Err(IdentityError::Loose { path: path.to_owned(), mode, wanted });
    }
    let me = rustix::process::geteuid().as_raw();
    if me != 0 && metadata.uid() != me {
        return Err(IdentityError::Foreign { path: path.to_owned(), owner: metadata.uid(), me });
    }
    Ok(())
}

/// Replaces a file whole or not at all, 0600.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    // Left over from a crash; the mode of an existing file would be kept.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    let path = path.to_owned();
    move |source| IdentityError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn enrolled(key: &PendingKey) -> Enrolled {
        Enrolled {
            gateway_id: Uuid::from_bytes([7; 16]),
            name: "Caisse".into(),
            company: "Boulangerie".into(),
            url: "https://cloud.example".into(),
            fingerprint: key.fingerprint(),
            ca_pem: Some("pem".into()),
        }
    }

    fn adopt(state: &Path) -> Enrolled {
        let key = PendingKey::take_up(state).unwrap();
        let enrolled = enrolled(&key);
        key.adopt(&enrolled).unwrap();
        enrolled
    }

    fn state() -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        adopt(state.path());
        state
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn an_adopted_key_signs_for_its_fingerprint() {
        let state = tempfile::tempdir().unwrap();
        let enrolled = adopt(state.path());
        let identity = Identity::load(state.path()).unwrap();
        assert_eq!(identity.enrolled, enrolled);
        let key = ring::signature::UnparsedPublicKey::new(
            &ring::signature::ED25519,
            identity.public_key(),
        );
        key.verify(b"said", &identity.sign(b"said")).unwrap();
        assert_eq!(identity.fingerprint().split('-').count(), 4);
    }

    #[test]
    fn the_key_is_written_for_its_owner_only() {
        let state = state();
        let mode = |name: &str| fs::metadata(state.path().join(name)).unwrap().mode() & 0o777;
        assert_eq!(mode("identity"), 0o700);
        assert_eq!(mode("identity/key.pk8"), 0o600);
    }

    #[test]
    fn a_readable_key_is_refused_with_the_remedy() {
        let state = state();
        chmod(&state.path().join("identity/key.pk8"), 0o640);
        let message = Identity::load(state.path()).unwrap_err().to_string();
        assert!(message.contains("chmod 600") && message.contains("640"), "{message}");
        chmod(&state.path().join("identity/key.pk8"), 0o600);
        chmod(&state.path().join("identity"), 0o755);
        let message = Identity::load(state.path()).unwrap_err().to_string();
        assert!(message.contains("chmod 700"), "{message}");
    }

    #[test]
    fn an_unanswered_key_is_taken_up_again_and_the_old_identity_stays_good() {
        let state = state();
        let old = Identity::load(state.path()).unwrap().fingerprint();
        let first = PendingKey::take_up(state.path()).unwrap().fingerprint();
        let second = PendingKey::take_up(state.path()).unwrap();
        assert_eq!(first, second.fingerprint());
        assert_ne!(first, old);
        assert_eq!(Identity::load(state.path()).unwrap().fingerprint(), old);
        let enrolled = enrolled(&second);
        second.adopt(&enrolled).unwrap();
        assert_eq!(Identity::load(state.path()).unwrap().fingerprint(), first);
    }

    #[test]
    fn a_change_cut_between_its_two_files_is_finished() {
        let state = state();
        let key = PendingKey::take_up(state.path()).unwrap();
        let text = toml::to_string(&enrolled(&key)).unwrap();
        fs::write(state.path().join("identity/identity.toml"), text).unwrap();
        for _ in 0..2 {
            assert_eq!(Identity::load(state.path()).unwrap().fingerprint(), key.fingerprint());
        }
    }

    #[test]
    fn no_identity_says_how_to_get_one() {
        let state = tempfile::tempdir().unwrap();
        let message = Identity::load(state.path()).unwrap_err().to_string();
        assert!(message.contains("enrol --url"), "{message}");
    }

    #[test]
    fn a_damaged_key_says_so() {
        let state = state();
        fs::write(state.path().join("identity/key.pk8"), b"rubbish").unwrap();
        let error = Identity::load(state.path()).unwrap_err();
        assert!(matches!(error, IdentityError::Damaged { .. }));
    }
}
