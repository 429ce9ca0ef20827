//! Every command of the pages, run as a reader would run it: in a shell, beside a running system.
//!
//! ```text
//!  page ─▶ blocks of `sh` ─▶ addresses, folders and the order of this test ─▶ sh, one block at a time
//!                                 └─▶ what lasts (a server, a stream of events) has to last, then it is ended
//! ```

use std::{
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

use fillstream_tests::{
    binary, free_port,
    http::post,
    node,
    tools::{find, is_there},
};

use super::{PAGES, page, path};
use crate::site::Site;

/// Pages whose commands are run besides.
const MORE_PAGES: [&str; 3] = ["nats/README.md", "examples/nats/walk.md", "docs/screenshots/README.md"];

/// Lines that are not run, by their beginning, and why.
const NOT_RUN: [(&str, &str); 10] = [
    ("cargo ", "builds, or runs the tests: among them this one"),
    ("FILLSTREAM_SCREENSHOTS=", "runs the tests"),
    ("fillstream up --listen 0.0.0.0:3000 --jwks", "fetches the keys of an issuer"),
    ("FILLSTREAM_PASSWORD=", "opens a server to others"),
    ("FILLSTREAM_JWT_SECRET=… fillstream serve", "is for that server"),
    ("nats --user", "is for that server"),
    ("nats-server ", "takes the NATS port of this machine"),
    ("fillstream backup ", "goes to another disk; the cases of backups run it"),
    ("fillstream restore ", "wants a machine without a stream; the cases of backups run it"),
    ("fillstream verify --data DIR", "is for what was restored"),
];

/// Lines that end with another exit code than 0, by their beginning.
const ENDS_WITH: [(&str, i32); 5] = [
    // This server reads no tokens.
    ("FILLSTREAM_TOKEN=", 1),
    ("fillstream swap RUSH", 2),
    // There is nothing parked, and nothing undecided.
    ("fillstream parked retry", 1),
    ("fillstream parked skip", 1),
    ("fillstream resolve", 1),
];

/// Lines that go on until somebody ends them. The event stream of an order that has ended does not.
const LASTS: [&str; 6] = [
    "fillstream up",
    "fillstream serve",
    "FILLSTREAM_JWT_SECRET=",
    "curl -N -H 'Accept: text/event-stream' 'http",
    "wscat",
    "nats sub",
];
/// Number of them, from the first on, that are systems of their own.
const SYSTEMS: usize = 3;
/// For how long they have to, in seconds.
const LONG_ENOUGH: u32 = 2;

/// Order id that stands on the pages.
const ORDERS: [&str; 3] = ["0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e", "0198c0de-…", "ORDER_ID"];

#[test]
fn every_command_on_the_pages_runs() {
    let mut unused: Vec<_> = NOT_RUN.iter().map(|(line, _)| *line).collect();
    thread::scope(|scope| {
        for name in PAGES.into_iter().chain(MORE_PAGES) {
            let text = page(name);
            let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
            let blocks: Vec<_> = blocks.map(str::to_owned).collect();
            unused.retain(|line| {
                !blocks.iter().any(|block| block.lines().any(|found| found.starts_with(line)))
            });
            if !blocks.is_empty() {
                scope.spawn(move || run_all(name, &blocks));
            }
        }
    });
    assert_eq!(unused, [""; 0], "these lines stand on no page any more");
}

fn run_all(name: &str, blocks: &[String]) {
    let site = Site::up(&[]);
    let order = place(&site);
    let tools = tools(site.scratch.path());
    for block in blocks {
        let script = script(block, &site, &order);
        let output = shell(&script, &site, &tools);
        let said = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}, {}\n{script}\n{said}\n{error}", output.status);
    }
}

/// The first of some orders: the pages look at sequences up to 26.
fn place(site: &Site) -> String {
    let body = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10}"#;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let place = |_| runtime.block_on(post(site.address(), "/api/orders/execute", &[], body)).json();
    let answers: Vec<_> = (0..30).map(place).collect();
    answers[0]["orderId"].as_str().expect("it is placed").to_owned()
}

/// A folder with what a reader has on PATH besides.
fn tools(scratch: &Path) -> String {
    let folder = scratch.join("bin");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    symlink(binary(), folder.join("fillstream")).expect("the link can be made");
    folder.display().to_string()
}

