//! The tunnel's door: the upgrade, the cloud's challenge with its versions and its time,
//! and an inquiry whether this gateway's key is known. No session begins.

use std::time::Duration;

use fournil_protocol::frame::{Frame, Inquiry, Kind, Standing};
use fournil_protocol::hello::{Challenge, inquiry_nonce, signed_bytes};
use fournil_protocol::{CERTIFICATE_NEEDED, VERSION_MAX, close, common_version};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::{self, Message, http};

use super::finding::Finding;
use crate::tunnel::ambient::Ambient;
use crate::tunnel::connect::{self, Socket};
use crate::tunnel::identity::Identity;
use crate::tunnel::target::Target;

const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(4);
const STANDING_TIMEOUT: Duration = Duration::from_secs(3);
/// A difference that is worth a word, and one that is a fault, milliseconds.
const OFFSET_WARN_MS: i64 = 2_000;
const OFFSET_FAULT_MS: i64 = 60_000;

/// The cloud's time against this machine's.
pub(super) struct Offset {
    pub(super) offset_ms: i64,
    /// The answer took so long: it is right to within this.
    uncertain_ms: i64,
}

/// Steps behind TLS; what is not told was not come to.
pub(super) async fn examine(
    target: &Target,
    identity: Option<&Identity>,
    stream: TlsStream<TcpStream>,
    findings: &mut Vec<Finding>,
) {
    let (mut socket, challenge, offset) = match open(target, stream).await {
        Ok(opened) => opened,
        Err(failed) => {
            findings.push(failed);
            return;
        }
    };
    findings.push(offset.finding());
    let (min, max) = (challenge.version_min, challenge.version_max);
    let told = |code| Finding::new("protocol", code).with("min", min).with("max", max);
    let Some(version) = common_version(min, max) else {
        let code = if min > VERSION_MAX { "cloud-newer" } else { "cloud-older" };
        findings.push(told(code).with("ours", VERSION_MAX));
        return;
    };
    findings.push(told("common").with("version", version));
    findings.push(match identity {
        Some(identity) => known(target, identity, version, &challenge, &mut socket).await,
        None => Finding::skipped("cloud", "identity"),
    });
}

/// The cloud's time, from a server whose certificate is good but for its dates.
pub(super) async fn offset(target: &Target, stream: TlsStream<TcpStream>) -> Option<Offset> {
    open(target, stream).await.ok().map(|(_, _, offset)| offset)
}

async fn open(
    target: &Target,
    stream: TlsStream<TcpStream>,
) -> Result<(Socket, Challenge, Offset), Finding> {
    let began = Instant::now();
    let opening = async {
        let mut socket =
            connect::handshake(target, stream).await.map_err(|error| not_upgraded(&error))?;
        let challenge = challenge(&mut socket).await?;
        Ok((socket, challenge))
    };
    let (socket, challenge) = timeout(CHALLENGE_TIMEOUT, opening)
        .await
        .unwrap_or_else(|_| Err(Finding::new("protocol", "silent")))?;
    let now_ms = (Ambient::system().wall_ms)();
    let offset = Offset {
        offset_ms: challenge.server_time_ms.saturating_sub(now_ms),
        uncertain_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
    };
    Ok((socket, challenge, offset))
}

fn not_upgraded(error: &tungstenite::Error) -> Finding {
    let told = |code: &'static str, why: String| Finding::new("protocol", code).with("why", why);
    let answer = match error {
        tungstenite::Error::Http(answer) => answer,
        tungstenite::Error::Io(error) => {
            return match connect::client_refused(error) {
                Some(alert) => told("client-certificate-refused", format!("{alert:?}")),
                None => told("not-a-cloud", error.to_string()),
            };
        }
        other => return told("not-a-cloud", other.to_string()),
    };
    let status = answer.status();
    if status == http::StatusCode::TOO_MANY_REQUESTS {
        let told = Finding::new("protocol", "refused").with("code", status.as_u16());
        return told.with("reason", "too many requests");
    }
    let body = answer.body().as_deref().unwrap_or_default();
    let code = match status.as_u16() {
        403 if body.starts_with(CERTIFICATE_NEEDED.as_bytes()) => "client-certificate-refused",
        502..=504 => "cloud-down",
        401 | 403 | 407 | 451 => "proxy",
        _ => "not-a-cloud",
    };
    told(code, format!("HTTP {}", status.as_u16()))
}

