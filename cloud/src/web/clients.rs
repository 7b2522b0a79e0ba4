//! Client certificates of gateways, for those who want them: a small authority of ours in a
//! folder, what it issued and revoked, and the verifier that the TLS handshake asks.
//!
//! The handshake refuses what is expired, revoked or not ours, and lets peers without a
//! certificate pass: browsers come by the same door. Who must have one is decided where the
//! path is known. A certificate names its gateway in one URI, `urn:uuid:…`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::HEXLOWER;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::pem::{self, TlsError};

const CA_DAYS: i64 = 3_650;
const URN: &str = "urn:uuid:";

/// What a handshake proved of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The gateway it was issued to; none when it names no one.
    pub holder: Option<Uuid>,
    pub until: DateTime<Utc>,
}

impl ClientCertificate {
    /// Reads the first certificate of a chain that was verified.
    pub(super) fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let read = Read::of(chain.first()?)?;
        Some(Self { holder: read.holder, until: read.until })
    }
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Hexadecimal; names it to `revoke`.
    pub serial: String,
    pub holder: Option<Uuid>,
    pub until: DateTime<Utc>,
    pub is_revoked: bool,
}

/// A fresh certificate and its key, in PEM.
#[derive(Debug)]
pub struct Fresh {
    pub issued: Issued,
    pub certificate: String,
    pub key: String,
}

/// The authority's folder: `ca.pem`, `ca.key`, `crl.pem`, and a file for each certificate in
/// `issued` or `revoked`.
#[derive(Debug, Clone)]
pub struct ClientAuthority {
    dir: PathBuf,
}

impl ClientAuthority {
    #[must_use]
    pub const fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The certificate that servers verify by.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Makes the authority. One that is there stays.
    pub fn init(&self, now: DateTime<Utc>) -> Result<(), TlsError> {
        for folder in [self.dir.clone(), self.folder(false), self.folder(true)] {
            fs::create_dir_all(&folder).map_err(file_error(&folder))?;
        }
        let (ca_file, ca_key_file) = (self.certificate_file(), self.dir.join("ca.key"));
        let mut params = params();
        let until = now + TimeDelta::days(CA_DAYS);
        pem::set_validity(&mut params, now - TimeDelta::days(1), until);
        pem::ensure_authority(&ca_file, &ca_key_file, &params)?;
        self.write_revoked(now)
    }

    /// Issues a certificate to a gateway.
    pub fn issue(&self, holder: Uuid, days: u16, now: DateTime<Utc>) -> Result<Fresh, TlsError> {
        let authority = self.issuer()?;
        let mut serial = *Uuid::new_v4().as_bytes();
        // Positive and whole, as an ASN.1 integer.
        if let Some(first) = serial.first_mut() {
            *first = *first & 0x3f | 0x40;
        }
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, holder.to_string());
        let urn = format!("{URN}{holder}");
        params.subject_alt_names = vec![SanType::URI(urn.as_str().try_into()?)];
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        pem::set_validity(
            &mut params,
            now - TimeDelta::days(1),
            now + TimeDelta::days(days.into()),
        );
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &authority)?;
        let serial = HEXLOWER.encode(&serial);
        pem::write(&self.file(&serial, false), &certificate.pem(), 0o644)?;
        let read = Read::of(certificate.der());
        let issued = Issued {
            serial,
            holder: Some(holder),
            until: read.map_or(now, |read| read.until),
            is_revoked: false,
        };
        Ok(Fresh { issued, certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Every certificate, by its end.
    pub fn list(&self) -> Result<Vec<Issued>, TlsError> {
        let mut all = Vec::new();
        for is_revoked in [false, true] {
            let folder = self.folder(is_revoked);
            for entry in fs::read_dir(&folder).map_err(file_error(&folder))? {
                let path = entry.map_err(file_error(&folder))?.path();
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                let Some(serial) = stem.filter(|_| path.extension().is_some_and(|e| e == "pem"))
                else {
                    continue;
                };
                let what = || TlsError::Content {
                    path: path.clone(),
                    what: "it holds no certificate".to_owned(),
                };
                let chain = pem::chain(&path)?;
                let read = chain.first().and_then(Read::of).ok_or_else(what)?;
                let serial = serial.to_owned();
                let (holder, until) = (read.holder, read.until);
                all.push(Issued { serial, holder, until, is_revoked });
            }
        }
        all.sort_by(|left, right| (left.until, &left.serial).cmp(&(right.until, &right.serial)));
        Ok(all)
    }

    /// Revokes a certificate. False when none has that serial.
    pub fn revoke(&self, serial: &str, now: DateTime<Utc>) -> Result<bool, TlsError> {
        if HEXLOWER.decode(serial.as_bytes()).is_err() {
            return Ok(false);
        }
        let (from, to) = (self.file(serial, false), self.file(serial, true));
        if !to.exists() {
            match fs::rename(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                moved => moved.map_err(file_error(&from))?,
            }
        }
        self.write_revoked(now)?;
        Ok(true)
    }

    /// Writes the list of what was revoked anew, from the folder: done again after a crash,
    /// it says the same.
    fn write_revoked(&self, now: DateTime<Utc>) -> Result<(), TlsError> {
        // Looked at for what is in it, not for its age: its own end is as far as the authority's.
        let mut dates = CertificateParams::default();
        pem::set_validity(&mut dates, now - TimeDelta::days(1), now + TimeDelta::days(CA_DAYS));
        let revoked = self.list()?.into_iter().filter(|issued| issued.is_revoked);
        let serials = revoked.filter_map(|issued| HEXLOWER.decode(issued.serial.as_bytes()).ok());
        let revoked_certs = serials.map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&serial),
            revocation_time: dates.not_before,
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: dates.not_before,
            next_update: dates.not_after,
            crl_number: SerialNumber::from_slice(&now.timestamp().to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        pem::write(&self.dir.join("crl.pem"), &list.signed_by(&self.issuer()?)?.pem()?, 0o644)
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>, TlsError> {
        Ok(Issuer::new(params(), pem::read_key(&self.dir.join("ca.key"))?))
    }

    fn folder(&self, is_revoked: bool) -> PathBuf {
        self.dir.join(if is_revoked { "revoked" } else { "issued" })
    }

    fn file(&self, serial: &str, is_revoked: bool) -> PathBuf {
        self.folder(is_revoked).join(format!("{serial}.pem"))
    }
}

/// The same each time: an issuer must be the authority's subject to the byte.
fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Fournil gateways");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::File { path, source }
}

/// What we look at in a certificate.
struct Read {
    holder: Option<Uuid>,
    until: DateTime<Utc>,
}

impl Read {
    fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
        let holder = names.iter().find_map(|name| match name {
            GeneralName::URI(uri) => Uuid::parse_str(uri.strip_prefix(URN)?).ok(),
            _ => None,
        });
        Some(Self { holder, until: pem::end_of(der)? })
    }
}

