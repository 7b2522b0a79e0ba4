//! TLS with open eyes: verified exactly as the tunnel does, and what was presented is
//! kept, so that a refusal can name who answered instead of the cloud.
//!
//! The date may be taken as another one ([`secure`]'s `at`) to ask a server whose
//! certificate is good but for its dates what time it is. Chain and name are verified
//! all the same, and nothing of ours is said on such a connection, the client certificate
//! included.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tunnel::trust::{self, Trust};

/// Common name and organisation in a certificate's name, as DER identifiers.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const ORGANISATION: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x0a];

/// Why TLS did not come about.
#[derive(Debug)]
pub(super) enum Refusal {
    Certificate(rustls::CertificateError),
    /// Not TLS, or not a TLS that can be spoken.
    Tls(rustls::Error),
    Io(std::io::Error),
    Silent,
    Setup(String),
}

/// The outcome and the server's certificate, where one was shown.
pub(super) struct Look {
    pub(super) outcome: Result<TlsStream<TcpStream>, Refusal>,
    pub(super) presented: Option<Presented>,
}

/// A server's certificate.
pub(super) struct Presented(CertificateDer<'static>);

/// The handshake; `at` stands in for the present moment.
pub(super) async fn secure(
    host: &str,
    trust: &Trust,
    stream: TcpStream,
    at: Option<UnixTime>,
    within: Duration,
) -> Look {
    let (observer, connector) = match connector(trust, at) {
        Ok(made) => made,
        Err(error) => {
            let outcome = Err(Refusal::Setup(error.to_string()));
            return Look { outcome, presented: None };
        }
    };
    let outcome = match ServerName::try_from(host.to_owned()) {
        Err(error) => Err(Refusal::Setup(error.to_string())),
        Ok(name) => match timeout(within, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(refusal(error)),
            Err(_) => Err(Refusal::Silent),
        },
    };
    let seen = observer.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    Look { outcome, presented: seen.map(Presented) }
}

fn refusal(error: std::io::Error) -> Refusal {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(fault)) => Refusal::Certificate(fault.clone()),
        Some(cause) => Refusal::Tls(cause.clone()),
        None => Refusal::Io(error),
    }
}

fn connector(
    trust: &Trust,
    at: Option<UnixTime>,
) -> Result<(Arc<Observer>, TlsConnector), Box<dyn std::error::Error>> {
    let provider = trust::provider();
    let inner = WebPkiServerVerifier::builder_with_provider(trust.roots.clone(), provider.clone())
        .build()?;
    let observer = Arc::new(Observer { inner, at, seen: Mutex::new(None) });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(observer.clone());
    let config = match at {
        None => builder.with_client_cert_resolver(trust.config.client_auth_cert_resolver.clone()),
        Some(_) => builder.with_no_client_auth(),
    };
    Ok((observer, TlsConnector::from(Arc::new(config))))
}

/// Verifies as the tunnel does and keeps what it saw.
#[derive(Debug)]
struct Observer {
    inner: Arc<WebPkiServerVerifier>,
    at: Option<UnixTime>,
    seen: Mutex<Option<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(end_entity.clone().into_owned());
        drop(seen);
        let at = self.at.unwrap_or(now);
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl Presented {
    /// Whether it is made out to that host, whoever signed it.
    pub(super) fn is_for(&self, host: &str) -> bool {
        let Ok(certificate) = webpki::EndEntityCert::try_from(&self.0) else { return false };
        ServerName::try_from(host)
            .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    }

    /// Who signed it, as it says itself.
    pub(super) fn issuer(&self) -> Option<String> {
        let certificate = webpki::EndEntityCert::try_from(&self.0).ok()?;
        name_in(certificate.issuer())
    }

    /// Whom it is made out to, as it says itself.
    pub(super) fn subject(&self) -> Option<String> {
        let certificate = webpki::EndEntityCert::try_from(&self.0).ok()?;
        name_in(certificate.subject())
    }
}

/// Organisation and common name out of a name's DER, for showing only.
fn name_in(der: &[u8]) -> Option<String> {
    let mut parts: Vec<String> =
        [ORGANISATION, COMMON_NAME].iter().filter_map(|oid| value_after(der, oid)).collect();
    parts.dedup();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The string behind an identifier: tag, length, bytes. Longer than 127 bytes is not
/// shown.
fn value_after(der: &[u8], oid: &[u8]) -> Option<String> {
    let at = der.windows(oid.len()).position(|window| window == oid)?;
    let rest = der.get(at + oid.len()..)?;
    let length = usize::from(*rest.get(1)?);
    let bytes = rest.get(2..)?.get(..length).filter(|_| length < 128)?;
    let text: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_names_its_host_and_its_issuer() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut ours = rcgen::CertificateParams::new(vec!["cloud.example".to_owned()]).unwrap();
        ours.distinguished_name.push(rcgen::DnType::OrganizationName, "Hôtel du Port");
        ours.distinguished_name.push(rcgen::DnType::CommonName, "portail");
        let made = ours.self_signed(&key).unwrap();
        let presented = Presented(made.der().clone());
        assert!(presented.is_for("cloud.example") && !presented.is_for("other.example"));
        assert_eq!(presented.issuer().as_deref(), Some("Hôtel du Port, portail"));
        assert_eq!(presented.subject(), presented.issuer());
    }

    #[test]
    fn a_broken_name_shows_nothing() {
        assert_eq!(name_in(&[]), None);
        assert_eq!(name_in(&[COMMON_NAME, &[0x0c, 200, b'x']].concat()), None);
        assert_eq!(name_in(COMMON_NAME), None);
    }
}