/// The block with each line as it is to be run.
fn script(block: &str, site: &Site, order: &str) -> String {
    let mut script = String::from("set -eu\n");
    for line in block.replace("\\\n", " ").lines() {
        let line = without_comment(line).trim();
        if line.is_empty() || !is_run(line) {
            continue;
        }
        let here = here(line, site, order);
        let starts = |beginning: &&str| line.starts_with(beginning);
        let code = ENDS_WITH.iter().find(|(beginning, _)| line.starts_with(beginning)).map(|(_, code)| *code);
        script += &match code {
            _ if LASTS.iter().any(starts) && !line.contains("--json") => {
                let here = here.trim_end_matches('&').trim();
                // It ends with its input.
                let open = if line.starts_with("wscat") { "timeout 4 tail -f /dev/null | " } else { "" };
                format!(
                    "code=0; timeout {LONG_ENOUGH} sh <<'LASTS' || code=$?\n{open}{here}\nLASTS\ntest $code = 124 || {{ echo \"$code, and should last\"; exit 1; }}\n"
                )
            }
            Some(code) => {
                format!(
                    "code=0; {here} || code=$?\ntest $code = {code} || {{ echo \"$code, not {code}\"; exit 1; }}\n"
                )
            }
            None => format!("{here}\n"),
        };
    }
    script
}

/// A comment begins with a blank and a number sign.
fn without_comment(line: &str) -> &str {
    line.split(" #").next().unwrap_or_default()
}

fn is_run(line: &str) -> bool {
    let wanted = |program: &str| line.split_whitespace().next() == Some(program);
    let known = NOT_RUN.iter().any(|(beginning, _)| line.starts_with(beginning));
    let missing = wanted("nats") && find("nats").is_none() || wanted("wscat") && node::packages().is_none();
    if missing {
        eprintln!("skipped: {line}");
    }
    !known && !missing
}

/// The line with the addresses, folders and the order of this test.
fn here(line: &str, site: &Site, order: &str) -> String {
    let scratch = site.scratch.path().display();
    let mut line = ORDERS.iter().fold(line.to_owned(), |line, shown| line.replace(shown, order));
    // What is left of dots stands for a secret.
    line = line.replace('…', "0123456789abcdef0123456789abcdef");
    if LASTS[..SYSTEMS].iter().any(|beginning| line.starts_with(beginning)) {
        // A system of its own beside the one that runs.
        let port = free_port();
        for listen in ["0.0.0.0:3000", "127.0.0.1:3000", "127.0.0.1:3001"] {
            line = line.replace(listen, &format!("127.0.0.1:{port}"));
        }
        let own = format!(
            "FILLSTREAM_LISTEN=127.0.0.1:{port} FILLSTREAM_NATS_PORT={} FILLSTREAM_DATA={scratch}/{port}",
            free_port()
        );
        line = format!("{own} {line}");
    }
    let nats = site.process.nats_url().expect("the address is printed");
    line.replace("nats://127.0.0.1:4222", &nats)
        .replace("127.0.0.1:3000", site.address())
        .replace("/var/lib/fillstream", &scratch.to_string())
        .replace("fillstream.toml", &format!("{scratch}/fillstream.toml"))
}

fn shell(script: &str, site: &Site, tools: &str) -> Output {
    let scratch = site.scratch.path();
    std::fs::write(scratch.join("fillstream.toml"), "socket-linger = \"100ms\"\n")
        .expect("it can be written");
    assert!(is_there("curl", &["--version"], "curl"), "curl is needed");
    let path = std::env::var("PATH").unwrap_or_default();
    let node = node::packages().map(|folder| folder.join("node_modules/.bin").display().to_string());
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command.current_dir(self::path(".")).env_clear();
    command.env("PATH", format!("{tools}:{path}:{}", node.unwrap_or_default()));
    command.env("HOME", scratch).env("NO_COLOR", "1");
    // Those of the running system, whose venues further executors share.
    command.env("FILLSTREAM_BLOCK_INTERVAL", "20ms").env("FILLSTREAM_LIFE_BLOCKS", "3000");
    command.env("FILLSTREAM_DATA", scratch).env("FILLSTREAM_SERVER", format!("http://{}", site.address()));
    command.env("NATS_URL", site.process.nats_url().expect("the address is printed"));
    if let Some(server) = std::env::var_os("FILLSTREAM_NATS_SERVER") {
        command.env("FILLSTREAM_NATS_SERVER", server);
    }
    command.output().expect("sh runs")
}
