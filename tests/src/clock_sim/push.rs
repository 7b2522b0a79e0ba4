//! The clock as an HTTP client: it says what it is, pushes its punches, users and operations
//! to a server, asks it for commands and does them, and keeps what was not answered with OK.
//!
//! A block is sent until the server accepts it, so a lost answer means the same lines
//! again. The place reached is the clock's own, unless the server asks for all from 0.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use fournil_gateway::clock::layout::ClockTime;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};

use super::write::SimOperation;
use super::{Shared, SimPunch, SimUser, lock};

/// Lines in one transmission; real ones stay under 900 KB.
const LINES_MAX: usize = 100;
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Until the server says how long to stay away after a failure.
const ERROR_DELAY: Duration = Duration::from_secs(2);
/// Until the server says how often to ask for commands.
const DELAY: Duration = Duration::from_secs(10);
const FIRMWARE: &str = "Ver 8.0.4.7-20230615";
/// What a clock returns: an order it does not know; data the server did not take.
const UNSUPPORTED: i64 = -1_002;
const SERVER_REFUSED: i64 = -1_008;

/// What the server's options block asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Options {
    /// Begin with the oldest punch again.
    is_from_start: bool,
    /// Tell users and operations again.
    are_operations_from_start: bool,
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
            are_operations_from_start: value("OPERLOGStamp") == Some("0"),
            error_delay: seconds("ErrorDelay", ERROR_DELAY),
            delay: seconds("Delay", DELAY).max(Duration::from_secs(1)),
        }
    }
}

/// Where a clock pushes, and how.
#[derive(Debug, Clone, Default)]
pub struct PushTo {
    /// `http://host:port`
    pub url: String,
    /// The key it says in its hello.
    pub key: Option<String>,
    /// Packs its bodies with gzip, as newer firmware does.
    pub is_packing: bool,
}

/// Pushes until dropped.
pub(super) async fn push(to: PushTo, shared: Arc<Shared>) {
    let server = Server {
        client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
        url: to.url.trim_end_matches('/').to_owned(),
        serial: lock(&shared.device).serial().to_owned(),
        key: to.key,
        is_packing: to.is_packing,
    };
    let mut news = shared.news.subscribe();
    let mut pushed = Pushed::default();
    loop {
        let error = match converse(&server, &shared, &mut news, &mut pushed).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        tracing::warn!(push.url = server.url, error = %format!("{error:#}"), "nothing pushed");
        sleep(ERROR_DELAY).await;
    }
}

/// How far the clock has got, in its own count.
#[derive(Debug, Default)]
struct Pushed {
    punches: usize,
    operations: usize,
    are_users_told: bool,
}

async fn converse(
    server: &Server,
    shared: &Shared,
    news: &mut broadcast::Receiver<SimPunch>,
    pushed: &mut Pushed,
) -> anyhow::Result<std::convert::Infallible> {
    let hello = server.ask(Method::GET, "cdata", &server.hello(), "").await?;
    let options = Options::read(&hello);
    if options.is_from_start {
        pushed.punches = 0;
    }
    if options.are_operations_from_start {
        (pushed.operations, pushed.are_users_told) = (0, false);
    }
    server.ask(Method::POST, "cdata", "&table=options", &properties(shared)).await?;
    loop {
        if !pushed.are_users_told {
            tell_users(server, shared, pushed.operations).await?;
            pushed.are_users_told = true;
        }
        while let Some((block, last)) = unsent(shared, pushed.punches) {
            let query = format!("&table=ATTLOG&Stamp={last}");
            let answer = server.ask(Method::POST, "cdata", &query, &block).await?;
            if answer.starts_with("OK") {
                pushed.punches = last;
            } else {
                tracing::warn!(push.answer = answer, "the server does not take the punches");
                sleep(options.error_delay).await;
            }
        }
        if let Some((block, last)) = untold_operations(shared, pushed.operations) {
            let query = format!("&table=OPERLOG&Stamp={last}");
            if server.ask(Method::POST, "cdata", &query, &block).await?.starts_with("OK") {
                pushed.operations = last;
            }
        }
        let info = format!("&INFO={}", information(shared));
        let orders = server.ask(Method::GET, "getrequest", &info, "").await?;
        for order in orders.lines() {
            obey(server, shared, order, pushed).await?;
        }
        // A punch wakes it at once; so does having missed some.
        let _ = timeout(options.delay, news.recv()).await;
    }
}

/// Does what one line of the server's answer asks for, and says what came of it.
async fn obey(
    server: &Server,
    shared: &Shared,
    order: &str,
    pushed: &Pushed,
) -> anyhow::Result<()> {
    let Some((id, what)) = order.strip_prefix("C:").and_then(|rest| rest.split_once(':')) else {
        return Ok(());
    };
    let result = if let Some(range) = what.strip_prefix("DATA QUERY ATTLOG ") {
        resend(server, shared, range, pushed.punches).await?
    } else if what.starts_with("DATA QUERY USERINFO") {
        tell_users(server, shared, pushed.operations).await?
    } else if what == "INFO" {
        0
    } else {
        tracing::warn!(push.order = order, "an order the clock does not know");
        UNSUPPORTED
    };
    let word = what.split(' ').next().unwrap_or_default();
    let told = format!("ID={id}&Return={result}&CMD={word}");
    server.ask(Method::POST, "devicecmd", "", &told).await?;
    Ok(())
}

