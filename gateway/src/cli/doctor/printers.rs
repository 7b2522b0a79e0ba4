//! Each printer. One that the daemon serves is told as the daemon sees it: a printer
//! serves one program at a time, and opening a serial line resets some of them.

use std::time::Duration;

use tokio::time::timeout;

use super::finding::Finding;
use crate::app::status::{DeviceStatus, Status};
use crate::printer::PrinterConfig;
use crate::printer::talk::Talk;
use crate::printer::transport::LinkError;

const CHECK: &str = "printer";
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// GS I: the model.
const MODEL: u8 = 67;
/// What the daemon says of a printer, as the wire's words have it.
const WORDS: &[&str] = &[
    "ok",
    "starting",
    "unreachable",
    "busy",
    "paper-out",
    "paper-low",
    "cover-open",
    "offline",
    "cutter-error",
    "printer-error",
    "journal-full",
    "journal-broken",
];

pub(super) async fn examine(printer: &PrinterConfig, held: Option<&Status>) -> Finding {
    let own = |device: &&DeviceStatus| device.name == printer.name && device.kind == CHECK;
    let finding = match held.and_then(|status| status.devices.iter().find(own)) {
        Some(device) => told(&device.code).with("by", "service"),
        None => match timeout(LOOK_TIMEOUT, look(printer)).await {
            Ok(Ok(finding)) => finding,
            Ok(Err(error)) => Finding::new(CHECK, "unreachable").with("why", error.source),
            Err(_) => Finding::new(CHECK, "silent"),
        },
    };
    finding.of(&printer.name).with("address", &printer.to)
}

fn told(code: &str) -> Finding {
    match WORDS.iter().find(|word| **word == code) {
        Some(code) => Finding::new(CHECK, code),
        None => Finding::new(CHECK, "odd").with("why", code),
    }
}

async fn look(printer: &PrinterConfig) -> Result<Finding, LinkError> {
    let mut talk = Talk::open(&printer.to).await?;
    let speaks = talk.refresh().await?;
    let finding = if speaks {
        let code = talk.condition.code();
        let model = if talk.condition.ready() { talk.name(MODEL).await? } else { None };
        told(code).with("model", model.unwrap_or_default())
    } else {
        Finding::new(CHECK, "mute")
    };
    talk.close().await;
    Ok(finding)
}
