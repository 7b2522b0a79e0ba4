//! Who this gateway is: an Ed25519 key that never leaves the machine, and what the
//! cloud said at enrolment.
//!
//! `STATE/identity/` is 0700 and holds `key.pk8` (0600) and `identity.toml`. Each file
//! is replaced whole: written beside, synced, renamed, folder synced. `identity.toml`
//! names its key by fingerprint, so a change of key that was cut between the two files is
//! finished at the next start. Loose permissions are refused, not mended: whoever could
//! read the key may have. The key may also be a systemd credential instead of a file of
//! ours; then it is never changed from here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use fournil_protocol::fingerprint;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Name of the key among the credentials of the unit.
pub const CREDENTIAL: &str = "fournil-gateway-key";
const FOLDER: &str = "identity";
const KEY: &str = "key.pk8";
/// A key whose enrolment has not been answered yet. Kept, so that a lost answer can
/// be asked for again with the same key.
const KEY_PENDING: &str = "key.pending";
/// The key that is to follow, kept for the same reason.
const KEY_NEXT: &str = "key.next";
/// The key before: a cloud that came back from a backup knows this one only.
const KEY_PREVIOUS: &str = "key.previous";
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
    /// The key is a credential of systemd: it is changed where that is kept.
    pub is_credential: bool,
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
    #[error(
        "{} n'est pas là : si la clé est un « credential » de systemd, seul le service la voit ; \
         sinon, enrôlez de nouveau avec --force",
        path.display()
    )]
    NoKey { path: PathBuf },
    #[error("l'identité est en train de changer : recommencez dans un instant")]
    Busy,
    #[error("{} est abîmé ({why}) : enrôlez de nouveau avec --force", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{} : {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Identity {
    /// Reads and checks the identity under a state folder.
    pub fn load(state_dir: &Path) -> Result<Self, IdentityError> {
        Self::load_with(state_dir, None)
    }

    /// The same with its key in a credential, where there is one.
    pub fn load_with(state_dir: &Path, credential: Option<&Path>) -> Result<Self, IdentityError> {
        let folder = state_dir.join(FOLDER);
        let key_path = folder.join(KEY);
        let enrolled_path = folder.join(ENROLLED);
        if !enrolled_path.exists() {
            return Err(IdentityError::Missing);
        }
        check_private(&folder, 0o700)?;
        if let Some(credential) = credential {
            return Self::from_credential(credential, &enrolled_path);
        }
        if !key_path.exists() {
            return Err(IdentityError::NoKey { path: key_path });
        }
        check_private(&key_path, 0o600)?;
        let enrolled = read_enrolled(&enrolled_path)?;
        let key = read_key(&key_path)?;
        if fingerprint_of(key.public_key().as_ref()) == enrolled.fingerprint {
            return Ok(Self { key, enrolled, is_credential: false });
        }
        let key = finish_change(&folder, &enrolled)?;
        Ok(Self { key, enrolled, is_credential: false })
    }

    /// systemd gives the file to the unit's user, sometimes by an access list that shows as
    /// group rights: only a key that everybody may read is refused.
    fn from_credential(path: &Path, enrolled_path: &Path) -> Result<Self, IdentityError> {
        let mode = fs::metadata(path).map_err(io_error(path))?.mode() & 0o777;
        if mode & 0o007 != 0 {
            return Err(IdentityError::Loose { path: path.to_owned(), mode, wanted: 0o400 });
        }
        let (key, enrolled) = (read_key(path)?, read_enrolled(enrolled_path)?);
        let words = fingerprint_of(key.public_key().as_ref());
        if words != enrolled.fingerprint {
            let why = format!("c'est la clé {words}, pas {}", enrolled.fingerprint);
            return Err(IdentityError::Damaged { path: path.to_owned(), why });
        }
        Ok(Self { key, enrolled, is_credential: true })
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

/// A key that asks to be enrolled, or to follow the one in use. Only [`PendingKey::adopt`]
/// makes it the identity's.
#[derive(Debug)]
pub struct PendingKey {
    folder: PathBuf,
    file: &'static str,
    key: Ed25519KeyPair,
}

impl PendingKey {
    /// Takes up the key of an enrolment that was not answered, or makes a new one.
    pub fn take_up(state_dir: &Path) -> Result<Self, IdentityError> {
        Self::in_file(state_dir, KEY_PENDING)
    }

    /// The same for the key that is to follow the one in use.
    pub fn next(state_dir: &Path) -> Result<Self, IdentityError> {
        Self::in_file(state_dir, KEY_NEXT)
    }

    fn in_file(state_dir: &Path, file: &'static str) -> Result<Self, IdentityError> {
        let folder = state_dir.join(FOLDER);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(io_error(&folder))?;
        check_private(&folder, 0o700)?;
        let path = folder.join(file);
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
        Ok(Self { folder, file, key })
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
        if self.file == KEY_NEXT {
            keep_previous(&self.folder)?;
        } else {
            // They followed another identity.
            for name in [KEY_NEXT, KEY_PREVIOUS] {
                remove(&self.folder.join(name))?;
            }
        }
        let enrolled_path = self.folder.join(ENROLLED);
        let text = toml::to_string(enrolled).map_err(|error| IdentityError::Damaged {
            path: enrolled_path.clone(),
            why: error.to_string(),
        })?;
        write_whole(&enrolled_path, text.as_bytes()).map_err(io_error(&enrolled_path))?;
        promote(&self.folder, self.file, &enrolled.fingerprint)
    }

    /// Throws the key away: nobody will take it.
    pub fn discard(self) -> Result<(), IdentityError> {
        remove(&self.folder.join(self.file))
    }
}

/// The key before the one in use, where one is kept.
pub(super) fn previous_key(state_dir: &Path) -> Result<Option<Ed25519KeyPair>, IdentityError> {
    let path = state_dir.join(FOLDER).join(KEY_PREVIOUS);
    if !path.exists() {
        return Ok(None);
    }
    check_private(&path, 0o600)?;
    read_key(&path).map(Some)
}

/// When the key in use was made.
pub(crate) fn key_made_at(state_dir: &Path) -> Option<DateTime<Utc>> {
    let made = fs::metadata(state_dir.join(FOLDER).join(KEY)).ok()?.modified().ok()?;
    Some(made.into())
}

/// Held while an identity changes, by the daemon or by a command beside it.
#[derive(Debug)]
pub struct Lock {
    _folder: File,
}

impl Lock {
    /// Takes the lock, or says that somebody has it.
    pub fn take(state_dir: &Path) -> Result<Self, IdentityError> {
        let path = state_dir.join(FOLDER);
        let folder = File::open(&path).map_err(io_error(&path))?;
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _folder: folder }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(IdentityError::Busy),
            Err(error) => Err(IdentityError::Io { path, source: error.into() }),
        }
    }
}

