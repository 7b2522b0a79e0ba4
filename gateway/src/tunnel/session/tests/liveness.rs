//! Heartbeats: who is alive, who is not, and what time the other side has.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_silent_cloud_is_given_up_after_two_and_a_half_heartbeats() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    let welcomed = Instant::now();
    let ended = (&mut cloud.session).await.unwrap();
    assert_eq!(ended.why, End::Silent);
    let silence = welcomed.elapsed().as_millis();
    assert!((29_900..30_200).contains(&silence), "given up after {silence} ms");
}

#[tokio::test(start_paused = true)]
async fn any_byte_keeps_the_session_alive() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert!(!cloud.session.is_finished());
        cloud.say(Kind::Ping(Ping { t0_ms: 1 })).await;
        let Some(Kind::Pong(pong)) = cloud.hear().await else { panic!("no pong") };
        assert_eq!(pong.t0_ms, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_welcome_tells_the_clouds_time_before_the_first_command() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    assert_eq!(cloud.offset.ms(), None);
    cloud.welcome(|welcome| welcome.server_time_ms = NOW_MS - 90_000).await;
    cloud.commands([1]).await;
    cloud.jobs.recv().await.unwrap();
    assert_eq!(cloud.offset.ms(), Some(-90_000));
}

#[tokio::test(start_paused = true)]
async fn the_gateway_pings_each_heartbeat_and_learns_the_offset() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    let mut pings = Vec::new();
    while pings.len() < 3 {
        let Some(Ok(Message::Binary(bytes))) = cloud.socket.next().await else { panic!("cut") };
        let Some(Kind::Ping(ping)) = Frame::decode_bytes(&bytes).unwrap().kind else { continue };
        pings.push(Instant::now());
        tokio::time::sleep(Duration::from_millis(40)).await;
        let t1_ms = ping.t0_ms + 5_020;
        cloud.say(Kind::Pong(Pong { t0_ms: ping.t0_ms, t1_ms, t2_ms: t1_ms })).await;
    }
    // The dice of this test always fall on the short side: nine tenths of 12 s.
    assert_eq!((pings[1] - pings[0]).as_millis(), 10_800);
    cloud.state.wait_for(|state| state.cloud_offset_ms.is_some()).await.unwrap();
    assert_eq!(cloud.state.borrow().cloud_offset_ms, Some(5_000));
    assert_eq!(log.0.state.lock().unwrap().offset_ms, Some(5_000));
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_talks_and_does_not_read_is_given_up() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.welcome(|welcome| welcome.up_window_bytes = 4 << 20).await;
    let event = vec![7; 16 * 1024];
    log.0.state.lock().unwrap().events.extend(std::iter::repeat_n(event, 40));
    log.0.changed.send_replace(UpMark { epoch: EPOCH, last: 40 });
    let welcomed = Instant::now();
    let ended = loop {
        // It is heard all the time.
        tokio::select! {
            ended = &mut cloud.session => break ended.unwrap(),
            () = tokio::time::sleep(Duration::from_secs(5)) => {
                let frame = Frame::from(Kind::Ping(Ping { t0_ms: 1 })).encode_bytes().unwrap();
                let _ = cloud.socket.send(Message::Binary(frame.into())).await;
            }
        }
    };
    let why = ended.why.to_string();
    assert!(matches!(ended.why, End::Refused { code: close::SLOW_CONSUMER, .. }), "{why}");
    let waited = welcomed.elapsed().as_secs();
    assert!((30..40).contains(&waited), "given up after {waited} s");
}
