//! The server's certificate: read from files, or made from a private authority that
//! lives in a folder of ours. Looked at again every hour, so a renewed file or a
//! certificate near its end is changed without a restart.
//!
//! The authority's certificate (`ca.pem`) is what browsers and gateways are given to
//! trust; its key (0600) never leaves the folder.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::clients::ClientVerifier;
use super::pem::{
    TlsError, bytes, chain, end_of, ensure_authority, provider, read_key, set_validity, write,
};

const CA_DAYS: i64 = 3_650;
/// Under the 398 days that browsers take.
const CERTIFICATE_DAYS: i64 = 390;
/// Renewed when less than this is left: before anybody is warned of it.
const RENEW_DAYS: i64 = 45;

/// Where the certificate comes from.
#[derive(Debug, Clone)]
pub enum CertificateSource {
    Files {
        cert: PathBuf,
        key: PathBuf,
    },
    /// A private authority in `dir`, for these names and addresses.
    Auto {
        dir: PathBuf,
        names: Vec<String>,
    },
}

/// The certificate in use; may be changed while serving.
#[derive(Debug)]
pub struct Certificate {
    source: CertificateSource,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Loads it, making what is missing.
    pub fn load(source: CertificateSource, now: DateTime<Utc>) -> Result<Arc<Self>, TlsError> {
        let provider = provider();
        let current = RwLock::new(Arc::new(read(&source, &provider, now)?));
        Ok(Arc::new(Self { source, provider, current }))
    }