/// Asks the newest list of revocations at each handshake.
#[derive(Debug)]
pub struct ClientVerifier {
    authority: ClientAuthority,
    provider: Arc<CryptoProvider>,
    hints: Vec<DistinguishedName>,
    current: RwLock<Arc<dyn ClientCertVerifier>>,
}

impl ClientVerifier {
    /// Reads the authority; it must have been made.
    pub fn load(authority: ClientAuthority) -> Result<Arc<Self>, TlsError> {
        let provider = pem::provider();
        let current = Self::read(&authority, &provider)?;
        let hints = current.root_hint_subjects().to_vec();
        Ok(Arc::new(Self { authority, provider, hints, current: RwLock::new(current) }))
    }

    /// Looks again; what is there stays in use when the new one cannot be read.
    pub fn refresh(&self) -> Result<(), TlsError> {
        let fresh = Self::read(&self.authority, &self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// When the authority itself ends.
    #[must_use]
    pub fn until(&self) -> Option<DateTime<Utc>> {
        let chain = pem::chain(&self.authority.certificate_file()).ok()?;
        chain.iter().filter_map(pem::end_of).min()
    }

    fn read(
        authority: &ClientAuthority,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in pem::chain(&authority.certificate_file())? {
            roots.add(certificate)?;
        }
        let file = authority.dir.join("crl.pem");
        let lists: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(&pem::bytes(&file)?).collect();
        let content = |what: String| TlsError::Content { path: file.clone(), what };
        let lists = lists.map_err(|error| content(error.to_string()))?;
        let roots = Arc::new(roots);
        WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
            .with_crls(lists)
            .allow_unauthenticated()
            .build()
            .map_err(|error| content(error.to_string()))
    }

    fn current(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.current().verify_client_cert(certificate, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current().verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current().verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current().supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::instant;

    #[test]
    fn what_is_issued_is_listed_and_what_is_revoked_stays_listed_as_such() {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = ClientAuthority::at(folder.path().join("ca"));
        let now = instant(1_795_000_000_000);
        authority.init(now).expect("made");
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let short = authority.issue(first, 10, now).expect("issued");
        let long = authority.issue(second, 365, now).expect("issued");
        assert!(short.key.contains("PRIVATE KEY") && short.certificate.contains("CERTIFICATE"));
        assert_eq!(authority.list().expect("a list"), [short.issued.clone(), long.issued.clone()]);
        assert!(authority.revoke(&short.issued.serial, now).expect("revoked"));
        assert!(authority.revoke(&short.issued.serial, now).expect("again"));
        assert!(!authority.revoke("00ff", now).expect("none"));
        assert!(!authority.revoke("../ca", now).expect("none"));
        let listed = authority.list().expect("a list");
        let revoked: Vec<bool> = listed.iter().map(|issued| issued.is_revoked).collect();
        assert_eq!(revoked, [true, false]);
        let ca = fs::read(authority.certificate_file()).expect("the authority");
        authority.init(now + TimeDelta::days(1)).expect("kept");
        assert_eq!(fs::read(authority.certificate_file()).expect("the authority"), ca);
        // As a crash of the first `init` leaves it.
        fs::remove_file(authority.certificate_file()).expect("removed");
        authority.init(now).expect("finished");
        ClientVerifier::load(authority).expect("whole");
    }
}
