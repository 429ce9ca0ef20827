//! A running `fillstream` that takes milliseconds per order, and what is restarted with it.

use std::process::{Command, Output, Stdio};

use fillstream_event_log::JetStreamLog;
use fillstream_nats_server::{Options, PortChoice, PrivateServer, locate};
use fillstream_tests::{Process, Scratch, binary, free_port, stream};

/// Venues and retries a hundred times faster than people would want them.
const FAST: [&str; 12] = [
    "--quote-delay=20ms",
    "--build-delay=10ms",
    "--submit-delay=10ms",
    "--landing-delay=20ms",
    "--block-interval=20ms",
    "--life-blocks=3000",
    "--retry-base=20ms",
    "--retry-max=100ms",
    "--rebroadcast=50ms",
    "--ack-wait=2s",
    "--socket-linger=100ms",
    "--log=info,async_nats=off",
];

/// See the module's first line.
pub(crate) struct Site {
    pub(crate) process: Process,
    /// A nats-server of the test's own, when it is not the process's.
    pub(crate) nats: Option<PrivateServer>,
    pub(crate) scratch: Scratch,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Site {
    /// `fillstream up`.
    pub(crate) fn up(more: &[&str]) -> Self {
        let scratch = Scratch::new("site");
        let port = format!("--nats-port={}", free_port());
        Self::start("up", scratch, None, &[&[port.as_str()], more].concat())
    }

    /// `fillstream serve` with some roles, over a nats-server that the test can take away.
    pub(crate) fn serve(roles: &str, more: &[&str]) -> Self {
        let scratch = Scratch::new("site");
        let binary = locate(&mut |line| eprintln!("{line}")).expect("a nats-server can be had");
        let options =
            Options { port: PortChoice::Any, ..Options::new(binary, scratch.path().join("shared")) };
        let nats = PrivateServer::start(&options).expect("nats-server starts");
        let given = [format!("--role={roles}"), format!("--nats-url={}", nats.url())];
        let given: Vec<_> = given.iter().map(String::as_str).collect();
        Self::start("serve", scratch, Some(nats), &[&given, more].concat())
    }

    /// As [`serve`](Self::serve), with these variables in the process's environment; the nats-server is without them.
    pub(crate) fn serve_in(roles: &str, more: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut site = Self::serve(roles, more);
        site.environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        site.kill_and_restart();
        site
    }

    /// A command over a directory that the test has prepared.
    pub(crate) fn over(scratch: Scratch, command: &str, more: &[&str]) -> Self {
        Self::start(command, scratch, None, more)
    }

    /// Other roles over another site's stream, reached at an address of their own.
    pub(crate) fn beside(site: &Self, roles: &str, nats_url: &str) -> Self {
        let rows = format!("--database-url=sqlite://{}", site.scratch.path().join("beside.db").display());
        let given = [format!("--role={roles}"), format!("--nats-url={nats_url}"), rows];
        let given: Vec<_> = given.iter().map(String::as_str).collect();
        Self::start("serve", Scratch::new("beside"), None, &given)
    }

    /// Other roles over another site's stream and rows, as `rows` names them.
    pub(crate) fn beside_rows(site: &Self, roles: &str, rows: &str) -> Self {
        let url = site.nats.as_ref().expect("a nats-server of the test's own").url();
        let given = [format!("--role={roles}"), format!("--nats-url={url}")];
        Self::start("serve", Scratch::new("beside"), None, &[given[0].as_str(), given[1].as_str(), rows])
    }

    /// What `more` gives replaces what is fast.
    fn start(command: &str, scratch: Scratch, nats: Option<PrivateServer>, more: &[&str]) -> Self {
        let listen = format!("--listen=127.0.0.1:{}", free_port());
        let data = format!("--data={}", scratch.path().display());
        let name = |argument: &str| argument.split('=').next().map(str::to_owned);
        let fast = FAST.iter().filter(|fast| more.iter().all(|given| name(given) != name(fast)));
        let arguments =
            [command, &data, &listen].into_iter().chain(fast.copied()).chain(more.iter().copied());
        let arguments: Vec<_> = arguments.map(str::to_owned).collect();
        let process = Process::start(quiet(&arguments));
        if command == "up" {
            process.until_ready();
        }
        Self { process, nats, scratch, arguments, environment: Vec::new() }
    }

    /// Kills the process and starts it again on the same data, at the same address.
    pub(crate) fn kill_and_restart(&mut self) {
        self.process.kill();
        let mut command = quiet(&self.arguments);
        command.envs(self.environment.iter().cloned());
        self.process = Process::start(command);
    }

    /// As [`kill_and_restart`](Self::kill_and_restart), with one more setting.
    pub(crate) fn restart_with(&mut self, setting: &str) {
        self.arguments.push(setting.to_owned());
        self.kill_and_restart();
    }

    pub(crate) fn address(&self) -> &str {
        &self.process.address
    }

    /// The stream, as an auditor reads it.
    pub(crate) async fn log(&self) -> JetStreamLog {
        let url = self.nats.as_ref().map(PrivateServer::url).or_else(|| self.process.nats_url());
        stream::open(&url.expect("the address is printed")).await
    }
}

/// The binary with these arguments, and with none of the settings of whoever runs the tests.
pub(crate) fn quiet<S: AsRef<str>>(arguments: &[S]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments.iter().map(AsRef::as_ref));
    let settings = std::env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|name| name.to_string_lossy().starts_with("FILLSTREAM_")) {
        if name != "FILLSTREAM_NATS_SERVER" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end: what it printed, and how it ended.
pub(crate) fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("fillstream can be run")
}
