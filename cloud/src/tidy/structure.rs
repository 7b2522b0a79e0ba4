//! Directions, places of crates, lengths, words.

use std::collections::BTreeSet;

use super::paths::paths;
use super::{Source, assert_none, sources};

/// Ground: no area's name in here.
const GROUND: &[&str] =
    &["app", "config", "db", "i18n", "jobs", "money", "quantity", "time", "web"];

/// The areas from left to right. One uses only what stands in a line above its own, or
/// what `BESIDE` names.
const AREAS: &[&[&str]] = &[
    &["identity", "gateways", "print"],
    &["catalog"],
    &["accounting", "stock"],
    &["recipes", "purchasing", "production", "customers"],
    &["till", "orders", "delivery", "b2b", "people"],
    &["reports", "forecast", "home"],
];

/// Wiring: may use everything, is used by nobody but `lib.rs` and `main.rs`.
const WIRING: &[&str] = &["routes", "ingest", "schedule", "cli", "demo", "lib", "main"];

/// Edges inside one line of `AREAS`: (who, uses whom).
const BESIDE: &[(&str, &str)] = &[
    ("gateways", "identity"),
    ("print", "identity"),
    ("print", "gateways"),
    ("stock", "accounting"),
];

/// What only some places may name: (crate, where, why).
const PLACES: &[(&str, &[&str], &str)] = &[
    (
        "sqlx",
        &["db/", "sql.rs", "sql/", "cli/", "web/error.rs"],
        "statements live in sql.rs; cli connects; error.rs turns database errors into outcomes",
    ),
    ("warp", &["web/"], "warp is the edge, not the router"),
    ("hyper", &["web/"], "HTTP types end at web"),
    ("http", &["web/"], "HTTP types end at web"),
];

/// What pure rules may not name.
const NOT_IN_MODEL: &[&str] = &[
    "sqlx::query",
    "warp",
    "tokio",
    "Utc::now",
    "Local::now",
    "Instant::now",
    "SystemTime",
    "std::env",
    "std::fs",
    "async fn",
];

/// Where a task may be set free: (file, why). Everything else is spawned on a tracker that
/// the stop waits for.
const SPAWNS: &[(&str, &str)] = &[("cli/serve.rs", "the life of the process")];

const LINES_MAX: usize = 500;

fn line_of(area: &str) -> Option<usize> {
    AREAS.iter().position(|areas| areas.contains(&area))
}

fn may_use(who: &str, whom: &str) -> bool {
    if who == whom || WIRING.contains(&who) || GROUND.contains(&whom) {
        return true;
    }
    match (line_of(who), line_of(whom)) {
        (Some(own), Some(other)) => other < own || BESIDE.contains(&(who, whom)),
        _ => false,
    }
}

#[test]
fn every_folder_of_the_source_has_its_place_in_the_table() {
    let known = |area: &str| {
        GROUND.contains(&area)
            || WIRING.contains(&area)
            || area == "tidy"
            || line_of(area).is_some()
    };
    let unknown: BTreeSet<String> = sources("rs")
        .iter()
        .map(|source| source.area().to_owned())
        .filter(|area| !known(area))
        .collect();
    assert_none("no place in tidy/structure.rs", &unknown.into_iter().collect::<Vec<_>>());
}

#[test]
fn an_area_uses_only_what_stands_to_its_left() {
    let mut faults = Vec::new();
    for source in sources("rs").iter().filter(|source| !source.is_test()) {
        let names = paths(source).own;
        // Modules only: `crate::CONST` and the like do not exist here.
        for whom in names.iter().filter(|name| *name != "tidy") {
            if !may_use(source.area(), whom) {
                faults.push(format!("{} uses crate::{whom}", source.path));
            }
        }
    }
    assert_none("against the order of the areas", &faults);
}

#[test]
fn the_order_of_the_areas_has_no_circle() {
    for (who, whom) in BESIDE {
        assert_eq!(line_of(who), line_of(whom), "{who} and {whom} are not of one line");
        assert!(!BESIDE.contains(&(whom, who)), "{who} and {whom} use each other");
    }
    assert!(may_use("till", "stock") && !may_use("stock", "till"));
    assert!(!may_use("web", "identity") && !may_use("till", "people"));
}

