//! The local picture of the daemon: one JSON object for whoever connects to
//! `STATE/status.sock`. The folder is 0700, so only its owner and root get there.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fournil_protocol::event::{DeviceHealth, DeviceKind, DeviceState};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::devices::Roster;
use super::health::resident_bytes;
use crate::journal::Journal;
use crate::tunnel::identity::{Enrolled, Identity};
use crate::tunnel::state::{Phase, TunnelState};

/// For a reader that does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// A disk that hangs holds the journal, not the answer about it.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(2);
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// More is not a status.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// What `fournil-gateway status` shows. The journal's part is passed on as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub software: String,
    pub pid: u32,
    pub uptime_s: u64,
    pub resident_bytes: u64,
    pub gateway: GatewayName,
    pub tunnel: TunnelState,
    /// `null` while the journal cannot answer; `journal_error` says why.
    pub journal: serde_json::Value,
    #[serde(default)]
    pub journal_error: Option<String>,
    pub devices: Vec<DeviceStatus>,
}

/// Who this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayName {
    pub id: String,
    pub name: String,
    pub company: String,
    pub fingerprint: String,
}

impl From<&Identity> for GatewayName {
    fn from(identity: &Identity) -> Self {
        let Enrolled { gateway_id, name, company, .. } = &identity.enrolled;
        Self {
            id: gateway_id.to_string(),
            name: name.clone(),
            company: company.clone(),
            fingerprint: identity.fingerprint(),
        }
    }
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceStatus {
    pub name: String,
    /// `clock`, `printer`.
    pub kind: String,
    /// `ok`, `warning`, `down`, `unknown`.
    pub state: String,
    pub code: String,
    pub detail: String,
    pub serial: String,
    pub drift_ms: Option<i64>,
    pub records: u32,
    pub records_capacity: u32,
}

/// Answers whoever connects.
#[derive(Debug, Clone)]
pub(super) struct StatusServer {
    pub(super) path: PathBuf,
    pub(super) journal: Journal,
    pub(super) identity: watch::Receiver<Arc<Identity>>,
    pub(super) tunnel: watch::Receiver<TunnelState>,
    pub(super) devices: watch::Receiver<Roster>,
    pub(super) began: Instant,
}

/// The socket of a state folder.
pub fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("status.sock")
}

impl StatusServer {
    /// Serves until told to stop, one reader at a time.
    pub(super) async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        // The journal's lock says that no other daemon runs here, so a socket that is
        // left is a dead one.
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let listener = UnixListener::bind(&self.path)?;
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(0o600))?;
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted?.0,
            };
            if let Err(error) = self.answer(stream).await {
                tracing::debug!(%error, "status was not read");
            }
        }
        std::fs::remove_file(&self.path)?;
        Ok(())
    }

    async fn answer(&self, mut stream: UnixStream) -> anyhow::Result<()> {
        let status = self.status().await;
        let mut json = serde_json::to_vec(&status)?;
        json.push(b'\n');
        timeout(WRITE_TIMEOUT, stream.write_all(&json)).await??;
        Ok(())
    }

    /// Answers also while the journal does not: that is when somebody asks.
    pub(super) async fn status(&self) -> Status {
        let stat = timeout(JOURNAL_TIMEOUT, self.journal.stat()).await;
        let (journal, journal_error) = match stat {
            Ok(Ok(stat)) => match serde_json::to_value(stat) {
                Ok(journal) => (journal, None),
                Err(error) => (serde_json::Value::Null, Some(error.to_string())),
            },
            Ok(Err(error)) => (serde_json::Value::Null, Some(error.to_string())),
            Err(_) => (serde_json::Value::Null, Some("no answer from the disk".to_owned())),
        };
        Status {
            software: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: self.began.elapsed().as_secs(),
            resident_bytes: resident_bytes().unwrap_or(0),
            gateway: GatewayName::from(&**self.identity.borrow()),
            tunnel: self.tunnel.borrow().clone(),
            journal,
            journal_error,
            devices: self.devices.borrow().iter().map(|one| device_status(&one.borrow())).collect(),
        }
    }
}

/// One line for `systemctl status`.
pub(super) fn line(tunnel: watch::Receiver<TunnelState>) -> impl Fn() -> String + Send + 'static {
    move || {
        let tunnel = tunnel.borrow();
        match tunnel.phase {
            Phase::Connected => format!("relié à {}", tunnel.server),
            Phase::Connecting => format!("appelle {}", tunnel.server),
            Phase::Waiting => {
                let fault = tunnel.last_fault.as_deref().unwrap_or("cause inconnue");
                format!("sans cloud ({fault}) ; les pointages sont gardés")
            }
        }
    }
}

fn device_status(health: &DeviceHealth) -> DeviceStatus {
    let kind = match health.kind() {
        DeviceKind::Clock => "clock",
        DeviceKind::Printer => "printer",
        DeviceKind::Unknown => "unknown",
    };
    let state = match health.state() {
        DeviceState::Ok => "ok",
        DeviceState::Warning => "warning",
        DeviceState::Down => "down",
        DeviceState::Unknown => "unknown",
    };
    DeviceStatus {
        name: health.device.clone(),
        kind: kind.to_owned(),
        state: state.to_owned(),
        code: health.code.clone(),
        detail: health.detail.clone(),
        serial: health.serial.clone(),
        drift_ms: health.drift_ms,
        records: health.records,
        records_capacity: health.records_capacity,
    }
}

/// Asks the daemon of a state folder.
pub async fn ask(state_dir: &Path) -> io::Result<Status> {
    let read = async {
        let stream = UnixStream::connect(socket_path(state_dir)).await?;
        let mut json = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut json).await?;
        serde_json::from_slice(&json).map_err(io::Error::other)
    };
    timeout(READ_TIMEOUT, read).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
