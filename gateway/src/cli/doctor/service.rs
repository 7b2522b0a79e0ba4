//! The running daemon, asked through its socket. What it says of journal and devices is
//! better than what could be seen from outside.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::time::timeout;

use super::finding::Finding;
use crate::app::status::{self, Status};
use crate::config::Config;
use crate::tunnel::state::Phase;

const CHECK: &str = "service";
const ASK_TIMEOUT: Duration = Duration::from_secs(4);

pub(super) async fn ask(config: &Config) -> io::Result<Status> {
    let asked = timeout(ASK_TIMEOUT, status::ask(&config.state_dir)).await;
    asked.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

pub(super) fn told(status: &io::Result<Status>) -> Finding {
    match status {
        Ok(status) => {
            let is_connected = status.tunnel.phase == Phase::Connected;
            let code = if is_connected { "running" } else { "running-offline" };
            let finding = Finding::new(CHECK, code)
                .with("minutes", status.uptime_s / 60)
                .with("software", &status.software);
            let fault = status.tunnel.last_fault.as_deref().unwrap_or("…");
            if is_connected { finding } else { finding.with("fault", fault) }
        }
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            Finding::new(CHECK, "stopped")
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Finding::skipped(CHECK, "permissions")
        }
        Err(error) => Finding::new(CHECK, "silent").with("why", error),
    }
}
