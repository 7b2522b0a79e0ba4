//! Faults of clocks and printers, with the service stopped and running.

use std::net::SocketAddr;
use std::time::Duration;

use fournil_tests::clock_sim::{ClockSim, Fault as ClockFault, Profile};
use fournil_tests::printer_sim::{Args, Fault, PrinterSim};
use fournil_tests::world::daemon::Daemon;
use fournil_tests::world::shop::{PATIENCE, gateway_spec, run};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::network::blackhole;
use super::{Report, ShopBox, WHOLE_MAX};

fn clock_at(address: SocketAddr, more: &str) -> String {
    format!("[[clock]]\nname = \"entree\"\naddress = \"{address}\"\n{more}")
}

async fn with_clock(profile: Profile, more: &str) -> Report {
    let clock = ClockSim::start(profile).await.unwrap();
    ShopBox::bare(&clock_at(clock.addr(), more)).doctor().await
}

#[tokio::test]
async fn a_healthy_clock_and_each_of_its_faults_are_told() {
    let said = with_clock(Profile::default(), "").await;
    // The simulated clock keeps the machine's time.
    let said = said.ok("clock", "ok");
    assert_eq!(
        (&said["device"], &said["facts"]["serial"]),
        (&"entree".into(), &"SIM0000000001".into())
    );

    let keyed = Profile { comm_key: 1234, ..Profile::default() };
    let report = with_clock(keyed.clone(), "comm_key = 4321\n").await;
    let said = report.fault("clock", "comm-key-refused");
    assert!(said["remedy"].as_str().unwrap().contains("comm_key"), "{said}");
    with_clock(keyed, "comm_key = 1234\n").await.ok("clock", "ok");

    let report = with_clock(Profile::default(), "expected_serial = \"CJDE1\"\n").await;
    let said = report.fault("clock", "serial-mismatch");
    assert!(said["text"].as_str().unwrap().contains("CJDE1"), "{said}");

    let full = Profile { punches: 41_000, ..Profile::default() };
    with_clock(full, "").await.warning("clock", "log-nearly-full");

    let silent = Profile { faults: vec![ClockFault::Silent.into()], ..Profile::default() };
    let report = with_clock(silent, "").await;
    report.warning("clock", "busy");
    assert!(report.took < WHOLE_MAX, "{:?}", report.took);
}

#[tokio::test]
async fn a_clock_that_is_hours_off_is_told_with_the_command_that_sets_it() {
    let clock = ClockSim::start(Profile::default()).await.unwrap();
    let boxed = ShopBox::bare(&clock_at(clock.addr(), ""));
    let address = clock.addr().to_string();
    let args = ["clock", "set-time", "--addr", &address, "--timezone", "Asia/Tokyo"];
    let (status, _, err) = run(gateway_spec(boxed.dir.path(), &args).unwrap()).await.unwrap();
    assert_eq!(status, 0, "{err}");
    let report = boxed.doctor().await;
    let said = report.warning("clock", "clock-drift");
    assert_eq!(said["facts"]["direction"], "fast", "{said}");
    assert!(said["remedy"].as_str().unwrap().contains("clock set-time"), "{said}");
}

#[tokio::test]
async fn nobody_at_the_clocks_address_and_somebody_else_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    ShopBox::bare(&clock_at(address, "")).doctor().await.fault("clock", "unreachable");

    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = web.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = web.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            tokio::spawn(async move {
                let _held = stream;
                std::future::pending::<()>().await;
            });
        }
    });
    ShopBox::bare(&clock_at(address, "")).doctor().await.fault("clock", "not-a-clock");
}

fn printer_at(address: SocketAddr) -> String {
    format!("[[printer]]\nname = \"caisse\"\nto = \"tcp://{address}\"\n")
}

#[tokio::test]
async fn a_healthy_printer_and_each_of_its_faults_are_told() {
    for (fault, code) in [
        (None, "ok"),
        (Some(Fault::PaperLow), "paper-low"),
        (Some(Fault::Mute), "mute"),
        (Some(Fault::PaperOut), "paper-out"),
        (Some(Fault::CoverOpen), "cover-open"),
        (Some(Fault::CutterJammed), "cutter-error"),
    ] {
        let args = Args { fault: fault.into_iter().collect(), ..Args::for_tests() };
        let printer = PrinterSim::start(args).await.unwrap();
        let boxed = ShopBox::bare(&printer_at(printer.address().unwrap()));
        let report = boxed.doctor().await;
        let said = match code {
            "ok" => report.ok("printer", code),
            "paper-low" | "mute" => report.warning("printer", code),
            _ => report.fault("printer", code),
        };
        assert_eq!(said["device"], "caisse");
        assert!(printer.receipts().is_empty(), "a look printed something");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    ShopBox::bare(&printer_at(address)).doctor().await.fault("printer", "unreachable");
}

#[tokio::test]
async fn whatever_hangs_the_whole_ends_in_time() {
    let (nowhere, _held) = blackhole().await;
    let clock =
        ClockSim::start(Profile { faults: vec![ClockFault::Silent.into()], ..Profile::default() });
    let clock = clock.await.unwrap();
    let stalled = Args { fault: vec![Fault::Stalled], ..Args::for_tests() };
    let printer = PrinterSim::start(stalled).await.unwrap();
    let boxed = ShopBox::enrolled(&format!("https://localhost:{}", nowhere.port()), None);
    boxed.configure(&format!(
        "{}{}[[clock]]\nname = \"cour\"\naddress = \"{nowhere}\"\n",
        clock_at(clock.addr(), ""),
        printer_at(printer.address().unwrap())
    ));
    let report = boxed.doctor().await;
    assert!(report.took < WHOLE_MAX, "{:?}", report.took);
    report.fault("network", "silent");
    report.fault("clock", "unreachable");
    report.warning("printer", "mute");
}

/// The daemon holds clock and printer, which serve one program at a time: it is asked,
/// they are not.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_is_asked_and_its_devices_are_left_alone() {
    let clock = ClockSim::start(Profile::default()).await.unwrap();
    let printer = PrinterSim::start(Args::for_tests()).await.unwrap();
    let boxed = ShopBox::enrolled("https://127.0.0.1:1", None);
    boxed.configure(&format!(
        "{}{}profile = \"epson-58\"\n",
        clock_at(clock.addr(), ""),
        printer_at(printer.address().unwrap())
    ));
    let mut daemon = Daemon::start(gateway_spec(boxed.dir.path(), &["run"]).unwrap()).unwrap();
    daemon.wait_for_line("no tunnel", PATIENCE).await.unwrap();
    settled(&boxed).await;
    let connections = clock.counters().connections;
    let report = boxed.doctor().await;
    report.warning("service", "running-offline");
    report.ok("journal", "whole");
    report.ok("clock", "ok");
    report.ok("printer", "ok");
    report.fault("network", "refused");
    assert_eq!(clock.counters().connections, connections, "the clock was disturbed");
    printer.switch(|switches| switches.cover_open = true);
    let told = async {
        loop {
            let report = boxed.doctor().await;
            if report.french.iter().any(|one| one["code"] == "cover-open") {
                return report;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap().fault("printer", "cover-open");
    assert!(daemon.stop(PATIENCE).await.unwrap().success());
}

async fn settled(boxed: &ShopBox) {
    let well = async {
        loop {
            let status = fournil_gateway::app::status::ask(&boxed.state()).await;
            let is_well = status.is_ok_and(|status| {
                status.devices.len() == 2 && status.devices.iter().all(|one| one.state == "ok")
            });
            if is_well {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, well).await.unwrap();
}
