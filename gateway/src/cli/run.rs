//! `fournil-gateway run`: the daemon.

use clap::Args;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, reload};

use super::{PlaceArgs, load, print};
use crate::app;
use crate::config::{Config, LogConfig, LogFormat};
use crate::i18n::say;
use crate::logs::RecentLog;

/// Arguments of `fournil-gateway run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Show the configuration as it counts, secrets hidden, and end
    #[arg(long)]
    print_config: bool,
}

/// Runs the daemon until a signal ends it.
pub async fn run(arguments: RunArgs, place: &PlaceArgs) -> anyhow::Result<()> {
    let config = load(place)?;
    if arguments.print_config {
        print::line(config.show().trim_end());
        return Ok(());
    }
    let recent = RecentLog::default();
    let mut level = start_log(&config.log, &recent);
    let place = place.clone();
    app::run(config, recent, move || reread(&place, &mut level)).await
}

/// Changes the level of the log while it runs.
type SetLevel = Box<dyn FnMut(Targets) -> Result<(), reload::Error> + Send>;

/// To stderr for whoever reads it there, and the last lines to memory for a diagnostic.
fn start_log(log: &LogConfig, recent: &RecentLog) -> SetLevel {
    let (level, handle) = reload::Layer::new(filter(log));
    let lines = fmt::layer().with_writer(std::io::stderr);
    // systemd's journal has its own time and no colours.
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let to_stderr = match log.format {
        LogFormat::Json => lines.json().boxed(),
        LogFormat::Text if is_terminal => lines.with_target(false).boxed(),
        LogFormat::Text => lines.with_target(false).with_ansi(false).without_time().boxed(),
    };
    let to_memory = fmt::layer().with_ansi(false).with_writer(recent.clone());
    tracing_subscriber::registry().with(level).with(to_stderr).with(to_memory).init();
    Box::new(move |level| handle.reload(level))
}

/// `Targets` and not `EnvFilter`: the regular expressions of that one are a tenth of the
/// binary, and nothing here has spans to filter by.
fn filter(log: &LogConfig) -> Targets {
    log.level.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO))
}

/// SIGHUP: a good file is given to whoever applies it, the level of the log at once; a bad
/// one is told, and the configuration before stays.
fn reread(place: &PlaceArgs, level: &mut SetLevel) -> Option<Config> {
    match load(place) {
        Ok(config) => {
            if let Err(error) = level(filter(&config.log)) {
                tracing::warn!(%error, "the level of the log stays");
            }
            Some(config)
        }
        Err(faults) => {
            for fault in faults.0 {
                tracing::error!(fault, "{}", say("run-config-refused", &[]));
            }
            None
        }
    }
}
