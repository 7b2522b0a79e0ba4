//! What a configuration file may and may not say.

use super::*;

fn fault(text: &str) -> Message {
    Config::parse(text, "cloud.toml").expect_err("a fault").0
}

fn arg<'m>(message: &'m Message, name: &str) -> &'m str {
    message.args.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let fault = fault("[web]\npublic_name = \"x\"\nlissten = []\n");
    assert_eq!(fault.id, "config-unknown-key");
    assert_eq!((arg(&fault, "key"), arg(&fault, "line")), ("lissten", "3"));
    assert!(arg(&fault, "known").contains("listen"));
}

#[test]
fn a_value_of_the_wrong_kind_is_told_with_its_line() {
    let fault = fault("[web]\n\nlisten = \"here\"\n");
    assert_eq!((fault.id, arg(&fault, "line")), ("config-malformed", "3"));
}

#[test]
fn client_certificates_need_tls_that_ends_here() {
    let text = "[tunnel]\nclient_certificates = \"required\"\n[web]\nlisten = []\n\
                listen_plain = [\"127.0.0.1:8080\"]\n";
    let mut config = Config::parse(text, "cloud.toml").expect("a configuration");
    let fault = config.check().expect_err("a fault").0;
    assert_eq!(fault.id, "config-client-certificates-proxy");
    config.tunnel.client_certificates = ClientCertificates::Off;
    config.check().expect("off is good behind a proxy");
}

#[test]
fn a_password_never_shows() {
    for url in [
        "postgres://fournil:very-secret@db.example/fournil",
        "postgres://fournil@db.example/fournil?password=very-secret&sslmode=require",
        "postgres://f:very-secret@x@db.example/fournil",
    ] {
        let database = DatabaseConfig { url: url.to_owned(), ..DatabaseConfig::default() };
        let config = Config { database, ..Config::default() };
        let shown = config.shown().expect("shown");
        assert!(!shown.contains("very-secret"), "{shown}");
        assert!(shown.contains("db.example"), "{shown}");
        assert!(!format!("{config:?}").contains("very-secret"));
    }
}

#[test]
fn flags_stand_over_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cloud.toml");
    std::fs::write(&file, "[web]\nlisten = [\"127.0.0.1:1\"]\npublic_name = \"a.example\"\n")
        .expect("written");
    let overrides = Overrides {
        config: Some(file),
        listen: Some(vec![SocketAddr::from(([127, 0, 0, 1], 9443))]),
        ..Overrides::default()
    };
    let config = Config::load(&overrides).expect("a configuration");
    assert_eq!(config.web.listen, vec![SocketAddr::from(([127, 0, 0, 1], 9443))]);
    assert_eq!(config.web.public_url, "https://a.example:9443");
}

#[test]
fn a_file_that_is_there_and_cannot_be_read_is_never_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    assert_eq!(Config::read_if_there(&path("none.toml")).expect("none"), Config::default());
    // A loop of links cannot be followed even by root, who may search every folder.
    std::os::unix::fs::symlink(path("loop"), path("loop")).expect("a link");
    std::os::unix::fs::symlink(path("nowhere"), path("dangling")).expect("a link");
    std::fs::write(path("plain"), "").expect("a file");
    for name in ["loop", "loop/cloud.toml", "dangling", "plain/cloud.toml"] {
        let fault = Config::read_if_there(&path(name)).expect_err("unreadable").0;
        assert_eq!(fault.id, "config-unreadable", "{name}");
        assert!(arg(&fault, "file").ends_with(name));
    }
}

#[test]
fn a_folder_given_as_the_file_is_told_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let overrides = Overrides { config: Some(folder.path().to_owned()), ..Overrides::default() };
    let fault = Config::load(&overrides).expect_err("a folder").0;
    assert_eq!(fault.id, "config-is-folder");
    assert_eq!(arg(&fault, "file"), folder.path().to_string_lossy());
}

#[test]
fn half_a_certificate_and_no_listener_are_refused() {
    let cert = Some(PathBuf::from("/x"));
    let half = Overrides { tls_cert_file: cert, ..Overrides::default() };
    let fault = Config::load(&half).expect_err("a fault").0;
    assert_eq!(fault.id, "config-half-certificate");
    let deaf = Overrides { listen: Some(Vec::new()), ..Overrides::default() };
    assert_eq!(Config::load(&deaf).expect_err("a fault").0.id, "config-no-listener");
}

#[test]
fn the_example_file_is_a_configuration() {
    let text = include_str!("../../../deploy/cloud.example.toml");
    Config::parse(text, "cloud.example.toml").expect("the example");
    let uncommented: String = text
        .lines()
        .map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n")
        .collect();
    Config::parse(&uncommented, "cloud.example.toml").expect("the example with its options");
}
