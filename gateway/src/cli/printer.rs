//! `fournil-gateway printer …`: render and print without a cloud.
//!
//! A printer serves one connection at a time: these commands fail with a clear word
//! while the daemon is printing on the same printer.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use fournil_protocol::document::{Align, Barcode, Document, Feed, Kind, Qr};
use serde_json::json;

use crate::i18n::say;
use crate::printer::config::Target;
use crate::printer::escpos;
use crate::printer::profile::Profile;
use crate::printer::render::render;
use crate::printer::talk::Talk;
use crate::printer::transport::usb;
use crate::printer::{preview, profile, remedy};

/// How long a printer may take no byte while a file is sent to it.
const SEND_PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for the answer behind the last byte.
const PROOF_PATIENCE: Duration = Duration::from_secs(30);
/// GS I: firmware, maker, model, serial number.
const NAMES: [(&str, u8); 4] = [("firmware", 65), ("maker", 66), ("model", 67), ("serial", 68)];

/// Arguments of `fournil-gateway printer`.
#[derive(Debug, Subcommand)]
pub enum PrinterCommand {
    /// List the known profiles.
    #[command(after_help = "Example: fournil-gateway printer list")]
    List {
        #[arg(long)]
        json: bool,
    },
    /// List the USB printers that are plugged in, with the address to write in the configuration.
    #[command(after_help = "Example: fournil-gateway printer find")]
    Find {
        #[arg(long)]
        json: bool,
    },
    /// Ask a printer how it is and what it is.
    #[command(after_help = "Example: fournil-gateway printer status --to tcp://192.168.1.50:9100")]
    Status {
        #[command(flatten)]
        at: At,
        #[arg(long)]
        json: bool,
    },
    /// Print a slip that shows width, accents by character table, QR code and cut.
    #[command(
        after_help = "Example: fournil-gateway printer test --to tcp://192.168.1.50:9100 --profile epson-80"
    )]
    Test {
        #[command(flatten)]
        at: At,
        /// A profile of `printer list`.
        #[arg(long, default_value = "generic-80", value_parser = named)]
        profile: Profile,
        #[arg(long)]
        json: bool,
    },
    /// Turn a document into printer bytes or a picture, without a printer.
    #[command(
        after_help = "Example: fournil-gateway printer render --profile generic-58 --format png --out ticket.png ticket.json"
    )]
    Render {
        /// A profile of `printer list`.
        #[arg(long, default_value = "generic-80", value_parser = named)]
        profile: Profile,
        #[arg(long, value_enum, default_value_t = Format::Escpos)]
        format: Format,
        /// Where to write; standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Mark the page as a copy.
        #[arg(long)]
        copy: bool,
        /// The document as JSON; `-` reads standard input.
        document: PathBuf,
    },
    /// Send the bytes of a file to a printer as they are; exit status 1 unless it confirms.
    #[command(
        after_help = "Example: fournil-gateway printer send --to serial:/dev/ttyUSB0?baud=19200 ticket.bin"
    )]
    Send {
        #[command(flatten)]
        at: At,
        #[arg(long)]
        json: bool,
        file: PathBuf,
    },
}

/// Which printer.
#[derive(Debug, Args)]
pub struct At {
    /// `usb:VENDOR:PRODUCT[:SERIAL][@PORT]`, `tcp://HOST:PORT` or
    /// `serial:PATH?baud=N&flow=none|software|hardware`
    #[arg(long = "to", value_name = "ADDRESS")]
    to: Target,
}

/// What `printer render` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Escpos,
    Png,
}

/// Runs one command and gives its exit status.
pub async fn run(command: PrinterCommand) -> anyhow::Result<()> {
    match command {
        PrinterCommand::List { json } => list(json),
        PrinterCommand::Find { json } => find(json),
        PrinterCommand::Status { at, json } => status(&at.to, json).await,
        PrinterCommand::Test { at, profile, json } => test(&at.to, &profile, json).await,
        PrinterCommand::Render { profile, format, out, copy, document } => {
            let bytes = rendered(&profile, format, copy, &document)?;
            write(out.as_deref(), &bytes)
        }
        PrinterCommand::Send { at, json, file } => {
            let bytes = std::fs::read(&file)
                .with_context(|| say("printer-cli-unreadable", &[("path", &file.display())]))?;
            send(&at.to, &bytes, json).await
        }
    }
}

