//! Recorded order flow through the real system.

use std::path::{Path, PathBuf};

use super::said;
use crate::site::{Site, quiet};

/// What the engine in memory comes to, by the tests of `crates/lobster`.
const REPORT: &str = include_str!("../../../crates/lobster/tests/fixture/report.txt");

fn fixture(name: &str) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.join("../crates/lobster/tests/fixture").join(name).display().to_string()
}

/// `fillstream import lobster` on a site: standard output and standard error, and its exit code.
fn import(site: &Site, symbol: &str, file: &str, more: &[&str]) -> (String, String, Option<i32>) {
    let data = format!("--data={}", site.scratch.path().display());
    let arguments = [&["import", "lobster", file, "--symbol", symbol, &data], more].concat();
    said(&mut quiet(&arguments))
}

fn verify(site: &Site) {
    let data = format!("--data={}", site.scratch.path().display());
    let (stdout, stderr, ended) = said(&mut quiet(&["verify", &data]));
    assert_eq!(ended, Some(0), "{stdout}{stderr}");
}

#[tokio::test]
async fn the_real_system_comes_to_what_the_engine_in_memory_comes_to() {
    let site = Site::up(&[]);
    let (file, books, wider) = (fixture("messages.csv"), fixture("books.csv"), fixture("wider.csv"));
    let more = ["--books", books.as_str(), "--wider", wider.as_str()];
    let (stdout, stderr, ended) = import(&site, "AAPL/USD", &file, &more);
    assert_eq!(ended, Some(0), "{stdout}{stderr}");
    let proof = "the wider file proves 1 of 1 differences behind the last level, to the share\n";
    assert_eq!(stdout, format!("{REPORT}{proof}"));

    let (again, stderr, ended) = import(&site, "AAPL/USD", &file, &more);
    assert_eq!((again, ended), (stdout, Some(0)), "{stderr}");
    assert!(stderr.contains("0 inputs stored"), "{stderr}");

    let (_, stderr, ended) = import(&site, "AAPL/USD", &wider, &[]);
    assert_eq!(ended, Some(1));
    assert!(stderr.contains("import into a market of its own"), "{stderr}");
    verify(&site);
}

#[tokio::test]
async fn an_import_goes_on_behind_what_is_stored() {
    let site = Site::up(&[]);
    let rows = [
        "1,1,10,5,100000,1",
        "2,1,11,5,100000,1",
        "3,4,10,5,100000,1",
        "4,2,11,1,100000,1",
        "5,3,11,4,100000,1",
    ];
    let file = |count: usize| {
        let path = site.scratch.path().join(format!("{count}.csv"));
        std::fs::write(&path, rows[..count].join("\n")).expect("the scratch directory can be written");
        path.display().to_string()
    };
    for (count, before) in [(2, 0), (5, 2)] {
        let (stdout, stderr, ended) = import(&site, "AAPL/USD", &file(count), &[]);
        assert_eq!(ended, Some(0), "{stdout}{stderr}");
        assert!(
            stderr.contains(&format!("{} inputs stored, all {count} answered", count - before)),
            "{stderr}"
        );
        assert_eq!(stdout.contains("1 executions, 1 hit the same resting order"), count == 5, "{stdout}");
    }
    verify(&site);
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_before_anything_is_stored() {
    let site = Site::up(&[]);
    let path = site.scratch.path().join("bad.csv");
    for (rows, error) in [
        ("1,1,10,5,100000,1\n2,9,10,5,100000,1", "row 2: type must be one of 1 to 7, and is \"9\""),
        (
            "1,1,10,5,100001,1",
            "place order 10: BUY 5 at 100001: price must be a multiple of 0.01 (tick_size)",
        ),
    ] {
        std::fs::write(&path, rows).expect("the scratch directory can be written");
        let (_, stderr, ended) = import(&site, "AAPL/USD", &path.display().to_string(), &[]);
        assert_eq!(ended, Some(1));
        assert!(stderr.contains(error), "{stderr}");
    }
    let good = site.scratch.path().join("good.csv");
    std::fs::write(&good, "1,1,10,5,100000,1").expect("the scratch directory can be written");
    let (_, stderr, ended) = import(&site, "AAPL/USD", &good.display().to_string(), &[]);
    assert_eq!(ended, Some(0), "{stderr}");
}

/// The published samples, found by `FILLSTREAM_LOBSTER_DIR`.
#[tokio::test]
async fn the_published_books_come_out_of_the_real_system() {
    let Some(directory) = std::env::var_os("FILLSTREAM_LOBSTER_DIR").map(PathBuf::from) else {
        eprintln!(
            "FILLSTREAM_LOBSTER_DIR is not set: the samples are not replayed, only the project's own fixture is"
        );
        return;
    };
    let path = |name: &str| directory.join(name).display().to_string();
    let file = path("AAPL_2012-06-21_messages_first998_level10.csv");
    let books = path("AAPL_2012-06-21_orderbook_first998_level10.csv");
    let wider = path("AAPL_2012-06-21_messages_0930-1000.csv");
    let site = Site::up(&[]);
    let (stdout, stderr, ended) = import(&site, "AAPL/USD", &file, &["--books", &books, "--wider", &wider]);
    eprintln!("{stdout}{stderr}");
    assert_eq!(ended, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("98 hit the same resting order"), "{stdout}");
    assert!(stdout.contains("compared 18038, equal 18033, adopted 1924"), "{stdout}");
    verify(&site);
}
