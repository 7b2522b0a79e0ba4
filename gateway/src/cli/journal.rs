//! `fournil-gateway journal …`: look at a state folder. Changes nothing, takes no lock,
//! and so may run beside the daemon.

use std::io::{ErrorKind, Write, stdout};
use std::path::Path;

use anyhow::{Context, bail};

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
    .context("la lecture du journal a été interrompue")?
}

fn run_blocking(command: &JournalCommand, folder: &Path) -> anyhow::Result<()> {
    if !folder.is_dir() {
        bail!(
            "pas de journal dans {} : la passerelle a-t-elle déjà tourné ici ? (--state-dir)",
            folder.display()
        );
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
        bail!(
            "{} est abîmé ({}) : redémarrez le service, qui met de côté ce qui l'est et garde ce \
             qui se lit, et vérifiez le disque",
            folder.display(),
            report.damages.join("; ")
        );
    }
    if !is_silent {
        let (records, segments) = (report.records, report.stat.segments);
        writeln!(stdout().lock(), "{records} records in {segments} segments, all whole")?;
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
    writeln!(out, "incarnation      {}", stat.incarnation)?;
    writeln!(out, "up epoch         {:016x}", stat.up_epoch)?;
    writeln!(out, "up kept          {} to {}", stat.up_first_kept, stat.up_last)?;
    writeln!(out, "up acknowledged  {}", stat.up_acked)?;
    let (events, bytes) = (stat.unacked_events, stat.unacked_bytes);
    writeln!(out, "waiting          {events} events, {bytes} bytes")?;
    writeln!(out, "down epoch       {:016x}", stat.down_epoch)?;
    writeln!(out, "down durable     {}", stat.down_durable)?;
    let (open, kept) = (stat.commands_pending, stat.commands_remembered);
    writeln!(out, "commands         {open} open, {kept} remembered")?;
    let (files, bad, bytes) = (stat.segments, stat.segments_bad, stat.segment_bytes);
    writeln!(out, "segments         {files} ({bad} set aside), {bytes} bytes")?;
    writeln!(out, "reserve          {}", if stat.has_reserve { "whole" } else { "used up" })?;
    writeln!(out, "records          {}", report.records)?;
    for damage in &report.damages {
        writeln!(out, "damage           {damage}")?;
    }
    for damage in &report.damages_set_aside {
        writeln!(out, "set aside        {damage}")?;
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
