//! Settings: by flag, variable and file; wrong ones stop the start with a sentence that says what to do.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use fillstream_tests::{
    Process, Scratch, free_port,
    http::{get, post},
};

use super::said;
use crate::site::{Site, quiet};

/// Nobody waits longer for being told that a setting is wrong.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

fn check(arguments: &[&str], variables: &[(&str, &str)], expected: &[&str]) {
    let mut command = quiet(arguments);
    command.envs(variables.iter().copied());
    let asked = Instant::now();
    let (stdout, stderr, code) = said(&mut command);
    let case = format!("{arguments:?} {variables:?}: {code:?}\n{stdout}{stderr}");
    assert!(matches!(code, Some(1 | 2)), "{case}");
    assert!(asked.elapsed() < TOLD_WITHIN, "{:?} for {case}", asked.elapsed());
    for words in expected {
        assert!(stderr.contains(words), "no {words:?} in {case}");
    }
    assert!(!stderr.contains("panicked"), "{case}");
    assert!(!stdout.contains(" serves "), "{case}");
}

/// `fillstream up` in a directory of its own, with more.
struct Up(Scratch);

impl Up {
    fn refuses(&self, more: &[&str], expected: &[&str]) {
        let (data, port) = (self.0.path().display().to_string(), free_port().to_string());
        check(&[&["up", "--data", &data, "--nats-port", &port], more].concat(), &[], expected);
    }
}

/// Flag, value, and what the refusal says.
const WRONG: &[(&str, &str, &str)] = &[
    ("--quote-delay", "soon", "must be a time such as"),
    ("--quote-delay", "5", "time unit needed"),
    ("--quote-delay", "", "must be a time such as"),
    ("--quote-delay", "-1s", "must be a time such as"),
    ("--quote-delay", "1000000years", "must be at most"),
    ("--ping-interval", "0", "must be at least 1ms"),
    ("--write-timeout", "0", "must be at least 1ms"),
    ("--ack-wait", "1ms", "must be at least 50ms"),
    ("--silence-limit", "30s", "above --ping-interval"),
    ("--max-sockets", "0", "--max-sockets"),
    ("--queue-events", "many", "--queue-events"),
    ("--life-blocks", "100", "ten times --ack-wait"),
    ("--life-blocks", "125", "ten times --ack-wait"),
    ("--venue-faults", "dorp=100", "must be one of drop"),
    ("--venue-faults", "drop=1001", "from 0 to 1000"),
    ("--venue-faults", "drop", "name=permille"),
    ("--listen", "0.0.0.0:3000", "only loopback addresses"),
    ("--listen", "[::]:3000", "only loopback addresses"),
    ("--listen", "localhost:3000", "such as 127.0.0.1:3000"),
    ("--listen", "3000", "such as 127.0.0.1:3000"),
    ("--public-url", "orders.example", "such as https://orders.example"),
    ("--allow-origin", "https://desk.example/", "as browsers send them"),
    ("--database-url", "mysql://localhost/rows", "sqlite:///path/file.db or postgres://"),
    ("--database-url", "rows.db", "sqlite:///path/file.db or postgres://"),
    ("--replicas", "9", "--replicas"),
    ("--durability", "paper", "fsync"),
    ("--log", "a=b=c", "--log"),
    ("--nats-url", "http://127.0.0.1:4222", "http://127.0.0.1:4222"),
    ("--colour", "blue", "unexpected argument '--colour'"),
];

#[test]
fn wrong_settings_stop_the_start_and_say_why() {
    let up = Up(Scratch::new("settings"));
    for (flag, value, words) in WRONG {
        up.refuses(&[&format!("{flag}={value}")], &[words]);
    }
    check(&["up", "--data", "/proc/nobody/may/write"], &[], &["/proc/nobody"]);
    check(&["up"], &[("FILLSTREAM_ACK_WAIT", "never")], &["--ack-wait", "must be a time such as"]);
    check(&["serve", "--role", "api"], &[], &["--nats-url", "FILLSTREAM_NATS_URL"]);
    check(&["serve", "--nats-url", "nats://127.0.0.1:4222"], &[], &["--role"]);
    // A server that others reach is a door like a port that others reach.
    check(
        &["serve", "--role", "api", "--nats-url", "nats://me:secret@10.0.0.5:4222"],
        &[],
        &["--nats-url nats://10.0.0.5:4222", "--jwt-secret", "--nats-requests off"],
    );
    check(&["serve", "--role", "cook"], &[], &["api, executor, matcher, projector, bridge"]);
    check(&["frobnicate"], &[], &["unrecognized subcommand 'frobnicate'"]);
}

#[test]
fn a_wrong_file_stops_the_start_and_says_why() {
    let up = Up(Scratch::new("settings-file"));
    let file = up.0.path().join("fillstream.toml");
    let path = file.display().to_string();
    for (text, words) in [
        ("quote-dealy = \"1s\"", "\"quote-dealy\", which is no setting of `fillstream up`"),
        ("config = \"other.toml\"", "\"config\", which is no setting"),
        ("role = [\"api\"]", "\"role\", which is no setting of `fillstream up`"),
        ("[http]\nlisten = \"127.0.0.1:3000\"", "\"http\", which is no setting"),
        ("quote-delay = \"soon\"", "must be a time such as"),
        ("quote-delay = 1.5", "\"quote-delay\" with a value that is no text"),
        ("quote-delay = ", "is not TOML"),
        ("listen = \"0.0.0.0:3000\"", "only loopback addresses"),
    ] {
        fs::write(&file, text).expect("the file can be written");
        up.refuses(&["--config", &path], &[words]);
    }
    up.refuses(&["--config", "/nowhere.toml"], &["cannot read the settings file /nowhere.toml"]);
    check(
        &["up"],
        &[("FILLSTREAM_CONFIG", "/nowhere.toml")],
        &["cannot read the settings file /nowhere.toml"],
    );
}