/// Sends the punches of `StartTime=..\tEndTime=..` once more; how many there were.
async fn resend(
    server: &Server,
    shared: &Shared,
    range: &str,
    pushed: usize,
) -> anyhow::Result<i64> {
    let bound = |wanted: &str| {
        let mut parts = range.split('\t').filter_map(|part| part.split_once('='));
        parts.find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned())
    };
    let (Some(from), Some(to)) = (bound("StartTime"), bound("EndTime")) else { return Ok(-1) };
    let lines: Vec<String> = {
        let device = lock(&shared.device);
        let lines = device.store.punches.iter().map(line);
        let is_within = |line: &String| {
            line.split('\t').nth(1).is_some_and(|time| from.as_str() <= time && time <= to.as_str())
        };
        lines.filter(is_within).collect()
    };
    for block in lines.chunks(LINES_MAX) {
        let query = format!("&table=ATTLOG&Stamp={pushed}");
        let answer = server.ask(Method::POST, "cdata", &query, &block.concat()).await?;
        if !answer.starts_with("OK") {
            return Ok(SERVER_REFUSED);
        }
    }
    Ok(i64::try_from(lines.len()).unwrap_or(i64::MAX))
}

/// Tells every user as the operation log does; 0, or what a clock says when it could not.
async fn tell_users(server: &Server, shared: &Shared, mark: usize) -> anyhow::Result<i64> {
    let mut block = String::new();
    for user in &lock(&shared.device).store.users {
        let SimUser { user_id, name, privilege, card, .. } = user;
        // Writing to a text cannot fail.
        let _ = writeln!(
            block,
            "USER PIN={user_id}\tName={name}\tPri={privilege}\tPasswd=\tCard={card}\tGrp=1\t\
             TZ=0000000100000000\tVerify=0\tViceCard="
        );
    }
    let query = format!("&table=OPERLOG&Stamp={mark}");
    let answer = server.ask(Method::POST, "cdata", &query, &block).await?;
    Ok(if answer.starts_with("OK") { 0 } else { SERVER_REFUSED })
}

/// What a clock tells of itself when it has said hello.
fn properties(shared: &Shared) -> String {
    let device = lock(&shared.device);
    let (users, punches) = (device.store.users.len(), device.store.punches.len());
    format!(
        "~DeviceName=FOURNIL-SIM,~Platform=ZMM220_TFT,FirmVer={FIRMWARE},UserCount={users},\
         TransactionCount={punches}"
    )
}

/// Firmware, users, fingerprints, punches, address, and what else a clock appends.
fn information(shared: &Shared) -> String {
    let device = lock(&shared.device);
    let (users, punches) = (device.store.users.len(), device.store.punches.len());
    format!("{FIRMWARE},{users},0,{punches},127.0.0.1,10,7,0,101").replace(' ', "%20")
}

fn line(punch: &SimPunch) -> String {
    let time = punch.local_time().replace('T', " ");
    format!("{}\t{time}\t{}\t{}\t\t0\t0\n", punch.user_id, punch.state, punch.verify)
}

/// The operations that were not told, as lines, and how many there are in all.
fn untold_operations(shared: &Shared, told: usize) -> Option<(String, usize)> {
    let device = lock(&shared.device);
    let new = device.store.operations.get(told..)?;
    let mut block = String::new();
    for SimOperation { operation, encoded_time, parameters } in new {
        let time = ClockTime::decode(*encoded_time).to_string().replace('T', " ");
        let _ = write!(block, "OPLOG {operation}\t0\t{time}");
        for parameter in parameters {
            let _ = write!(block, "\t{parameter}");
        }
        block.push('\n');
    }
    (!block.is_empty()).then(|| (block, told + new.len()))
}

/// The next lines, and how many punches are pushed once they are accepted.
fn unsent(shared: &Shared, pushed: usize) -> Option<(String, usize)> {
    let device = lock(&shared.device);
    let punches = device.store.punches.get(pushed..)?;
    let block: String = punches.iter().take(LINES_MAX).map(line).collect();
    (!block.is_empty()).then(|| (block, pushed + punches.len().min(LINES_MAX)))
}

struct Server {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    serial: String,
    key: Option<String>,
    /// Packs its bodies, as newer firmware does.
    is_packing: bool,
}

impl Server {
    fn hello(&self) -> String {
        let key = self.key.as_ref().map(|key| format!("&pushcommkey={key}")).unwrap_or_default();
        format!("&options=all&pushver=2.4.1&DeviceType=att&language=69{key}")
    }

    fn packed(&self, body: &str) -> anyhow::Result<Bytes> {
        if !self.is_packing || body.is_empty() {
            return Ok(Bytes::from(body.to_owned()));
        }
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(body.as_bytes())?;
        Ok(packer.finish()?.into())
    }

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
            .body(Full::new(self.packed(body)?))
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
