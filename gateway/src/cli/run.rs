//! `fournil-gateway run`: the daemon.

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::{PlaceArgs, load, print};
use crate::app;
use crate::config::{Config, LogConfig, LogFormat};
use crate::i18n::say;

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
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // systemd's journal has its own time and no colours.
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    match log.format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text if is_terminal => builder.with_target(false).init(),
        LogFormat::Text => builder.with_target(false).with_ansi(false).without_time().init(),
    }
}

/// SIGHUP: says whether the file is good and what a restart would change. Nothing is
/// applied to running parts: a device that changes under a running print is not worth it.
fn reread(place: &PlaceArgs, running: &str) {
    match load(place) {
        Ok(config) => report_changes(&config, running),
        Err(faults) => {
            for fault in faults.0 {
                tracing::error!(fault, "{}", say("run-config-refused", &[]));
            }
        }
    }
}

fn report_changes(config: &Config, running: &str) {
    let read = config.show();
    if read == running {
        tracing::info!("{}", say("run-config-same", &[]));
        return;
    }
    let changed: Vec<String> = changed_sections(running, &read);
    let sections = changed.join(", ");
    tracing::warn!(sections, "{}", say("run-config-changed", &[]));
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
