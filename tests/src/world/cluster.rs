//! A PostgreSQL cluster of a test's own, durable as in a shop, that can be killed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

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

    /// SIGKILL to the server and all its children, as a power cut would.
    pub fn kill(&self) -> anyhow::Result<()> {
        let pid_file = self.dir.join("data/postmaster.pid");
        let text = std::fs::read_to_string(&pid_file).context("is the server running?")?;
        let pid = text.lines().next().context("a pid file has a first line")?;
        // The server first, so that it has no time to tell its children to stop in order.
        let script = format!("children=$(pgrep -P {pid}); kill -KILL {pid} $children");
        let killed = Command::new("bash").arg("-c").arg(script).output()?;
        // A child may have ended by itself in between; the server must not live.
        if !killed.status.success() && std::path::Path::new(&format!("/proc/{pid}")).exists() {
            bail!("the server {pid} would not die: {}", String::from_utf8_lossy(&killed.stderr));
        }
        Ok(())
    }

    /// Starts it again on the same port.
    pub fn restart(&self) -> anyhow::Result<()> {
        script("start", &self.dir).map(|_| ())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A test that ends early must not leave a server behind.
        let _ = script("wipe", &self.dir);
    }
}

fn script(action: &str, dir: &std::path::Path) -> anyhow::Result<String> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/setup/postgres.sh");
    let output = Command::new("bash").arg(script).arg(action).arg(dir).output()?;
    if !output.status.success() {
        bail!("postgres.sh {action}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
