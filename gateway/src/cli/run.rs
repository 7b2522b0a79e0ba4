//! `fournil-gateway run`: the daemon.

use clap::Args;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use super::{PlaceArgs, load, print};
use crate::app;
use crate::config::{Config, LogConfig, LogFormat};

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
    start_log(&config.log);
    let (running, place) = (config.show(), place.clone());
    app::run(config, move || reread(&place, &running)).await
}

fn start_log(log: &LogConfig) {
    // `Targets` and not `EnvFilter`: the regular expressions of that one are a tenth of the
    // binary, and nothing here has spans to filter by.
    let filter =
        log.level.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let layer = fmt::layer().with_writer(std::io::stderr);
    // systemd's journal has its own time and no colours.
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    match log.format {
        LogFormat::Json => start(layer.json(), filter),
        LogFormat::Text if is_terminal => start(layer.with_target(false), filter),
        LogFormat::Text => start(layer.with_target(false).with_ansi(false).without_time(), filter),
    }
}

fn start(layer: impl Layer<Registry> + Send + Sync, filter: Targets) {
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
}

/// SIGHUP: says whether the file is good and what a restart would change. Nothing is
/// applied to running parts: a device that changes under a running print is not worth it.
fn reread(place: &PlaceArgs, running: &str) {
    match load(place) {
        Ok(config) => report_changes(&config, running),
        Err(faults) => {
            for fault in faults.0 {
                tracing::error!(
                    fault,
                    "configuration refusée : corrigez-la, le service garde la précédente"
                );
            }
        }
    }
}

fn report_changes(config: &Config, running: &str) {
    let read = config.show();
    if read == running {
        tracing::info!("configuration relue : rien n'a changé");
        return;
    }
    let changed: Vec<String> = changed_sections(running, &read);
    let sections = changed.join(", ");
    tracing::warn!(
        sections,
        "configuration modifiée : relancez le service pour l'appliquer (systemctl restart \
         fournil-gateway)"
    );
}

fn changed_sections(running: &str, read: &str) -> Vec<String> {
    let parse = |text: &str| text.parse::<toml::Table>().unwrap_or_default();
    let (running, read) = (parse(running), parse(read));
    let mut keys: Vec<&String> = running.keys().chain(read.keys()).collect();
    keys.sort();
    keys.dedup();
    let is_changed = |key: &&&String| running.get(**key) != read.get(**key);
    keys.iter().filter(is_changed).map(|key| (*key).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_names_the_sections_that_changed() {
        let running = "state_dir='a'\n[log]\nlevel='info'\n[cloud]\n";
        let read = "state_dir='a'\n[log]\nlevel='warn'\n[cloud]\n[[clock]]\nname='x'\n";
        assert_eq!(changed_sections(running, read), ["clock", "log"]);
    }
}
