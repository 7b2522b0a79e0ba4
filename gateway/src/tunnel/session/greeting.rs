//! Challenge, Hello, Welcome, and what must hold between the heads before anything
//! else is said. The rules are those of the table in `docs/protocol.md`.

use std::time::Duration;

use fournil_protocol::frame::{Frame, Kind};
use fournil_protocol::hello::{Challenge, DownHead, Hello, UpHead, Welcome, signed_bytes};
use fournil_protocol::limits::{DOWN_WINDOW_BYTES, DOWN_WINDOW_COMMANDS, NONCE_BYTES};
use fournil_protocol::{Versions, close};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::{End, Sink, Stream, Terms, cut, heard, start};
use crate::journal::{AcceptError, UpError};
use crate::tunnel::log::Log;

/// For each of the cloud's two frames. A cloud under a storm may take a while.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// What both sides agreed on.
#[derive(Debug, Clone)]
pub(super) struct Agreed {
    pub(super) welcome: Welcome,
    pub(super) up: UpHead,
    /// The first command that is not on our disk.
    pub(super) next_command: u64,
}

/// Proves who we are and learns where both logs resume.
pub(super) async fn greet<S, L>(
    sink: &mut Sink<S>,
    stream: &mut Stream<S>,
    terms: &Terms<L>,
) -> Result<Agreed, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
    L: Log,
{
    let challenge = match next(stream).await? {
        Kind::Challenge(challenge) => challenge,
        other => return Err(unexpected("a challenge", &other)),
    };
    let (up, down) = terms.log.heads().await.map_err(|error| End::Journal(error.to_string()))?;
    let hello = hello(terms, &challenge, &up, down)?;
    let version = hello.version;
    start(sink, &Frame::from(Kind::Hello(hello))).await?;
    timeout(ANSWER_TIMEOUT, sink.flush())
        .await
        .map_err(|_| End::Silent)?
        .map_err(|error| cut(&error))?;
    let welcome = match next(stream).await? {
        Kind::Welcome(welcome) => welcome,
        other => return Err(unexpected("a welcome", &other)),
    };
    if welcome.version != version {
        let reason = format!("version {} was not chosen", welcome.version);
        return Err(refused(close::VERSION, reason));
    }
    let next_command = agree(&terms.log, &welcome, &up, down).await?;
    Ok(Agreed { welcome, up, next_command })
}

async fn next<S>(stream: &mut Stream<S>) -> Result<Kind, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let wait = async {
        loop {
            let frame = heard(stream.next().await)?;
            if let Some(kind) = frame.and_then(|frame| frame.kind) {
                return Ok(kind);
            }
        }
    };
    match timeout(ANSWER_TIMEOUT, wait).await.map_err(|_| End::Silent)?? {
        Kind::Goodbye(goodbye) => Err(End::Goodbye {
            code: u16::try_from(goodbye.code).unwrap_or(close::MALFORMED),
            reason: goodbye.reason,
            retry_after_ms: goodbye.retry_after_ms,
        }),
        kind => Ok(kind),
    }
}

fn hello<L: Log>(
    terms: &Terms<L>,
    challenge: &Challenge,
    up: &UpHead,
    down: DownHead,
) -> Result<Hello, End> {
    if challenge.nonce.len() != NONCE_BYTES {
        return Err(refused(close::MALFORMED, "the nonce has the wrong length".to_owned()));
    }
    let (min, max) = (challenge.version_min, challenge.version_max);
    let version = terms.versions.highest_common(Versions { min, max }).ok_or_else(|| {
        refused(close::VERSION, format!("the cloud speaks {min} to {max}, this gateway does not"))
    })?;
    // Not held over a wait: whoever replaces it would wait too.
    let identity = terms.identity.borrow().clone();
    let gateway_id = identity.enrolled.gateway_id.as_bytes();
    let signed = signed_bytes(version, &terms.server_name, &challenge.nonce, gateway_id);
    Ok(Hello {
        version,
        gateway_id: gateway_id.to_vec(),
        signature: identity.sign(&signed),
        server_name: terms.server_name.clone(),
        incarnation: terms.incarnation,
        boot_id: terms.boot_id.to_vec(),
        up: up.clone(),
        down,
        software: env!("CARGO_PKG_VERSION").to_owned(),
        wall_ms: (terms.ambient.wall_ms)(),
        down_window_commands: DOWN_WINDOW_COMMANDS,
        down_window_bytes: DOWN_WINDOW_BYTES,
    })
}

/// Checks that the logs can go on from where the cloud says, and gives the first
/// command to come.
async fn agree<L: Log>(
    log: &L,
    welcome: &Welcome,
    up: &UpHead,
    down: DownHead,
) -> Result<u64, End> {
    if welcome.up_epoch != up.epoch {
        return Err(refused(close::RESYNC, "the cloud follows another up log".to_owned()));
    }
    match log.resume_up(welcome.up_epoch, welcome.up_durable).await {
        Ok(()) => {}
        Err(UpError::Record(error)) => return Err(End::Journal(error.to_string())),
        Err(UpError::Gone { first_kept }) => {
            // The cloud went back further than anything kept here. A new log begins with
            // what there is, so that the hole is told and not papered over.
            tracing::error!(first_kept, durable = welcome.up_durable, "events are gone: new log");
            let renewed = log.renew_up_epoch(first_kept).await;
            renewed.map_err(|error| End::Journal(error.to_string()))?;
            return Err(refused(close::RESYNC, "a new up log begins here".to_owned()));
        }
        Err(UpError::Ahead { .. }) => {
            // This disk went back in time, and a person at the cloud has said that it is
            // no copy. Its numbers are used up: what it holds goes on in a new log.
            let durable = welcome.up_durable;
            tracing::error!(last = up.last, durable, "the journal went back: new log");
            let renewed = log.renew_up_epoch(up.first_kept).await;
            renewed.map_err(|error| End::Journal(error.to_string()))?;
            return Err(refused(close::RESYNC, "a new up log begins here".to_owned()));
        }
        Err(error @ UpError::Epoch { .. }) => {
            return Err(refused(close::RESYNC, error.to_string()));
        }
    }
    match log.resume_down(welcome.down_epoch, welcome.down_resume_from).await {
        Ok(()) if welcome.down_epoch == down.epoch => Ok(down.durable + 1),
        Ok(()) => Ok(welcome.down_resume_from.max(1)),
        Err(AcceptError::Record(error)) => Err(End::Journal(error.to_string())),
        Err(error @ AcceptError::Gap { .. }) => Err(refused(close::RESYNC, error.to_string())),
    }
}

fn refused(code: u16, reason: String) -> End {
    End::Refused { code, reason }
}

fn unexpected(wanted: &str, got: &Kind) -> End {
    let got = match got {
        Kind::Challenge(_) => "a challenge",
        Kind::Hello(_) => "a hello",
        Kind::Welcome(_) => "a welcome",
        Kind::Events(_) => "events",
        Kind::Commands(_) => "commands",
        Kind::Ack(_) => "an ack",
        Kind::Ping(_) => "a ping",
        Kind::Pong(_) => "a pong",
        Kind::Goodbye(_) => "a goodbye",
        Kind::Inquiry(_) => "an inquiry",
        Kind::Standing(_) => "an answer to an inquiry",
        Kind::Offer(_) | Kind::Grant(_) | Kind::Chunk(_) | Kind::Stop(_) => "a transfer",
    };
    refused(close::MALFORMED, format!("{wanted} was due and {got} came"))
}
