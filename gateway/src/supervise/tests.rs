//! Parts that end, fail and panic, on paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

fn supervisor() -> Supervisor {
    Supervisor::new(Ambient { wall_ms: || 0, random: || 500 })
}

#[tokio::test(start_paused = true)]
async fn a_part_that_panics_starts_again_and_disturbs_no_other() {
    let mut supervisor = supervisor();
    let (starts, ticks) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let counted = starts.clone();
    supervisor.part("bad", move || {
        let start = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            assert!(start >= 3, "falls three times");
            std::future::pending().await
        }
    });
    let ticked = ticks.clone();
    supervisor.part("good", move || {
        let ticked = ticked.clone();
        async move {
            loop {
                ticked.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(1)).await;
            }
        }
    });
    sleep(Duration::from_secs(30)).await;
    assert_eq!(starts.load(Ordering::Relaxed), 4);
    assert_eq!(ticks.load(Ordering::Relaxed), 30);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_keeps_failing_is_started_more_and_more_seldom() {
    let mut supervisor = Supervisor::new(Ambient { wall_ms: || 0, random: || u64::MAX });
    let starts = Arc::new(AtomicU32::new(0));
    let counted = starts.clone();
    supervisor.part("bad", move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { anyhow::bail!("no device") }
    });
    sleep(Duration::from_mins(10)).await;
    let count = starts.load(Ordering::Relaxed);
    assert!((8..40).contains(&count), "{count} starts in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_soft_stop_lets_parts_finish() {
    let mut supervisor = supervisor();
    let stop = supervisor.soft();
    let finished = Arc::new(AtomicU32::new(0));
    let (token, counted) = (stop.clone(), finished.clone());
    supervisor.part("slow", move || {
        let (token, counted) = (token.clone(), counted.clone());
        async move {
            token.cancelled().await;
            sleep(Duration::from_secs(3)).await;
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    });
    let running = tokio::spawn(supervisor.run(|| {}));
    sleep(Duration::from_millis(10)).await;
    stop.cancel();
    assert_eq!(running.await.unwrap(), Ok(()));
    assert_eq!(finished.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_does_not_end_is_aborted_after_the_grace() {
    let mut supervisor = supervisor();
    let stop = supervisor.soft();
    supervisor.part("deaf", std::future::pending);
    let running = tokio::spawn(supervisor.run(|| {}));
    sleep(Duration::from_millis(10)).await;
    let began = Instant::now();
    stop.cancel();
    assert_eq!(running.await.unwrap(), Err(Failure::Forced));
    assert_eq!(began.elapsed(), GRACE);
}

#[tokio::test(start_paused = true)]
async fn an_essential_part_that_ends_takes_the_process_with_it() {
    let mut supervisor = supervisor();
    supervisor.essential("journal", sleep(Duration::from_secs(2)));
    supervisor.part("other", std::future::pending);
    let failure = supervisor.run(|| {}).await.unwrap_err();
    assert_eq!(failure, Failure::Essential("journal".to_owned()));
}
