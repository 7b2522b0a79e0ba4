//! Certificates and keys as files: read, made, written so that nobody sees half of one.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Datelike as _, Utc};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What went wrong with which file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be read or written", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is no usable PEM: {what}", .path.display())]
    Content { path: PathBuf, what: String },
    /// The authority's certificate without its key: making both anew would give the shops an
    /// authority that nobody trusts.
    #[error("{} is missing beside {}", .missing.display(), .present.display())]
    HalfAuthority { missing: PathBuf, present: PathBuf },
    #[error("a certificate could not be made")]
    Made(#[from] rcgen::Error),
    #[error("TLS refuses the certificate or key")]
    Refused(#[from] rustls::Error),
}

/// The one TLS provider: another one is a change of this line.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// When a certificate ends; `None` for bytes that are none.
pub(super) fn end_of(der: &CertificateDer<'_>) -> Option<DateTime<Utc>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    DateTime::from_timestamp_secs(certificate.validity().not_after.timestamp())
}

pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let content = |what: String| TlsError::Content { path: path.to_owned(), what };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes(path)?).collect();
    let chain = chain.map_err(|e| content(e.to_string()))?;
    if chain.is_empty() { Err(content("it holds no certificate".to_owned())) } else { Ok(chain) }
}

/// Makes what is missing of an authority, as `params` say. The key is written first, so a key
/// alone is one whose making was cut: it signs its certificate now, and whoever trusts an
/// earlier one of the same key trusts this one.
pub(super) fn ensure_authority(
    ca_file: &Path,
    ca_key_file: &Path,
    params: &CertificateParams,
) -> Result<(), TlsError> {
    let is_there = |path: &Path| {
        path.try_exists().map_err(|source| TlsError::File { path: path.to_owned(), source })
    };
    let key = match (is_there(ca_file)?, is_there(ca_key_file)?) {
        (true, true) => return Ok(()),
        (true, false) => {
            let (missing, present) = (ca_key_file.to_owned(), ca_file.to_owned());
            return Err(TlsError::HalfAuthority { missing, present });
        }
        (false, true) => read_key(ca_key_file)?,
        (false, false) => {
            let key = KeyPair::generate()?;
            write(ca_key_file, &key.serialize_pem(), 0o600)?;
            key
        }
    };
    write(ca_file, &params.self_signed(&key)?.pem(), 0o644)
}

pub(super) fn read_key(path: &Path) -> Result<KeyPair, TlsError> {
    let pem = String::from_utf8_lossy(&bytes(path)?).into_owned();
    let content =
        |what: rcgen::Error| TlsError::Content { path: path.to_owned(), what: what.to_string() };
    KeyPair::from_pem(&pem).map_err(content)
}

#[expect(clippy::cast_possible_truncation, reason = "months and days are below 32")]
pub(super) fn set_validity(
    params: &mut CertificateParams,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) {
    params.not_before = date_time_ymd(from.year(), from.month() as u8, from.day() as u8);
    params.not_after = date_time_ymd(until.year(), until.month() as u8, until.day() as u8);
}

/// Writes beside and moves into place, so that a reader never sees half a file. What a
/// crash left beside is taken away first: a key written into it would be readable by
/// whoever may read that. The rights are widened only when the file is whole.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let beside = path.with_extension("new");
    let written = || {
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    written().map_err(|source| TlsError::File { path: path.to_owned(), source })
}
