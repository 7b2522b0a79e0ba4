//! The life of the real daemon: what it tells systemd, what a new configuration changes
//! while it runs, and how it stops.

use std::path::Path;
use std::time::Duration;

use fournil_gateway::tunnel::identity::{Enrolled, PendingKey};
use fournil_tests::printer_sim::{self, PrinterSim};
use fournil_tests::world::daemon::{Daemon, Spec};
use fournil_tests::world::shop::{PATIENCE, Shop, free_port, gateway_spec, run};
use fournil_tests::world::till::Till;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::UnixDatagram;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

const SETTLED: &str = "select count(*) = 0 as ok from commands
     where state not in ('done', 'failed', 'expired', 'cancelled', 'in_doubt', 'unsupported')";
/// What a stop may take, whatever is under way.
const STOP_MAX: Duration = Duration::from_secs(5);

fn signal(daemon: &Daemon, signal: Signal) {
    let pid = Pid::from_raw(daemon.pid().unwrap().cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// A gateway whose cloud nobody is.
fn alone(dir: &Path, sections: &str) -> Spec {
    let state = dir.join("state");
    let key = PendingKey::take_up(&state).unwrap();
    let enrolled = Enrolled {
        gateway_id: Uuid::from_u128(7),
        name: "Seule".into(),
        company: "Boulangerie".into(),
        url: format!("https://127.0.0.1:{}", free_port().unwrap()),
        fingerprint: key.fingerprint(),
        ca_pem: None,
    };
    key.adopt(&enrolled).unwrap();
    write_config(dir, &format!("state_dir = \"{}\"\n{sections}", state.display()));
    gateway_spec(dir, &["run"]).unwrap()
}

fn write_config(dir: &Path, text: &str) {
    std::fs::write(dir.join("gateway.toml"), text).unwrap();
}

/// What systemd is, for as long as one listens.
struct Manager(UnixDatagram);

impl Manager {
    /// The next message that says `word`, with how long it took to come.
    async fn hear(&self, word: &str) -> (String, Duration) {
        let began = Instant::now();
        loop {
            let mut bytes = [0; 4096];
            let length = timeout(PATIENCE, self.0.recv(&mut bytes)).await;
            let length = length.unwrap_or_else(|_| panic!("never told {word}")).unwrap();
            let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if text.lines().any(|line| line.starts_with(word)) {
                return (text, began.elapsed());
            }
        }
    }
}

#[tokio::test]
async fn systemd_is_told_of_readiness_progress_reload_and_stop() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("notify");
    let manager = Manager(UnixDatagram::bind(&socket).unwrap());
    let mut spec = alone(dir.path(), "");
    spec.env.push(("NOTIFY_SOCKET".into(), socket.display().to_string()));
    spec.env.push(("WATCHDOG_USEC".into(), "1500000".into()));
    let mut gateway = Daemon::start(spec).unwrap();
    let (ready, _) = manager.hear("READY=1").await;
    assert!(ready.contains("STATUS="), "{ready}");
    for _ in 0..4 {
        let (alive, waited) = manager.hear("WATCHDOG=1").await;
        assert!(waited < Duration::from_millis(1_400), "fed after {waited:?}");
        assert!(alive.contains("STATUS="), "{alive}");
    }
    signal(&gateway, Signal::HUP);
    let (reloading, _) = manager.hear("RELOADING=1").await;
    let since = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(since.unwrap().parse::<u64>().unwrap() > 0);
    manager.hear("READY=1").await;
    let began = Instant::now();
    signal(&gateway, Signal::TERM);
    manager.hear("STOPPING=1").await;
    assert!(gateway.wait(STOP_MAX).await.unwrap().success());
    println!("an idle gateway stops in {:?}", began.elapsed());
}

/// A file system that can be frozen: whoever writes to it hangs until it thaws.
struct Frozen {
    mount: String,
}

impl Frozen {
    fn mount(dir: &Path) -> Option<Self> {
        let (image, mount) = (dir.join("image"), dir.join("state"));
        std::fs::create_dir(&mount).unwrap();
        std::fs::File::create(&image).unwrap().set_len(64 * 1024 * 1024).unwrap();
        let (image, mount) = (image.display().to_string(), mount.display().to_string());
        let made =
            tell("mkfs.ext4", &["-q", &image]) && tell("mount", &["-o", "loop", &image, &mount]);
        if !made {
            let is_root = rustix::process::geteuid().is_root();
            let is_ci = std::env::var_os("CI").is_some();
            assert!(!(is_root && is_ci), "no file system could be mounted");
            return None;
        }
        Some(Self { mount })
    }

    fn freeze(&self, how: &str) {
        assert!(tell("fsfreeze", &[how, &self.mount]));
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        tell("fsfreeze", &["-u", &self.mount]);
        tell("umount", &["-l", &self.mount]);
    }
}

fn tell(program: &str, args: &[&str]) -> bool {
    let told = std::process::Command::new(program).args(args).output();
    told.is_ok_and(|done| done.status.success())
}

#[tokio::test]
async fn the_watchdog_is_not_fed_while_the_disk_hangs() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Frozen::mount(dir.path()) else {
        println!("SKIPPED: a disk that hangs needs a loop device and root");
        return;
    };
    let socket = dir.path().join("notify");
    let manager = Manager(UnixDatagram::bind(&socket).unwrap());
    let mut spec = alone(dir.path(), "");
    spec.env.push(("NOTIFY_SOCKET".into(), socket.display().to_string()));
    spec.env.push(("WATCHDOG_USEC".into(), "3000000".into()));
    let mut gateway = Daemon::start(spec).unwrap();
    manager.hear("READY=1").await;
    manager.hear("WATCHDOG=1").await;
    disk.freeze("-f");
    let (unfed, waited) = manager.hear("STATUS=n'avance plus").await;
    assert!(unfed.contains("journal") && !unfed.contains("WATCHDOG=1"), "{unfed}");
    assert!(waited < Duration::from_secs(15), "noticed after {waited:?}");
    disk.freeze("-u");
    manager.hear("WATCHDOG=1").await;
    assert!(gateway.stop(STOP_MAX).await.unwrap().success());
}

