//! A PostgreSQL cluster of a test's own, durable as in a shop, that can be killed.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::{sleep, timeout};

const DEATH_MAX: Duration = Duration::from_secs(30);

/// The cluster. Dropped, it is wiped.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    /// URL of its `postgres` database.
    pub url: String,
}

impl Cluster {
    /// Makes and starts a cluster with full durability.
    pub fn start(name: &str) -> anyhow::Result<Self> {
        let dir =
            PathBuf::from("/var/tmp").join(format!("fournil-{name}-{}", uuid::Uuid::new_v4()));
        let url = script("start", &dir)?;
        Ok(Self { dir, url })
    }

    /// SIGKILL to the server and all its children, as a power cut would. Returns when none
    /// of them runs any more.
    pub async fn kill(&self) -> anyhow::Result<()> {
        let pid_file = self.dir.join("data/postmaster.pid");
        let text = std::fs::read_to_string(&pid_file).context("is the server running?")?;
        let pid = text.lines().next().context("a pid file has a first line")?;
        // The server first, so that it has no time to tell its children to stop in order.
        let script =
            format!("children=$(pgrep -P {pid}); kill -KILL {pid} $children; echo $children");
        let killed = tokio::process::Command::new("bash").arg("-c").arg(script).output().await?;
        let children = String::from_utf8_lossy(&killed.stdout).into_owned();
        let all = std::iter::once(pid).chain(children.split_whitespace());
        let gone = async {
            for pid in all {
                while is_running(pid) {
                    sleep(Duration::from_millis(5)).await;
                }
            }
        };
        timeout(DEATH_MAX, gone)
            .await
            .with_context(|| format!("the server {pid} would not die"))?;
        // Until somebody fetches their status the dead still have a process id, and
        // pg_ctl would take the server for a running one.
        std::fs::remove_file(&pid_file).context("cannot remove the dead server's pid file")
    }

    /// Starts it again on the same port, while everybody else goes on.
    pub async fn restart(&self) -> anyhow::Result<()> {
        let dir = self.dir.clone();
        tokio::task::spawn_blocking(move || script("start", &dir)).await?.map(drop)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A test that ends early must not leave a server behind.
        let _ = script("wipe", &self.dir);
    }
}

/// False for a process that is gone or only waits for its status to be fetched.
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.starts_with(" Z"))
}

fn script(action: &str, dir: &std::path::Path) -> anyhow::Result<String> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/setup/postgres.sh");
    let output = Command::new("bash").arg(script).arg(action).arg(dir).output()?;
    if !output.status.success() {
        bail!("postgres.sh {action}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
