//! Surroundings of a bench: a private nats-server and the release binary.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use fillstream_event_log::{Access, Definitions, Durability, JetStreamLog, LogOptions};
use fillstream_nats_server::{Options, PortChoice, PrivateServer, SyncMode, locate};
use fillstream_tests::{Process, Scratch, free_port};

use crate::client;

/// Time that a part may take to catch up with a deep stream.
const PATIENCE: Duration = Duration::from_secs(900);
const POLL: Duration = Duration::from_millis(20);

/// A nats-server with its directory.
pub(crate) struct World {
    pub(crate) scratch: Scratch,
    pub(crate) server: PrivateServer,
    sync: SyncMode,
}

impl World {
    pub(crate) fn new(sync: SyncMode) -> Self {
        let scratch = Scratch::new("bench");
        let binary = locate(&mut |line| eprintln!("{line}")).expect("a nats-server can be had");
        let options =
            Options { port: PortChoice::Any, sync, ..Options::new(binary, scratch.path().join("nats")) };
        let server = PrivateServer::start(&options).expect("nats-server starts");
        Self { scratch, server, sync }
    }

    pub(crate) const fn durability(&self) -> Durability {
        match self.sync {
            SyncMode::Always => Durability::Fsync,
            SyncMode::OsBuffer => Durability::OsBuffer,
        }
    }

    pub(crate) async fn log(&self) -> JetStreamLog {
        let stream =
            serde_json::from_str(include_str!("../../nats/streams/orders.json")).expect("the file is JSON");
        let options = LogOptions {
            access: Access::default(),
            url: self.server.url(),
            name: "bench".to_owned(),
            durability: self.durability(),
        };
        JetStreamLog::open(&options, &Definitions { stream }).await.expect("the stream can be opened")
    }

    /// Starts the binary with roles, delays as given, everything else as it is by default.
    pub(crate) fn serve(&self, roles: &str, delays: &str) -> Process {
        let mut command = Command::new(binary());
        command.args(["serve", "--role", roles, "--nats-url", &self.server.url(), "--log", "warn"]);
        command.arg("--data").arg(self.scratch.path());
        command.args([
            "--listen",
            &format!("127.0.0.1:{}", free_port()),
            "--durability",
            self.durability().name(),
        ]);
        for delay in ["--quote-delay", "--build-delay", "--submit-delay", "--landing-delay"] {
            command.args([delay, delays]);
        }
        Process::start(command)
    }

    /// Waits until a process says that all its parts have caught up.
    pub(crate) async fn ready(&self, process: &Process) {
        let deadline = Instant::now() + PATIENCE;
        while !client::is_ready(&process.address).await {
            assert!(Instant::now() < deadline, "not ready in time:\n{}", process.said());
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The binary that was built with the bench, beside it; a test of the bench lies one directory deeper.
fn binary() -> PathBuf {
    let bench = std::env::current_exe().expect("a program knows its own path");
    let mut places = bench.ancestors().skip(1).take(2).map(|directory| directory.join("fillstream"));
    places.find(|path| path.is_file()).expect("`cargo xtask bench` builds the binary")
}
