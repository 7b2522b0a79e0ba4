//! A simulated receipt printer: a strict ESC/POS parser, paper that takes time, a
//! voice, and the faults real ones have. `fournil-sim printer` and the end-to-end
//! tests use the same code.
//!
//! [`parser`] reads commands, [`press`] puts them on paper; the state is shared by the
//! line (TCP or pseudo-terminal), the mechanism and the page of switches.

mod line;
mod mechanism;
mod page;
pub mod parser;
pub mod press;
mod receive;
mod state;
mod store;
mod usb;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use mechanism::Mechanism;
use state::Shared;
pub use state::{Kick, Receipt, Switches};

/// Arguments of `fournil-sim printer`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: fournil-sim printer --tcp 127.0.0.1:9100 --http 127.0.0.1:8081 --out receipts"
)]
pub struct Args {
    /// Listen here, as a network printer does on port 9100.
    #[arg(long, value_name = "ADDR", required_unless_present_any = ["pty", "usb"])]
    pub tcp: Option<SocketAddr>,
    /// Make a pseudo-terminal and link it here, as a serial printer.
    #[arg(long, value_name = "PATH", conflicts_with = "tcp")]
    pub pty: Option<PathBuf>,
    /// Plug into this machine's kernel as a USB printer (root, and the module vhci_hcd).
    #[arg(long, conflicts_with_all = ["tcp", "pty"])]
    pub usb: bool,
    /// Show receipts and switches on this address.
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Keep receipts in this folder (PNG, text, facts).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Printable width: 384 (58 mm), 504 (42 columns), 576 (80 mm).
    #[arg(long, default_value_t = 576)]
    pub width_dots: u32,
    /// Speed of the paper; 0 prints in no time.
    #[arg(long, default_value_t = 150)]
    pub speed_mm_s: u32,
    /// Receive buffer.
    #[arg(long, default_value_t = 4096)]
    pub buffer_bytes: usize,
    /// Start with a fault; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub fault: Vec<Fault>,
    /// Say where it listens as one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// What can be wrong with a printer from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    PaperOut,
    PaperLow,
    CoverOpen,
    CutterJammed,
    /// Answers nothing.
    Mute,
    /// Does not know GS ( H.
    NoTags,
    /// Takes no bytes.
    Stalled,
    /// Starts in Chinese mode, as cheap clones do.
    Gbk,
}

impl Args {
    /// A network printer on a free port of this machine, instant, with no page.
    #[must_use]
    pub fn for_tests() -> Self {
        Self {
            tcp: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            pty: None,
            usb: false,
            http: None,
            out: None,
            width_dots: 384,
            speed_mm_s: 0,
            buffer_bytes: 4096,
            fault: Vec::new(),
            json: false,
        }
    }

    fn switches(&self) -> Switches {
        let has = |fault| self.fault.contains(&fault);
        Switches {
            paper: !has(Fault::PaperOut),
            paper_low: has(Fault::PaperLow),
            cover_open: has(Fault::CoverOpen),
            cutter_jammed: has(Fault::CutterJammed),
            mute: has(Fault::Mute),
            tags: !has(Fault::NoTags),
            stalled: has(Fault::Stalled),
            ..Switches::default()
        }
    }
}

/// Runs until Ctrl-C or SIGTERM.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let (pty, is_json) = (args.pty.clone(), args.json);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let sim = PrinterSim::start(args).await?;
    announce(&sim, pty.as_deref(), is_json)?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for Ctrl-C")?,
        _ = terminate.recv() => {}
    }
    sim.stop().await;
    Ok(())
}

