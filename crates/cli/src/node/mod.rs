//! A process with its roles: opened one after the other, told to stop together.
//!
//! ```text
//!  log ── read store ── projector ── executor ── matcher ── hub ── HTTP ── ready ── requests over NATS      (start)
//!  signal ──▶ sockets told ──▶ executor gives its orders back ──▶ HTTP and requests ──▶ projector           (stop)
//! ```

mod book_reads;
mod channels;
mod counted;
mod described;
mod figures;
mod guard;
mod health;
mod operations;
mod ops;
mod parts;
mod requests;
mod room;
mod sockets;
mod starting;
mod stored;
mod venues;
mod watching;
mod web;

use std::{error::Error, path::PathBuf, sync::Arc, time::Duration};

use clap::ValueEnum;
use fillstream_event_log::{
    Access, Definitions, Durability, EventLog, Inspector, JetStreamLog, LogError, LogOptions, SharedLog,
    SnapshotStore,
};
use fillstream_matching::definitions;
use fillstream_nats_server::Control;
use fillstream_read_store::{DatabaseSettings, ReadStore};
use serde_json::Value;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::{
    health::{Health, Watched},
    parts::Parts,
    requests::NatsRequests,
    starting::patiently,
    watching::Watching,
    web::{Reads, Web},
};
use crate::{
    Failure,
    settings::{
        ExecutorSettings, HttpSettings, MatcherSettings, OperationsSettings, SocketSettings, VenueSettings,
        foreign_scheme, without_passwords,
    },
};

/// The stream's and the executor's consumer's definitions: the files that the nats CLI reads.
pub(crate) const STREAM: &str = include_str!("../../../../nats/streams/orders.json");
pub(crate) const EXECUTOR: &str = include_str!("../../../../nats/consumers/executor.json");

/// Open files that a process asks for: a socket each, and some more.
const OPEN_FILES: u64 = 65_536;
/// Between two looks whether the stream is still the one that was opened.
const RECREATED_EVERY: Duration = Duration::from_secs(2);

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Takes orders over HTTP
    Api,
    /// Executes swap orders over the venues
    Executor,
    /// Matches book orders
    Matcher,
    /// Keeps the SQL read model
    Projector,
    /// Serves sockets
    Bridge,
}

impl Role {
    pub(crate) const ALL: [Self; 5] =
        [Self::Api, Self::Executor, Self::Matcher, Self::Projector, Self::Bridge];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Executor => "executor",
            Self::Matcher => "matcher",
            Self::Projector => "projector",
            Self::Bridge => "bridge",
        }
    }
}

/// Everything a process is started with.
pub(crate) struct Start {
    pub(crate) roles: Vec<Role>,
    pub(crate) nats_url: String,
    pub(crate) nats_access: Access,
    pub(crate) durability: Durability,
    /// It was not stated, and the server does not tell: the least is assumed.
    pub(crate) durability_is_unknown: bool,
    pub(crate) replicas: u8,
    pub(crate) database_url: String,
    pub(crate) database: DatabaseSettings,
    /// Books as they were that are read at once.
    pub(crate) past_books: usize,
    /// Where this process keeps its files.
    pub(crate) data: PathBuf,
    pub(crate) venue_ledger: PathBuf,
    pub(crate) http: HttpSettings,
    pub(crate) executor: ExecutorSettings,
    pub(crate) matcher: MatcherSettings,
    pub(crate) venues: VenueSettings,
    pub(crate) sockets: SocketSettings,
    pub(crate) operations: OperationsSettings,
    /// The nats-server that this process has started for itself.
    pub(crate) private_nats: Option<Private>,
}

/// A nats-server of this process's own.
pub(crate) struct Private {
    pub(crate) control: Control,
    /// Where its data lies.
    pub(crate) store: PathBuf,
}

impl Start {
    fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether a role writes or reads rows.
    fn needs_rows(&self) -> bool {
        self.has(Role::Api) || self.has(Role::Projector) || self.has(Role::Bridge)
    }

    /// Where the matcher keeps its states, and the api looks back from: a bucket that other roles need not make.
    fn snapshots(&self, log: &JetStreamLog) -> Option<Arc<dyn SnapshotStore>> {
        let wanted = self.has(Role::Api) || self.has(Role::Matcher) || self.has(Role::Executor);
        wanted.then(|| Arc::new(log.snapshots()) as _)
    }

    /// Options of a connection of this process to the server.
    fn options(&self, name: String) -> LogOptions {
        let (access, url) = (self.nats_access.clone(), self.nats_url.clone());
        LogOptions { access, url, name, durability: self.durability }
    }

