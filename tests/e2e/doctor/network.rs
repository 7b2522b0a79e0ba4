//! Faults on the way to the cloud.

use std::net::SocketAddr;
use std::time::Duration;

use fournil_protocol::close;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::fake::{Authority, Cloud, Door, FOURNIL, NOW, Validity};
use super::{ShopBox, WHOLE_MAX};

/// A port behind which every connection gets the same treatment.
async fn door(treat: fn(TcpStream) -> futures_util::future::BoxFuture<'static, ()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(treat(stream));
        }
    });
    address
}

async fn read_some(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 4_096]).await;
}

/// A listener whose queue is full: the kernel drops what comes, as a firewall does. Kept
/// as long as the result lives.
pub(super) async fn blackhole() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fill = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        fill.push(stream);
    }
    (address, (listener, fill))
}

fn at(address: SocketAddr) -> ShopBox {
    ShopBox::enrolled(&format!("https://localhost:{}", address.port()), None)
}

#[tokio::test]
async fn a_closed_port_is_told_from_one_that_swallows_everything() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let report = at(address).doctor().await;
    let said = report.fault("network", "refused");
    assert!(said["remedy"].as_str().unwrap().contains(&address.port().to_string()), "{said}");
    report.skipped("tls", "network");
    report.skipped("time", "network");
    report.skipped("protocol", "network");
    report.skipped("cloud", "network");

    let (address, _held) = blackhole().await;
    let report = at(address).doctor().await;
    let said = report.fault("network", "silent");
    assert!(said["remedy"].as_str().unwrap().contains("pare-feu"), "{said}");
    assert!(report.took < WHOLE_MAX, "{:?}", report.took);
}

#[tokio::test]
async fn a_machine_that_is_on_no_network_is_told_so() {
    if !super::resolver::may_unshare() {
        return;
    }
    let boxed = ShopBox::enrolled("https://198.51.100.7", None);
    let report = boxed.doctor_under(&["unshare", "--net"]).await;
    report.ok("name", "is-address");
    let said = report.fault("network", "unreachable");
    assert!(said["remedy"].as_str().unwrap().contains("ip route"), "{said}");
}

#[tokio::test]
async fn a_portal_that_speaks_plain_http_is_told_with_where_it_sends() {
    let address = door(|mut stream| {
        Box::pin(async move {
            read_some(&mut stream).await;
            let answer = "HTTP/1.1 302 Found\r\nLocation: http://portail.example/\r\n\
                          Content-Length: 0\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes()).await;
        })
    })
    .await;
    let report = at(address).doctor().await;
    let said = report.fault("tls", "plain-http");
    assert_eq!(said["facts"]["sends_to"], "http://portail.example/");
    report.skipped("protocol", "tls");
}

#[tokio::test]
async fn what_does_not_speak_tls_cuts_or_says_nothing_is_told_apart() {
    let ssh = door(|mut stream| {
        Box::pin(async move {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
            read_some(&mut stream).await;
        })
    })
    .await;
    at(ssh).doctor().await.fault("tls", "not-tls");
    let cutting = door(|mut stream| {
        Box::pin(async move {
            read_some(&mut stream).await;
        })
    })
    .await;
    at(cutting).doctor().await.fault("tls", "cut");
    let silent = door(|stream| {
        Box::pin(async move {
            let _held = stream;
            std::future::pending::<()>().await;
        })
    })
    .await;
    let report = at(silent).doctor().await;
    report.fault("tls", "silent");
    assert!(report.took < WHOLE_MAX, "{:?}", report.took);
}

#[tokio::test]
async fn a_certificate_of_nobody_we_know_names_who_signed_it() {
    let cloud = Cloud::good().await;
    // Public roots: the right name, signed by nobody known.
    let report = ShopBox::enrolled(&cloud.url(), None).doctor().await;
    let said = report.fault("tls", "unknown-authority");
    assert!(said["text"].as_str().unwrap().contains("Cloud du fournil"), "{said}");
    // Another authority than the cloud's own.
    let other = Authority::named("Autre");
    let report = ShopBox::enrolled(&cloud.url(), Some(&other.pem)).doctor().await;
    let said = report.fault("tls", "other-authority");
    assert_eq!(said["facts"]["issuer"], "Cloud du fournil");
    report.skipped("cloud", "tls");
}

#[tokio::test]
async fn whoever_answers_in_place_of_the_cloud_is_named() {
    let portal = Cloud::start("portail.hotel.example", NOW, FOURNIL).await;
    let ours = Authority::named("Cloud du fournil");
    for ca in [None, Some(ours.pem.as_str())] {
        let report = ShopBox::enrolled(&portal.url(), ca).doctor().await;
        let said = report.fault("tls", "intercepted");
        assert!(said["text"].as_str().unwrap().contains("portail.hotel.example"), "{said}");
    }
    // Signed by the right authority, for somebody else.
    let said = portal.enrolled_box().doctor().await;
    said.fault("tls", "wrong-name");
}

