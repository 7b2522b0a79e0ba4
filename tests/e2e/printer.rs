//! The printer's spool against the simulated printer over real TCP and a real
//! pseudo-terminal: what reaches the paper, what is reported, and that never more is
//! printed than was asked for.

mod cli;
mod drawn;
mod waiting;

use std::path::PathBuf;
use std::time::Duration;

use fournil_gateway::printer::config::{PrinterConfig, Target};
use fournil_gateway::printer::profile::{Profile, Tags};
use fournil_gateway::printer::render::render;
use fournil_gateway::printer::spool::{Patience, run_with};
use fournil_gateway::printer::{escpos, preview};
use fournil_gateway::seam::{CloudOffset, JOBS_MAX, Job, RecordError, Request, recorder};
use fournil_gateway::tunnel::ambient::Ambient;
use fournil_protocol::command::{Body, Cancel, Command, OpenDrawer, Policy, Print};
use fournil_protocol::document::{Align, Document, Feed, Kind, Qr};
use fournil_protocol::event::{CommandReport, CommandState, DeviceHealth, Evidence};
use fournil_tests::printer_sim::{Args, Fault, PrinterSim};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(10);

/// What the journal was asked to write, in order.
#[derive(Debug, Clone, PartialEq)]
enum Written {
    Begin(Uuid, u32),
    Report(CommandReport),
}

/// The daemon's printer part with a journal of its own.
struct Shop {
    jobs: mpsc::Sender<Job>,
    written: watch::Receiver<Vec<Written>>,
    health: watch::Receiver<DeviceHealth>,
    journal_full: watch::Sender<bool>,
    /// A command that the journal knows as settled.
    ended: watch::Sender<Option<Uuid>>,
    stop: CancellationToken,
    part: JoinHandle<()>,
}

impl Shop {
    fn open(to: &str, profile: &str) -> Self {
        Self::with(PrinterConfig::at("caisse", to.parse::<Target>().unwrap(), profile))
    }

    fn with(config: PrinterConfig) -> Self {
        let (recorder, mut requests) = recorder();
        let (jobs, taken) = mpsc::channel(JOBS_MAX);
        let (health_told, health) = watch::channel(DeviceHealth::default());
        let (log, written) = watch::channel(Vec::new());
        let (journal_full, full) = watch::channel(false);
        let (ended, has_ended) = watch::channel(None);
        let stop = CancellationToken::new();
        tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                let refused = RecordError::Full("64 MiB".to_owned());
                match request {
                    Request::Begin { done, .. } | Request::Report { done, .. }
                        if *full.borrow() =>
                    {
                        let _ = done.send(Err(refused));
                    }
                    Request::Begin { command_id, done, .. }
                        if *has_ended.borrow() == Some(command_id) =>
                    {
                        let _ = done.send(Err(RecordError::NotWaiting(command_id)));
                    }
                    Request::Record { done, .. } | Request::Confirmed { done } => {
                        drop(done.send(Ok(())));
                    }
                    Request::Begin { command_id, attempt, done, .. } => {
                        log.send_modify(|log| log.push(Written::Begin(command_id, attempt)));
                        let _ = done.send(Ok(()));
                    }
                    Request::Report { report, done } => {
                        log.send_modify(|log| log.push(Written::Report(report)));
                        let _ = done.send(Ok(()));
                    }
                }
            }
        });
        let patience = Patience {
            stall: Duration::from_secs(2),
            proof: Duration::from_secs(2),
            settle: Duration::from_secs(3),
        };
        let (offset, token) = (CloudOffset::known(0), stop.clone());
        let part = tokio::spawn(async move {
            let clock = (offset, Ambient::system());
            run_with(config, recorder, taken, health_told, clock, token, patience).await.unwrap();
        });
        Self { jobs, written, health, journal_full, ended, stop, part }
    }

    fn at(sim: &PrinterSim, profile: &str) -> Self {
        Self::open(&format!("tcp://{}", sim.address().unwrap()), profile)
    }

    async fn send(&self, job: Job) {
        self.jobs.send(job).await.unwrap();
    }

    /// Waits for the final report of a command.
    async fn outcome(&mut self, id: Uuid) -> CommandReport {
        let is_final =
            |state: CommandState| !matches!(state, CommandState::Waiting | CommandState::Started);
        self.report(id, is_final).await
    }

    async fn report(&mut self, id: Uuid, wanted: impl Fn(CommandState) -> bool) -> CommandReport {
        let found = |log: &Vec<Written>| {
            log.iter().find_map(|written| match written {
                Written::Report(report)
                    if report.command_id == id.as_bytes() && wanted(report.state()) =>
                {
                    Some(report.clone())
                }
                _ => None,
            })
        };
        let waited = tokio::time::timeout(SOON, self.written.wait_for(|log| found(log).is_some()))
            .await
            .is_ok();
        let log = self.written.borrow();
        assert!(waited, "no such report of {id} in {log:#?}");
        found(&log).unwrap()
    }

    async fn health(&mut self, code: &str) {
        let waited = tokio::time::timeout(SOON, self.health.wait_for(|health| health.code == code))
            .await
            .is_ok();
        assert!(waited, "health is {:?}, not {code}", self.health.borrow());
    }

    fn begun(&self, id: Uuid) -> usize {
        let written = self.written.borrow();
        written.iter().filter(|w| matches!(w, Written::Begin(begun, _) if *begun == id)).count()
    }

    async fn close(self) {
        self.stop.cancel();
        self.part.await.unwrap();
    }
}