fn named(name: &str) -> Result<Profile, String> {
    Profile::named(name).ok_or_else(|| {
        let known: Vec<_> = Profile::all().iter().map(|profile| profile.name).collect();
        say("printer-cli-profiles", &[("known", &known.join(", "))])
    })
}

fn list(json: bool) -> anyhow::Result<()> {
    let profiles = Profile::all();
    if json {
        let rows: Vec<_> = profiles
            .iter()
            .map(|p| {
                json!({
                    "profile": p.name, "columns": p.columns, "tags": p.tags == profile::Tags::On,
                    "status": p.answers_status, "qr": p.native_qr, "description": p.description,
                })
            })
            .collect();
        return print(&serde_json::to_string_pretty(&rows)?);
    }
    for profile in profiles {
        print(&format!("{:<14} {:>2}  {}", profile.name, profile.columns, profile.description))?;
    }
    Ok(())
}

fn find(json: bool) -> anyhow::Result<()> {
    let found = usb::found().map_err(|error| anyhow::anyhow!(error.told()))?;
    if json {
        let row = |found: &usb::Found| json!({ "address": found.address.to_string(), "name": found.name });
        return print(&serde_json::to_string_pretty(&found.iter().map(row).collect::<Vec<_>>())?);
    }
    if found.is_empty() {
        return print(&say("printer-cli-no-usb", &[]));
    }
    for printer in found {
        print(&format!("{}  {}", printer.address, printer.name))?;
    }
    Ok(())
}

async fn status(to: &Target, json: bool) -> anyhow::Result<()> {
    let mut talk = open(to).await?;
    if !talk.refresh().await.map_err(|e| anyhow::anyhow!(e.told()))? {
        bail!(say("printer-cli-mute", &[("to", to)]));
    }
    let mut names = serde_json::Map::new();
    if talk.condition.ready() {
        for (word, which) in NAMES {
            if let Some(text) = talk.name(which).await.map_err(|e| anyhow::anyhow!(e.told()))? {
                names.insert(word.to_owned(), text.into());
            }
        }
    }
    let condition = talk.condition;
    talk.close().await;
    if json {
        return print(&serde_json::to_string_pretty(&json!({
            "address": to.to_string(), "code": condition.code(), "ready": condition.ready(),
            "offline": condition.offline, "cover_open": condition.cover_open,
            "paper_out": condition.paper_out, "paper_low": condition.paper_low,
            "cutter_error": condition.cutter_error, "device": names,
        }))?);
    }
    print(&format!("{to}: {}", condition.code()))?;
    for (word, text) in &names {
        print(&format!("{word}: {}", text.as_str().unwrap_or_default()))?;
    }
    Ok(())
}

async fn test(to: &Target, profile: &Profile, json: bool) -> anyhow::Result<()> {
    let mut pages = vec![render(&test_slip(to, profile), profile, false)];
    // One line for each table, so that the number with right accents can be read off.
    for (page, number) in &profile.pages {
        let mut single = profile.clone();
        single.pages = vec![(*page, *number)];
        // In the printer's own letters: drawn, every line would look right.
        single.raster = false;
        let line = format!("{page:?} n={number} : éèàçùœ€");
        pages.push(render(&Document::default().text(line, Align::Start), &single, false));
    }
    let mut slip = pages.remove(0);
    slip.lines.extend(pages.into_iter().flat_map(|page| page.lines));
    let segments = escpos::encode(&slip, profile, None);
    let bytes: Vec<u8> = segments.into_iter().flat_map(|segment| segment.bytes).collect();
    send(to, &bytes, json).await
}

