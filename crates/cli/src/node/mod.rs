//! A process with its roles: opened one after the other, told to stop together.
//!
//! ```text
//!  log ── read store ── projector ── executor ── hub ── HTTP        (start, top to bottom)
//!  signal ──▶ sockets told ──▶ executor gives its orders back ──▶ HTTP ──▶ projector     (stop)
//! ```

mod ops;
mod parts;
mod stored;
mod web;

use std::{path::PathBuf, sync::Arc};

use clap::ValueEnum;
use fillstream_event_log::{Definitions, Durability, EventLog, JetStreamLog, LogOptions};
use fillstream_read_store::ReadStore;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Failure,
    settings::{ExecutorSettings, HttpSettings, SocketSettings, VenueSettings},
};

/// The stream's and the executor's consumer's definitions: the files that the nats CLI reads.
const STREAM: &str = include_str!("../../../../nats/streams/orders.json");
const EXECUTOR: &str = include_str!("../../../../nats/consumers/executor.json");

/// Open files that a process asks for: a socket each, and some more.
const OPEN_FILES: u64 = 65_536;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Takes orders over HTTP
    Api,
    /// Executes swap orders over the venues
    Executor,
    /// Keeps the SQL read model
    Projector,
    /// Serves sockets
    Bridge,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Api, Self::Executor, Self::Projector, Self::Bridge];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Executor => "executor",
            Self::Projector => "projector",
            Self::Bridge => "bridge",
        }
    }
}

/// Everything a process is started with.
pub(crate) struct Start {
    pub(crate) roles: Vec<Role>,
    pub(crate) nats_url: String,
    pub(crate) durability: Durability,
    pub(crate) replicas: u8,
    pub(crate) database_url: String,
    pub(crate) venue_ledger: PathBuf,
    pub(crate) http: HttpSettings,
    pub(crate) executor: ExecutorSettings,
    pub(crate) venues: VenueSettings,
    pub(crate) sockets: SocketSettings,
}

impl Start {
    fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// See the module's first line.
pub(crate) struct Node;

impl Node {
    /// Runs until a signal, or until a part ends that must not.
    pub(crate) fn run(start: Start) -> Result<(), Failure> {
        raise_open_files();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(run(start))
    }
}

/// Opens the log that commands and roles work on.
pub(crate) async fn open_log(
    url: &str,
    name: &str,
    durability: Durability,
    replicas: u8,
) -> Result<JetStreamLog, Failure> {
    let mut stream: Value = serde_json::from_str(STREAM)?;
    if replicas > 1 {
        stream["num_replicas"] = replicas.into();
    }
    let options = LogOptions { url: url.to_owned(), name: name.to_owned(), durability };
    Ok(JetStreamLog::open(&options, &Definitions { stream }).await?)
}

async fn run(start: Start) -> Result<(), Failure> {
    let names: Vec<_> = start.roles.iter().map(|role| role.name()).collect();
    let name = format!("fillstream {}", names.join("+"));
    let log = open_log(&start.nats_url, &name, start.durability, start.replicas).await?;
    let durability = log.info().await?.durability;
    println!("stream ORDERS at {}, acknowledged means {}", start.nats_url, durability.name());
    let needs_rows = start.has(Role::Api) || start.has(Role::Projector) || start.has(Role::Bridge);
    let store = match needs_rows {
        true => Some(ReadStore::open(&start.database_url).await?),
        false => None,
    };
    let stop = CancellationToken::new();
    let mut parts = parts::Parts::start(&start, &log, store.clone(), &stop).await?;
    let web = web::serve(&start, Arc::new(log), store.clone(), &parts, durability).await?;
    let ended = tokio::select! {
        () = signalled() => Ok(()),
        failure = parts.ended() => Err(failure),
    };
    info!("going down");
    parts.tell_sockets().await;
    stop.cancel();
    web.stop().await;
    parts.stop().await;
    if let Some(store) = store {
        store.close().await;
    }
    ended
}

/// SIGTERM or SIGINT.
async fn signalled() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        warn!("signals cannot be received; only a kill ends this process");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Raises the soft limit of open files: each socket is one.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            warn!(%error, wanted, "the limit of open files stays as it is");
        }
    }
}