fn ticket(number: u32) -> Document {
    Document {
        title: format!("T-2026-{number:06}"),
        language: "fr".to_owned(),
        ..Document::default()
    }
    .heading("Le Fournil")
    .text(format!("Ticket T-2026-{number:06}"), Align::Centre)
    .text("24/11/2026 08:15   Caisse 1", Align::Centre)
    .rule()
    .pair("4 x Baguette tradition", "120,00", false)
    .pair("2 x Croissant au beurre", "100,00", false)
    .pair("1 x Pain de campagne au levain naturel 1 kg", "180,00", false)
    .pair("6 x Œuf frais à l’unité", "1\u{202f}090,00", false)
    .rule()
    .pair("TOTAL", "1\u{202f}490,00\u{a0}DA", true)
    .pair("Espèces", "2\u{202f}000,00", false)
    .pair("Monnaie rendue", "510,00", false)
    .rule()
    .text("Merci de votre visite, à bientôt !", Align::Centre)
    .with(Kind::Feed(Feed { lines: 1 }))
    .with(Kind::Qr(Qr { data: format!("https://fournil.example/t/T-2026-{number:06}") }))
}

fn print(number: u32) -> Job {
    let print = Print { document: ticket(number), copy_of: Vec::new() };
    job(Policy::Ask, Body::Print(print))
}

fn job(policy: Policy, body: Body) -> Job {
    let command = Command { policy: policy as i32, body: Some(body), ..Command::default() };
    Job { id: Uuid::now_v7(), command, interrupted_attempt: None }
}