/// The file that an enrolment replaces.
pub(crate) fn enrolled_path(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER).join(ENROLLED)
}

/// True when a key and an answer are there, whatever their state.
pub fn is_enrolled(state_dir: &Path) -> bool {
    enrolled_path(state_dir).exists()
}

fn read_enrolled(path: &Path) -> Result<Enrolled, IdentityError> {
    let text = fs::read_to_string(path).map_err(io_error(path))?;
    toml::from_str(&text).map_err(|error| IdentityError::Damaged {
        path: path.to_owned(),
        why: error.message().to_owned(),
    })
}

/// A change of key was cut between its two files: the key that waits is the one meant.
fn finish_change(folder: &Path, enrolled: &Enrolled) -> Result<Ed25519KeyPair, IdentityError> {
    for file in [KEY_PENDING, KEY_NEXT] {
        let path = folder.join(file);
        let Ok(key) = check_private(&path, 0o600).and_then(|()| read_key(&path)) else { continue };
        if fingerprint_of(key.public_key().as_ref()) == enrolled.fingerprint {
            promote(folder, file, &enrolled.fingerprint)?;
            return Ok(key);
        }
    }
    // Finished by somebody else since it was read.
    let key = read_key(&folder.join(KEY))?;
    if fingerprint_of(key.public_key().as_ref()) == enrolled.fingerprint {
        return Ok(key);
    }
    let why = format!("ce n'est pas la clé {}", enrolled.fingerprint);
    Err(IdentityError::Damaged { path: folder.join(KEY), why })
}

/// Whoever reads an identity finishes its change, so another may have been here first.
fn promote(folder: &Path, file: &str, words: &str) -> Result<(), IdentityError> {
    let key_path = folder.join(KEY);
    let is_there =
        || read_key(&key_path).is_ok_and(|key| fingerprint_of(key.public_key().as_ref()) == words);
    match fs::rename(folder.join(file), &key_path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_there() => {}
        moved => moved.map_err(io_error(&key_path))?,
    }
    sync_folder(folder).map_err(io_error(folder))
}

/// A copy, because the key in use must be there at every instant.
fn keep_previous(folder: &Path) -> Result<(), IdentityError> {
    let (key, previous) = (folder.join(KEY), folder.join(KEY_PREVIOUS));
    let pkcs8 = Zeroizing::new(fs::read(&key).map_err(io_error(&key))?);
    write_whole(&previous, &pkcs8).map_err(io_error(&previous))
}

fn remove(path: &Path) -> Result<(), IdentityError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        _ => Ok(()),
    }
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
    let pkcs8 = Zeroizing::new(fs::read(path).map_err(io_error(path))?);
    Ed25519KeyPair::from_pkcs8(&pkcs8)
        .map_err(|error| IdentityError::Damaged { path: path.to_owned(), why: error.to_string() })
}

/// Nobody else may read it, and it is ours.
pub(super) fn check_private(path: &Path, wanted: u32) -> Result<(), IdentityError> {
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
#[path = "identity_tests.rs"]
mod tests;
