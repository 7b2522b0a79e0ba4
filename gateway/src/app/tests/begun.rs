//! Attempts that began in a part which fell.

use super::*;

#[tokio::test]
async fn a_device_part_that_fell_learns_which_attempt_had_begun() {
    let mut shop = shop();
    let mut jobs = shop.attach(8).await;
    let (begun, waiting) = (shop.drawer().await, shop.drawer().await);
    for _ in 0..2 {
        jobs.recv().await.unwrap();
    }
    shop.recorder.begin(begun, 1, "caisse").await.unwrap();
    drop(jobs);
    let mut jobs = shop.attach(8).await;
    let first = jobs.recv().await.unwrap();
    let second = jobs.recv().await.unwrap();
    assert_eq!((first.id, first.interrupted_attempt), (begun, Some(1)));
    assert_eq!((second.id, second.interrupted_attempt), (waiting, None));
}

/// A journal with so little room that the test can fill it.
fn small_shop() -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let config = JournalConfig {
        segment_bytes: 256 * 1024,
        reserve_bytes: 512 * 1024,
        unacked_bytes_max: 0,
        low_class_bytes_max: 0,
        ..JournalConfig::default()
    };
    let (journal, _) = journal_with(folder.path(), config);
    open_at(CloudOffset::known(0), folder, journal, HashSet::new(), 1)
}

fn outcome_of(id: Uuid, state: CommandState, detail: String) -> CommandReport {
    let command_id = id.as_bytes().to_vec();
    CommandReport { command_id, state: state as i32, detail, ..CommandReport::default() }
}

#[tokio::test]
async fn what_was_printed_while_the_journal_was_full_is_not_begun_again() {
    let mut shop = small_shop();
    let mut jobs = shop.attach(8).await;
    let receipt = shop.print("caisse", 0).await;
    assert_eq!(jobs.recv().await.unwrap().id, receipt);
    shop.recorder.begin(receipt, 1, "caisse").await.unwrap();
    let filler = outcome_of(Uuid::from_u128(999), CommandState::Started, "x".repeat(30_000));
    while shop.recorder.report(filler.clone()).await.is_ok() {}
    let done = outcome_of(receipt, CommandState::Done, String::new());
    let refused = shop.recorder.report(done).await;
    assert!(matches!(refused, Err(RecordError::Full(_))), "{refused:?}");

    // The part falls with the outcome in its hands.
    drop(jobs);
    let mut jobs = shop.attach(8).await;
    let again = jobs.recv().await.unwrap();
    assert_eq!((again.id, again.interrupted_attempt), (receipt, Some(1)));

    let (up, _) = shop.journal.heads().await.unwrap();
    shop.journal.ack_up(up.epoch, up.last).await.unwrap();
    let doubt = outcome_of(receipt, CommandState::InDoubt, String::new());
    shop.recorder.report(doubt).await.unwrap();
    assert_eq!(shop.outcome(receipt).await.0, CommandState::InDoubt);
    let begun = shop.recorder.begin(receipt, 2, "caisse").await;
    assert_eq!(begun, Err(RecordError::NotWaiting(receipt)));
}