#[test]
fn an_outside_crate_is_named_in_its_places_only() {
    let mut faults = Vec::new();
    for source in sources("rs").iter().filter(|source| !source.is_test()) {
        let outside = paths(source).outside;
        for (name, places, why) in PLACES {
            let is_place = places.iter().any(|place| {
                source.path.starts_with(place)
                    || source.file_name() == *place
                    || (place.ends_with('/') && source.path.contains(&format!("/{place}")))
            });
            if outside.contains(*name) && !is_place {
                faults.push(format!("{} names {name}: {why}", source.path));
            }
        }
    }
    assert_none("crates out of place", &faults);
}

/// The lines of a file that are product: comments and inline tests left out.
fn product_lines(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let end = source.text.find("#[cfg(test)]\nmod tests {").unwrap_or(source.text.len());
    let product = source.text.get(..end).unwrap_or_default();
    product.lines().enumerate().map(|(index, line)| (index + 1, line))
}

#[test]
fn rules_are_pure() {
    let mut faults = Vec::new();
    let is_model =
        |source: &&Source| source.file_name() == "model.rs" || source.path.contains("/model/");
    for source in sources("rs").iter().filter(is_model) {
        for (number, line) in product_lines(source) {
            let code = line.split("//").next().unwrap_or_default();
            for word in NOT_IN_MODEL.iter().filter(|word| code.contains(**word)) {
                faults.push(format!("{}:{number} has {word}", source.path));
            }
        }
    }
    assert_none("rules with input, output or time", &faults);
}

#[test]
fn a_task_is_set_free_only_where_it_is_named() {
    let mut faults = Vec::new();
    for source in sources("rs").iter().filter(|source| !source.is_test()) {
        let is_place = SPAWNS.iter().any(|(place, _)| source.path == *place);
        for (number, line) in product_lines(source) {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains("tokio::spawn(") && !is_place {
                faults.push(format!("{}:{number} sets a task free", source.path));
            }
        }
    }
    assert_none("tasks without an owner", &faults);
}

/// clippy reads one file only: the cloud's must say what the workspace's says, and more.
#[test]
fn the_clouds_lints_are_the_workspaces_and_more() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |path: String| std::fs::read_to_string(path).expect("a clippy.toml");
    let (all, own) =
        (read(format!("{root}/clippy.toml")), read(format!("{root}/cloud/clippy.toml")));
    let own: BTreeSet<&str> = own.lines().map(str::trim).collect();
    let missing: Vec<String> = all
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !own.contains(line))
        .map(str::to_owned)
        .collect();
    assert_none("cloud/clippy.toml lacks", &missing);
}

#[test]
fn no_file_is_too_long_and_each_says_what_it_is() {
    let mut faults = Vec::new();
    for source in sources("rs") {
        let lines = product_lines(&source).count();
        if lines > LINES_MAX && !source.is_test() {
            faults.push(format!("{} has {lines} lines", source.path));
        }
        if !source.text.starts_with("//!") && !source.is_test() {
            faults.push(format!("{} does not begin with what it is", source.path));
        }
    }
    assert_none("files", &faults);
}

#[test]
fn banned_words_do_not_stand_in_the_product() {
    // Written apart, so that this file passes its own rule.
    let banned = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!(".un", "wrap()"),
        concat!("todo", "!("),
        concat!("unimpl", "emented!("),
        concat!("dbg", "!("),
    ];
    let mut faults = Vec::new();
    for source in sources("rs").iter().filter(|source| !source.is_test()) {
        for (number, line) in product_lines(source) {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{}:{number} has {word}", source.path));
            }
        }
    }
    assert_none("banned words", &faults);
}

#[test]
fn handlers_meet_the_ground_only_through_web() {
    let mut faults = Vec::new();
    let is_page = |source: &&Source| {
        let is_pages = source.file_name() == "pages.rs" || source.path.contains("/pages/");
        is_pages && !source.is_test()
    };
    for source in sources("rs").iter().filter(is_page) {
        for name in paths(source).outside {
            if ["warp", "hyper", "http", "sqlx"].contains(&name.as_str()) {
                faults.push(format!("{} names {name}", source.path));
            }
        }
    }
    assert_none("pages past web", &faults);
}
