//! The way to the cloud, step by step, so that the first one that fails is named: name,
//! TCP, TLS; then the tunnel's door (see `cloud`). What stands behind a failed step is
//! told as not checked.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use rustls::CertificateError;
use rustls::pki_types::UnixTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;

use super::certificate::{self, Look, Presented, Refusal};
use super::cloud;
use super::finding::Finding;
use super::reach::{self, Unreached, Unresolved};
use crate::config::Config;
use crate::tunnel::identity::Identity;
use crate::tunnel::target::Target;
use crate::tunnel::trust::{Trust, TrustError};
use crate::{app, time};

/// The check that failed: those behind it wait for it.
type Failed = &'static str;

const STEPS: &[&str] = &["name", "network", "tls", "time", "protocol", "cloud"];
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
const TLS_TIMEOUT: Duration = Duration::from_secs(4);
/// For the look at what answers instead of TLS.
const SECOND_LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// Inside a certificate's validity, away from its edge.
const INSIDE_S: u64 = 60;
const ANSWER_BYTES_MAX: usize = 2_048;

/// Every step, done or not checked.
pub(super) async fn examine(
    config: &Config,
    identity: Option<&Identity>,
    deadline: Instant,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let because = match address(config, identity) {
        None => "identity",
        Some(target) => {
            let way = Way { config, identity, target };
            match timeout_at(deadline, Box::pin(way.walk(&mut findings))).await {
                Ok(Ok(())) => "protocol",
                Ok(Err(because)) => because,
                Err(_) => out_of_time(&mut findings),
            }
        }
    };
    for step in STEPS {
        if !findings.iter().any(|finding| finding.check == *step) {
            findings.push(Finding::skipped(step, because));
        }
    }
    findings
}

/// The whole took too long: the step that was under way is told as silent.
fn out_of_time(findings: &mut Vec<Finding>) -> Failed {
    let is_told = |step: &str| findings.iter().any(|finding| finding.check == step);
    let mut steps = STEPS.iter().copied().filter(|step| *step != "time");
    let step = steps.find(|step| !is_told(step)).unwrap_or("cloud");
    let code = if step == "name" { "resolver-silent" } else { "silent" };
    let told = Finding::new(step, code).with("host", "…").with("address", "…");
    findings.push(told.with("seconds", CONNECT_TIMEOUT.as_secs()));
    step
}

fn address(config: &Config, identity: Option<&Identity>) -> Option<Target> {
    let enrolled = identity.map(|identity| &identity.enrolled.url);
    Target::parse(config.cloud.url.as_ref().or(enrolled)?).ok()
}

struct Way<'a> {
    config: &'a Config,
    identity: Option<&'a Identity>,
    target: Target,
}