async fn devices(shop: &Shop) -> Vec<String> {
    let (status, out, err) = shop.gateway_command(&["status", "--json"]).await.unwrap();
    assert_eq!(status, 0, "{err}");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    let devices = told["devices"].as_array().unwrap().iter();
    devices.map(|device| device["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_configuration_changes_what_it_names_and_nothing_else() {
    let mut shop = Shop::open().await.unwrap();
    assert_eq!(devices(&shop).await, ["pointeuse", "caisse"]);
    let path = shop.dir.path().join("gateway.toml");
    let first = std::fs::read_to_string(&path).unwrap();

    // A file that is wrong changes nothing.
    write_config(shop.dir.path(), &format!("{first}\n[[printer]]\nname = \"bureau\"\n"));
    signal(&shop.gateway, Signal::HUP);
    shop.gateway.wait_for_line("garde la précédente", PATIENCE).await.unwrap();
    write_config(shop.dir.path(), &first);
    assert_eq!(devices(&shop).await, ["pointeuse", "caisse"]);

    // A printer that comes, and a clock that goes.
    let second = PrinterSim::start(printer_sim::Args::for_tests()).await.unwrap();
    let place = second.address().unwrap();
    let (_, printers) = first.split_once("[[printer]]").unwrap();
    let state = first.lines().next().unwrap();
    let text = format!(
        "{state}\n[log]\nlevel = \"debug\"\n[[printer]]{printers}\n[[printer]]\n\
         name = \"bureau\"\nto = \"tcp://{place}\"\nprofile = \"generic-58\"\n"
    );
    write_config(shop.dir.path(), &text);
    signal(&shop.gateway, Signal::HUP);
    let line = shop.gateway.wait_for_line("configuration appliquée", PATIENCE).await.unwrap();
    assert!(line.contains("bureau ajouté") && line.contains("pointeuse arrêté"), "{line}");
    assert!(!line.contains("caisse"), "a device that did not change was touched: {line}");
    assert_eq!(devices(&shop).await, ["caisse", "bureau"]);
    let sessions = shop.count("select count(*) from gateway_sessions").await.unwrap();
    assert_eq!(sessions, 1, "the tunnel was touched");

    // The way to the cloud: the tunnel alone begins anew.
    let direct = format!("{text}[cloud]\nurl = \"https://localhost:{}\"\n", shop.address.port());
    write_config(shop.dir.path(), &direct);
    signal(&shop.gateway, Signal::HUP);
    shop.until("a session the new way", "select count(*) = 2 as ok from gateway_sessions")
        .await
        .unwrap();
    // The level of the log is another one since.
    shop.gateway.wait_for_line("DEBUG", PATIENCE).await.unwrap();
    shop.wire.cut();
    // With one printer left a receipt need not name it.
    let (caisse, _) = printers.split_once("[[printer]]").unwrap_or((printers, ""));
    let last = format!(
        "{state}\n[identity]\nrotate_every_days = 7\n[cloud]\nurl = \"https://localhost:{}\"\n\
         [[printer]]{caisse}",
        shop.address.port()
    );
    write_config(shop.dir.path(), &last);
    signal(&shop.gateway, Signal::HUP);
    shop.gateway.wait_for_line("bureau arrêté", PATIENCE).await.unwrap();
    let line = shop.gateway.wait_for_line("relancez le service", PATIENCE).await.unwrap();
    assert!(line.contains("identity") && !line.contains("journal"), "{line}");
    assert_eq!(devices(&shop).await, ["caisse"]);
    let mut till = Till::open(shop.owner().await.unwrap()).await.unwrap();
    let good = till.plenty().unwrap();
    let sale = till.sale_of_one(Uuid::now_v7(), &good);
    assert_eq!(till.sell(&sale).await.unwrap().status, 200);
    shop.until("the receipt is settled", SETTLED).await.unwrap();
    assert_eq!(shop.printer.receipts().len(), 1);
    assert!(shop.gateway.stop(STOP_MAX).await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_of_a_print_and_with_a_stalled_cloud_is_short_and_loses_nothing() {
    let mut shop = Shop::open().await.unwrap();
    let mut till = Till::open(shop.owner().await.unwrap()).await.unwrap();
    let good = till.plenty().unwrap();
    // The printer takes a part of the receipt and then nothing.
    let sale = till.sale_of_one(Uuid::now_v7(), &good);
    shop.printer.switch(|switches| switches.paper_out_after_lines = Some(3));
    let before = shop.printer.received_bytes();
    assert_eq!(till.sell(&sale).await.unwrap().status, 200);
    assert!(shop.printer.until(PATIENCE, |printer| printer.received_bytes() > before).await);
    shop.until("it began", "select count(*) > 0 as ok from commands where state = 'started'")
        .await
        .unwrap();
    // The cloud says nothing any more, and does not hang up either.
    signal(&shop.cloud, Signal::STOP);
    shop.clock.punch("1", 0).unwrap();
    let began = Instant::now();
    let ended = shop.gateway.stop(STOP_MAX).await;
    println!("a gateway that prints, its cloud stalled, stops in {:?}", began.elapsed());
    signal(&shop.cloud, Signal::CONT);
    assert!(ended.unwrap().success(), "{}", shop.gateway.log_tail());

    let journal = shop.gateway_command(&["journal", "verify", "--json"]).await.unwrap();
    assert_eq!(journal.0, 0, "{}", journal.2);
    shop.printer.switch(|switches| {
        switches.paper = true;
        switches.paper_out_after_lines = None;
    });
    shop.gateway.restart().unwrap();
    shop.until("the receipt is settled", SETTLED).await.unwrap();
    shop.until("the punch arrived", "select count(*) = 1 as ok from punches").await.unwrap();
    let printed = shop.printer.receipts().iter().filter(|receipt| !receipt.torn).count();
    let done = "select count(*) from commands where kind = 'print' and state = 'done'";
    let done = usize::try_from(shop.count(done).await.unwrap()).unwrap();
    assert!(printed <= 1 && done <= printed, "{printed} on paper, {done} called printed");
    let (status, _, err) =
        run(gateway_spec(shop.dir.path(), &["journal", "verify"]).unwrap()).await.unwrap();
    assert_eq!(status, 0, "{err}");
}