fn announce(sim: &PrinterSim, pty: Option<&Path>, is_json: bool) -> anyhow::Result<()> {
    let (addr, http) = (sim.address(), sim.page_address());
    let line = if is_json {
        serde_json::json!({ "addr": addr, "pty": pty, "http": http }).to_string()
    } else {
        let place = addr.map(|addr| addr.to_string());
        let place = place.or_else(|| pty.map(|pty| pty.display().to_string()));
        let place = place.unwrap_or_else(|| "USB 1209:0002".to_owned());
        let page = http.map_or_else(String::new, |http| format!(", page http://{http}/"));
        format!("imprimante simulée sur {place}{page}")
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to standard output")
}

/// A running printer and its switches.
#[derive(Debug)]
pub struct PrinterSim {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
    address: Option<SocketAddr>,
    page: Option<SocketAddr>,
    /// One host at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl PrinterSim {
    /// A printer without a cable: hosts come by [`PrinterSim::plug`].
    #[must_use]
    pub fn unplugged(args: Args) -> Self {
        let shared = Arc::new(Shared::new(args.switches(), args.buffer_bytes));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Mechanism::new(shared.clone(), args, stop.clone()).run());
        Self { shared, stop, tasks, address: None, page: None, turn: Arc::default() }
    }

    /// Connects a host; it waits for the one before to leave.
    pub fn plug(&self, line: tokio::io::DuplexStream) {
        let (shared, stop) = (self.shared.clone(), self.stop.clone());
        self.tasks.spawn(line::host(shared, line, self.turn.clone(), stop));
    }

    /// Starts a printer; it is reachable when this returns.
    pub async fn start(args: Args) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::new(args.switches(), args.buffer_bytes));
        if let Some(folder) = &args.out {
            let (receipts, kicks) = store::load(folder)
                .with_context(|| format!("cannot use the folder {}", folder.display()))?;
            let mut inner = shared.lock();
            (inner.receipts, inner.kicks) = (receipts, kicks);
        }
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let address = cable(&args, &shared, &stop, &tasks).await?;
        let page = match args.http {
            Some(at) => {
                let listener = listen(at).await?;
                let page = listener.local_addr()?;
                tasks.spawn(page::serve(shared.clone(), listener, stop.clone()));
                Some(page)
            }
            None => None,
        };
        tasks.spawn(Mechanism::new(shared.clone(), args, stop.clone()).run());
        tasks.close();
        Ok(Self { shared, stop, tasks, address, page, turn: Arc::default() })
    }

    /// Where a network printer listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Where the page is.
    #[must_use]
    pub fn page_address(&self) -> Option<SocketAddr> {
        self.page
    }

    /// Changes switches while the printer runs.
    pub fn switch(&self, change: impl FnOnce(&mut Switches)) {
        self.shared.switch(change);
    }

    /// The switches as they are.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.shared.lock().switches.clone()
    }

    /// Everything printed and cut, oldest first.
    #[must_use]
    pub fn receipts(&self) -> Vec<Receipt> {
        self.shared.lock().receipts.clone()
    }

    /// Every pulse to the drawer.
    #[must_use]
    pub fn kicks(&self) -> Vec<Kick> {
        self.shared.lock().kicks.clone()
    }

    /// The time that receipts and pulses carry.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.shared.lock().now_ms()
    }

    /// Everything the parser did not understand.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        self.shared.lock().receipts.iter().flat_map(|receipt| receipt.errors.clone()).collect()
    }

    /// Bytes that came down the cable.
    #[must_use]
    pub fn received_bytes(&self) -> usize {
        self.shared.lock().received_bytes
    }

    /// Waits until something is true of this printer; `false` when it did not become so.
    pub async fn until(&self, within: Duration, enough: impl Fn(&Self) -> bool) -> bool {
        let mut watch = self.shared.watch();
        let waited = tokio::time::timeout(within, async {
            while !enough(self) {
                if watch.changed().await.is_err() {
                    break;
                }
            }
        });
        waited.await.is_ok() || enough(self)
    }

    /// Takes the printer away; returns when nothing of it runs any more.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for PrinterSim {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn cable(
    args: &Args,
    shared: &Arc<Shared>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> anyhow::Result<Option<SocketAddr>> {
    if let Some(at) = args.tcp {
        let listener = listen(at).await?;
        let address = listener.local_addr()?;
        tasks.spawn(line::tcp(shared.clone(), listener, stop.clone()));
        return Ok(Some(address));
    }
    if args.usb {
        tasks.spawn(usb::run(shared.clone(), stop.clone()));
        return Ok(None);
    }
    let path: &Path = args.pty.as_deref().context("give --tcp ADDR, --pty PATH or --usb")?;
    let pty = line::open_pty(path)
        .with_context(|| format!("cannot make a pseudo-terminal at {}", path.display()))?;
    tasks.spawn(line::pty(shared.clone(), pty, stop.clone()));
    Ok(None)
}

async fn listen(at: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(at)
        .await
        .with_context(|| format!("cannot listen on {at}: is another program using the port?"))
}
