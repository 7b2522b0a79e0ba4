//! The way to the cloud, step by step, so that the first one that fails is named: name,
//! TCP, TLS, tunnel, and the time the cloud shows in its challenge.

use std::time::Duration;

use fournil_protocol::common_version;
use fournil_protocol::frame::{Frame, Kind};
use fournil_protocol::hello::Challenge;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::Finding;
use crate::app;
use crate::config::Config;
use crate::tunnel::ambient::Ambient;
use crate::tunnel::connect::{self, Socket};
use crate::tunnel::identity::Identity;

const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(10);
/// A difference that is worth a word, and one that is a fault, milliseconds.
const OFFSET_WARN_MS: i64 = 2_000;
const OFFSET_FAULT_MS: i64 = 60_000;

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Without an identity the configuration may still say where the cloud is.
    let Ok(identity) = Identity::load_with(&config.state_dir, config.credential.as_deref()) else {
        findings.push(Finding::warning("cloud", "non vérifié : la passerelle n'est pas enrôlée"));
        return findings;
    };
    match app::cloud(config, &identity) {
        Ok((target, trust)) => {
            if let Err(failed) = steps(&target, &trust, &mut findings).await {
                findings.push(failed);
            }
        }
        Err(error) => findings.push(Finding::fault("cloud", error.to_string())),
    }
    findings
}

async fn steps(
    target: &crate::tunnel::target::Target,
    trust: &crate::tunnel::trust::Trust,
    findings: &mut Vec<Finding>,
) -> Result<(), Finding> {
    let addresses = connect::resolve(target).await.map_err(|e| fault("nom", &e))?;
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    findings.push(Finding::ok("nom", format!("{} : {}", target.host, shown.join(", "))));
    let stream = connect::reach(target, &addresses).await.map_err(|e| fault("réseau", &e))?;
    findings.push(Finding::ok("réseau", format!("{target} répond")));
    let stream = connect::secure(target, trust, stream).await.map_err(|e| fault("tls", &e))?;
    let who = match &trust.ca_file {
        Some(_) => "par l'autorité du cloud",
        None => "par une autorité publique",
    };
    findings
        .push(Finding::ok("tls", format!("certificat au nom de {}, vérifié {who}", target.host)));
    let began = Instant::now();
    let mut socket = connect::upgrade(target, stream).await.map_err(|e| fault("tunnel", &e))?;
    let challenge = challenge(&mut socket).await?;
    let elapsed_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let (min, max) = (challenge.version_min, challenge.version_max);
    findings.push(match common_version(min, max) {
        Some(version) => Finding::ok("tunnel", format!("protocole {version}")),
        None => Finding::fault(
            "tunnel",
            format!("le cloud parle les versions {min} à {max} : mettez la passerelle à jour"),
        ),
    });
    let now_ms = (Ambient::system().wall_ms)();
    findings.push(time(challenge.server_time_ms.saturating_sub(now_ms), elapsed_ms));
    Ok(())
}

/// The first frame. No Hello follows: a look is not a session.
async fn challenge(socket: &mut Socket) -> Result<Challenge, Finding> {
    let wrong = |why: &str| {
        Finding::fault(
            "tunnel",
            format!("le cloud ne commence pas comme prévu ({why}) : mettez-le à jour"),
        )
    };
    let message = timeout(CHALLENGE_TIMEOUT, socket.next()).await;
    let Ok(Some(Ok(Message::Binary(bytes)))) = message else {
        return Err(wrong("pas de réponse"));
    };
    match Frame::decode_bytes(&bytes).map(|frame| frame.kind) {
        Ok(Some(Kind::Challenge(challenge))) => Ok(challenge),
        _ => Err(wrong("autre chose qu'un défi")),
    }
}

fn time(offset_ms: i64, uncertain_ms: i64) -> Finding {
    let text = format!("écart avec le cloud {offset_ms:+} ms (à {uncertain_ms} ms près)");
    match offset_ms.saturating_abs().saturating_sub(uncertain_ms) {
        off if off >= OFFSET_FAULT_MS => {
            Finding::fault("heure", format!("{text} : remettez cette machine à l'heure"))
        }
        off if off >= OFFSET_WARN_MS => {
            Finding::warning("heure", format!("{text} : activez la mise à l'heure (NTP)"))
        }
        _ => Finding::ok("heure", text),
    }
}

fn fault(check: &str, error: &connect::ConnectError) -> Finding {
    Finding::fault(check, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn a_wrong_clock_is_graded_by_how_wrong_it_is() {
        assert_eq!(time(-150, 40).verdict, Verdict::Ok);
        assert_eq!(time(5_000, 40).verdict, Verdict::Warning);
        assert_eq!(time(5_000, 4_000).verdict, Verdict::Ok);
        assert_eq!(time(-3_600_000, 40).verdict, Verdict::Fault);
    }
}
