//! Whom the gateway believes: the public roots, or only the authority it was given.
//!
//! Verification is never switched off. The TLS provider is chosen here and nowhere
//! else, so that changing it is a change of one line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::identity;
use crate::i18n::say;

/// A client configuration and where its roots came from.
#[derive(Debug, Clone)]
pub struct Trust {
    pub config: Arc<ClientConfig>,
    /// Whom `config` believes.
    pub roots: Arc<RootCertStore>,
    /// The pinned authority; `None` for the public roots.
    pub ca_file: Option<PathBuf>,
}

/// Why a certificate authority could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(
        "{}",
        say("tunnel-authority-unreadable", &[("path", &.path.display()), ("why", .why)])
    )]
    Unreadable { path: PathBuf, why: String },
    #[error("{}", say("tunnel-authority-empty", &[("path", &.path.display())]))]
    Empty { path: PathBuf },
    #[error("{}", say("tunnel-client-unusable", &[("path", &.path.display()), ("why", .why)]))]
    Client { path: PathBuf, why: String },
    #[error("{}", say("tunnel-tls-setup", &[]))]
    Setup(#[from] rustls::Error),
}

impl Trust {
    /// The public roots, or only the authority in a PEM file.
    pub fn load(ca_file: Option<&Path>) -> Result<Self, TrustError> {
        let Some(path) = ca_file else { return Self::public() };
        let pem = std::fs::read(path).map_err(|error| TrustError::Unreadable {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        Self::pinned(&pem, path)
    }

    /// The public roots.
    pub fn public() -> Result<Self, TrustError> {
        Self::from_roots(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(), None)
    }

    /// Only the authorities in `pem`, which came from `origin`.
    pub fn pinned(pem: &[u8], origin: &Path) -> Result<Self, TrustError> {
        let unreadable = |why: String| TrustError::Unreadable { path: origin.to_owned(), why };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(TrustError::Empty { path: origin.to_owned() });
        }
        Self::from_roots(roots, Some(origin.to_owned()))
    }

    fn from_roots(roots: RootCertStore, ca_file: Option<PathBuf>) -> Result<Self, TrustError> {
        let roots = Arc::new(roots);
        let config = builder(&roots)?.with_no_client_auth();
        Ok(Self { config: Arc::new(config), roots, ca_file })
    }

    /// The same, bringing a client certificate to those who ask for one.
    pub fn with_client(mut self, cert: &Path, key: &Path) -> Result<Self, TrustError> {
        let client = |path: &Path, why: String| TrustError::Client { path: path.to_owned(), why };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| client(cert, error.to_string()));
        identity::check_private(key, 0o600).map_err(|error| client(key, error.to_string()))?;
        let key_der =
            PrivateKeyDer::from_pem_file(key).map_err(|error| client(key, error.to_string()))?;
        let config = builder(&self.roots)?
            .with_client_auth_cert(chain?, key_der)
            .map_err(|error| client(cert, error.to_string()))?;
        self.config = Arc::new(config);
        Ok(self)
    }
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn builder(roots: &Arc<RootCertStore>) -> Result<Builder, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_root_certificates(Arc::clone(roots)))
}

/// When the first certificate of a chain ends, Unix milliseconds.
pub fn until_ms(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let ends = chain.iter().filter_map(|der| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        certificate.validity().not_after.timestamp().checked_mul(1_000)
    });
    ends.min()
}

/// The TLS provider.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What is wrong with a server's certificate and what to do, in one line.
pub fn explain(error: &CertificateError, host: &str, ca_file: Option<&Path>) -> String {
    let unknown = matches!(error, CertificateError::UnknownIssuer | CertificateError::BadSignature);
    let id = match (error, ca_file) {
        (_, Some(path)) if unknown => {
            let path = path.display();
            return say("tunnel-certificate-other", &[("host", &host), ("path", &path)]);
        }
        (_, None) if unknown => "tunnel-certificate-public",
        (
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            _,
        ) => "tunnel-certificate-name",
        (CertificateError::Expired | CertificateError::ExpiredContext { .. }, _) => {
            "tunnel-certificate-expired"
        }
        (CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }, _) => {
            "tunnel-certificate-early"
        }
        (other, _) => {
            let why = format!("{other:?}");
            return say("tunnel-certificate-refused", &[("host", &host), ("why", &why)]);
        }
    };
    say(id, &[("host", &host)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_authority_is_one_clear_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let missing = Trust::load(Some(&path)).unwrap_err().to_string();
        assert!(missing.contains("ca.pem") && !missing.contains('\n'), "{missing}");
        std::fs::write(&path, "nothing").unwrap();
        let empty = Trust::load(Some(&path)).unwrap_err().to_string();
        assert!(empty.contains("aucun certificat"), "{empty}");
    }

    #[test]
    fn a_client_certificate_comes_with_a_key_of_its_own_that_nobody_else_reads() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("gateway.pem"), folder.path().join("gateway.key"));
        let pair = rcgen::generate_simple_self_signed(vec!["gateway".to_owned()]).unwrap();
        std::fs::write(&cert, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let load = || Trust::public().unwrap().with_client(&cert, &key);
        let chmod = |mode| std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
        chmod(0o644);
        let loose = load().unwrap_err().to_string();
        assert!(loose.contains("chmod 600") && !loose.contains('\n'), "{loose}");
        chmod(0o600);
        load().unwrap();
        std::fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let other = load().unwrap_err().to_string();
        assert!(other.contains("client_cert"), "{other}");
        let der = pair.cert.der().clone();
        assert!(until_ms(&[der]).unwrap() > 1_795_000_000_000);
        assert_eq!(until_ms(&[CertificateDer::from(vec![1, 2, 3])]), None);
    }

    #[test]
    fn each_certificate_fault_names_a_remedy() {
        let ca = Path::new("/etc/fournil/ca.pem");
        for (error, ca_file, word) in [
            (CertificateError::UnknownIssuer, None, "--ca"),
            (CertificateError::UnknownIssuer, Some(ca), "/etc/fournil/ca.pem"),
            (CertificateError::NotValidForName, None, "adresse"),
            (CertificateError::Expired, None, "date"),
            (CertificateError::NotValidYet, None, "heure"),
            (CertificateError::Revoked, None, "cloud"),
        ] {
            let line = explain(&error, "cloud.example", ca_file);
            assert!(line.contains(word) && line.contains("cloud.example"), "{line}");
            assert!(!line.contains('\n'));
        }
    }
}
