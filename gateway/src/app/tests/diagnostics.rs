//! Diagnostics between the router, the uploads and the part that gathers them.

use fournil_protocol::command::SendDiagnostics;
use fournil_protocol::limits::TRANSFERS_OPEN_MAX;

use super::*;
use crate::app::diagnostics::Diagnostics;

impl Shop {
    async fn diagnostic(&mut self, not_after_ms: i64) -> Uuid {
        let ask = Body::SendDiagnostics(SendDiagnostics { bytes_max: 1_000_000 });
        self.command(Some(ask), "", not_after_ms).await
    }

    async fn call_back(&mut self, target: Uuid) -> Uuid {
        let cancel = Body::Cancel(Cancel { command_id: target.as_bytes().to_vec() });
        self.command(Some(cancel), "", 0).await
    }
}

#[tokio::test]
async fn a_diagnostic_is_gathered_by_the_gateway_and_can_be_called_back_while_it_is_sent() {
    let mut shop = shop();
    let asked = shop.diagnostic(0).await;
    let (job, begun) = shop.wanted.recv().await.unwrap();
    assert_eq!(job.id, asked);
    begun.send(vec![1, 2, 3]).unwrap();
    let cancel = shop.call_back(asked).await;
    assert_eq!(shop.outcome(cancel).await.0, CommandState::Done);
    assert_eq!(shop.outcome(asked).await, (CommandState::Cancelled, "cancelled".to_owned()));
    assert!(!shop.uploads.cancel(asked), "it is withdrawn");
}

#[tokio::test]
async fn a_diagnostic_that_cannot_leave_before_its_deadline_expires() {
    let mut shop = shop();
    let (_identities, identity) = watch::channel(identity(shop.folder.path()));
    let diagnostics = Diagnostics {
        config: watch::channel(config_in(shop.folder.path())).1,
        journal: shop.journal.clone(),
        status: StatusServer {
            path: shop.folder.path().join("status.sock"),
            journal: shop.journal.clone(),
            identity,
            tunnel: watch::channel(TunnelState::default()).1,
            devices: watch::channel(Vec::new()).1,
            began: tokio::time::Instant::now(),
        },
        recent: crate::logs::RecentLog::default(),
        cloud_offset: CloudOffset::known(0),
        ambient: Ambient { wall_ms: || 1_000_000, random: || 0 },
    };
    let (ask, asked) = mpsc::channel(1);
    tokio::spawn(diagnostics.run(asked, shop.stop.clone()));
    // It is 1,000,000 by the cloud's time as well.
    let id = shop.diagnostic(1_000_050).await;
    ask.send(shop.wanted.recv().await.unwrap()).await.unwrap();
    let mut outcome = shop.outcome(id).await;
    while outcome.0 == CommandState::Waiting {
        assert_eq!(outcome.1, "transfer-sending");
        outcome = shop.last_word(id).await;
    }
    assert_eq!(outcome, (CommandState::Expired, "deadline-passed".to_owned()));
    assert!(!shop.uploads.cancel(id), "it is withdrawn");
}

#[tokio::test(start_paused = true)]
async fn a_diagnostic_that_waits_for_room_can_be_called_back_and_comes_when_there_is_room() {
    let mut shop = shop();
    let others = 0..TRANSFERS_OPEN_MAX as u128;
    let others: Vec<_> =
        others.map(|other| shop.uploads.begin(Uuid::from_u128(1_000 + other)).unwrap()).collect();
    let (called_back, waiting) = (shop.diagnostic(0).await, shop.diagnostic(0).await);
    let cancel = shop.call_back(called_back).await;
    assert_eq!(shop.outcome(cancel).await, (CommandState::Done, "cancelled".to_owned()));
    assert_eq!(shop.outcome(called_back).await.0, CommandState::Cancelled);
    drop(others);
    let (job, _begun) = shop.wanted.recv().await.unwrap();
    assert_eq!(job.id, waiting, "what was called back is not gathered");
}

#[tokio::test]
async fn a_diagnostic_is_called_back_before_anything_of_it_is_gathered() {
    let mut shop = shop();
    let asked = shop.diagnostic(0).await;
    let cancel = shop.call_back(asked).await;
    assert_eq!(shop.outcome(cancel).await, (CommandState::Done, "cancelled".to_owned()));
    let (_, mut begun) = shop.wanted.recv().await.unwrap();
    assert_eq!(begun.outcome().await, uploads::Outcome::Cancelled);
}

#[tokio::test]
async fn what_was_called_back_is_not_begun_by_a_copy_that_comes_late() {
    let mut shop = shop();
    let others = 0..TRANSFERS_OPEN_MAX as u128;
    let others: Vec<_> =
        others.map(|other| shop.uploads.begin(Uuid::from_u128(1_000 + other)).unwrap()).collect();
    let called_back = shop.diagnostic(0).await;
    let copy = shop.journal.pending_jobs(HashSet::new(), 1).await.unwrap().remove(0);
    let cancel = shop.call_back(called_back).await;
    assert_eq!(shop.outcome(cancel).await, (CommandState::Done, "cancelled".to_owned()));
    drop(others);
    shop.fresh.send(copy).await.unwrap();
    let next = shop.diagnostic(0).await;
    let (job, _begun) = shop.wanted.recv().await.unwrap();
    assert_eq!(job.id, next, "what was called back is not gathered");
}
