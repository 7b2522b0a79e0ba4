//! What goes on while a receipt cannot go on, and what a stop, a full line and a silent
//! peer allow to be said.

use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;

use super::*;

fn cancel(target: Uuid) -> Job {
    let command_id = target.as_bytes().to_vec();
    job(Policy::Repeatable, Body::Cancel(Cancel { command_id }))
}

fn drawer() -> Job {
    job(Policy::AtMostOnce, Body::OpenDrawer(OpenDrawer { pin: 0 }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_the_running_receipt_end_and_begins_no_other() {
    let sim = PrinterSim::start(Args { speed_mm_s: 100, ..Args::for_tests() }).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let jobs = [print(1), print(2), print(3)];
    for job in &jobs {
        shop.send(job.clone()).await;
    }
    shop.written.wait_for(|log| !log.is_empty()).await.unwrap();
    shop.stop.cancel();
    tokio::time::timeout(SOON, &mut shop.part).await.unwrap().unwrap();
    assert_eq!(shop.outcome(jobs[0].id).await.state(), CommandState::Done);
    assert_eq!(jobs.iter().map(|job| shop.begun(job.id)).sum::<usize>(), 1);
    assert_eq!(sim.receipts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_begun_receipt_waits_for_paper_drawers_expire_and_cancels_are_answered() {
    let sim = PrinterSim::start(Args { buffer_bytes: 128, ..Args::for_tests() }).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    sim.switch(|switches| switches.paper_out_after_lines = Some(4));
    let (begun, waiting) = (print(7), print(8));
    shop.send(begun.clone()).await;
    shop.health("paper-out").await;
    let drawer = drawer();
    let (cancel_waiting, cancel_begun) = (cancel(waiting.id), cancel(begun.id));
    for job in [&waiting, &drawer, &cancel_waiting, &cancel_begun] {
        shop.send(job.clone()).await;
    }
    assert_eq!(shop.outcome(waiting.id).await.state(), CommandState::Cancelled);
    assert_eq!(shop.outcome(cancel_waiting.id).await.state(), CommandState::Done);
    assert_eq!(shop.outcome(cancel_begun.id).await.reason, "too-late");
    assert_eq!(shop.outcome(drawer.id).await.state(), CommandState::Expired);
    assert_eq!(sim.kicks().len(), 0);
    sim.switch(|switches| switches.paper = true);
    assert_eq!(shop.outcome(begun.id).await.state(), CommandState::Done);
    assert_eq!((sim.receipts().len(), shop.begun(begun.id)), (1, 1));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_has_ended_elsewhere_does_not_hold_the_queue() {
    let sim = PrinterSim::start(Args::for_tests()).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let (ended, next) = (print(1), print(2));
    shop.ended.send_replace(Some(ended.id));
    shop.send(ended.clone()).await;
    shop.send(next.clone()).await;
    assert_eq!(shop.outcome(next.id).await.state(), CommandState::Done);
    assert_eq!(shop.begun(ended.id), 0);
    assert_eq!(sim.receipts().len(), 1);
    assert!(sim.receipts()[0].text.contains("T-2026-000002"));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_still_lie_in_this_machine_are_not_told_as_sent() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    // The peer takes next to nothing; what is left fits into our own send buffer.
    socket.set_recv_buffer_size(2_048).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(4).unwrap();
    let address = listener.local_addr().unwrap();
    let deaf = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    let mut shop = Shop::open(&format!("tcp://{address}"), "mute-80");
    let document = Document::default().text("x".repeat(9_000), Align::Start);
    let job = job(Policy::Ask, Body::Print(Print { document, copy_of: Vec::new() }));
    shop.send(job.clone()).await;
    let report = shop.outcome(job.id).await;
    assert_eq!(outcome_of(&report), (CommandState::InDoubt, Evidence::None, "no-proof"));
    deaf.abort();
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_serial_line_with_a_chunk_on_its_way_is_a_doubt() {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let printer = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&printer).unwrap();
    rustix::pty::unlockpt(&printer).unwrap();
    let name = rustix::pty::ptsname(&printer, Vec::new()).unwrap();
    let name = name.to_string_lossy().into_owned();
    // Held open, so that the line is not reset between two openings.
    let held = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let _held = rustix::fs::open(name.as_str(), held, Mode::empty()).unwrap();
    let mut shop = Shop::open(&format!("serial:{name}?baud=115200&flow=software"), "mute-80");
    shop.health("ok").await;
    // XOFF: not a byte may leave.
    rustix::io::write(printer.as_fd(), &[0x13]).unwrap();
    let job = print(1);
    shop.send(job.clone()).await;
    let report = shop.outcome(job.id).await;
    assert_eq!(outcome_of(&report), (CommandState::InDoubt, Evidence::None, "stalled"));
    assert_eq!(shop.begun(job.id), 1);
    // XON, so that the writer ends.
    rustix::io::write(printer.as_fd(), &[0x11]).unwrap();
    shop.close().await;
}
