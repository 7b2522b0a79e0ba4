//! Whether clocks and printers can be reached. Only a connection is opened: both serve
//! one program at a time, and that program is the daemon.

use std::io;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Finding;
use crate::clock::{self, ClockConfig};
use crate::config::Config;
use crate::printer::PrinterConfig;
use crate::printer::config::Target;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.clocks.is_empty() && config.printers.is_empty() {
        findings.push(Finding::warning(
            "appareils",
            "aucun n'est configuré : ajoutez [[clock]] et [[printer]] à la configuration",
        ));
    }
    for clock in &config.clocks {
        findings.push(examine_clock(clock).await);
    }
    for printer in &config.printers {
        findings.push(examine_printer(printer).await);
    }
    findings
}

async fn examine_clock(clock: &ClockConfig) -> Finding {
    let name = &clock.name;
    let Some(target) = clock::Target::parse(&clock.address) else {
        let text = format!("{name} : « {} » n'est pas une adresse", clock.address);
        return Finding::fault("pointeuse", text);
    };
    let address = target.to_string();
    match reach(&address).await {
        Ok(()) => Finding::ok("pointeuse", format!("{name} : {address} répond")),
        Err(why) => Finding::fault(
            "pointeuse",
            format!("{name} : {address} ne répond pas ({why}) : vérifiez câble, prise et adresse"),
        ),
    }
}

async fn examine_printer(printer: &PrinterConfig) -> Finding {
    let name = &printer.name;
    match &printer.to {
        Target::Tcp(address) => match reach(address).await {
            Ok(()) => Finding::ok("imprimante", format!("{name} : {address} répond")),
            Err(why) => Finding::fault(
                "imprimante",
                format!(
                    "{name} : {address} ne répond pas ({why}) : vérifiez câble, prise et adresse"
                ),
            ),
        },
        Target::Serial { path, .. } => serial(name, path, open_line(path)),
        #[cfg(feature = "testing")]
        Target::Memory(_) => Finding::ok("imprimante", name.clone()),
    }
}

/// Without waiting for a carrier, which some adapters never show, and without making the
/// line the terminal of this command.
fn open_line(path: &str) -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())?;
    Ok(())
}

fn serial(name: &str, path: &str, opened: io::Result<()>) -> Finding {
    match opened {
        Ok(()) => Finding::ok("imprimante", format!("{name} : {path} s'ouvre")),
        // The daemon holds the line for itself alone.
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Finding::ok(
            "imprimante",
            format!("{name} : {path} est utilisé par le service, comme il se doit"),
        ),
        Err(error) => Finding::fault(
            "imprimante",
            format!(
                "{name} : {path} ne s'ouvre pas ({error}) : vérifiez le câble, et que l'utilisateur \
                 est du groupe dialout"
            ),
        ),
    }
}

async fn reach(address: &str) -> Result<(), String> {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("pas de réponse".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn a_line_in_use_by_the_service_is_no_fault_and_a_missing_one_is() {
        let busy = io::Error::from_raw_os_error(rustix::io::Errno::BUSY.raw_os_error());
        let finding = serial("caisse", "/dev/ttyUSB0", Err(busy));
        assert_eq!(finding.verdict, Verdict::Ok);
        assert!(finding.text.contains("service"), "{}", finding.text);
        let missing = open_line("/nonexistent/tty");
        assert_eq!(serial("caisse", "/nonexistent/tty", missing).verdict, Verdict::Fault);
    }
}
