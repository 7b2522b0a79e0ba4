//! What the command line says of itself, and how its faults leave.

use std::net::SocketAddr;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use super::user::{Create, check_names};
use super::{Arguments, Fault, serve};
use crate::i18n::Catalogue;

/// Every command that does something, with its way there.
fn commands(parent: &clap::Command, way: &str, found: &mut Vec<(String, clap::Command)>) {
    for command in parent.get_subcommands().filter(|command| command.get_name() != "help") {
        let way = format!("{way} {}", command.get_name());
        if command.has_subcommands() {
            commands(command, &way, found);
        } else {
            found.push((way, command.clone()));
        }
    }
}

#[test]
fn every_command_shows_an_example_that_it_understands() {
    let mut found = Vec::new();
    commands(&Arguments::command(), "fournil-cloud", &mut found);
    assert!(found.len() >= 8, "{found:?}");
    found.push(("fournil-cloud".to_owned(), Arguments::command()));
    for (way, command) in &mut found {
        let help = command.render_long_help().to_string();
        let (_, examples) =
            help.split_once("Example").unwrap_or_else(|| panic!("{way}: no example"));
        let examples: Vec<&str> =
            examples.lines().filter(|line| line.contains("fournil-cloud")).collect();
        assert!(examples.iter().any(|line| line.contains(way.as_str())), "{way}: {examples:?}");
        for line in examples {
            let asked = line.split_once("fournil-cloud").map_or("", |(_, asked)| asked);
            let words = std::iter::once("fournil-cloud".to_owned()).chain(shell_words(asked));
            let parsed = Arguments::try_parse_from(words);
            assert!(parsed.is_ok(), "{way}: {line}: {:?}", parsed.err());
        }
    }
}

/// Words as a shell parts them, for single quotes only.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn wrong_use_is_status_2_and_help_is_none() {
    for wrong in [
        &["fournil-cloud", "bake"][..],
        &["fournil-cloud", "serve", "--ovens", "3"],
        &["fournil-cloud", "user", "create", "--name", "Amel"],
        &["fournil-cloud", "serve", "--listen", "here"],
        &["fournil-cloud", "migrate"],
    ] {
        let error = Arguments::try_parse_from(wrong).expect_err("wrong use");
        assert_eq!(error.exit_code(), 2, "{wrong:?}");
    }
    let help = Arguments::try_parse_from(["fournil-cloud", "serve", "--help"]).expect_err("help");
    assert_eq!((help.kind(), help.exit_code()), (ErrorKind::DisplayHelp, 0));
    let arguments = Arguments::try_parse_from(["fournil-cloud"]).expect("no command is parsed");
    assert!(arguments.command.is_none());
    assert_eq!(Fault::usage("cli-no-command").exit_status(), 2);
}

fn create(name: &str, company: &str, store: &str) -> Create {
    let asked = ["fournil-cloud", "user", "create", "--email", "a@b.dz", "--name", name];
    let asked = asked.into_iter().chain(["--new-company", company, "--store", store]);
    let arguments = Arguments::try_parse_from(asked).expect("arguments");
    match arguments.command {
        Some(super::Command::User(super::user::User::Create(create))) => create,
        other => panic!("{other:?}"),
    }
}

fn said(fault: &Fault) -> String {
    fault.say(&Catalogue::load().expect("texts").in_language("fr"))
}

#[test]
fn names_are_refused_by_their_flag_before_anything_is_made() {
    assert!(check_names(&create("Amel", "Ma boulangerie", "Magasin")).is_ok());
    let long = "x".repeat(121);
    for (asked, flag, most) in [
        (create(" ", "Ma boulangerie", "Magasin"), "--name", "80"),
        (create(&long, "Ma boulangerie", "Magasin"), "--name", "80"),
        (create("Amel", "", "Magasin"), "--new-company", "120"),
        (create("Amel", &long, "Magasin"), "--new-company", "120"),
        (create("Amel", "Ma boulangerie", "  "), "--store", "80"),
        (create("Amel", "Ma boulangerie", &long), "--store", "80"),
    ] {
        let fault = check_names(&asked).expect_err("refused");
        let text = said(&fault);
        assert!(text.contains(flag) && text.contains(most), "{text}");
        assert_eq!(fault.exit_status(), 1);
    }
}

#[tokio::test]
async fn a_taken_port_is_told_with_its_key_its_address_and_what_to_do() {
    let taken = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address: SocketAddr = taken.local_addr().expect("an address");
    for key in ["web.listen", "web.listen_plain", "web.listen_metrics"] {
        let text = said(&serve::bound(key, address).await.expect_err("taken"));
        assert!(text.contains(&format!("changez « {key} »")), "{text}");
        assert!(text.contains(&address.to_string()) && text.contains("ss -ltnp"), "{text}");
    }
}

#[test]
fn tables_of_another_release_are_told_with_what_to_install() {
    use sqlx::migrate::MigrateError;
    for (error, word) in [
        (MigrateError::VersionMissing(26), "plus récente"),
        (MigrateError::VersionMismatch(26), "version publiée"),
        (MigrateError::Dirty(26), "sauvegarde"),
    ] {
        let text = said(&error.into());
        assert!(text.contains("0026") && text.contains(word), "{text}");
        assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    }
}

#[test]
fn half_an_authority_is_told_with_the_file_to_bring_back() {
    let (missing, present) = ("/var/lib/fournil/tls/ca.key".into(), "/x/ca.pem".into());
    let text = said(&crate::web::TlsError::HalfAuthority { missing, present }.into());
    assert!(text.contains("/var/lib/fournil/tls/ca.key") && text.contains("sauvegarde"), "{text}");
}
