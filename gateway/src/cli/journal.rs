//! `fournil-gateway journal …`: look at a state folder. Changes nothing, takes no lock,
//! and so may run beside the daemon.

use std::io::{ErrorKind, Write, stdout};
use std::path::Path;

use anyhow::{Context, bail};

use crate::i18n::{Given, say};
use crate::journal::{DumpedRecord, FolderReport, dump, inspect};

/// Arguments of `fournil-gateway journal`.
#[derive(Debug, clap::Subcommand)]
pub enum JournalCommand {
    /// Say how the journal stands: what waits for the cloud, what is unsettled, room used.
    #[command(after_help = "Example: fournil-gateway journal stat --json")]
    Stat {
        #[arg(long)]
        json: bool,
    },
    /// Print the records in order, oldest first.
    #[command(after_help = "Example: fournil-gateway journal dump --from 1200 --json")]
    Dump {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// First record to print.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Stop after so many records.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Check every record (CRC, sequence, hash chain); exit status 1 on damage.
    #[command(after_help = "Example: fournil-gateway journal verify")]
    Verify {
        #[arg(long)]
        json: bool,
    },
}

/// Runs one command on the journal in `folder`.
pub async fn run(command: JournalCommand, folder: &Path) -> anyhow::Result<()> {
    let folder = folder.to_owned();
    // Reads up to some hundred MiB.
    tokio::task::spawn_blocking(move || {
        let printed = run_blocking(&command, &folder);
        match printed {
            // `… | head` closes the pipe early; that is no failure.
            Err(error) if is_closed_pipe(&error) => Ok(()),
            other => other,
        }
    })
    .await
    .with_context(|| say("journal-interrupted", &[]))?
}

fn run_blocking(command: &JournalCommand, folder: &Path) -> anyhow::Result<()> {
    if !folder.is_dir() {
        bail!(say("journal-none", &[("folder", &folder.display())]));
    }
    match *command {
        JournalCommand::Stat { json } => print_report(&inspect(folder)?, json),
        JournalCommand::Dump { json, from, limit } => print_records(folder, json, from, limit),
        JournalCommand::Verify { json } => {
            let report = inspect(folder)?;
            if json {
                print_report(&report, true)?;
            }
            verdict(&report, folder, json)
        }
    }
}

fn verdict(report: &FolderReport, folder: &Path, is_silent: bool) -> anyhow::Result<()> {
    if !report.damages.is_empty() {
        let damages = report.damages.join("; ");
        bail!(say("journal-damaged", &[("folder", &folder.display()), ("damages", &damages)]));
    }
    if !is_silent {
        let counts: Given<'_> =
            &[("records", &report.records), ("segments", &report.stat.segments)];
        writeln!(stdout().lock(), "{}", say("journal-whole", counts))?;
    }
    Ok(())
}

fn print_report(report: &FolderReport, json: bool) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
        return Ok(());
    }
    let stat = &report.stat;
    let (up_epoch, down_epoch) =
        (format!("{:016x}", stat.up_epoch), format!("{:016x}", stat.down_epoch));
    let args: Given<'_> = &[
        ("incarnation", &stat.incarnation),
        ("up_epoch", &up_epoch),
        ("up_first", &stat.up_first_kept),
        ("up_last", &stat.up_last),
        ("up_acked", &stat.up_acked),
        ("waiting", &stat.unacked_events),
        ("waiting_bytes", &stat.unacked_bytes),
        ("down_epoch", &down_epoch),
        ("down_durable", &stat.down_durable),
        ("open", &stat.commands_pending),
        ("remembered", &stat.commands_remembered),
        ("segments", &stat.segments),
        ("set_aside", &stat.segments_bad),
        ("bytes", &stat.segment_bytes),
        ("reserve", &if stat.has_reserve { "whole" } else { "used" }),
        ("records", &report.records),
    ];
    writeln!(out, "{}", say("journal-stat", args))?;
    for damage in &report.damages {
        writeln!(out, "{}", say("journal-stat-damage", &[("damage", damage)]))?;
    }
    for damage in &report.damages_set_aside {
        writeln!(out, "{}", say("journal-stat-set-aside", &[("damage", damage)]))?;
    }
    Ok(())
}

fn print_records(folder: &Path, json: bool, from: u64, limit: Option<usize>) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    let (mut printed, mut failed) = (0, None);
    dump(folder, |record| {
        let is_over = limit.is_some_and(|limit| printed >= limit);
        if record.seq < from || is_over || failed.is_some() {
            return;
        }
        printed += 1;
        failed = print_record(&mut out, &record, json).err();
    })?;
    failed.map_or(Ok(()), Err)
}

fn print_record(out: &mut impl Write, record: &DumpedRecord, json: bool) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(record)?)?;
        return Ok(());
    }
    let DumpedRecord { segment, offset, seq, kind, says } = record;
    writeln!(out, "{seq:>8} {segment:>6}:{offset:<8} {kind:<16} {says}")?;
    Ok(())
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
