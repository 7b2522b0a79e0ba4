//! A real process of the product: started, watched through its log, killed without
//! warning, started again.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// Lines of log kept for the message of a failed test.
const LINES_MAX: usize = 2_000;

/// How to start the process.
#[derive(Debug, Clone)]
pub struct Spec {
    pub name: &'static str,
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
}

/// A running process and what it has said.
#[derive(Debug)]
pub struct Daemon {
    spec: Spec,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    said: watch::Receiver<usize>,
}

/// A binary of this workspace, built before the tests run.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe().context("where am I")?;
    let profile = test.parent().and_then(Path::parent).context("target folder")?;
    let path = profile.join(name);
    if !path.exists() {
        bail!("{} is not built: run `cargo build --bins` or `make test`", path.display());
    }
    Ok(path)
}

/// `fournil-sim` with these arguments, parted by spaces.
pub fn simulator(args: &str) -> anyhow::Result<Daemon> {
    Daemon::start(Spec {
        name: "fournil-sim",
        program: binary("fournil-sim")?,
        args: args.split(' ').map(str::to_owned).collect(),
        env: Vec::new(),
    })
}

impl Daemon {
    /// Starts the process; its log goes to memory.
    pub fn start(spec: Spec) -> anyhow::Result<Self> {
        let mut child = Command::new(&spec.program)
            .args(&spec.args)
            .envs(spec.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", spec.program.display()))?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (saying, said) = watch::channel(0);
        let saying = Arc::new(saying);
        if let Some(out) = child.stdout.take() {
            collect(out, Arc::clone(&lines), Arc::clone(&saying));
        }
        if let Some(err) = child.stderr.take() {
            collect(err, Arc::clone(&lines), saying);
        }
        Ok(Self { spec, child, lines, said })
    }

    /// Waits until a line holds `text`; the error carries the end of the log.
    pub async fn wait_for_line(&mut self, text: &str, within: Duration) -> anyhow::Result<String> {
        let wait = async {
            loop {
                if let Some(line) = self.find_line(text) {
                    return Ok(line);
                }
                if self.said.changed().await.is_err() {
                    // Both ends of the log closed: the process is gone.
                    return self.find_line(text).context("the process ended");
                }
            }
        };
        let found = tokio::time::timeout(within, wait).await;
        match found {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(_)) | Err(_) => {
                bail!("{} never said '{text}'; its log ends:\n{}", self.spec.name, self.log_tail())
            }
        }
    }

    fn find_line(&self, text: &str) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.iter().find(|line| line.contains(text)).cloned()
    }

    /// The last lines it said.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let from = lines.len().saturating_sub(60);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    /// SIGKILL, as a power cut would.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot kill")
    }

    /// SIGTERM, and the exit status.
    pub async fn stop(&mut self, within: Duration) -> anyhow::Result<std::process::ExitStatus> {
        if self.child.id().is_some() {
            self.signal(rustix::process::Signal::TERM)?;
        }
        self.wait(within).await
    }

    /// Waits for the process to end by itself.
    pub async fn wait(&mut self, within: Duration) -> anyhow::Result<std::process::ExitStatus> {
        tokio::time::timeout(within, self.child.wait())
            .await
            .with_context(|| format!("{} did not end in {within:?}", self.spec.name))?
            .context("cannot wait")
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// SIGSTOP: it holds everything and does nothing, as on a machine that swaps.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(rustix::process::Signal::STOP)
    }

    /// SIGCONT.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(rustix::process::Signal::CONT)
    }

    fn signal(&self, signal: rustix::process::Signal) -> anyhow::Result<()> {
        let pid = self.child.id().context("it runs")?;
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).context("a process id")?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// What it holds: resident memory in bytes, open files.
    pub fn holds(&self) -> anyhow::Result<(u64, usize)> {
        let pid = self.child.id().context("it runs")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok((kib * 1024, std::fs::read_dir(format!("/proc/{pid}/fd"))?.count()))
    }

    /// Starts the same process again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        *self = Self::start(self.spec.clone())?;
        Ok(())
    }
}

fn collect<R>(stream: R, lines: Arc<Mutex<Vec<String>>>, saying: Arc<watch::Sender<usize>>)
where
    R: tokio::io::AsyncRead + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            let mut kept = lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if kept.len() == LINES_MAX {
                kept.remove(0);
            }
            kept.push(line);
            saying.send_modify(|count| *count += 1);
        }
    });
}