impl Way<'_> {
    /// Cancel safe: findings are told as they come.
    async fn walk(&self, findings: &mut Vec<Finding>) -> Result<(), Failed> {
        let addresses = tell(findings, self.resolve().await)?;
        let stream = tell(findings, self.connect(&addresses).await)?;
        let trust = match self.trust() {
            Ok(trust) => trust,
            Err(finding) => {
                findings.push(finding);
                return Err("tls");
            }
        };
        let stream = self.secure(&trust, stream, &addresses, findings).await?;
        cloud::examine(&self.target, self.identity, stream, findings).await;
        Ok(())
    }

    async fn resolve(&self) -> Result<(Vec<SocketAddr>, Finding), Finding> {
        let (host, port) = (self.target.host.as_str(), self.target.port);
        if let Ok(address) = host.parse::<IpAddr>() {
            let told = Finding::new("name", "is-address").with("host", host);
            return Ok((vec![SocketAddr::new(address, port)], told));
        }
        let failed = |code| Finding::new("name", code).with("host", host);
        match reach::resolve(host, port, RESOLVE_TIMEOUT).await {
            Ok(addresses) => {
                let mut shown: Vec<String> =
                    addresses.iter().map(|address| address.ip().to_string()).collect();
                shown.dedup();
                Ok((addresses, failed("found").with("addresses", shown.join(", "))))
            }
            Err(Unresolved::NotFound) => Err(failed("not-found")),
            Err(Unresolved::NoAddress) => Err(failed("no-address")),
            Err(Unresolved::Failing(why)) => Err(failed("resolver-failing").with("why", why)),
            Err(Unresolved::Silent) => Err(failed("resolver-silent")),
        }
    }

    async fn connect(&self, addresses: &[SocketAddr]) -> Result<(TcpStream, Finding), Finding> {
        let port = self.target.port;
        let told = |code| Finding::new("network", code).with("port", port);
        match reach::connect(addresses, CONNECT_TIMEOUT).await {
            Ok(stream) => {
                let address = stream.peer_addr().map(|peer| peer.to_string()).unwrap_or_default();
                Ok((stream, told("reached").with("address", address)))
            }
            Err((address, unreached)) => {
                let address = address.map(|address| address.to_string()).unwrap_or_default();
                let told = |code| told(code).with("address", address.clone());
                Err(match unreached {
                    Unreached::Refused => told("refused"),
                    Unreached::Silent => told("silent").with("seconds", CONNECT_TIMEOUT.as_secs()),
                    Unreached::Unreachable => told("unreachable"),
                    Unreached::Failed(why) => told("failed").with("why", why),
                })
            }
        }
    }

    /// As the daemon has it, client certificate included.
    fn trust(&self) -> Result<Trust, Finding> {
        let trust = match self.identity {
            Some(identity) => app::cloud(self.config, identity).map(|(_, trust)| trust),
            None => Trust::load(self.config.cloud.ca_file.as_deref()).map_err(Into::into),
        };
        trust.map_err(|error| {
            let is_ours = matches!(error.downcast_ref(), Some(TrustError::Client { .. }));
            let code = if is_ours { "client-certificate-unusable" } else { "authority-unusable" };
            Finding::new("tls", code).with("why", error)
        })
    }

    async fn secure(
        &self,
        trust: &Trust,
        stream: TcpStream,
        addresses: &[SocketAddr],
        findings: &mut Vec<Finding>,
    ) -> Result<TlsStream<TcpStream>, Failed> {
        let host = &self.target.host;
        let Look { outcome, presented } =
            certificate::secure(host, trust, stream, None, TLS_TIMEOUT).await;
        let told = |code| Finding::new("tls", code).with("host", host);
        let finding = match outcome {
            Ok(stream) => {
                let issuer = presented.and_then(|presented| presented.issuer());
                findings.push(told("verified").with("issuer", issuer.unwrap_or_default()));
                return Ok(stream);
            }
            Err(Refusal::Certificate(fault)) => match dated(&fault) {
                Some(dated) => Box::pin(self.date(trust, addresses, &dated, findings)).await,
                None => refused(&fault, host, presented.as_ref(), trust),
            },
            Err(Refusal::Silent) => told("silent"),
            Err(Refusal::Setup(why)) => told("certificate-refused").with("why", why),
            Err(Refusal::Tls(error)) => self.instead(addresses, &error.to_string()).await,
            Err(Refusal::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                self.instead(addresses, &error.to_string()).await
            }
            Err(Refusal::Io(error)) => told("cut").with("why", error),
        };
        findings.push(finding);
        Err("tls")
    }

    /// A certificate that is refused for its dates: is it old, or is this machine's clock
    /// wrong? The server itself is asked, once chain and name are known to be good.
    async fn date(
        &self,
        trust: &Trust,
        addresses: &[SocketAddr],
        dated: &Dated,
        findings: &mut Vec<Finding>,
    ) -> Finding {
        let host = &self.target.host;
        let here = u64::try_from(time::now().timestamp()).unwrap_or_default();
        let told = |code| {
            Finding::new("tls", code)
                .with("host", host)
                .with("limit", moment(dated.limit_s))
                .with("here", moment(here))
        };
        let at = Duration::from_secs(dated.inside_s);
        let offset = async {
            let stream = reach::connect(addresses, CONNECT_TIMEOUT).await.ok()?;
            let at = UnixTime::since_unix_epoch(at);
            let look = certificate::secure(host, trust, stream, Some(at), TLS_TIMEOUT).await;
            cloud::offset(&self.target, look.outcome.ok()?).await
        };
        let Some(offset) = offset.await else {
            return told(dated.codes.1);
        };
        findings.push(offset.finding());
        let there = here.saturating_add_signed(offset.offset_ms / 1_000);
        if dated.is_valid(there) {
            told("clock-wrong").with("there", moment(there))
        } else {
            told(dated.codes.0)
        }
    }

    /// What answers there, if it is not TLS.
    async fn instead(&self, addresses: &[SocketAddr], why: &str) -> Finding {
        let host = &self.target.host;
        let port = self.target.port;
        let answer = async {
            let mut stream = reach::connect(addresses, SECOND_LOOK_TIMEOUT).await.ok()?;
            let asked = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(asked.as_bytes()).await.ok()?;
            let mut bytes = vec![0; ANSWER_BYTES_MAX];
            let count = stream.read(&mut bytes).await.ok()?;
            bytes.truncate(count);
            String::from_utf8(bytes).ok().filter(|text| text.starts_with("HTTP/"))
        };
        let told = |code| Finding::new("tls", code).with("host", host).with("port", port);
        match timeout(SECOND_LOOK_TIMEOUT, answer).await.ok().flatten() {
            Some(answer) => told("plain-http").with("sends_to", sends_to(&answer)),
            None => told("not-tls").with("why", why),
        }
    }
}

