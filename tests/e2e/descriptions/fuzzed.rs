//! An independent fuzzer reads /openapi.json and asks whatever it permits, and what it does not: no 5xx, no answer that
//! is not described.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use fillstream_tests::{http::get, tools::is_there};

use crate::site::{Site, run};

/// The fuzzer's version is in it, with the hash of every file. What is sent is the same in every run.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/descriptions/requirements.txt");
/// Seconds for all of it: what is wrong with an answer shows within the first ones.
const MOST_SECONDS: &str = "--max-time=45";
/// What a run sends at least, on a busy machine too; an idle one sends ten times as many.
const FEWEST_REQUESTS: usize = 1000;
const CHECKS: &str = "--checks=not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,unsupported_method";

/// Directory in which the fuzzer is kept between runs: beside the binaries of this build.
fn kept() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    test.ancestors().nth(3).expect("tests lie in target/<profile>/deps").join("fuzzer")
}

/// The directory with the fuzzer; fetched once for each version of its requirements.
fn fuzzer() -> io::Result<PathBuf> {
    let wanted = fs::read(REQUIREMENTS)?;
    let kept = kept();
    fs::create_dir_all(&kept)?;
    let fetching = File::create(kept.join("lock"))?;
    fetching.lock()?;
    let (packages, complete) = (kept.join("packages"), kept.join("requirements.txt"));
    if fs::read(&complete).is_ok_and(|there| there == wanted) {
        return Ok(packages);
    }
    if packages.exists() {
        fs::remove_dir_all(&packages)?;
    }
    eprintln!("fetching the fuzzer with pip, once");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
    ])
    .arg("--target")
    .arg(&packages)
    .args(["-r", REQUIREMENTS])
    .envs([
        ("PIP_USER", "no"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ]);
    let output = run(&mut pip);
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    fs::write(complete, wanted)?;
    Ok(packages)
}

/// The fuzzer on a document, which it finds at an address or in a file.
fn schemathesis(packages: &Path, site: &Site, document: &str) -> Command {
    let mut command = Command::new("python3");
    // One worker: in CPython 3.11 threads that compile at the same time break each other's count of recursions
    // (`AST constructor recursion depth mismatch`, python/cpython#106905), which ends a run with an error of its own.
    command
        .args(["-m", "schemathesis.cli", "run", document, CHECKS, "--generation-deterministic"])
        .args(["--continue-on-failure", "--no-shrink", "--workers=1", "--suppress-health-check=all"])
        .args(["--no-color", "--warnings=off"])
        .current_dir(site.scratch.path())
        .env("PYTHONPATH", packages);
    command
}

/// Number of requests that were sent: `Test cases:` and `9464 generated, …`.
fn sent(said: &str) -> usize {
    let counted = said.lines().find_map(|line| line.trim().split_once(" generated,"));
    counted.and_then(|(count, _)| count.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_fuzzer_finds_no_server_error_and_nothing_undescribed() {
    if !is_there("python3", &["-m", "pip", "--version"], "python3 with pip, to fetch the fuzzer with,") {
        return;
    }
    let packages = fuzzer().unwrap_or_else(|error| panic!("the fuzzer cannot be fetched: {error}"));
    let site = Site::up(&[]);
    let document = format!("http://{}/openapi.json", site.address());
    let mut all = schemathesis(&packages, &site, &document);
    let output = run(all.args(["--phases=examples,coverage,fuzzing,stateful", MOST_SECONDS]));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(sent(&said) >= FEWEST_REQUESTS, "{said}");

    // It does see what is not described.
    let mut broken = get(site.address(), "/openapi.json").await.json();
    let responses = &mut broken["paths"]["/api/orders/{order_id}"]["get"]["responses"];
    responses.as_object_mut().expect("responses").remove("404").expect("404 is described");
    fs::write(site.scratch.path().join("broken.json"), broken.to_string()).expect("writable");
    let mut control = schemathesis(&packages, &site, "broken.json");
    let server = format!("--url=http://{}", site.address());
    let output = run(control.args(["--phases=coverage", "--include-operation-id=getSwap", &server]));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && said.contains("Undocumented status code"), "{said}");
}