/// The first frame. No Hello follows: a look is not a session.
async fn challenge(socket: &mut Socket) -> Result<Challenge, Finding> {
    let not_ours = |why: &str| Finding::new("protocol", "not-a-cloud").with("why", why);
    match next(socket).await {
        Some(Kind::Challenge(challenge)) => Ok(challenge),
        Some(Kind::Goodbye(goodbye)) => Err(Finding::new("protocol", "refused")
            .with("code", goodbye.code)
            .with("reason", goodbye.reason)),
        Some(_) => Err(not_ours("no challenge")),
        None => Err(not_ours("closed")),
    }
}

/// The next frame of a kind this build knows; `None` at the end.
async fn next(socket: &mut Socket) -> Option<Kind> {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(bytes) = message else { continue };
        if let Some(kind) = Frame::decode_bytes(&bytes).ok()?.kind {
            return Some(kind);
        }
    }
    None
}

/// Asks whether the key is known. A cloud that does not know the question says that the
/// frame is none of its own.
async fn known(
    target: &Target,
    identity: &Identity,
    version: u32,
    challenge: &Challenge,
    socket: &mut Socket,
) -> Finding {
    let gateway_id = identity.enrolled.gateway_id.as_bytes();
    let nonce = inquiry_nonce(&challenge.nonce);
    let inquiry = Inquiry {
        version,
        gateway_id: gateway_id.to_vec(),
        signature: identity.sign(&signed_bytes(version, &target.host, &nonce, gateway_id)),
        server_name: target.host.clone(),
    };
    let asking = async {
        let bytes = Frame::from(Kind::Inquiry(inquiry)).encode_bytes().ok()?;
        socket.send(Message::binary(bytes)).await.ok()?;
        next(socket).await
    };
    let told = |code| {
        Finding::new("cloud", code)
            .with("name", &identity.enrolled.name)
            .with("gateway", identity.enrolled.gateway_id)
            .with("fingerprint", identity.fingerprint())
            .with("host", &target.host)
    };
    match timeout(STANDING_TIMEOUT, asking).await {
        Ok(Some(Kind::Standing(standing))) => {
            told(standing_code(&standing, &target.host)).with("expected", standing.server_name)
        }
        Ok(Some(Kind::Goodbye(goodbye))) if goodbye.code == u32::from(close::MALFORMED) => {
            told("cannot-tell")
        }
        Ok(Some(Kind::Goodbye(goodbye))) => told("busy").with("reason", goodbye.reason),
        Ok(_) => told("cannot-tell"),
        Err(_) => told("silent"),
    }
}

fn standing_code(standing: &Standing, host: &str) -> &'static str {
    match u16::try_from(standing.code) {
        Ok(0) => "known",
        Ok(close::REVOKED) => "revoked",
        Ok(close::SUSPENDED) => "suspended",
        Ok(close::UNKNOWN_KEY) if standing.server_name != host => "other-name",
        Ok(close::UNKNOWN_KEY) => "unknown",
        _ => "cannot-tell",
    }
}

impl Offset {
    pub(super) fn finding(&self) -> Finding {
        let Self { offset_ms, uncertain_ms } = *self;
        let code = match offset_ms.saturating_abs().saturating_sub(uncertain_ms) {
            off if off >= OFFSET_FAULT_MS => "wrong",
            off if off >= OFFSET_WARN_MS => "off",
            _ => "right",
        };
        // The shop's view: positive when this machine is fast.
        let direction = if offset_ms < 0 { "fast" } else { "slow" };
        Finding::new("time", code)
            .with("offset_ms", offset_ms)
            .with("seconds", offset_ms.saturating_abs() / 1_000)
            .with("milliseconds", offset_ms.saturating_abs())
            .with("direction", direction)
            .with("uncertain_ms", uncertain_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_graded_by_how_wrong_it_is() {
        let code = |offset_ms, uncertain_ms| Offset { offset_ms, uncertain_ms }.finding().code;
        assert_eq!(code(-150, 40), "right");
        assert_eq!(code(5_000, 40), "off");
        assert_eq!(code(5_000, 4_000), "right");
        assert_eq!(code(-3_600_000, 40), "wrong");
    }
}
