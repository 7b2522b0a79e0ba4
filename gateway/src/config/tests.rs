//! What a person may get wrong in the file, and what the message says then.

use std::collections::BTreeMap;

use super::*;

fn load_with(text: &str, env: &[(&str, &str)]) -> Result<Config, Faults> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    let env: BTreeMap<String, String> =
        env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let read = |key: &str| env.get(key).cloned();
    let env_names = env.keys().cloned().collect();
    load(&Sources { file: Some(path), state_dir: None, env: &read, env_names })
}

fn faults(text: &str) -> Vec<String> {
    load_with(text, &[]).unwrap_err().0
}

const GOOD: &str = r#"
state_dir = "/tmp/shop"
[cloud]
url = "https://cloud.example:8443"
[journal]
reserve_bytes = 8388608
[[clock]]
name = "entree"
address = "192.168.1.201"
comm_key = 123456
[[printer]]
name = "caisse"
to = "tcp://192.168.1.50:9100"
[log]
level = "debug"
format = "json"
"#;

#[test]
fn a_whole_file_is_read() {
    let config = load_with(GOOD, &[]).unwrap();
    assert_eq!(config.state_dir, Path::new("/tmp/shop"));
    assert_eq!(config.cloud.url.as_deref(), Some("https://cloud.example:8443"));
    assert_eq!(config.journal.reserve_bytes, 8_388_608);
    assert_eq!((config.clocks.len(), config.printers.len()), (1, 1));
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn a_client_certificate_needs_its_key_and_a_credential_is_found() {
    let half = faults("[cloud]\nclient_cert = '/etc/fournil/gateway.pem'\n");
    assert!(half[0].contains("client_key"), "{half:?}");
    let folder = tempfile::tempdir().unwrap();
    let env = [("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap())];
    assert_eq!(load_with("", &env).unwrap().credential, None, "none of ours among them");
    let file = folder.path().join(CREDENTIAL);
    std::fs::write(&file, "key").unwrap();
    assert_eq!(load_with("", &env).unwrap().credential, Some(file));
    let env = [("FOURNIL_IDENTITY_ROTATE_EVERY_DAYS", "7")];
    assert_eq!(load_with("", &env).unwrap().identity.rotate_every_days, 7);
}

#[test]
fn an_empty_file_is_all_defaults() {
    let config = load_with("", &[]).unwrap();
    assert_eq!(config.state_dir, Path::new(STATE_DIR_DEFAULT));
    assert_eq!(config.log, LogConfig::default());
}

#[test]
fn every_unknown_key_is_named_with_its_line() {
    let faults = faults("[cloud]\nurll = 'x'\nca_fil = 'y'\n\n[log]\nlevl = 'info'\n[cluod]\n");
    assert_eq!(faults.len(), 4, "{faults:#?}");
    let all = faults.join("\n");
    for (line, key) in [(2, "urll"), (3, "ca_fil"), (6, "levl"), (7, "cluod")] {
        let named = faults.iter().any(|fault| {
            fault.contains(&format!("ligne {line}")) && fault.contains(&format!("« {key} »"))
        });
        assert!(named, "{key} is not named with line {line}:\n{all}");
    }
    assert!(all.contains("`url`"), "{all}");
    assert!(faults.iter().all(|fault| !fault.contains('\n')));
}

#[test]
fn faults_of_devices_are_all_reported() {
    let text = "[[clock]]\nname='a'\naddress='10.0.0.9'\npoll_interval_s=1\n\
                [[printer]]\nname='a'\nto='10.0.0.5'\n\
                [[printer]]\nname='b'\nto='tcp://10.0.0.5:9100'\nprofile='none'\n";
    let faults = faults(text);
    assert_eq!(faults.len(), 3, "{faults:#?}");
}

#[test]
fn two_devices_of_one_name_are_refused() {
    let text = "[[clock]]\nname='a'\naddress='10.0.0.9'\n\
                [[printer]]\nname='a'\nto='tcp://10.0.0.5:9100'\n";
    assert!(faults(text)[0].contains("« a »"));
}

#[test]
fn what_is_no_toml_says_where() {
    let faults = faults("[cloud]\nurl = \n");
    assert!(faults[0].contains("ligne 2"), "{faults:#?}");
}

#[test]
fn single_brackets_for_a_device_are_explained() {
    assert!(faults("[printer]\nname='a'\n")[0].contains("[[printer]]"));
}

#[test]
fn the_environment_stands_above_the_file() {
    let env = [
        ("FOURNIL_CLOUD_URL", "https://other.example"),
        ("FOURNIL_CLOUD_CA_FILE", "/etc/ca.pem"),
        ("FOURNIL_JOURNAL_RESERVE_BYTES", "16777216"),
        ("FOURNIL_STATE_DIR", "/tmp/elsewhere"),
        ("FOURNIL_LOG_LEVEL", "warn"),
    ];
    let config = load_with(GOOD, &env).unwrap();
    assert_eq!(config.cloud.url.as_deref(), Some("https://other.example"));
    assert_eq!(config.cloud.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
    assert_eq!(config.journal.reserve_bytes, 16_777_216);
    assert_eq!(config.state_dir, Path::new("/tmp/elsewhere"));
    assert_eq!(config.log.level, "warn");
}

#[test]
fn a_bad_variable_is_named() {
    let error = load_with("", &[("FOURNIL_JOURNAL_RESERVE_BYTES", "much")]).unwrap_err();
    assert!(error.to_string().contains("FOURNIL_JOURNAL_RESERVE_BYTES"), "{error}");
}

#[test]
fn systemds_folder_is_used_unless_the_file_names_one() {
    let env = [("STATE_DIRECTORY", "/var/lib/private/x")];
    assert_eq!(load_with("", &env).unwrap().state_dir, Path::new("/var/lib/private/x"));
    assert_eq!(load_with(GOOD, &env).unwrap().state_dir, Path::new("/tmp/shop"));
}

#[test]
fn secrets_are_hidden_when_shown() {
    let shown = load_with(GOOD, &[]).unwrap().show();
    assert!(!shown.contains("123456"), "{shown}");
    assert!(shown.contains("tcp://192.168.1.50:9100"), "{shown}");
    shown.parse::<toml::Table>().unwrap();
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let error = load_file(Path::new("/nonexistent/gateway.toml"));
    assert!(
        error.contains("/nonexistent/gateway.toml") && error.contains("n'existe pas"),
        "{error}"
    );
}

/// The one line about a file that cannot be used.
fn load_file(path: &Path) -> String {
    let sources = Sources {
        file: Some(path.to_owned()),
        state_dir: None,
        env: &|_| None,
        env_names: Vec::new(),
    };
    let error = load(&sources).unwrap_err().to_string();
    assert!(!error.contains('\n') && error.contains(&path.display().to_string()), "{error}");
    error
}

#[test]
fn a_folder_and_a_file_that_is_no_text_say_so() {
    let folder = tempfile::tempdir().unwrap();
    assert!(load_file(folder.path()).contains("est un dossier"));
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    assert!(load_file(&path).contains("UTF-8"));
    let denied = unreadable(&path, &std::io::ErrorKind::PermissionDenied.into());
    assert!(denied.contains("sudo") && denied.contains("gateway.toml"), "{denied}");
}

#[test]
fn a_mistyped_variable_is_refused_with_the_known_ones() {
    let error = load_with("", &[("FOURNIL_CLOUD_ULR", "https://x"), ("FOURNIL_LOG_LEVEL", "info")]);
    let faults = error.unwrap_err().0;
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].contains("FOURNIL_CLOUD_ULR") && faults[0].contains("FOURNIL_CLOUD_URL"));
    // Other programs' variables are none of ours.
    assert!(load_with("", &[("FOURNIL_STATE", "x"), ("FOURNIL_PYTHON", "y")]).is_ok());
}

#[test]
fn a_journal_that_could_not_work_is_a_fault_of_the_configuration() {
    let faults = faults("[journal]\nsegment_bytes = 1000\n");
    assert!(faults[0].starts_with("[journal]"), "{faults:#?}");
    assert!(faults[0].contains("segment_bytes"), "{faults:#?}");
}
