//! kill -9 of a real process that writes to a real disk.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command as Process, Stdio};

use fournil_protocol::event::CommandState;
use tempfile::TempDir;

use super::{DOWN_EPOCH, command, punch, report, told};
use crate::journal::{Journal, JournalConfig, TimeSource};

const FOLDER_VARIABLE: &str = "FOURNIL_TEST_JOURNAL";
/// Started again with the variable set, it is the process that is killed.
const THIS_TEST: &str =
    "journal::tests::kill::a_process_killed_at_any_moment_loses_nothing_it_answered_for";
/// More of them: `FOURNIL_KILL_ROUNDS=500`.
const ROUNDS: u64 = 40;
/// Commands left open behind the newest.
const OPEN: u32 = 50;
const ROUNDS_VARIABLE: &str = "FOURNIL_KILL_ROUNDS";

fn open(folder: &Path) -> Journal {
    let config = JournalConfig { segment_bytes: 256 * 1024, ..JournalConfig::default() };
    Journal::open(folder, config, TimeSource::system().unwrap()).unwrap().0
}

/// The process that is killed: says each number once the journal has answered for it.
async fn be_killed(folder: &Path) {
    let journal = open(folder);
    for number in 1.. {
        journal.append(vec![punch(number), punch(number)]).await.unwrap();
        let (_, down) = journal.heads().await.unwrap();
        let fresh = command(down.durable + 1, u32::try_from(down.durable + 1).unwrap());
        journal.accept(DOWN_EPOCH, vec![fresh]).await.unwrap();
        // Some stay open.
        if let Some(older) = u32::try_from(down.durable).unwrap().checked_sub(OPEN) {
            journal.report(report(older + 1, CommandState::Cancelled)).await.unwrap();
        }
        println!("answered {number} {}", down.durable + 1);
    }
}

#[tokio::test]
async fn a_process_killed_at_any_moment_loses_nothing_it_answered_for() {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
        return be_killed(Path::new(&folder)).await;
    }
    let folder = TempDir::new().unwrap();
    let (mut punches_min, mut commands_min) = (0, 0);
    let rounds = std::env::var(ROUNDS_VARIABLE).ok().and_then(|rounds| rounds.parse().ok());
    for round in 0..rounds.unwrap_or(ROUNDS) {
        let mut child = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", THIS_TEST, "--nocapture"])
            .env(FOLDER_VARIABLE, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Wherever it is when it has said so many: the kernel decides.
        let wanted = usize::try_from(5 + round % 20 * 7).unwrap();
        let answered = lines.map_while(Result::ok).filter(|line| line.contains("answered"));
        let mut last = String::new();
        for (count, line) in answered.enumerate() {
            last = line;
            if count == wanted {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let mut numbers = last.split(' ').rev().map(|word| word.parse::<u64>().unwrap_or(0));
        commands_min = numbers.next().unwrap();
        punches_min += 2 * numbers.next().unwrap();

        let journal = open(folder.path());
        let (up, down) = journal.heads().await.unwrap();
        assert!(down.durable >= commands_min);
        let run = journal.read_events(1, usize::MAX, usize::MAX).await.unwrap();
        assert_eq!(run.events.len() as u64, up.last);
        let texts: Vec<String> = run.events.iter().map(|bytes| told(bytes)).collect();
        let (punches, others): (Vec<_>, Vec<_>) =
            texts.into_iter().partition(|text| text.starts_with("punch"));
        assert!(punches.len() as u64 >= punches_min, "{} of {punches_min}", punches.len());
        let is_told = |text: &String| text.starts_with("Cancelled");
        assert!(others.iter().all(is_told), "round {round}: {others:?}");
        let stat = journal.stat().await.unwrap();
        assert_eq!(stat.commands_remembered, others.len(), "an outcome without its report");
        assert_eq!((stat.commands_pending + others.len()) as u64, down.durable);
        punches_min = punches.len() as u64;
        journal.close().await.unwrap();
    }
    assert!(commands_min > 500, "the victim hardly ran");
}
