//! One HTTPS POST of JSON, one answer: what enrolment and a change of key are made of.

use std::time::Duration;

use bytes::Bytes;
use fournil_protocol::limits::ENROL_BYTES_MAX;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::connect::{self, ConnectError};
use super::target::Target;
use super::trust::Trust;
use crate::i18n::say;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug)]
pub(super) struct Posted {
    status: StatusCode,
    retry_after: Option<String>,
    pub(super) body: Bytes,
}

impl Posted {
    pub(super) fn is_ok(&self) -> bool {
        self.status == StatusCode::OK
    }

    /// Why it is no answer to what was asked, for people.
    pub(super) fn why(&self) -> String {
        match &self.retry_after {
            Some(seconds) if self.status == StatusCode::TOO_MANY_REQUESTS => {
                say("tunnel-too-many-tries", &[("seconds", seconds)])
            }
            _ => format!("HTTP {}", self.status),
        }
    }
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{}", say("tunnel-not-a-cloud", &[("target", .target), ("why", .why)]))]
    Broken { target: String, why: String },
}

/// Dials, asks and reads the whole answer.
pub(super) async fn post(
    target: &Target,
    trust: &Trust,
    path: &str,
    body: Vec<u8>,
) -> Result<Posted, PostError> {
    let stream = connect::dial(target, trust).await?;
    let broken = |why: String| PostError::Broken { target: target.to_string(), why };
    timeout(ANSWER_TIMEOUT, exchange(target, stream, path, body))
        .await
        .map_err(|_| broken(say("tunnel-why-silent", &[])))?
        .map_err(broken)
}

async fn exchange(
    target: &Target,
    stream: TlsStream<TcpStream>,
    path: &str,
    body: Vec<u8>,
) -> Result<Posted, String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let request = Request::post(path)
        .header(header::HOST, target.authority())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let retry_after = answer.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = Limited::new(answer.into_body(), ENROL_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok(Posted { status, retry_after, body: body.to_bytes() })
    };
    // The connection ends by itself once the answer is in; its own end is no news.
    let (answer, _) = tokio::join!(exchange, connection);
    answer
}
