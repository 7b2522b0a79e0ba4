//! Faults of the machine itself: configuration, rights, disk, journal, identity.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use fournil_tests::clock_sim::{ClockSim, Profile};
use fournil_tests::world::daemon::Daemon;
use fournil_tests::world::shop::{PATIENCE, gateway_spec, run};
use serde_json::Value;

use super::fake::Cloud;
use super::{ShopBox, WHOLE_MAX};

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A small disk of its own under the state folder; `None` when not as root.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf, options: &str) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path);
        command.status().is_ok_and(|status| status.success()).then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_faulty_configuration_is_told_and_nothing_else_is_looked_at() {
    let boxed = ShopBox::bare("colour = 1\n");
    let report = boxed.doctor().await;
    let said = report.fault("configuration", "faulty");
    assert!(said["text"].as_str().unwrap().contains("colour"), "{said}");
    for check in ["permissions", "disk", "journal", "identity", "name", "cloud", "clock"] {
        report.skipped(check, "configuration");
    }
}

#[tokio::test]
async fn a_machine_without_a_configuration_file_is_told_where_it_belongs() {
    if Path::new(fournil_gateway::config::FILE_DEFAULT).exists() {
        // A machine that has one.
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut spec = gateway_spec(state.path(), &["doctor", "--json"]).unwrap();
    let place = state.path().display().to_string();
    spec.args = ["--state-dir", &place, "doctor", "--json"].map(str::to_owned).to_vec();
    let (_, out, err) = run(spec).await.unwrap();
    let said: Vec<Value> = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out} {err}"));
    assert_eq!((&said[0]["code"], &said[0]["verdict"]), (&"absent".into(), &"warning".into()));
}

#[tokio::test]
async fn a_gateway_that_was_never_enrolled_says_how() {
    let report = ShopBox::bare("").doctor().await;
    let said = report.fault("identity", "missing");
    assert!(said["remedy"].as_str().unwrap().contains("enrol --url"), "{said}");
    report.skipped("name", "identity");
    report.skipped("cloud", "identity");

    // Where the cloud is may be known all the same.
    let cloud = Cloud::good().await;
    let boxed = ShopBox::bare("");
    let ca = boxed.dir.path().join("ca.pem");
    std::fs::write(&ca, &cloud.authority.pem).unwrap();
    boxed.configure(&format!(
        "[cloud]\nurl = \"{}\"\nca_file = \"{}\"\n",
        cloud.url(),
        ca.display()
    ));
    let report = boxed.doctor().await;
    report.fault("identity", "missing");
    report.ok("protocol", "common");
    report.skipped("cloud", "identity");
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let cloud = Cloud::good().await;
    let boxed = cloud.enrolled_box();
    let key = boxed.state().join("identity/key.pk8");
    chmod(&key, 0o644);
    let report = boxed.doctor().await;
    let said = report.fault("permissions", "key-open-to-others");
    assert!(said["remedy"].as_str().unwrap().contains("chmod 600"), "{said}");
    report.skipped("identity", "permissions");
    chmod(&key, 0o600);
    boxed.doctor().await.ok("permissions", "private");

    std::fs::write(&key, b"rubbish").unwrap();
    boxed.doctor().await.fault("identity", "damaged");
}

#[tokio::test]
async fn a_state_folder_that_is_open_missing_or_no_folder_is_told() {
    let boxed = ShopBox::bare("");
    chmod(&boxed.state(), 0o777);
    boxed.doctor().await.fault("permissions", "state-open-to-others");
    std::fs::remove_dir(boxed.state()).unwrap();
    boxed.doctor().await.warning("permissions", "state-missing");
    std::fs::write(boxed.state(), "").unwrap();
    boxed.doctor().await.fault("permissions", "state-not-a-folder");
}

