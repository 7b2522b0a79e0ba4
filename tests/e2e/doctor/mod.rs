//! `fournil-gateway doctor` against every fault it knows, each made for real: what it
//! says of it is a machine word, a text and a remedy in both languages.

mod devices;
mod fake;
mod known;
mod local;
mod network;
mod resolver;

use std::path::Path;
use std::time::{Duration, Instant};

use fournil_gateway::tunnel::identity::{Enrolled, PendingKey};
use fournil_tests::world::daemon::Spec;
use fournil_tests::world::shop::{gateway_spec, run};
use serde_json::Value;
use uuid::Uuid;

/// Whatever hangs, the answer comes before this.
const WHOLE_MAX: Duration = Duration::from_secs(20);

/// A gateway's folder: configuration and identity.
struct ShopBox {
    dir: tempfile::TempDir,
}

impl ShopBox {
    /// Enrolled at `url`; `ca` is the cloud's own authority.
    fn enrolled(url: &str, ca: Option<&str>) -> Self {
        let boxed = Self::bare("");
        boxed.enrol(url, ca);
        boxed
    }

    /// Not enrolled, with more configuration.
    fn bare(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("state")).unwrap();
        let boxed = Self { dir };
        boxed.configure(more);
        boxed
    }

    fn state(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    fn configure(&self, more: &str) {
        let text = format!("state_dir = \"{}\"\n{more}", self.state().display());
        std::fs::write(self.dir.path().join("gateway.toml"), text).unwrap();
    }

    fn enrol(&self, url: &str, ca: Option<&str>) {
        self.enrol_as(Uuid::from_u128(7), url, ca);
    }

    fn enrol_as(&self, gateway_id: Uuid, url: &str, ca: Option<&str>) {
        let key = PendingKey::take_up(&self.state()).unwrap();
        let identity = Enrolled {
            gateway_id,
            name: "Caisse".into(),
            company: "Boulangerie".into(),
            url: url.into(),
            fingerprint: key.fingerprint(),
            ca_pem: ca.map(str::to_owned),
        };
        key.adopt(&identity).unwrap();
    }

    async fn doctor(&self) -> Report {
        self.doctor_under(&[]).await
    }

    /// Runs it behind another program, such as `unshare`.
    async fn doctor_under(&self, wrapper: &[&str]) -> Report {
        examine(self.dir.path(), wrapper).await
    }
}

/// What it said, in both languages.
struct Report {
    french: Vec<Value>,
    english: Vec<Value>,
    status: i32,
    took: Duration,
}

async fn examine(dir: &Path, wrapper: &[&str]) -> Report {
    let began = Instant::now();
    let (status, french) = speak(dir, wrapper, "fr").await;
    let took = began.elapsed();
    let (_, english) = speak(dir, wrapper, "en").await;
    Report { french, english, status, took }
}

async fn speak(dir: &Path, wrapper: &[&str], language: &str) -> (i32, Vec<Value>) {
    let mut spec = gateway_spec(dir, &["doctor", "--json", "--lang", language]).unwrap();
    if let [program, args @ ..] = wrapper {
        let mut all: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        all.push(spec.program.display().to_string());
        all.append(&mut spec.args);
        spec = Spec { program: program.into(), args: all, ..spec };
    }
    let (status, out, err) = run(spec).await.unwrap();
    let said = serde_json::from_str(&out);
    (status, said.unwrap_or_else(|error| panic!("{error}: {out}\n{err}")))
}

fn find<'r>(said: &'r [Value], check: &str, code: &str) -> &'r Value {
    let found = said.iter().find(|one| one["check"] == check && one["code"] == code);
    found.unwrap_or_else(|| panic!("no {check} {code} in {said:#?}"))
}

impl Report {
    /// There is such a fault, told with a remedy in both languages; gives the French.
    fn fault(&self, check: &str, code: &str) -> &Value {
        assert_eq!(self.status, 1, "a fault, and exit status 0");
        self.ill(check, code, "fault")
    }

    fn warning(&self, check: &str, code: &str) -> &Value {
        self.ill(check, code, "warning")
    }