fn test_slip(to: &Target, profile: &Profile) -> Document {
    let columns = say(
        "printer-cli-test-columns",
        &[("profile", &profile.name), ("columns", &profile.columns)],
    );
    Document::default()
        .heading("Fournil")
        .text(say("printer-cli-test-title", &[]), Align::Centre)
        .text(format!("{to}\n{columns}"), Align::Centre)
        .rule()
        .text(
            "1234567890".repeat(10).chars().take(profile.columns.into()).collect::<String>(),
            Align::Start,
        )
        .pair(say("printer-cli-test-item", &[]), "240,00", false)
        .pair(say("printer-cli-test-total", &[]), "240,00 DA", true)
        .rule()
        .with(Kind::Barcode(Barcode { data: "0123456789".to_owned() }))
        .with(Kind::Qr(Qr { data: "https://fournil.example/essai".to_owned() }))
        .with(Kind::Feed(Feed { lines: 1 }))
}

fn rendered(profile: &Profile, format: Format, copy: bool, path: &Path) -> anyhow::Result<Vec<u8>> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).with_context(|| say("printer-cli-stdin", &[]))?
    } else {
        std::fs::read_to_string(path)
            .with_context(|| say("printer-cli-unreadable", &[("path", &path.display())]))?
    };
    let document: Document = serde_json::from_str(&text)
        .with_context(|| say("printer-cli-not-a-document", &[("path", &path.display())]))?;
    let page = render(&document, profile, copy);
    if format == Format::Png {
        return Ok(preview::draw(&page, profile).to_png()?);
    }
    let segments = escpos::encode(&page, profile, None);
    Ok(segments.into_iter().flat_map(|segment| segment.bytes).collect())
}

/// Sends bytes and waits for the printer's word on them. Without it the command fails: what
/// is not confirmed may not be on paper.
async fn send(to: &Target, bytes: &[u8], json: bool) -> anyhow::Result<()> {
    let failed = |e: crate::printer::transport::LinkError| anyhow::anyhow!("{to}: {}", e.told());
    let mut talk = open(to).await?;
    let speaks = talk.refresh().await.map_err(failed)?;
    if speaks && !talk.condition.ready() {
        let code = talk.condition.code();
        talk.close().await;
        bail!(say(
            "printer-cli-not-ready",
            &[("to", to), ("code", &code), ("remedy", &remedy(code))]
        ));
    }
    let mut rest = bytes;
    let mut last_progress = Instant::now();
    while !rest.is_empty() {
        let written = talk.pump(rest, SEND_PATIENCE).await.map_err(failed)?;
        if written > 0 {
            last_progress = Instant::now();
        } else if last_progress.elapsed() >= SEND_PATIENCE {
            let sent = bytes.len() - rest.len();
            bail!(say(
                "printer-cli-stalled",
                &[("to", to), ("sent", &sent), ("bytes", &bytes.len())]
            ));
        }
        rest = rest.get(written..).unwrap_or_default();
    }
    let proven = speaks
        && talk.ask_in_order(SEND_PATIENCE).await.map_err(failed)?.is_some()
        && talk
            .listen(PROOF_PATIENCE, |talk| talk.answered_in_order() > 0)
            .await
            .map_err(failed)?;
    talk.close().await;
    if json {
        let sent = json!({ "address": to.to_string(), "bytes": bytes.len(), "confirmed": proven });
        print(&sent.to_string())?;
    }
    if !proven {
        bail!(say("printer-cli-unconfirmed", &[("to", to), ("bytes", &bytes.len())]));
    }
    if json {
        return Ok(());
    }
    print(&say("printer-cli-confirmed", &[("to", to), ("bytes", &bytes.len())]))
}

async fn open(to: &Target) -> anyhow::Result<Talk> {
    Talk::open(to)
        .await
        .map_err(|error| anyhow::anyhow!(say("printer-cli-unopened", &[("why", &error.told())])))
}

fn write(out: Option<&Path>, bytes: &[u8]) -> anyhow::Result<()> {
    match out {
        Some(path) => std::fs::write(path, bytes)
            .with_context(|| say("printer-cli-unwritable", &[("path", &path.display())])),
        None => Ok(std::io::stdout().write_all(bytes)?),
    }
}

fn print(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
