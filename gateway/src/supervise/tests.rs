//! Parts that end, fail and panic, on paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::sleep;

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
    let running = tokio::spawn(supervisor.run(|_| {}));
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
    let running = tokio::spawn(supervisor.run(|_| {}));
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
    let failure = supervisor.run(|_| {}).await.unwrap_err();
    assert_eq!(failure, Failure::Essential("journal".to_owned()));
}

/// A part that works for a while and then hangs, as often as it is started.
fn hanging(supervisor: &mut Supervisor, starts: &Arc<AtomicU32>) -> Kept {
    let counted = starts.clone();
    supervisor.moving("printer", Pulse::new(Duration::from_mins(1)), move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        async {
            for _ in 0..10 {
                progress(Duration::from_mins(1));
                sleep(Duration::from_secs(30)).await;
            }
            std::future::pending().await
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_part_that_hangs_is_aborted_and_started_again_and_disturbs_no_other() {
    let mut supervisor = supervisor();
    let (starts, ticks) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    hanging(&mut supervisor, &starts);
    let ticked = ticks.clone();
    supervisor.moving("clock", Pulse::new(Duration::from_mins(1)), move |_| {
        let ticked = ticked.clone();
        async move {
            loop {
                progress(Duration::from_mins(1));
                ticked.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(50)).await;
            }
        }
    });
    let running = tokio::spawn(supervisor.run(|_| {}));
    sleep(Duration::from_mins(5)).await;
    assert_eq!(starts.load(Ordering::Relaxed), 1, "aborted while it worked");
    sleep(Duration::from_mins(7)).await;
    assert_eq!(starts.load(Ordering::Relaxed), 3);
    let ticks = ticks.load(Ordering::Relaxed);
    assert!((14..=16).contains(&ticks), "the other part was disturbed: {ticks} ticks");
    assert!(!running.is_finished());
}

#[tokio::test(start_paused = true)]
async fn an_essential_part_that_hangs_ends_the_process() {
    let mut supervisor = supervisor();
    supervisor.essential("journal", std::future::pending());
    supervisor.watch("journal", Pulse::new(Duration::from_secs(30)));
    let began = Instant::now();
    let failure = supervisor.run(|_| {}).await.unwrap_err();
    assert_eq!(failure, Failure::Stuck("journal".to_owned()));
    let seconds = began.elapsed().saturating_sub(GRACE).as_secs();
    assert!((60..=75).contains(&seconds), "after {seconds} s");
}

#[tokio::test]
async fn a_part_stuck_inside_a_call_that_blocks_ends_the_process() {
    let (unblock, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Arc::new(std::sync::Mutex::new(blocked));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap();
    // Where the blocked thread was the one that kept the timers, none of them would ring, and
    // only systemd's watchdog is left. Here somebody else is always awake.
    runtime.spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    let ended = runtime.spawn(async move {
        let mut supervisor = supervisor();
        supervisor.moving("serial", Pulse::new(Duration::ZERO), move |_| {
            let blocked = blocked.clone();
            async move {
                progress(Duration::from_millis(50));
                let _ = blocked.lock().unwrap().recv();
                std::future::pending().await
            }
        });
        supervisor.run(|_| {}).await
    });
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    unblock.send(()).unwrap();
    assert_eq!(ended.unwrap().unwrap(), Err(Failure::Stuck("serial".to_owned())));
    runtime.shutdown_background();
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_ended_alone_ends_for_good_and_says_so() {
    let mut supervisor = supervisor();
    let starts = Arc::new(AtomicU32::new(0));
    let counted = starts.clone();
    let kept = supervisor.moving("printer", Pulse::new(Duration::from_mins(1)), move |stop| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            stop.cancelled().await;
            sleep(Duration::from_secs(2)).await;
            Ok(())
        }
    });
    let running = tokio::spawn(supervisor.run(|_| {}));
    sleep(Duration::from_secs(1)).await;
    kept.stop();
    sleep(Duration::from_secs(1)).await;
    assert!(!kept.ended().is_cancelled(), "it was not let finish");
    kept.ended().cancelled().await;
    sleep(Duration::from_mins(10)).await;
    assert_eq!(starts.load(Ordering::Relaxed), 1);
    assert!(!running.is_finished());
}
