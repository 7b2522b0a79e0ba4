//! Whom the gateway believes: the public roots, or only the authority it was given.
//!
//! Verification is never switched off. The TLS provider is chosen here and nowhere
//! else, so that changing it is a change of one line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// A client configuration and where its roots came from.
#[derive(Debug, Clone)]
pub struct Trust {
    pub config: Arc<ClientConfig>,
    /// The pinned authority; `None` for the public roots.
    pub ca_file: Option<PathBuf>,
}

/// Why a certificate authority could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(
        "le certificat d'autorité {} est illisible ({why}) : il faut un fichier PEM lisible \
         par la passerelle",
        path.display()
    )]
    Unreadable { path: PathBuf, why: String },
    #[error("{} ne contient aucun certificat : il faut un fichier PEM", path.display())]
    Empty { path: PathBuf },
    #[error("TLS ne peut pas être préparé")]
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
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), ca_file })
    }
}

/// What is wrong with a server's certificate and what to do, in one line.
pub fn explain(error: &CertificateError, host: &str, ca_file: Option<&Path>) -> String {
    match (error, ca_file) {
        (CertificateError::UnknownIssuer | CertificateError::BadSignature, None) => format!(
            "le certificat de {host} n'est signé par aucune autorité publique : si ce cloud a \
             la sienne, donnez-la (enrol --ca FICHIER, ou ca_file dans [cloud])"
        ),
        (CertificateError::UnknownIssuer | CertificateError::BadSignature, Some(path)) => format!(
            "le certificat de {host} n'est pas signé par l'autorité {} : ce n'est peut-être pas \
             votre cloud ; vérifiez l'adresse, puis l'autorité",
            path.display()
        ),
        (
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            _,
        ) => {
            format!(
                "le certificat présenté n'est pas au nom de {host} : vérifiez l'adresse, ou \
                 faites refaire le certificat du cloud à ce nom"
            )
        }
        (CertificateError::Expired | CertificateError::ExpiredContext { .. }, _) => format!(
            "le certificat de {host} est périmé, ou l'heure de cette machine est fausse : \
             vérifiez d'abord la date d'ici"
        ),
        (CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }, _) => {
            format!(
                "le certificat de {host} n'est pas encore valable : l'heure de cette machine est \
             sans doute fausse, remettez-la à l'heure"
            )
        }
        (other, _) => format!("le certificat de {host} est refusé ({other:?}) : voyez le cloud"),
    }
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
