//! The connection cut at every byte of the cloud's side.

use super::*;

/// Bytes of the cloud's side of a whole session, for cutting anywhere.
fn cloud_bytes() -> Vec<Vec<u8>> {
    let welcome = Welcome {
        version: 1,
        session_generation: 1,
        up_epoch: EPOCH,
        up_durable: 0,
        down_epoch: DOWN_EPOCH,
        down_resume_from: 1,
        heartbeat_ms: HEARTBEAT_MS,
        server_time_ms: NOW_MS,
        up_window_events: 256,
        up_window_bytes: 262_144,
        mode: 0,
        transfers_max: 0,
    };
    let challenge =
        Challenge { nonce: vec![5; 32], version_min: 1, version_max: 1, server_time_ms: NOW_MS };
    let commands = Commands { epoch: DOWN_EPOCH, commands: vec![command(1), command(2)] };
    [Kind::Challenge(challenge), Kind::Welcome(welcome), Kind::Commands(commands)]
        .into_iter()
        .map(|kind| {
            let bytes = Frame::from(kind).encode_bytes().unwrap();
            let length = u8::try_from(bytes.len()).unwrap();
            // Unmasked binary frames, as a server writes them.
            let header = if length < 126 { vec![0x82, length] } else { vec![0x82, 126, 0, length] };
            [header, bytes].concat()
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_cut_at_any_byte_ends_the_session_and_loses_nothing() {
    let whole = cloud_bytes().concat();
    let commands_from = whole.len() - cloud_bytes()[2].len();
    for cut_at in 0..=whole.len() {
        let log = MemoryLog::with_events(3);
        let mut cloud = meet(&log).await;
        let (head, _) = whole.split_at(cut_at);
        tokio::io::AsyncWriteExt::write_all(cloud.socket.get_mut(), head).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(cloud.socket);
        let ended = cloud.session.await.unwrap();
        assert!(matches!(ended.why, End::Cut(_)), "cut at {cut_at}: {ended:?}");
        let recorded = log.commands();
        let is_whole = cut_at == whole.len();
        assert_eq!(recorded.is_empty(), !is_whole, "cut at {cut_at} of {commands_from}+");
        assert_eq!(log.acked(), 0);
        // What was recorded is resumed after, what was not comes again.
        let mut again = meet(&log).await;
        let hello = again.welcome(|_| {}).await;
        assert_eq!(hello.down.durable, recorded.len() as u64);
        assert_eq!(again.events().await, [1, 2, 3]);
    }
}
