//! Stage of the sweep: one nats-server, one pair of venue ledgers, and processes that come and go.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use fillstream_domain::OrderId;
use fillstream_nats_server::{Options, PortChoice, PrivateServer, locate};
use fillstream_tests::{Process, Scratch, binary, free_port, http};
use fillstream_venues::SimulatedSettings;
use parking_lot::{Mutex, MutexGuard};

use super::plan::Point;

/// A crash leaves an order alone for this long. The intervals are scaled down together; transactions live 80 times as long, so that no
/// order loses one because the machine is busy with something else.
const ACK_WAIT_MS: u64 = 250;
const REBROADCAST_MS: u64 = 50;
const RETRY_BASE_MS: u64 = 20;
const BLOCK_INTERVAL_MS: u64 = 20;
const LIFE_BLOCKS: u64 = 1000;

/// Command to a process at a point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told<'a> {
    /// SIGKILL.
    Die(&'a Point),
    /// SIGSTOP.
    Freeze(&'a Point),
}

impl<'a> Told<'a> {
    /// Where.
    pub(super) const fn point(self) -> &'a Point {
        match self {
            Self::Die(point) | Self::Freeze(point) => point,
        }
    }
}

/// See the module's first line.
pub(super) struct Stage {
    nats: PrivateServer,
    /// Takes the orders in; no point kills it.
    intake: Process,
    placed: Mutex<Vec<OrderId>>,
    scratch: Scratch,
}

impl Stage {
    pub(super) async fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let binary = locate(&mut |line| println!("{line}")).expect("there is a nats-server");
        let options = Options { port: PortChoice::Any, ..Options::new(binary, scratch.path().join("nats")) };
        let nats = PrivateServer::start(&options).expect("nats-server starts");
        let intake = Process::start(serve(&nats.url(), &scratch, "api"));
        Self { nats, intake, placed: Mutex::default(), scratch }
    }

    /// The nats-server.
    pub(super) const fn nats(&self) -> &PrivateServer {
        &self.nats
    }

    /// `127.0.0.1:port` of the process that takes orders in.
    pub(super) fn address(&self) -> &str {
        &self.intake.address
    }

    /// Directory of the venues' ledgers.
    pub(super) fn ledgers(&self) -> PathBuf {
        ledgers_of(self.scratch.path())
    }

    /// An executor, which is not waited for: it may die before it serves.
    pub(super) fn executor(&self, faults: &str, told: Option<Told<'_>>) -> Process {
        Process::spawn(self.command("executor", faults, told))
    }

    /// Another process that takes orders in.
    pub(super) fn intake(&self, told: Option<Told<'_>>) -> Process {
        Process::start(self.command("api", "", told))
    }

    /// A process of these roles.
    pub(super) fn command(&self, roles: &str, faults: &str, told: Option<Told<'_>>) -> Command {
        let mut command = serve(&self.nats.url(), &self.scratch, roles);
        command.arg(format!("--venue-faults={faults}"));
        tell(&mut command, told);
        command
    }

    /// Places an order of 10 tokens for USDC.
    pub(super) async fn place(&self, token_in: &str) -> OrderId {
        let order = http::place(self.address(), token_in, "USDC").await;
        self.note(&order)
    }

    /// An order that was placed otherwise.
    pub(super) fn note(&self, order: &str) -> OrderId {
        let order = order.parse().expect("an order's id is a UUID");
        self.placed.lock().push(order);
        order
    }

    /// All orders that were answered with 201.
    pub(super) fn placed(&self) -> MutexGuard<'_, Vec<OrderId>> {
        self.placed.lock()
    }

    /// Runs a command of the binary to its end.
    pub(super) fn run(&self, arguments: &[&str], told: Option<Told<'_>>) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).env("FILLSTREAM_NATS_URL", self.nats.url());
        tell(&mut command, told);
        command.output().expect("fillstream can be run")
    }

    /// Output of a command.
    pub(super) fn printed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, None);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn tell(command: &mut Command, told: Option<Told<'_>>) {
    let spelled = |point: &Point| format!("{}:{}", point.boundary.name(), point.nth);
    match told {
        Some(Told::Die(point)) => drop(command.env("FILLSTREAM_CRASH_AT", spelled(point))),
        Some(Told::Freeze(point)) => drop(command.env("FILLSTREAM_FREEZE_AT", spelled(point))),
        None => {}
    }
}

fn serve(nats_url: &str, scratch: &Scratch, roles: &str) -> Command {
    let mut command = Command::new(binary());
    command.args(["serve", "--role", roles, "--nats-url", nats_url]).arg("--data").arg(scratch.path());
    command.arg(format!("--listen=127.0.0.1:{}", free_port()));
    command.args(["quote", "build", "submit", "landing"].map(|step| format!("--{step}-delay=0")));
    command.args(intervals());
    command
}

/// The settings of all intervals.
pub(super) fn intervals() -> [String; 5] {
    [
        format!("--ack-wait={ACK_WAIT_MS}ms"),
        format!("--rebroadcast={REBROADCAST_MS}ms"),
        format!("--retry-base={RETRY_BASE_MS}ms"),
        format!("--block-interval={BLOCK_INTERVAL_MS}ms"),
        format!("--life-blocks={LIFE_BLOCKS}"),
    ]
}

/// Settings that the venues' ledgers are opened with.
pub(super) fn venues() -> SimulatedSettings {
    let defaults = SimulatedSettings::default().without_delays();
    SimulatedSettings {
        block_interval: Duration::from_millis(BLOCK_INTERVAL_MS),
        life_blocks: LIFE_BLOCKS,
        ..defaults
    }
}

/// Directory of the venues' ledgers in a data directory.
pub(super) fn ledgers_of(data: &Path) -> PathBuf {
    data.join("venues")
}
