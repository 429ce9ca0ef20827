//! This machine: the data directory's disk, the process that serves HTTP.

use std::{
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    time::Duration,
};

use fillstream_event_log::Durability;
use fillstream_projector::rescued_files;
use serde_json::Value;

use super::finding::{Finding, Verdict};
use crate::{
    Failure,
    commands::server::ServerArgs,
    health::room::{self, Floor},
};

/// Longest wait for the process.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for a connection to whoever else listens there.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// Less than this and a busy day fills it.
const LITTLE_SPACE: u64 = 2 << 30;

/// The file system of a directory that is there.
pub(super) fn disk(directory: &Path) -> Option<Finding> {
    let found = room::disk(directory).ok().filter(|_| directory.exists())?;
    let floor = Floor::BySize.of(found.size);
    let shown = format!("{} MiB free at {}", found.free >> 20, directory.display());
    let verdict = match found.free {
        free if free < floor => Verdict::Wrong,
        ..LITTLE_SPACE => Verdict::Warning,
        LITTLE_SPACE.. => return Some(Finding::ok("disk", shown)),
    };
    let right = format!(
        "at least {} MiB; below {} MiB new orders are refused (--free-space-floor)",
        LITTLE_SPACE >> 20,
        floor >> 20
    );
    Some(Finding::not(verdict, "disk", shown, right, "make room, or move the data directory: --data DIR"))
}

/// Files of what a stream had lost and only the rows knew: they wait for somebody to look at them.
pub(super) fn rescued(directory: &Path) -> Option<Finding> {
    let files = rescued_files(directory).ok().filter(|files| !files.is_empty())?;
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    let (right, mend) = (
        "no acknowledged order or trade is lost by the stream",
        "settle what it lists with the users and the venues, then remove it: docs/operations.md, Backup and restore",
    );
    Some(Finding::warning("rescued", names.join(", "), right, mend))
}

/// Answers of the process at --server.
pub(super) struct Process {
    server: String,
    health: Option<Value>,
    ready: Option<Value>,
    /// It did not answer in time, which a busy machine explains as well as a stranger at its address.
    is_late: bool,
}

impl Process {
    pub(super) fn ask(args: &ServerArgs) -> Result<Self, Failure> {
        let (agent, server) = (args.agent(PATIENCE)?, args.server.as_str());
        let get = |path: &str| -> Result<Option<Value>, ureq::Error> {
            let mut answer = agent.get(format!("{server}{path}")).call()?;
            Ok(serde_json::from_str(&answer.body_mut().read_to_string()?).ok())
        };
        let told = get("/health");
        let is_late = matches!(told, Err(ureq::Error::Timeout(_)));
        let health = told.ok().flatten().filter(|health| health["durability"].is_string());
        let ready = health.as_ref().and_then(|_| get("/ready").ok().flatten());
        Ok(Self { server: server.to_owned(), health, ready, is_late })
    }

    /// Durability that it was told.
    pub(super) fn durability(&self) -> Option<Durability> {
        let named = self.health.as_ref()?["durability"].as_str()?;
        [Durability::Fsync, Durability::OsBuffer, Durability::Memory]
            .into_iter()
            .find(|durability| durability.name() == named)
    }

    pub(super) fn look(&self) -> Vec<Finding> {
        let server = &self.server;
        let Some(health) = &self.health else { return vec![self.nobody()] };
        let found =
            format!("{server}: version {}, roles {}", text(&health["version"]), names(&health["roles"]));
        let mut findings = vec![Finding::ok("http", found), self.readiness()];
        findings.extend(self.troubles());
        findings
    }

    /// Trouble with the stream that the process tells of: no room for new orders, appends that fail.
    fn troubles(&self) -> Vec<Finding> {
        let told = |name: &str| self.ready.as_ref().and_then(|ready| ready[name].as_str());
        let full = told("store_full").map(|reason| {
            let remedy = "make room, or raise the limit; cancels still go through";
            Finding::wrong("room", format!("new orders are refused: {reason}"), "room", remedy)
        });
        let failing = told("cannot_append").map(|reason| {
            let remedy = "look at the disk and the log of nats-server; start it again when there is room";
            Finding::wrong("appends", reason, "appends are stored", remedy)
        });
        full.into_iter().chain(failing).collect()
    }

    fn nobody(&self) -> Finding {
        let (server, host) = (&self.server, self.server.trim_start_matches("http://"));
        if self.is_late {
            let found = format!("{server} has not answered within {} s", PATIENCE.as_secs());
            let remedy =
                "look at the load of the machine, and who listens there: --server names another address";
            return Finding::warning("http", found, "an answer", remedy);
        }
        if somebody_answers(host) {
            let found = format!("somebody else answers at {server}");
            let remedy = "--server names another address, `fillstream up --listen` opens another one";
            return Finding::wrong("http", found, "fillstream, or nobody", remedy);
        }
        let remedy = "start `fillstream up`, or name the process with --server";
        Finding::warning("http", format!("nobody answers at {server}"), "a process that serves HTTP", remedy)
    }

    /// Which of its parts are behind.
    fn readiness(&self) -> Finding {
        let remedy = "wait while it falls; else the log of the process says why: docs/troubleshooting.md";
        let Some(ready) = &self.ready else {
            return Finding::warning("parts", "/ready is not answered", "an answer", remedy);
        };
        let parts = ready["parts"].as_object();
        let parts = || parts.into_iter().flatten();
        let late: Vec<_> = parts()
            .filter(|(_, part)| part["caught_up"] != true)
            .map(|(name, part)| format!("{name}: {}", part["reason"].as_str().unwrap_or("no reason is told")))
            .collect();
        if ready["stream"] != "reachable" {
            let remedy = "see nats_server above";
            return Finding::wrong("parts", "the process does not reach the stream", "reachable", remedy);
        }
        if late.is_empty() {
            let all: Vec<_> = parts().map(|(name, _)| name.as_str()).collect();
            return Finding::ok("parts", format!("all have caught up: {}", all.join(", ")));
        }
        Finding::warning("parts", late.join("; "), "all have caught up", remedy)
    }
}

/// Whether a connection can be made at all, to any of the host's addresses.
fn somebody_answers(host: &str) -> bool {
    let addresses = host.to_socket_addrs().into_iter().flatten();
    addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, CONNECT_PATIENCE).is_ok())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn names(list: &Value) -> String {
    list.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ")
}