#[tokio::test]
async fn somebody_who_may_not_look_inside_is_told_to_use_sudo() {
    let boxed = ShopBox::bare("");
    chmod(boxed.dir.path(), 0o755);
    chmod(&boxed.state(), 0o700);
    let uid = "65534";
    let may = Command::new("setpriv").args(["--reuid", uid, "--clear-groups", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        return;
    }
    // The program itself may lie where that account cannot look.
    let program = boxed.dir.path().join("fournil-gateway");
    let built = fournil_tests::world::daemon::binary("fournil-gateway").unwrap();
    std::fs::copy(built, &program).unwrap();
    let run = format!("shift; exec {} \"$@\"", program.display());
    let wrapper = ["setpriv", "--reuid", uid, "--clear-groups", "sh", "-c", &run, "sh"];
    let report = boxed.doctor_under(&wrapper).await;
    let said = report.fault("permissions", "state-foreign");
    assert!(said["remedy"].as_str().unwrap().contains("sudo"), "{said}");
    for check in ["disk", "service", "journal", "identity"] {
        report.skipped(check, "permissions");
    }
}

#[tokio::test]
async fn a_serial_line_that_is_missing_or_for_others_is_told() {
    let printer = |path: &Path| {
        format!("[[printer]]\nname = \"caisse\"\nto = \"serial:{}\"\n", path.display())
    };
    let boxed = ShopBox::bare(&printer(Path::new("/dev/no-such-line")));
    let report = boxed.doctor().await;
    let said = report.fault("permissions", "device-missing");
    assert_eq!(said["device"], "caisse");
    assert!(said["remedy"].as_str().unwrap().contains("by-id"), "{said}");
    report.skipped("printer", "permissions");

    // The service runs as somebody else, for whom the line is not.
    let line = boxed.dir.path().join("line");
    std::fs::write(&line, "").unwrap();
    chmod(&line, 0o660);
    boxed.configure(&printer(&line));
    if chown(boxed.state(), Some(65_534), None).is_err() {
        return;
    }
    let said = boxed.doctor().await;
    let said = said.fault("permissions", "device-forbidden");
    assert!(said["remedy"].as_str().unwrap().contains("usermod -aG"), "{said}");
}

#[tokio::test]
async fn a_full_a_read_only_and_a_fileless_disk_are_told_apart() {
    for (options, code) in [
        ("size=256k", "full"),
        ("size=64m", "nearly-full"),
        ("size=1g,nr_inodes=20", "no-files-left"),
        ("size=1g,nr_inodes=500", "few-files-left"),
    ] {
        let boxed = ShopBox::bare("");
        let Some(_disk) = SmallDisk::mount(boxed.state(), options) else { return };
        chmod(&boxed.state(), 0o700);
        let report = boxed.doctor().await;
        match code {
            "nearly-full" | "few-files-left" => report.warning("disk", code),
            _ => report.fault("disk", code),
        };
    }
    let boxed = ShopBox::bare("");
    let Some(disk) = SmallDisk::mount(boxed.state(), "size=1g,mode=700,ro") else { return };
    let report = boxed.doctor().await;
    let said = report.fault("disk", "read-only");
    assert!(said["remedy"].as_str().unwrap().contains("dmesg"), "{said}");
    drop(disk);
    boxed.doctor().await.ok("disk", "roomy");
}

/// A journal with the punches of a clock in it, its service stopped.
async fn with_journal() -> ShopBox {
    let clock = ClockSim::start(Profile::default()).await.unwrap();
    let boxed = ShopBox::enrolled("https://127.0.0.1:1", None);
    boxed.configure(&format!("[[clock]]\nname = \"entree\"\naddress = \"{}\"\n", clock.addr()));
    let mut daemon = Daemon::start(gateway_spec(boxed.dir.path(), &["run"]).unwrap()).unwrap();
    daemon.wait_for_line("no tunnel", PATIENCE).await.unwrap();
    let written = async {
        loop {
            let status = fournil_gateway::app::status::ask(&boxed.state()).await;
            let last = status.ok().and_then(|status| status.journal["up_last"].as_u64());
            if last.is_some_and(|last| last >= 60) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, written).await.unwrap();
    assert!(daemon.stop(PATIENCE).await.unwrap().success());
    boxed.configure("");
    boxed
}

#[tokio::test]
async fn a_damaged_journal_is_found_and_one_of_another_gateway_too() {
    let boxed = with_journal().await;
    let report = boxed.doctor().await;
    let said = report.ok("journal", "whole");
    assert!(said["text"].as_str().unwrap().contains("événements à envoyer"), "{said}");

    let journal = boxed.state().join("journal");
    let owner = std::fs::read_to_string(journal.join("owner")).unwrap();
    std::fs::write(journal.join("owner"), "01234567-0000-7000-8000-000000000000\n").unwrap();
    boxed.doctor().await.warning("journal", "of-another");
    std::fs::write(journal.join("owner"), owner).unwrap();

    let segment = std::fs::read_dir(&journal)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    // Well before the last unit, whose damage would look like a torn tail.
    bytes[400] ^= 0x10;
    std::fs::write(&segment, &bytes).unwrap();
    let report = boxed.doctor().await;
    let said = report.fault("journal", "damaged");
    assert!(said["remedy"].as_str().unwrap().contains("systemctl restart"), "{said}");

    // The service sets the damaged part aside, as the line said.
    let mut daemon = Daemon::start(gateway_spec(boxed.dir.path(), &["run"]).unwrap()).unwrap();
    daemon.wait_for_line("no tunnel", PATIENCE).await.unwrap();
    boxed.doctor().await.warning("journal", "set-aside");
    assert!(daemon.stop(PATIENCE).await.unwrap().success());
    boxed.doctor().await.warning("journal", "set-aside");
}

#[tokio::test]
async fn a_service_that_takes_the_question_and_says_nothing_is_told() {
    let boxed = ShopBox::bare("");
    let socket = fournil_gateway::app::status::socket_path(&boxed.state());
    let _deaf = std::os::unix::net::UnixListener::bind(socket).unwrap();
    let report = boxed.doctor().await;
    report.fault("service", "silent");
    assert!(report.took < WHOLE_MAX, "{:?}", report.took);
}

#[tokio::test]
async fn an_address_that_differs_from_the_enrolled_one_is_worth_a_word() {
    let cloud = Cloud::good().await;
    let boxed = cloud.enrolled_box();
    boxed.configure("[cloud]\nurl = \"https://127.0.0.1:1\"\n");
    let report = boxed.doctor().await;
    report.warning("identity", "other-address");
    report.fault("network", "refused");
}