#[tokio::test]
async fn an_expired_certificate_is_told_from_a_wrong_clock() {
    let old = Validity { from_day: -90, to_day: -2 };
    let report = Cloud::start("localhost", old, FOURNIL).await.enrolled_box().doctor().await;
    report.fault("tls", "expired");
    report.ok("time", "right");

    let past = Door::Fournil { versions: (1, 1), offset_ms: -30 * 86_400_000, standing: None };
    let report = Cloud::start("localhost", old, past).await.enrolled_box().doctor().await;
    let said = report.fault("tls", "clock-wrong");
    assert!(said["remedy"].as_str().unwrap().contains("timedatectl"), "{said}");
    report.fault("time", "wrong");
    report.skipped("protocol", "tls");

    // Nobody there to ask: both are possible, and the date here is looked at first.
    let report = Cloud::start("localhost", old, Door::Silent).await.enrolled_box().doctor().await;
    report.fault("tls", "expired-or-clock-wrong");
    report.skipped("time", "tls");
    assert!(report.took < WHOLE_MAX, "{:?}", report.took);
}

#[tokio::test]
async fn a_certificate_that_is_not_yet_valid_is_mostly_our_own_clock() {
    let coming = Validity { from_day: 3, to_day: 90 };
    let ahead = Door::Fournil { versions: (1, 1), offset_ms: 5 * 86_400_000, standing: None };
    let report = Cloud::start("localhost", coming, ahead).await.enrolled_box().doctor().await;
    report.fault("tls", "clock-wrong");
    let said = report.fault("time", "wrong");
    assert_eq!(said["facts"]["direction"], "slow", "{said}");

    let report = Cloud::start("localhost", coming, FOURNIL).await.enrolled_box().doctor().await;
    report.fault("tls", "not-yet-valid");
    let report =
        Cloud::start("localhost", coming, Door::Silent).await.enrolled_box().doctor().await;
    report.fault("tls", "not-yet-valid-or-clock-wrong");
}

#[tokio::test]
async fn a_clock_two_minutes_off_is_a_fault_and_five_seconds_a_warning() {
    let off =
        |offset_ms| Door::Fournil { versions: (1, 1), offset_ms, standing: Some((0, "localhost")) };
    let report = Cloud::behind(off(-120_000)).await.enrolled_box().doctor().await;
    let said = report.fault("time", "wrong");
    assert_eq!(said["facts"]["direction"], "fast", "{said}");
    let seconds: i64 = said["facts"]["seconds"].as_str().unwrap().parse().unwrap();
    assert!((118..=120).contains(&seconds), "{said}");
    // The rest is looked at all the same.
    report.ok("cloud", "known");
    let report = Cloud::behind(off(5_000)).await.enrolled_box().doctor().await;
    report.warning("time", "off");
    assert_eq!(report.status, 0);
}

#[tokio::test]
async fn a_cloud_of_another_version_says_who_must_be_updated() {
    let speaks =
        |versions| Door::Fournil { versions, offset_ms: 0, standing: Some((0, "localhost")) };
    let report = Cloud::behind(speaks((900, 901))).await.enrolled_box().doctor().await;
    report.fault("protocol", "cloud-newer");
    report.skipped("cloud", "protocol");
    let report = Cloud::behind(speaks((0, 0))).await.enrolled_box().doctor().await;
    report.fault("protocol", "cloud-older");
}

#[tokio::test]
async fn doors_that_are_no_tunnel_are_told_apart() {
    let http = |answer| Cloud::behind(Door::Http(answer));
    for (answer, code) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "not-a-cloud"),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "cloud-down"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "proxy"),
    ] {
        let report = http(answer).await.enrolled_box().doctor().await;
        report.fault("protocol", code);
        report.skipped("time", "protocol");
        report.skipped("cloud", "protocol");
    }
    let report = Cloud::behind(Door::Silent).await.enrolled_box().doctor().await;
    report.fault("protocol", "silent");
    assert!(report.took < WHOLE_MAX, "{:?}", report.took);
}

#[tokio::test]
async fn what_the_cloud_thinks_of_this_gateway_is_asked_without_a_session() {
    let answers =
        |standing| Cloud::behind(Door::Fournil { versions: (1, 1), offset_ms: 0, standing });
    for (code, name, told) in [
        (close::REVOKED, "localhost", "revoked"),
        (close::UNKNOWN_KEY, "localhost", "unknown"),
        (close::UNKNOWN_KEY, "erp.example", "other-name"),
        (close::SUSPENDED, "localhost", "suspended"),
    ] {
        let report = answers(Some((code.into(), name))).await.enrolled_box().doctor().await;
        let said = report.fault("cloud", told);
        if told == "other-name" {
            assert!(said["remedy"].as_str().unwrap().contains("erp.example"), "{said}");
        }
    }
    let report = answers(None).await.enrolled_box().doctor().await;
    report.warning("cloud", "cannot-tell");
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_named() {
    let cloud = Cloud::good().await;
    let boxed = cloud.enrolled_box();
    boxed.configure("[cloud]\nca_file = \"/nonexistent/ca.pem\"\n");
    let report = boxed.doctor().await;
    let said = report.fault("tls", "authority-unusable");
    assert!(said["text"].as_str().unwrap().contains("/nonexistent/ca.pem"), "{said}");
}