/// Tells a step and gives what it made, or the check that failed.
fn tell<T>(findings: &mut Vec<Finding>, step: Result<(T, Finding), Finding>) -> Result<T, Failed> {
    match step {
        Ok((made, finding)) => {
            findings.push(finding);
            Ok(made)
        }
        Err(finding) => {
            let failed = finding.check;
            findings.push(finding);
            Err(failed)
        }
    }
}

/// Where a portal sends its visitors; `-` when it does not say.
fn sends_to(answer: &str) -> String {
    let mut lines = answer.lines();
    let place = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    });
    place.unwrap_or_else(|| "-".to_owned())
}

/// A certificate that is refused for its dates alone.
struct Dated {
    limit_s: u64,
    is_start: bool,
    /// A moment at which it was or will be good.
    inside_s: u64,
    /// When this machine's clock is known to be right, and when it is not known.
    codes: (&'static str, &'static str),
}

impl Dated {
    fn is_valid(&self, moment_s: u64) -> bool {
        if self.is_start { moment_s >= self.limit_s } else { moment_s <= self.limit_s }
    }
}

fn dated(fault: &CertificateError) -> Option<Dated> {
    match fault {
        CertificateError::ExpiredContext { not_after, .. } => {
            let limit_s = not_after.as_secs();
            let codes = ("expired", "expired-or-clock-wrong");
            Some(Dated {
                limit_s,
                is_start: false,
                inside_s: limit_s - INSIDE_S.min(limit_s),
                codes,
            })
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            let limit_s = not_before.as_secs();
            let codes = ("not-yet-valid", "not-yet-valid-or-clock-wrong");
            Some(Dated { limit_s, is_start: true, inside_s: limit_s + INSIDE_S, codes })
        }
        _ => None,
    }
}

fn refused(
    fault: &CertificateError,
    host: &str,
    presented: Option<&Presented>,
    trust: &Trust,
) -> Finding {
    let is_for_us = presented.is_some_and(|presented| presented.is_for(host));
    let issuer = presented.and_then(Presented::issuer).unwrap_or_else(|| "?".to_owned());
    let subject = presented.and_then(Presented::subject).unwrap_or_else(|| "?".to_owned());
    let told = |code| {
        Finding::new("tls", code)
            .with("host", host)
            .with("issuer", &issuer)
            .with("subject", &subject)
    };
    match fault {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            told("wrong-name")
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => match &trust.ca_file {
            _ if !is_for_us => told("intercepted"),
            None => told("unknown-authority"),
            Some(path) => told("other-authority").with("authority", path.display()),
        },
        other => told("certificate-refused").with("why", format!("{other:?}")),
    }
}

fn moment(unix_s: u64) -> String {
    i64::try_from(unix_s)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .map_or_else(String::new, |moment| moment.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_says_where_it_sends_its_visitors() {
        let answer = "HTTP/1.1 302 Found\r\nLOCATION: http://portail.example/login\r\n\r\n";
        assert_eq!(sends_to(answer), "http://portail.example/login");
        assert_eq!(sends_to("HTTP/1.1 200 OK\r\n\r\n"), "-");
    }
}
