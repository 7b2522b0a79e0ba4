//! The journal as the daemon uses it: through the seam and the handle, on a real disk.

use std::collections::HashSet;

use fournil_protocol::event::{Body, CommandState, Event, Punch};
use prost::Message;
use tempfile::TempDir;

use super::{DOWN_EPOCH, command, id, punch, report, told};
use crate::journal::{Journal, JournalConfig, JournalError, Opened, TimeSource};
use crate::seam::{RecordError, recorder};

fn open(folder: &TempDir) -> (Journal, Opened) {
    let time = TimeSource::system().unwrap();
    Journal::open(folder.path(), JournalConfig::default(), time).unwrap()
}

#[tokio::test]
async fn a_second_daemon_on_the_same_folder_is_refused_in_plain_words() {
    let folder = TempDir::new().unwrap();
    let (journal, _) = open(&folder);
    let time = TimeSource::system().unwrap();
    let second = Journal::open(folder.path(), JournalConfig::default(), time);
    let Err(error @ JournalError::Locked { .. }) = second else { panic!("{second:?}") };
    assert!(error.to_string().contains("another fournil-gateway runs"), "{error}");
    journal.close().await.unwrap();
    let (journal, opened) = open(&folder);
    assert_eq!(opened.incarnation, 2);
    assert_eq!(opened.torn_bytes_cut, 0);
    drop(journal);
}

#[tokio::test]
async fn devices_record_through_the_seam_and_the_tunnel_reads_it() {
    let folder = TempDir::new().unwrap();
    let (journal, opened) = open(&folder);
    let (devices, requests) = recorder();
    let served = tokio::spawn({
        let journal = journal.clone();
        async move { journal.serve(requests).await }
    });
    let mut changed = journal.changed();
    journal.set_cloud_offset_ms(Some(-1_500));
    devices.record(vec![punch(1), punch(2)]).await.unwrap();
    changed.changed().await.unwrap();
    assert_eq!(changed.borrow_and_update().last, 2);

    let run = vec![command(1, 1), command(2, 2), command(3, 3)];
    let accepted = journal.accept(DOWN_EPOCH, run).await.unwrap();
    assert_eq!((accepted.down_durable, accepted.fresh.len()), (3, 3));
    devices.begin(id(1), 1, "till").await.unwrap();
    devices.report(report(1, CommandState::Done)).await.unwrap();
    devices.begin(id(2), 1, "till").await.unwrap();
    let again = devices.begin(id(1), 2, "till").await;
    assert_eq!(again, Err(RecordError::NotWaiting(id(1))), "a settled command began again");

    let run = journal.read_events(1, 100, 1_000_000).await.unwrap();
    assert_eq!((run.epoch, run.first_seq), (opened.up_epoch, 1));
    let texts: Vec<String> = run.events.iter().map(|bytes| told(bytes)).collect();
    assert_eq!(texts, ["punch 1", "punch 2", "Started 1", "Done 1", "Started 2"]);
    let first = Event::decode(run.events[0].as_slice()).unwrap();
    assert_eq!(first.recorded.unwrap().cloud_offset_ms, Some(-1_500));
    assert!(matches!(first.body, Some(Body::Punch(_))));

    // The daemon dies and starts again.
    drop(devices);
    served.await.unwrap();
    journal.close().await.unwrap();
    let stopped = journal.append(vec![punch(3)]).await;
    assert_eq!(stopped, Err(RecordError::Stopped));
    let (journal, opened) = open(&folder);
    assert_eq!(opened.commands_pending, 2);
    let jobs = journal.pending_jobs(HashSet::new(), 10).await.unwrap();
    let seen: Vec<_> = jobs.iter().map(|job| (job.id, job.interrupted_attempt)).collect();
    assert_eq!(seen, [(id(2), Some(1)), (id(3), None)]);
    let (up, down) = journal.heads().await.unwrap();
    assert_eq!((up.first_kept, up.last, up.acked, up.head_hash.len()), (1, 5, 0, 32));
    assert_eq!((down.epoch, down.durable), (DOWN_EPOCH, 3));
    assert_eq!(journal.stat().await.unwrap().unacked_events, 5);
}

#[tokio::test]
async fn the_punches_of_one_clock_are_read_out_of_the_current_up_log() {
    let folder = TempDir::new().unwrap();
    let (journal, opened) = open(&folder);
    journal.append(vec![punch(1), punch(2), punch(3)]).await.unwrap();
    let read = |epoch, serial: &str| {
        let mut users = Vec::new();
        let each = |punch: &Punch| users.push(punch.user_id.clone());
        crate::journal::punches(folder.path(), epoch, serial, each).unwrap();
        users
    };
    let Body::Punch(first) = punch(1) else { panic!("no punch") };
    assert_eq!(read(opened.up_epoch, &first.clock_serial).len(), 3);
    assert!(read(opened.up_epoch, "another").is_empty());
    // What the cloud has and the new log does not take over is not there any more.
    journal.renew_up_epoch(3).await.unwrap();
    let (up, _) = journal.heads().await.unwrap();
    assert_eq!(read(up.epoch, &first.clock_serial).len(), 1);
}

#[tokio::test]
async fn many_writers_at_once_share_commits_and_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let (journal, _) = open(&folder);
    let writers = (0..200).map(|number| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(vec![punch(number)]).await.unwrap() })
    });
    let mut last = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        last.push(writer.await.unwrap());
    }
    journal.close().await.unwrap();
    last.sort_unstable();
    assert_eq!(*last.last().unwrap(), 200);
    let (journal, _) = open(&folder);
    let run = journal.read_events(1, 1_000, 1 << 20).await.unwrap();
    let texts: HashSet<String> = run.events.iter().map(|bytes| told(bytes)).collect();
    assert_eq!(texts.len(), 200);
}

#[test]
fn an_unknown_key_in_the_configuration_is_an_error() {
    let wrong = toml::from_str::<JournalConfig>("unacked_bytes = 3");
    assert!(wrong.unwrap_err().to_string().contains("unacked_bytes"));
    assert!(toml::from_str::<JournalConfig>("unacked_bytes_max = 3").is_ok());
}