#[tokio::test]
async fn a_flag_beats_a_variable_and_a_variable_the_file() {
    let scratch = Scratch::new("precedence");
    let config = scratch.path().join("fillstream.toml");
    let port = free_port();
    let url = |from: &str| format!("https://{from}.example");
    let text = format!(
        "listen = \"127.0.0.1:{port}\"\nnats-port = {}\npublic-url = \"{}\"\nsocket_linger = \"50ms\"\n",
        free_port(),
        url("file")
    );
    fs::write(&config, text).expect("the file can be written");
    for (flag, variable, by_variable, expected) in [
        (None, None, false, "file"),
        (None, None, true, "file"),
        (None, Some("variable"), true, "variable"),
        (Some("flag"), Some("variable"), true, "flag"),
        (Some("flag"), None, false, "flag"),
    ] {
        let mut command = quiet(&["up"]);
        command.env("FILLSTREAM_DATA", scratch.path());
        match by_variable {
            true => command.env("FILLSTREAM_CONFIG", &config),
            false => command.arg("--config").arg(&config),
        };
        command.args(flag.map(|from| format!("--public-url={}", url(from))));
        command.envs(variable.map(|from| ("FILLSTREAM_PUBLIC_URL", url(from))));
        let mut process = Process::start(command);
        assert_eq!(process.address, format!("127.0.0.1:{port}"), "listen is in the file alone");
        let body = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10}"#;
        let placed = post(&process.address, "/api/orders/execute", &[], body).await.json();
        let told = placed["wsUrl"].as_str().unwrap_or_default();
        assert!(told.starts_with(&format!("wss://{expected}.example/")), "{told} is not by {expected}");
        assert_eq!(process.terminate(), Some(0));
    }
}

#[test]
fn what_a_role_needs_may_stand_in_the_file() {
    let scratch = Scratch::new("role-in-file");
    let config = scratch.path().join("fillstream.toml");
    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    fs::write(&config, format!("role = [\"api\", \"bridge\"]\nnats-url = \"{nowhere}\"\n")).expect("written");
    let config = config.display().to_string();
    let data = scratch.path().display().to_string();
    let listen = format!("--listen=127.0.0.1:{}", free_port());
    let process = Process::spawn(quiet(&["serve", "--config", &config, "--data", &data, &listen]));
    // It is believed, and waited for.
    let deadline = Instant::now() + TOLD_WITHIN;
    while !process.said().contains(&format!("cannot connect to NATS at {nowhere}")) {
        assert!(Instant::now() < deadline, "{}", process.said());
        thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn what_is_taken_is_said_to_be_taken() {
    let site = Site::up(&[]);
    let data = site.scratch.path().display().to_string();
    let (listen, free) = (site.address().to_owned(), format!("127.0.0.1:{}", free_port()));
    check(&["up", "--data", &data, "--listen", &free], &[], &[&data, "in use by"]);
    let other = Up(Scratch::new("taken"));
    other.refuses(&["--listen", &listen], &[&format!("cannot listen on {listen}"), "--listen"]);
    assert!(nobody_serves(other.0.path()), "the private nats-server has outlived its process");
    assert_eq!(get(site.address(), "/ready").await.status, 200, "the first one goes on");
    let port = TcpListener::bind(&free).expect("nothing was left on the port");
    drop(port);
}

/// No nats-server runs on the data of this directory: `order` finds none.
fn nobody_serves(data: &Path) -> bool {
    let data = data.display().to_string();
    let (_, stderr, _) =
        said(&mut quiet(&["order", "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d03", "--data", &data]));
    stderr.contains("no nats-server runs")
}

#[test]
fn passwords_are_not_printed() {
    let site = Site::serve("api", &[]);
    let url = site.nats.as_ref().expect("a nats-server of our own").url();
    let url = url.replace("nats://", "nats://me:hush@");
    let (data, listen) =
        (site.scratch.path().join("b").display().to_string(), format!("--listen=127.0.0.1:{}", free_port()));
    let mut process =
        Process::start(quiet(&["serve", "--role=api", "--nats-url", &url, "--data", &data, &listen]));
    process.terminate();
    assert!(!process.said().contains("hush"), "{}", process.said());
    let mut help = quiet(&["up", "--help"]);
    help.env("FILLSTREAM_NATS_URL", &url).env("FILLSTREAM_DATABASE_URL", "postgres://me:hush@db/rows");
    let (stdout, _, _) = said(&mut help);
    assert!(!stdout.contains("hush"), "{stdout}");
}

#[test]
fn help_names_every_setting_s_variable() {
    for command in ["up", "serve"] {
        let (stdout, _, code) = said(&mut quiet(&[command, "--help"]));
        assert_eq!(code, Some(0));
        let flags = stdout.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
        // A switch may be followed by its optional value: --nats-token[=<SWITCH>].
        let flags: Vec<_> = flags.filter_map(|rest| rest.split([' ', '[']).next()).collect();
        assert!(flags.len() > 25, "{flags:?}");
        for flag in flags {
            let variable = format!("[env: FILLSTREAM_{}", flag.to_uppercase().replace('-', "_"));
            assert!(stdout.contains(&variable), "no {variable} for --{flag} in {stdout}");
        }
        assert!(stdout.lines().all(|line| line.chars().count() <= 100), "lines longer than a terminal");
    }
}
