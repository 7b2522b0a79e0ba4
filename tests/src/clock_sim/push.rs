//! The clock as an HTTP client: it pushes its punches to a server, asks it for commands,
//! and keeps what was not answered with OK.
//!
//! A block is sent until the server accepts it, so a lost answer means the same lines
//! again. The place reached is the clock's own, unless the server asks for all from 0.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};

use super::{Shared, SimPunch, lock};

/// Lines in one transmission; real ones stay under 900 KB.
const LINES_MAX: usize = 100;
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Until the server says how long to stay away after a failure.
const ERROR_DELAY: Duration = Duration::from_secs(2);
/// Until the server says how often to ask for commands.
const DELAY: Duration = Duration::from_secs(10);

/// What the server's options block asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Options {
    /// Begin with the oldest punch again.
    is_from_start: bool,
    error_delay: Duration,
    delay: Duration,
}

impl Options {
    fn read(block: &str) -> Self {
        let value = |wanted: &str| {
            let pairs = block.lines().filter_map(|line| line.trim().split_once('='));
            pairs.filter(|(key, _)| *key == wanted).map(|(_, value)| value.trim()).next()
        };
        let seconds = |key: &str, unless: Duration| {
            value(key).and_then(|text| text.parse().ok()).map_or(unless, Duration::from_secs)
        };
        let stamp = value("ATTLOGStamp").or_else(|| value("Stamp"));
        Self {
            is_from_start: stamp == Some("0"),
            error_delay: seconds("ErrorDelay", ERROR_DELAY),
            delay: seconds("Delay", DELAY).max(Duration::from_secs(1)),
        }
    }
}

/// Pushes to `url` (`http://host:port`) until dropped.
pub(super) async fn push(url: String, shared: Arc<Shared>) {
    let server = Server {
        client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
        url: url.trim_end_matches('/').to_owned(),
        serial: lock(&shared.device).serial().to_owned(),
    };
    let mut news = shared.news.subscribe();
    let mut pushed = 0;
    loop {
        let error = match converse(&server, &shared, &mut news, &mut pushed).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        tracing::warn!(push.url = server.url, error = %format!("{error:#}"), "nothing pushed");
        sleep(ERROR_DELAY).await;
    }
}

async fn converse(
    server: &Server,
    shared: &Shared,
    news: &mut broadcast::Receiver<SimPunch>,
    pushed: &mut usize,
) -> anyhow::Result<std::convert::Infallible> {
    let hello = server.ask(Method::GET, "cdata", "&options=all&pushver=2.4.1", "").await?;
    let options = Options::read(&hello);
    if options.is_from_start {
        *pushed = 0;
    }
    loop {
        while let Some((block, last)) = unsent(shared, *pushed) {
            let query = format!("&table=ATTLOG&Stamp={last}");
            let answer = server.ask(Method::POST, "cdata", &query, &block).await?;
            if answer.starts_with("OK") {
                *pushed = last;
            } else {
                tracing::warn!(push.answer = answer, "the server does not take the punches");
                sleep(options.error_delay).await;
            }
        }
        server.ask(Method::GET, "getrequest", "", "").await?;
        // A punch wakes it at once; so does having missed some.
        let _ = timeout(options.delay, news.recv()).await;
    }
}

/// The next lines, and how many punches are pushed once they are accepted.
fn unsent(shared: &Shared, pushed: usize) -> Option<(String, usize)> {
    let device = lock(&shared.device);
    let punches = device.store.punches.get(pushed..)?;
    let mut block = String::new();
    for punch in punches.iter().take(LINES_MAX) {
        let time = punch.local_time().replace('T', " ");
        // Writing to a text cannot fail.
        let _ =
            writeln!(block, "{}\t{time}\t{}\t{}\t\t0\t0", punch.user_id, punch.state, punch.verify);
    }
    (!block.is_empty()).then(|| (block, pushed + punches.len().min(LINES_MAX)))
}

struct Server {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    serial: String,
}

impl Server {
    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &str,
        body: &str,
    ) -> anyhow::Result<String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/iclock/{path}?SN={}{query}", self.url, self.serial))
            .header("user-agent", "iClock Proxy/1.09")
            .header("content-type", "text/plain")
            .body(Full::new(Bytes::from(body.to_owned())))
            .context("the address to push to cannot be used: write http://HOST:PORT")?;
        let answer = timeout(ANSWER_TIMEOUT, self.client.request(request));
        let answer = answer.await.context("the server does not answer")??;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
        let body = timeout(ANSWER_TIMEOUT, body).await.context("the answer does not end")?;
        let body = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
        if !status.is_success() {
            bail!("the server answers {status}");
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_options_are_read_and_the_rest_is_as_usual() {
        let block = "GET OPTION FROM: SIM1\r\nATTLOGStamp=0\r\nErrorDelay=60\r\nDelay=0\r\n";
        let read = Options::read(block);
        assert!(read.is_from_start);
        assert_eq!((read.error_delay.as_secs(), read.delay.as_secs()), (60, 1));
        let silent = Options::read("OK");
        assert_eq!((silent.is_from_start, silent.delay), (false, DELAY));
        assert!(!Options::read("Stamp=9999").is_from_start);
    }
}