    /// Looks again; the old one stays in use when the new one cannot be read.
    pub fn refresh(&self, now: DateTime<Utc>) -> Result<(), TlsError> {
        let fresh = Arc::new(read(&self.source, &self.provider, now)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// When the first certificate of the chain in use ends.
    #[must_use]
    pub fn until(&self) -> Option<DateTime<Utc>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.cert.iter().filter_map(end_of).min()
    }

    /// When the private authority ends.
    #[must_use]
    pub fn authority_until(&self) -> Option<DateTime<Utc>> {
        let chain = chain(&self.authority_file()?).ok()?;
        chain.iter().filter_map(end_of).min()
    }

    /// The authority's certificate, for those who must trust us.
    #[must_use]
    pub fn authority_file(&self) -> Option<PathBuf> {
        match &self.source {
            CertificateSource::Files { .. } => None,
            CertificateSource::Auto { dir, .. } => Some(dir.join("ca.pem")),
        }
    }

    /// TLS 1.2 and 1.3 with this certificate; asks peers for theirs when there are `clients`.
    pub fn acceptor(
        self: &Arc<Self>,
        clients: Option<&Arc<ClientVerifier>>,
    ) -> Result<TlsAcceptor, TlsError> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::new(Resolver(Arc::clone(self)));
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?;
        let mut config = match clients {
            None => builder.with_no_client_auth().with_cert_resolver(resolver),
            Some(clients) => {
                let verifier = Arc::<ClientVerifier>::clone(clients);
                let mut config =
                    builder.with_client_cert_verifier(verifier).with_cert_resolver(resolver);
                // A resumed session would bring its certificate along unasked: revoked or
                // expired meanwhile, it would still be believed.
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
                config
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

#[derive(Debug)]
struct Resolver(Arc<Certificate>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

fn read(
    source: &CertificateSource,
    provider: &Arc<CryptoProvider>,
    now: DateTime<Utc>,
) -> Result<CertifiedKey, TlsError> {
    match source {
        CertificateSource::Files { cert, key } => from_files(cert, key, provider),
        CertificateSource::Auto { dir, names } => {
            let (cert, key) = ensure(dir, names, provider, now)?;
            from_files(&cert, &key, provider)
        }
    }
}

fn from_files(
    cert: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain = chain(cert)?;
    let content = |what| TlsError::Content { path: key.to_owned(), what };
    let key_der =
        PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|e| content(e.to_string()))?;
    Ok(CertifiedKey::from_der(chain, key_der, provider)?)
}

/// Makes the authority and the certificate where they are missing, near their end, or
/// for other names; gives the files of chain and key.
fn ensure(
    dir: &Path,
    names: &[String],
    provider: &Arc<CryptoProvider>,
    now: DateTime<Utc>,
) -> Result<(PathBuf, PathBuf), TlsError> {
    fs::create_dir_all(dir).map_err(|source| TlsError::File { path: dir.to_owned(), source })?;
    let (ca_file, ca_key_file) = (dir.join("ca.pem"), dir.join("ca.key"));
    let (cert_file, key_file) = (dir.join("server.pem"), dir.join("server.key"));
    let mut params = authority_params();
    set_validity(&mut params, now - TimeDelta::days(1), now + TimeDelta::days(CA_DAYS));
    ensure_authority(&ca_file, &ca_key_file, &params)?;
    if is_good(&ca_file, &cert_file, &key_file, names, provider, now) {
        return Ok((cert_file, key_file));
    }
    let authority = Issuer::new(authority_params(), read_key(&ca_key_file)?);
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, "Fournil");
    set_validity(&mut params, now - TimeDelta::days(1), now + TimeDelta::days(CERTIFICATE_DAYS));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let cert = params.signed_by(&key, &authority)?;
    write(&key_file, &key.serialize_pem(), 0o600)?;
    write(&cert_file, &cert.pem(), 0o644)?;
    tracing::info!(tls.names = names.join(", "), "a certificate was made");
    Ok((cert_file, key_file))
}

/// The same each time: a certificate's issuer must be the authority's subject to the byte.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Fournil private authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// True when the certificate will still hold in a month, for every name.
fn is_good(
    ca_file: &Path,
    cert_file: &Path,
    key_file: &Path,
    names: &[String],
    provider: &Arc<CryptoProvider>,
    now: DateTime<Utc>,
) -> bool {
    let (Ok(ca), Ok(chain)) = (chain(ca_file), chain(cert_file)) else { return false };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(ca);
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    let (Ok(verifier), Some((leaf, rest))) = (verifier, chain.split_first()) else { return false };
    let then = (now + TimeDelta::days(RENEW_DAYS)).timestamp();
    let then = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(then).unwrap_or(0)));
    let holds = |name: &String| {
        ServerName::try_from(name.as_str())
            .is_ok_and(|name| verifier.verify_server_cert(leaf, rest, &name, &[], then).is_ok())
    };
    from_files(cert_file, key_file, provider).is_ok() && names.iter().all(holds)
}

/// The names every private certificate carries beside the public one.
#[must_use]
pub fn local_names(public_name: &str, more: &[String]) -> Vec<String> {
    let own = [public_name, "localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut names: Vec<String> = Vec::new();
    for name in own.into_iter().chain(more.iter().cloned()) {
        let is_known = names.contains(&name);
        let is_name = name.parse::<IpAddr>().is_ok() || ServerName::try_from(name.clone()).is_ok();
        if !is_known && is_name {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::time::instant;

    fn names() -> Vec<String> {
        local_names("erp.example.dz", &["192.168.1.10".to_owned(), "localhost".to_owned()])
    }

    fn verifies(dir: &Path, name: &str, at: DateTime<Utc>) -> bool {
        let provider = provider();
        let (ca, cert) = (dir.join("ca.pem"), dir.join("server.pem"));
        // `is_good` asks about a month later.
        let at = at - TimeDelta::days(RENEW_DAYS);
        is_good(&ca, &cert, &dir.join("server.key"), &[name.to_owned()], &provider, at)
    }

    #[test]
    fn the_private_authority_is_believed_by_rustls_for_its_names_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().to_owned();
        let now = instant(1_790_000_000_000);
        let source = CertificateSource::Auto { dir: dir.clone(), names: names() };
        Certificate::load(source, now).expect("a certificate").acceptor(None).expect("TLS");
        for name in ["erp.example.dz", "localhost", "127.0.0.1", "192.168.1.10"] {
            assert!(verifies(&dir, name, now), "{name}");
        }
        assert!(!verifies(&dir, "other.example.dz", now));
        assert!(!verifies(&dir, "localhost", now + TimeDelta::days(CERTIFICATE_DAYS + 2)));
    }

    #[test]
    fn keys_are_the_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = CertificateSource::Auto { dir: folder.path().to_owned(), names: names() };
        Certificate::load(source, instant(1_790_000_000_000)).expect("a certificate");
        for file in ["ca.key", "server.key"] {
            let mode = fs::metadata(folder.path().join(file)).expect("the key").permissions();
            assert_eq!(mode.mode() & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn an_authority_without_its_key_is_an_error_that_names_the_file_to_bring_back() {
        let (gone, left) = ("ca.key", "ca.pem");
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().to_owned();
        let source = CertificateSource::Auto { dir: dir.clone(), names: names() };
        let now = instant(1_790_000_000_000);
        Certificate::load(source.clone(), now).expect("a certificate");
        let kept = fs::read(dir.join(left)).expect("a file");
        fs::remove_file(dir.join(gone)).expect("removed");
        let error = Certificate::load(source, now).expect_err("half an authority");
        let TlsError::HalfAuthority { missing, present } = error else { panic!("{error}") };
        assert_eq!((missing, present), (dir.join(gone), dir.join(left)));
        assert_eq!(fs::read(dir.join(left)).expect("a file"), kept, "it was written over");
        assert!(!dir.join(gone).exists(), "another one was made");
    }

    #[test]
    fn a_key_whose_certificate_was_never_written_signs_it_now() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().to_owned();
        let source = CertificateSource::Auto { dir: dir.clone(), names: names() };
        let now = instant(1_790_000_000_000);
        Certificate::load(source.clone(), now).expect("a certificate");
        let key = fs::read(dir.join("ca.key")).expect("a file");
        let trusted = fs::read(dir.join("ca.pem")).expect("a file");
        fs::remove_file(dir.join("ca.pem")).expect("removed");
        let later = now + TimeDelta::days(CERTIFICATE_DAYS);
        Certificate::load(source, later).expect("finished");
        assert_eq!(fs::read(dir.join("ca.key")).expect("a file"), key, "the same authority");
        assert!(verifies(&dir, "localhost", later));
        fs::write(dir.join("ca.pem"), trusted).expect("as shops have it");
        assert!(verifies(&dir, "localhost", later), "shops trust what it signs");
    }

    #[test]
    fn what_a_crash_left_beside_gives_a_key_no_readers() {
        let folder = tempfile::tempdir().expect("a folder");
        for left in ["server.new", "ca.new"] {
            fs::write(folder.path().join(left), "left").expect("written");
            let open = fs::Permissions::from_mode(0o666);
            fs::set_permissions(folder.path().join(left), open).expect("open to all");
        }
        let source = CertificateSource::Auto { dir: folder.path().to_owned(), names: names() };
        Certificate::load(source, instant(1_790_000_000_000)).expect("a certificate");
        for (file, wanted) in
            [("ca.key", 0o600), ("server.key", 0o600), ("ca.pem", 0o644), ("server.pem", 0o644)]
        {
            let mode = fs::metadata(folder.path().join(file)).expect("a file").permissions();
            assert_eq!(mode.mode() & 0o777, wanted, "{file}");
        }
        assert!(!folder.path().join("server.new").exists());
    }

    #[test]
    fn a_certificate_is_made_again_near_its_end_or_for_a_new_name_and_the_authority_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().to_owned();
        let file = |name: &str| fs::read(dir.join(name)).expect("a file");
        let now = instant(1_790_000_000_000);
        let source = CertificateSource::Auto { dir: dir.clone(), names: names() };
        let certificate = Certificate::load(source, now).expect("a certificate");
        let (ca, first) = (file("ca.pem"), file("server.pem"));
        let days_left =
            |now: DateTime<Utc>| (certificate.until().expect("an end") - now).num_days();
        assert_eq!(days_left(now), CERTIFICATE_DAYS - 1);
        assert!(certificate.authority_until().expect("an end") > now + TimeDelta::days(3_600));
        certificate.refresh(now + TimeDelta::days(300)).expect("looked at");
        assert_eq!(file("server.pem"), first, "not yet");
        certificate.refresh(now + TimeDelta::days(370)).expect("renewed");
        assert!(days_left(now + TimeDelta::days(370)) > 380, "in use without a restart");
        let second = file("server.pem");
        assert_ne!(second, first);
        let more = vec!["localhost".to_owned(), "new.example.dz".to_owned()];
        let source = CertificateSource::Auto { dir: dir.clone(), names: more };
        Certificate::load(source, now + TimeDelta::days(370)).expect("for another name");
        assert_ne!(file("server.pem"), second);
        assert_eq!(file("ca.pem"), ca);
    }
}
