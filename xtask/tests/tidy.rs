//! Rules that the compiler cannot hold: which part may know which, and how large a file may grow.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every part and the parts it may know, without `fillstream-`. Arrows point downward only: a part may name those above it
/// in this table. What is not here does not exist.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("crash-point", &[]),
    ("retry", &[]),
    ("metrics", &[]),
    ("event-log", &["domain", "retry"]),
    ("nats-server", &["retry"]),
    ("web-page", &[]),
    ("swap-machine", &["domain"]),
    ("order-book", &["domain"]),
    ("matcher", &["domain", "order-book"]),
    ("lobster", &["domain"]),
    ("projections", &["domain"]),
    ("venues", &["clock", "domain", "retry"]),
    ("read-store", &["domain", "projections", "retry"]),
    ("parked", &["domain", "event-log", "retry"]),
    ("commit-reader", &["domain", "event-log", "retry"]),
    ("projector", &["commit-reader", "domain", "event-log", "parked", "projections", "read-store", "retry"]),
    ("matching", &["commit-reader", "crash-point", "domain", "event-log", "matcher", "parked", "retry"]),
    (
        "executor",
        &["clock", "crash-point", "domain", "event-log", "parked", "retry", "swap-machine", "venues"],
    ),
    ("http-edge", &["domain", "retry"]),
    ("http-server", &["http-edge", "retry"]),
    ("nats-api", &["event-log", "http-edge", "retry"]),
    ("descriptions", &["domain", "http-edge"]),
    (
        "http-api",
        &["commit-reader", "crash-point", "domain", "event-log", "http-edge", "projections", "retry"],
    ),
    ("stream-bridge", &["commit-reader", "domain", "event-log", "http-edge", "projections", "retry"]),
    ("cli", ANY),
    ("tests", ANY),
    ("bench", ANY),
    ("xtask", &["domain", "projections"]),
];
const ANY: &[&str] = &["*"];

/// Also known to the tests of any part: the broker to run against.
const FOR_TESTS: &str = "nats-server";

/// What the tests of a part may know besides: the real other end of a port of theirs.
const TESTS_MAY_KNOW: &[(&str, &str)] = &[("http-api", "matching"), ("lobster", "order-book")];

/// Decisions only: what they are given is all they know.
const PURE: &[&str] = &["domain", "order-book", "matcher", "lobster", "swap-machine", "projections"];
const IMPURE: &[&str] = &["async-nats", "axum", "rand", "rand_chacha", "sqlx", "tokio"];

/// Libraries that are the business of these parts alone, their tests included.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("async-nats", &["event-log"]),
    ("prometheus-client", &["metrics"]),
    ("sqlx", &["read-store"]),
    (
        "axum",
        &[
            "descriptions",
            "http-edge",
            "http-server",
            "http-api",
            "nats-api",
            "stream-bridge",
            "web-page",
            "cli",
        ],
    ),
];

/// Lines of a file written by hand. What is longer has more than one subject.
const LONGEST: usize = 500;
/// Names that say nothing about what is inside.
const SAY_NOTHING: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "misc"];

struct Dependency {
    from: String,
    to: String,
    tests_only: bool,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn part(package: &Value) -> String {
    let name = package["name"].as_str().unwrap();
    name.strip_prefix("fillstream-").unwrap_or(name).to_owned()
}

fn packages() -> Vec<Value> {
    let output = Command::new(std::env::var_os("CARGO").unwrap())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn dependencies() -> Vec<Dependency> {
    let of = |package: &Value| -> Vec<Dependency> {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.map(|dependency| Dependency {
            from: part(package),
            to: part(dependency),
            tests_only: dependency["kind"] == "dev",
        })
        .collect()
    };
    packages().iter().flat_map(of).collect()
}

fn may_know(from: &str) -> &'static [&'static str] {
    let row = MAY_KNOW.iter().find(|(part, _)| *part == from);
    row.unwrap_or_else(|| panic!("{from} is not in the table of parts: say what it may know")).1
}

fn is_allowed(dependency: &Dependency) -> bool {
    let Dependency { from, to, tests_only } = dependency;
    let is_part = MAY_KNOW.iter().any(|(part, _)| part == to);
    let known = may_know(from);
    !is_part
        || known == ANY
        || known.contains(&to.as_str())
        || *tests_only && (to == FOR_TESTS || to == from || TESTS_MAY_KNOW.contains(&(from, to)))
}

#[test]
fn the_table_points_downward() {
    for (place, (part, known)) in MAY_KNOW.iter().enumerate() {
        for other in known.iter().filter(|_| *known != ANY) {
            let above = MAY_KNOW[..place].iter().any(|(part, _)| part == other);
            assert!(above, "{part} may know {other}, which is not above it");
        }
    }
}

#[test]
fn every_part_knows_only_what_it_may() {
    for package in packages() {
        may_know(&part(&package));
    }
    let wrong: Vec<String> = dependencies()
        .iter()
        .filter(|dependency| !is_allowed(dependency))
        .map(|Dependency { from, to, .. }| format!("{from} -> {to}"))
        .collect();
    assert!(wrong.is_empty(), "not in the table of parts: {wrong:?}");
}

#[test]
fn pure_parts_stay_pure_and_each_library_stays_in_its_place() {
    let wrong: Vec<String> = dependencies()
        .iter()
        .filter(|dependency| {
            let of_pure = PURE.contains(&dependency.from.as_str());
            let impure = of_pure && !dependency.tests_only && IMPURE.contains(&dependency.to.as_str());
            let misplaced = ONLY_IN.iter().any(|(library, parts)| {
                dependency.to == *library && !parts.contains(&dependency.from.as_str())
            });
            impure || misplaced
        })
        .map(|Dependency { from, to, .. }| format!("{from} -> {to}"))
        .collect();
    assert!(wrong.is_empty(), "these must not know these libraries: {wrong:?}");
}

#[test]
fn the_rules_refuse_what_they_are_there_for() {
    let check = |from: &str, to: &str, tests_only, allowed| {
        let dependency = Dependency { from: from.to_owned(), to: to.to_owned(), tests_only };
        assert_eq!(is_allowed(&dependency), allowed, "{from} -> {to}");
    };
    check("domain", "event-log", false, false);
    check("projections", "read-store", false, false);
    check("event-log", "parked", false, false);
    check("http-api", "read-store", false, false);
    check("event-log", "nats-server", false, false);
    check("event-log", "nats-server", true, true);
    check("executor", "venues", false, true);
    check("domain", "serde", false, true);
    check("cli", "read-store", false, true);
}

/// Sources written by hand.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> =
        ["crates", "tests", "bench", "xtask", "migrations"].map(|name| root().join(name)).into();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "sql") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn no_file_outgrows_its_subject() {
    let sources = sources();
    assert!(sources.iter().any(|path| path.ends_with("xtask/tests/tidy.rs")), "the sources were not found");
    for path in sources {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines, more than {LONGEST}", path.display());
    }
}

#[test]
fn every_module_says_what_it_is_about() {
    for path in sources() {
        let named = |part: &std::ffi::OsStr| SAY_NOTHING.iter().any(|name| part == *name);
        let by_path =
            path.file_stem().is_some_and(named) || path.parent().and_then(Path::file_name).is_some_and(named);
        assert!(!by_path, "{}", path.display());
        for line in fs::read_to_string(&path).unwrap().lines() {
            let Some((_, name)) = line.split_once("mod ") else { continue };
            let name: String =
                name.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
            assert!(!SAY_NOTHING.contains(&name.as_str()), "{}: mod {name}", path.display());
        }
    }
}