fn outcome_of(report: &CommandReport) -> (CommandState, Evidence, &str) {
    (report.state(), report.evidence(), report.reason.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_printed_with_proof_and_looks_like_the_preview() {
    let sim = PrinterSim::start(Args::for_tests()).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let job = print(123);
    shop.send(job.clone()).await;
    let report = shop.outcome(job.id).await;
    assert_eq!(outcome_of(&report), (CommandState::Done, Evidence::TagReturned, ""));
    let begin = shop.written.borrow().iter().position(|w| *w == Written::Begin(job.id, 1));
    assert!(begin.is_some_and(|place| place == 0), "the intent is written first");
    let receipts = sim.receipts();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].errors, Vec::<String>::new());
    assert!(receipts[0].text.contains("TOTAL                1 490,00 DA"), "{}", receipts[0].text);
    // The bytes went through an encoder and a parser that know nothing of each other.
    let profile = Profile::named("epson-58").unwrap();
    let expected = preview::draw(&render(&ticket(123), &profile, false), &profile);
    assert!(receipts[0].png == expected.to_png().unwrap(), "the paper differs from the preview");
    shop.health("ok").await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_voice_gives_its_own_evidence() {
    for (profile, faults, evidence) in [
        ("epson-58", vec![], Evidence::TagReturned),
        ("epson-58", vec![Fault::NoTags], Evidence::AnsweredAfter),
        ("generic-58", vec![Fault::Gbk], Evidence::AnsweredAfter),
        ("mute-80", vec![Fault::Mute], Evidence::BytesSent),
    ] {
        let width_dots = Profile::named(profile).unwrap().width_dots();
        let args = Args { fault: faults, width_dots, ..Args::for_tests() };
        let sim = PrinterSim::start(args).await.unwrap();
        let mut shop = Shop::at(&sim, profile);
        let job = print(1);
        shop.send(job.clone()).await;
        let report = shop.outcome(job.id).await;
        assert_eq!(outcome_of(&report), (CommandState::Done, evidence, ""), "{profile}");
        assert!(sim.until(SOON, |sim| sim.receipts().len() == 1).await);
        assert!(sim.receipts()[0].text.contains("Espèces"), "{}", sim.receipts()[0].text);
        assert_eq!(sim.errors(), Vec::<String>::new());
        shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_waits_for_paper_without_a_byte_and_can_be_cancelled() {
    let args = Args { fault: vec![Fault::PaperOut], ..Args::for_tests() };
    let sim = PrinterSim::start(args).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let (first, second) = (print(1), print(2));
    shop.send(first.clone()).await;
    shop.send(second.clone()).await;
    let waiting = shop.report(first.id, |state| state == CommandState::Waiting).await;
    assert_eq!(waiting.reason, "paper-out");
    shop.health("paper-out").await;
    assert_eq!(shop.begun(first.id), 0);
    let cancel =
        job(Policy::Repeatable, Body::Cancel(Cancel { command_id: second.id.as_bytes().to_vec() }));
    shop.send(cancel.clone()).await;
    assert_eq!(shop.outcome(second.id).await.state(), CommandState::Cancelled);
    assert_eq!(shop.outcome(cancel.id).await.state(), CommandState::Done);
    sim.switch(|switches| switches.paper = true);
    assert_eq!(shop.outcome(first.id).await.evidence(), Evidence::TagReturned);
    assert_eq!(sim.receipts().len(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_that_ends_in_mid_receipt_is_waited_for_and_nothing_is_printed_twice() {
    // A buffer smaller than the receipt: the line itself stalls.
    let args = Args { buffer_bytes: 128, ..Args::for_tests() };
    let sim = PrinterSim::start(args).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    sim.switch(|switches| switches.paper_out_after_lines = Some(4));
    let job = print(7);
    shop.send(job.clone()).await;
    let started = shop.report(job.id, |state| state == CommandState::Started).await;
    assert_eq!(started.reason, "paper-out");
    shop.health("paper-out").await;
    // Longer than every patience of this test.
    tokio::time::sleep(Duration::from_secs(3)).await;
    sim.switch(|switches| switches.paper = true);
    let report = shop.outcome(job.id).await;
    assert_eq!(outcome_of(&report), (CommandState::Done, Evidence::TagReturned, ""));
    assert_eq!(shop.begun(job.id), 1);
    assert_eq!(sim.receipts().len(), 1);
    assert_eq!(sim.receipts()[0].text.matches("Baguette").count(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_leaves_a_doubt_and_the_next_receipt_is_clean() {
    let sim = PrinterSim::start(Args::for_tests()).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    shop.health("ok").await;
    sim.switch(|switches| switches.drop_after_bytes = Some(150));
    let (broken, next) = (print(1), print(2));
    shop.send(broken.clone()).await;
    let report = shop.outcome(broken.id).await;
    assert_eq!(outcome_of(&report), (CommandState::InDoubt, Evidence::None, "interrupted"));
    shop.send(next.clone()).await;
    assert_eq!(shop.outcome(next.id).await.evidence(), Evidence::TagReturned);
    let receipts = sim.receipts();
    assert!(receipts.last().unwrap().text.contains("T-2026-000002"));
    assert!(!receipts.last().unwrap().text.contains("T-2026-000001"), "the halves are apart");
    assert_eq!(shop.begun(broken.id), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_in_mid_receipt_is_a_doubt_and_never_a_second_print() {
    let args = Args { speed_mm_s: 20, ..Args::for_tests() };
    let sim = PrinterSim::start(args).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let job = print(1);
    shop.send(job.clone()).await;
    assert!(sim.until(SOON, |sim| sim.received_bytes() > 400).await);
    sim.switch(|switches| switches.power = false);
    sim.switch(|switches| switches.power = true);
    assert_eq!(shop.outcome(job.id).await.state(), CommandState::InDoubt);
    assert_eq!(shop.begun(job.id), 1);
    let cut = sim.receipts().iter().filter(|receipt| !receipt.torn).count();
    assert_eq!(cut, 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_attempt_is_settled_by_its_tag() {
    let sim = PrinterSim::start(Args { speed_mm_s: 100, ..Args::for_tests() }).await.unwrap();
    let address = sim.address().unwrap();
    let mut job = print(9);
    let profile = Profile::named("epson-58").unwrap();
    let Some(Body::Print(print)) = &job.command.body else { panic!() };
    let page = render(&print.document, &profile, false);
    // As a daemon that was killed after the last byte: the host is gone, paper moves.
    let mut dead = tokio::net::TcpStream::connect(address).await.unwrap();
    let segments = escpos::encode(&page, &profile, Some((job.id, 1)));
    let bytes: Vec<u8> = segments.into_iter().flat_map(|segment| segment.bytes).collect();
    tokio::io::AsyncWriteExt::write_all(&mut dead, &bytes).await.unwrap();
    assert!(sim.until(SOON, |sim| sim.received_bytes() == bytes.len()).await);
    drop(dead);
    assert!(sim.until(SOON, |sim| sim.receipts().len() == 1).await);
    job.interrupted_attempt = Some(1);
    let mut shop = Shop::at(&sim, "epson-58");
    shop.health("ok").await;
    shop.send(job.clone()).await;
    let report = shop.outcome(job.id).await;
    assert_eq!(outcome_of(&report), (CommandState::Done, Evidence::TagReturned, ""));
    assert_eq!((shop.begun(job.id), sim.receipts().len()), (0, 1));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_attempt_without_its_tag_stays_in_doubt_and_prints_nothing() {
    let sim = PrinterSim::start(Args::for_tests()).await.unwrap();
    for profile in ["epson-58", "generic-58"] {
        let mut shop = Shop::at(&sim, profile);
        let job = Job { interrupted_attempt: Some(3), ..print(9) };
        shop.send(job.clone()).await;
        let report = shop.outcome(job.id).await;
        assert_eq!((report.state(), report.attempt), (CommandState::InDoubt, 3));
        assert_eq!((shop.begun(job.id), sim.receipts().len()), (0, 0));
        shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drawer_opens_once_before_receipts_and_expires_in_seconds() {
    let args = Args { fault: vec![Fault::PaperOut], ..Args::for_tests() };
    let sim = PrinterSim::start(args).await.unwrap();
    let mut shop = Shop::at(&sim, "generic-58");
    let (receipt, drawer) =
        (print(1), job(Policy::AtMostOnce, Body::OpenDrawer(OpenDrawer { pin: 0 })));
    shop.send(receipt.clone()).await;
    shop.send(drawer.clone()).await;
    assert_eq!(shop.outcome(drawer.id).await.state(), CommandState::Expired);
    assert_eq!(sim.kicks().len(), 0);
    sim.switch(|switches| switches.paper = true);
    assert_eq!(shop.outcome(receipt.id).await.state(), CommandState::Done);
    let drawer = job(Policy::AtMostOnce, Body::OpenDrawer(OpenDrawer { pin: 5 }));
    shop.send(drawer.clone()).await;
    let report = shop.outcome(drawer.id).await;
    assert_eq!(outcome_of(&report), (CommandState::Done, Evidence::AnsweredAfter, ""));
    let kicks = sim.kicks();
    assert_eq!((kicks.len(), kicks[0].pin, kicks[0].on_ms), (1, 5, 100));
    let interrupted = Job {
        interrupted_attempt: Some(1),
        ..job(Policy::AtMostOnce, Body::OpenDrawer(OpenDrawer { pin: 5 }))
    };
    shop.send(interrupted.clone()).await;
    assert_eq!(shop.outcome(interrupted.id).await.state(), CommandState::InDoubt);
    assert_eq!(sim.kicks().len(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epson_opens_the_drawer_even_without_paper() {
    let args = Args { fault: vec![Fault::PaperOut], ..Args::for_tests() };
    let sim = PrinterSim::start(args).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let drawer = job(Policy::AtMostOnce, Body::OpenDrawer(OpenDrawer { pin: 2 }));
    shop.send(drawer.clone()).await;
    assert_eq!(shop.outcome(drawer.id).await.state(), CommandState::Done);
    assert!(sim.until(SOON, |sim| sim.kicks().len() == 1).await);
    assert!(sim.kicks()[0].realtime);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_printed_past_its_deadline_or_while_the_journal_is_full() {
    let sim = PrinterSim::start(Args::for_tests()).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let mut late = print(1);
    late.command.not_after_ms = 1_000;
    shop.send(late.clone()).await;
    assert_eq!(shop.outcome(late.id).await.state(), CommandState::Expired);
    shop.journal_full.send_replace(true);
    let job = print(2);
    shop.send(job.clone()).await;
    shop.health("journal-full").await;
    assert_eq!(sim.receipts().len(), 0);
    shop.journal_full.send_replace(false);
    assert_eq!(shop.outcome(job.id).await.state(), CommandState::Done);
    assert_eq!(sim.receipts().len(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printer_that_is_not_there_is_waited_for() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut shop = Shop::open(&format!("tcp://{address}"), "epson-58");
    let job = print(1);
    shop.send(job.clone()).await;
    let waiting = shop.report(job.id, |state| state == CommandState::Waiting).await;
    assert_eq!(waiting.reason, "unreachable");
    let sim = PrinterSim::start(Args { tcp: Some(address), ..Args::for_tests() }).await.unwrap();
    assert_eq!(shop.outcome(job.id).await.state(), CommandState::Done);
    assert_eq!(sim.receipts().len(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_says_duplicata_and_a_lost_letter_is_told() {
    let sim = PrinterSim::start(Args::for_tests()).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let document = Document::default().text("漢字 120", Align::Start);
    let copy_of = Uuid::now_v7().as_bytes().to_vec();
    let job = job(Policy::Ask, Body::Print(Print { document, copy_of }));
    shop.send(job.clone()).await;
    let report = shop.outcome(job.id).await;
    assert_eq!(report.state(), CommandState::Done);
    assert!(report.detail.starts_with("2 characters"), "{}", report.detail);
    assert!(sim.receipts()[0].text.contains("** DUPLICATA **"));
    assert!(sim.receipts()[0].text.contains("[image]"), "{}", sim.receipts()[0].text);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_printer_prints_with_proof() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("tty");
    let args = Args { tcp: None, pty: Some(path.clone()), ..Args::for_tests() };
    let sim = PrinterSim::start(args).await.unwrap();
    let mut shop = Shop::open(&format!("serial:{}?baud=115200", path.display()), "epson-58");
    for number in 1..=3 {
        let job = print(number);
        shop.send(job.clone()).await;
        let report = shop.outcome(job.id).await;
        assert_eq!(outcome_of(&report), (CommandState::Done, Evidence::TagReturned, ""));
    }
    assert_eq!(sim.receipts().len(), 3);
    assert_eq!(sim.errors(), Vec::<String>::new());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_are_still_there_after_a_restart_of_the_simulator() {
    let folder = tempfile::tempdir().unwrap();
    let args = || Args { out: Some(folder.path().to_owned()), ..Args::for_tests() };
    let sim = PrinterSim::start(args()).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let job = print(1);
    shop.send(job.clone()).await;
    shop.outcome(job.id).await;
    shop.close().await;
    sim.stop().await;
    let again = PrinterSim::start(args()).await.unwrap();
    assert_eq!(again.receipts().len(), 1);
    assert!(folder.path().join("receipt-000001.png").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_finds_out_whether_the_printer_returns_tags() {
    for (faults, evidence) in
        [(vec![], Evidence::TagReturned), (vec![Fault::NoTags], Evidence::AnsweredAfter)]
    {
        let sim = PrinterSim::start(Args { fault: faults, ..Args::for_tests() }).await.unwrap();
        let to = format!("tcp://{}", sim.address().unwrap()).parse::<Target>().unwrap();
        let mut config = PrinterConfig::at("caisse", to, "generic-58");
        config.tags = Some(Tags::Probe);
        let mut shop = Shop::with(config);
        let job = print(1);
        shop.send(job.clone()).await;
        assert_eq!(shop.outcome(job.id).await.evidence(), evidence);
        assert_eq!(sim.errors(), Vec::<String>::new());
        shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printer_that_answers_nothing_is_sent_nothing() {
    let sim =
        PrinterSim::start(Args { fault: vec![Fault::Mute], ..Args::for_tests() }).await.unwrap();
    let mut shop = Shop::at(&sim, "generic-58");
    let job = print(1);
    shop.send(job.clone()).await;
    let waiting = shop.report(job.id, |state| state == CommandState::Waiting).await;
    assert_eq!(waiting.reason, "unreachable");
    assert!(waiting.detail.contains("mute-80"), "{}", waiting.detail);
    assert_eq!((shop.begun(job.id), sim.receipts().len()), (0, 0));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_daemon_dies_nothing_is_printed_twice_and_done_means_printed() {
    let deaths = [(1, false), (150, false), (600, false), (1, true), (300, true), (600, true)];
    for (bytes, power_cut) in deaths {
        // Paper so slow that the current fails before its end, however busy this machine is.
        let speed_mm_s = if power_cut { 10 } else { 150 };
        let sim = PrinterSim::start(Args { speed_mm_s, ..Args::for_tests() }).await.unwrap();
        let mut shop = Shop::at(&sim, "epson-58");
        shop.health("ok").await;
        let (mut job, before) = (print(5), sim.received_bytes());
        shop.send(job.clone()).await;
        // The questions before the job are 12 bytes.
        assert!(sim.until(SOON, |sim| sim.received_bytes() >= before + 12 + bytes).await);
        shop.part.abort();
        assert!((&mut shop.part).await.unwrap_err().is_cancelled());
        if power_cut {
            sim.switch(|switches| switches.power = false);
            sim.switch(|switches| switches.power = true);
        }
        assert_eq!(shop.begun(job.id), 1, "a byte left without an intent");
        job.interrupted_attempt = Some(1);
        let mut again = Shop::at(&sim, "epson-58");
        again.send(job.clone()).await;
        let report = again.outcome(job.id).await;
        assert_eq!(again.begun(job.id), 0);
        let whole = sim.receipts().iter().filter(|r| r.text.contains("[QR")).count();
        assert!(whole <= 1);
        if power_cut {
            assert_eq!((report.state(), whole), (CommandState::InDoubt, 0));
        } else {
            // The bytes had left the dead daemon; the printer took them and kept the tag.
            assert_eq!((report.state(), whole), (CommandState::Done, 1));
            assert_eq!(report.evidence(), Evidence::TagReturned);
        }
        again.close().await;
    }
}