    /// The log as the parts follow it: one tail for all of them, and none where nobody follows.
    async fn share(&self, log: &JetStreamLog) -> Result<Arc<dyn EventLog>, Failure> {
        let follows = self.roles.iter().any(|role| *role != Role::Executor);
        let log = Arc::new(log.clone());
        if follows { Ok(Arc::new(SharedLog::start(log).await?)) } else { Ok(log) }
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
pub(crate) async fn open_log(options: &LogOptions, replicas: u8) -> Result<JetStreamLog, Failure> {
    if let Some(url) = foreign_scheme(&options.url) {
        let url = without_passwords(url);
        return Err(
            format!("{url} is no address of a NATS server, which begins with nats:// or tls://").into()
        );
    }
    let mut stream: Value = serde_json::from_str(STREAM)?;
    if replicas > 1 {
        stream["num_replicas"] = replicas.into();
    }
    Ok(JetStreamLog::open(options, &Definitions { stream }).await?)
}

async fn run(start: Start) -> Result<(), Failure> {
    let signalled = signalled()?;
    tokio::pin!(signalled);
    loop {
        let mut running = tokio::select! {
            () = &mut signalled => return Ok(()),
            running = Running::open(&start) => running?,
        };
        let ended = tokio::select! {
            () = &mut signalled => Ok(()),
            failure = running.parts.ended() => Err(failure),
            recreated = recreated(running.log.clone()) => Err(recreated.into()),
        };
        info!("going down");
        running.stop().await;
        match ended {
            Err(failure) if is_recreated(&*failure) => {
                // Nothing that was read holds: the same road as a restart.
                warn!("the stream is another one than before: everything is opened anew");
            }
            ended => return ended,
        }
    }
}

/// Ends when the stream is another one than it was when the log was opened.
async fn recreated(log: JetStreamLog) -> LogError {
    loop {
        sleep(RECREATED_EVERY).await;
        if log.info().await.is_ok_and(|info| info.incarnation != log.incarnation()) {
            return LogError::Recreated;
        }
    }
}

fn is_recreated(failure: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(failure), |&error| error.source());
    causes.into_iter().any(|error| matches!(error.downcast_ref(), Some(LogError::Recreated)))
}

/// All that a process has opened.
struct Running {
    log: JetStreamLog,
    store: Option<ReadStore>,
    parts: Parts,
    web: Web,
    requests: Option<NatsRequests>,
    stop: CancellationToken,
}

impl Running {
    async fn open(start: &Start) -> Result<Self, Failure> {
        let names: Vec<_> = start.roles.iter().map(|role| role.name()).collect();
        let name = format!("fillstream {}", names.join("+"));
        // First of all: that a port is taken must not be found out with orders in hand.
        let door = web::bind(start).await?;
        let options = start.options(name.clone());
        let log =
            patiently("start: the stream is not open", async || open_log(&options, start.replicas).await)
                .await?;
        let durability =
            patiently("start: the stream does not answer", async || Ok(log.info().await?)).await?.durability;
        let url = without_passwords(&start.nats_url);
        let unknown = if start.durability_is_unknown {
            ": the server does not tell, so the least is assumed; --durability states what it is"
        } else {
            ""
        };
        println!("stream ORDERS at {url}, acknowledged means {}{unknown}", durability.name());
        let store = match start.needs_rows() {
            // Opened when it is needed: a database that is away keeps nobody from placing orders.
            true => Some(ReadStore::at(&start.database_url, start.database)?),
            false => None,
        };
        let stop = CancellationToken::new();
        let watching = Watching::start(start, &log, &stop).await;
        let shared = patiently("start: the tail is not open", async || start.share(&log).await).await?;
        let defined = patiently("start: markets are not read", async || Ok(definitions(&log).await?)).await?;
        let snapshots = start.snapshots(&log);
        let parts =
            Parts::start(start, &log, &shared, store.clone(), snapshots.clone(), &watching, &stop).await?;
        if defined.is_empty() {
            parts.first_markets(&log).await;
        }
        if let Some(store) = &store {
            figures::rows(&watching.metrics, store);
            if start.has(Role::Api) {
                let watch = stored::watch(store.clone(), watching.api.clone());
                tokio::spawn(stop.clone().run_until_cancelled_owned(watch));
            }
        }
        let messages = Arc::new(log.clone());
        let options = start.options(format!("{name} health"));
        let leader =
            patiently("start: health does not reach NATS", async || Ok(Inspector::connect(&options).await?))
                .await?;
        let watched = Watched::new(start, Arc::clone(&shared), leader, &parts, watching);
        let health = Arc::new(Health::new(watched));
        let operations = operations::serve(start, &health, durability, &stop).await?;
        let reads = Reads { log: shared, messages, store: store.clone(), snapshots, operations };
        let mut web = web::serve(start, door, reads, &parts).await?;
        let wanted = start.has(Role::Api) && start.http.nats_requests && is_closed(start, &log);
        let requests = web.answers.take().filter(|_| wanted);
        let requests = requests.map(|(router, address)| NatsRequests::start(log.clone(), router, &address));
        Ok(Self { log, store, parts, web, requests, stop })
    }

    async fn stop(mut self) {
        self.parts.tell_sockets().await;
        self.stop.cancel();
        let requests = async {
            if let Some(requests) = self.requests.take() {
                requests.stop().await;
            }
        };
        tokio::join!(self.web.stop(), requests);
        self.parts.stop().await;
        if let Some(store) = self.store {
            store.close().await;
        }
    }
}

/// Whether nobody but this machine, or whoever proves who they are, can send requests over the server. Where others reach
/// it they would be believed, as at a port that others reach; that stays closed, too.
fn is_closed(start: &Start, log: &JetStreamLog) -> bool {
    let Some(host) = log.reached_by_others().filter(|_| !start.http.auth.is_on()) else { return true };
    println!(
        "requests over NATS are not taken: the server listens on {host}, where others reach it and would be believed about \
         who they are; give --jwt-secret or --jwks, or have it listen on 127.0.0.1"
    );
    warn!(host, "requests over NATS are not taken without authentication: others reach the server");
    false
}

/// Waits for SIGTERM or SIGINT; one that comes after this call is not missed, also during the start.
fn signalled() -> Result<impl Future<Output = ()>, Failure> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

/// Files that this process may have open at once.
fn open_files() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.unwrap_or(OPEN_FILES)
}

/// Raises the soft limit of open files: each socket is one.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            warn!(error = %fillstream_retry::chain(&error), wanted, "the limit of open files stays as it is");
        }
    }
}