    fn ill(&self, check: &str, code: &str, verdict: &str) -> &Value {
        let (french, english) = (find(&self.french, check, code), find(&self.english, check, code));
        for said in [french, english] {
            assert_eq!(said["verdict"], verdict, "{said}");
            for key in ["text", "remedy"] {
                let text = said[key].as_str().unwrap_or_default();
                let is_told = text.len() > 5 && !text.contains("{$") && !text.contains('\n');
                assert!(is_told && !text.starts_with("doctor-"), "{key}: {said}");
            }
        }
        assert_ne!(french["remedy"], english["remedy"], "one remedy is not translated");
        french
    }

    fn ok(&self, check: &str, code: &str) -> &Value {
        let said = find(&self.french, check, code);
        assert_eq!(said["verdict"], "ok", "{said}");
        assert!(said.get("remedy").is_none(), "{said}");
        said
    }

    /// What stands behind a failed step is told as not looked at, and why.
    fn skipped(&self, check: &str, because: &str) {
        let said = find(&self.french, check, "not-checked");
        assert_eq!(
            (&said["verdict"], &said["facts"]["because"]),
            (&"skipped".into(), &because.into())
        );
        let english = find(&self.english, check, "not-checked");
        assert_ne!(said["text"], english["text"]);
    }
}

#[tokio::test]
async fn the_lines_come_in_the_order_in_which_a_person_should_look() {
    let cloud = fake::Cloud::good().await;
    let boxed = cloud.enrolled_box();
    let report = boxed.doctor().await;
    let checks: Vec<&str> =
        report.french.iter().map(|one| one["check"].as_str().unwrap()).collect();
    let wanted = [
        "configuration",
        "permissions",
        "disk",
        "service",
        "journal",
        "identity",
        "name",
        "network",
        "tls",
        "time",
        "protocol",
        "cloud",
        "devices",
    ];
    assert_eq!(checks, wanted);
    // Nothing is wrong; the service that does not run and the missing devices are warnings.
    assert_eq!(report.status, 0, "{:#?}", report.french);
    report.warning("service", "stopped");
    report.warning("devices", "none");
    for (check, code) in [
        ("configuration", "read"),
        ("permissions", "private"),
        ("journal", "new"),
        ("identity", "whole"),
        ("name", "found"),
        ("network", "reached"),
        ("tls", "verified"),
        ("time", "right"),
        ("protocol", "common"),
        ("cloud", "known"),
    ] {
        report.ok(check, code);
    }
}

#[tokio::test]
async fn a_person_reads_one_line_each_in_the_language_of_flag_file_and_terminal() {
    let boxed = ShopBox::bare("");
    let lines = async |args: &[&str], env: &[(&str, &str)]| {
        let mut spec = gateway_spec(boxed.dir.path(), args).unwrap();
        spec.env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        run(spec).await.unwrap()
    };
    let (status, french, err) = lines(&["doctor"], &[("LC_ALL", "C.UTF-8")]).await;
    assert_eq!(status, 1);
    assert!(french.contains("PANNE        identité"), "{french}");
    assert!(french.contains("non vérifié  DNS            parce que"), "{french}");
    assert!(err.contains("pannes à réparer") || err.contains("une panne à réparer"), "{err}");
    assert_eq!(french.lines().count(), 13, "one line each: {french}");
    let (_, english, err) = lines(&["doctor"], &[("LC_ALL", "en_GB.UTF-8")]).await;
    assert!(english.contains("FAULT        identity"), "{english}");
    assert!(err.contains("to mend"), "{err}");
    boxed.configure("language = \"fr\"\n");
    let (_, out, _) = lines(&["doctor"], &[("LC_ALL", "en_GB.UTF-8")]).await;
    assert!(out.contains("PANNE"), "the file stands above the terminal: {out}");
    let (_, out, _) = lines(&["doctor", "--lang", "en"], &[("LC_ALL", "fr_FR.UTF-8")]).await;
    assert!(out.contains("FAULT"), "the flag stands above all: {out}");
    boxed.configure("language = \"en\"\ncolour = 1\n");
    let (_, out, _) = lines(&["doctor"], &[]).await;
    assert!(out.contains("unknown key"), "faults are told in the file's own language: {out}");
}
