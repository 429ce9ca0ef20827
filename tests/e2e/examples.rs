//! The clients of `examples/`, each run by its own interpreter against the real binary. What is not on PATH is said and
//! left out. The page for browsers is run where browsers are: `browser.rs`.

mod outcomes;
mod postman;
mod resume;

use std::{
    env,
    ffi::OsString,
    iter,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use fillstream_tests::{
    Process,
    http::get,
    node,
    tools::{find, is_there, runs},
};
use serde_json::Value;

use crate::site::{Site, run};

/// Longest life of a client in these tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// The clients that run wscat.
const WANT_WSCAT: [&str; 1] = ["shell/watch.sh"];

/// A file of `examples/`.
fn example(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples").join(path)
}

/// What runs `path`, if it is there.
fn interpreter(path: &str) -> Option<Command> {
    const SOCKET: &str = "process.exit(typeof WebSocket === 'function' ? 0 : 1)";
    const MODERN: &str = "import sys; sys.exit(sys.version_info < (3, 10))";
    // Node 20 and 21 have the socket of 22 behind a flag.
    const FLAG: &str = "--experimental-websocket";
    let mut command = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("mjs") if runs("node", &["-e", SOCKET]) => Command::new("node"),
        Some("mjs") if is_there("node", &[FLAG, "-e", SOCKET], "node ≥ 20") => {
            let mut node = Command::new("node");
            node.arg(FLAG);
            node
        }
        Some("py") if is_there("python3", &["-c", MODERN], "python3 ≥ 3.10") => Command::new("python3"),
        Some("sh") if is_there("curl", &["--version"], "curl") => Command::new("sh"),
        _ => return None,
    };
    command.arg(example(path));
    if WANT_WSCAT.contains(&path) {
        command.env("PATH", with_wscat()?);
    }
    Some(command)
}

/// `PATH`, and what is installed for the tests behind it.
fn with_wscat() -> Option<OsString> {
    let known = env::var_os("PATH").unwrap_or_default();
    if find("wscat").is_some() {
        return Some(known);
    }
    let installed = node::packages()?.join("node_modules/.bin");
    env::join_paths(env::split_paths(&known).chain(iter::once(installed))).ok()
}

/// A running client of `site`.
fn client(site: &Site, path: &str, arguments: &[&str]) -> Option<Process> {
    let mut command = interpreter(path)?;
    command.args(arguments);
    command.env("FILLSTREAM_SERVER", format!("http://{}", site.address()));
    command.env("NO_COLOR", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    Some(Process::spawn(command))
}

/// Its exit code, once it has ended; the reading of what it said may end a little later.
fn code(client: &mut Process) -> Option<i32> {
    client.wait(PATIENCE).unwrap_or_else(|| panic!("it goes on and on:\n{}", client.said())).code()
}

/// Waits for a condition on what a client said; the panic shows it.
fn until(client: &Process, what: &str, said: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !said(&client.said()) {
        assert!(Instant::now() < deadline, "no {what} in:\n{}", client.said());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The ids in its lines `order ID`.
fn orders(said: &str) -> Vec<String> {
    said.lines().filter_map(|line| line.strip_prefix("order ")).map(str::to_owned).collect()
}

/// The positions it showed, as the words `seq.index` that begin its lines.
fn shown(said: &str) -> Vec<String> {
    let position = |word: &&str| {
        word.split_once('.')
            .is_some_and(|(seq, index)| seq.parse::<u64>().is_ok() && index.parse::<u32>().is_ok())
    };
    said.lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(position)
        .map(str::to_owned)
        .collect()
}

/// The positions of a swap order's steps, as the stream holds them.
async fn held(site: &Site, order: &str) -> Vec<String> {
    let answer = get(site.address(), &format!("/api/orders/{order}/logs")).await.json();
    let steps = answer["logs"].as_array().unwrap_or_else(|| panic!("no steps of {order}: {answer}"));
    steps.iter().map(|step| format!("{}.{}", step["seq"], step["index"])).collect()
}

/// The status of a swap order; the test fails when there is no such order.
async fn status(site: &Site, order: &str) -> Value {
    let answer = get(site.address(), &format!("/api/orders/{order}")).await;
    assert_eq!(answer.status, 200, "{order} is unknown");
    answer.json()["status"].clone()
}

#[test]
fn the_nats_walk_runs_or_says_that_it_does_not() {
    let site = Site::up(&[]);
    let mut command = Command::new("sh");
    command.arg(example("nats/walk.sh")).arg(site.process.nats_url().expect("the address is printed"));
    let output = run(&mut command);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // The one client that may be left out everywhere: Debian has no nats CLI.
    assert_eq!(said.starts_with("skipped:"), !runs("nats", &["--version"]), "{said}");
    eprint!("{said}");
}
