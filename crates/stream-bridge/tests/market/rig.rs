//! A hub with markets, served on loopback.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{State, ws::WebSocketUpgrade},
    http::{Extensions, HeaderMap, Uri},
    response::Response,
};
use fillstream_domain::{
    Incarnation, Timestamp,
    book::{Commit, Outcome},
};
use fillstream_event_log::{EventLog, MemoryLog};
use fillstream_http_edge::{Askers, Origins};
use fillstream_stream_bridge::{Asked, AskedMarket, Family, Hub, Settings, upgrade, upgrade_market};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    flow::{commit, levels, outcome, record},
    rough_log::RoughLog,
    stored::Stored,
};

pub(crate) const INCARNATION: u64 = 7;
/// Below the range that the kernel hands out for outgoing connections.
const PORTS: Range<u16> = 20_000..32_000;
/// A test that waits longer for anything fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The market that is there from the beginning, with an empty book.
pub(crate) const BTC: &str = "BTC/USDT";
/// Another one.
pub(crate) const ETH: &str = "ETH/USDT";

/// The contract's settings with the times that tests wait for made short.
pub(crate) fn settings() -> Settings {
    Settings {
        unreachable_after: Duration::from_millis(200),
        load_limit: Duration::from_millis(1500),
        ..Settings::default()
    }
}

/// The server; gone when this is dropped.
pub(crate) struct Rig {
    pub(crate) log: RoughLog,
    pub(crate) stored: Stored,
    pub(crate) hub: Arc<Hub>,
    pub(crate) address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Rig {
    /// A server over two markets with empty books.
    pub(crate) async fn start(settings: Settings) -> Self {
        Self::start_with(settings, None).await
    }

    /// `send_buffer`: bytes that the kernel holds for a client that does not read.
    pub(crate) async fn start_with(settings: Settings, send_buffer: Option<u32>) -> Self {
        let log = MemoryLog::new(Incarnation::new(INCARNATION));
        for market in [BTC, ETH] {
            let defined = commit(market, vec![outcome(Vec::new(), levels(&[], &[]))]);
            log.append_now(record(&defined));
        }
        Self::over(&log, settings, send_buffer).await
    }

    /// Another process over the same log, whose weather and whose store are its own.
    pub(crate) async fn twin(&self) -> Self {
        Self::over(&self.log.calm, settings(), None).await
    }

    /// A server that begins to follow the log as it is.
    pub(crate) async fn over(log: &MemoryLog, settings: Settings, send_buffer: Option<u32>) -> Self {
        let rig = Self::without_tail(log, settings, send_buffer);
        let mut rig = rig;
        rig.run_tail();
        rig.caught_up().await;
        rig
    }

    pub(crate) fn without_tail(log: &MemoryLog, settings: Settings, send_buffer: Option<u32>) -> Self {
        let (rough, stored) = (RoughLog::over(log.clone()), Stored::new(log.clone()));
        let hub = Hub::with_markets(Arc::new(rough.clone()), Arc::new(stored.clone()), settings, now);
        let listener = listen(send_buffer);
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(socket).with_state(Arc::clone(&hub));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(axum::serve(listener, router).await) });
        Self { log: rough, stored, hub, address, tasks }
    }

    pub(crate) fn run_tail(&mut self) {
        let hub = Arc::clone(&self.hub);
        self.tasks.spawn(async move { drop(hub.run(CancellationToken::new()).await) });
    }

    /// The tail has handed out all that is stored.
    pub(crate) async fn caught_up(&self) {
        let last = self.log.calm.info().await.unwrap().last_seq;
        until("the tail has handed it out", || self.hub.position() == last).await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// Appends a commit of one part; its sequence.
    pub(crate) fn commit(&self, market: &str, outcomes: Vec<Outcome>) -> u64 {
        self.log.calm.append_now(record(&commit(market, outcomes))).get()
    }

    pub(crate) fn append(&self, commit: &Commit) -> u64 {
        self.log.calm.append_now(record(commit)).get()
    }
}

fn listen(send_buffer: Option<u32>) -> TcpListener {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        if let Some(bytes) = send_buffer {
            socket.set_send_buffer_size(bytes).unwrap();
        }
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        assert!(tried < 1000, "no free port in {PORTS:?}");
        let start = u16::try_from(std::process::id() % 10_000).unwrap();
        let port = PORTS.start + (start + tried) % (PORTS.end - PORTS.start);
        if socket.bind((Ipv4Addr::LOCALHOST, port).into()).is_ok()
            && let Ok(listener) = socket.listen(8192)
        {
            return listener;
        }
    }
}

async fn socket(
    State(hub): State<Arc<Hub>>,
    uri: Uri,
    headers: HeaderMap,
    handshake: WebSocketUpgrade,
) -> Response {
    let origins = Origins::Listed(vec!["https://desk.example".to_owned()]);
    let (query, headers, extensions) = (uri.query(), &headers, &Extensions::new());
    if let Some(order) = uri.path().strip_prefix("/api/orders/status/") {
        let asked = Asked { order: Some(order), query, headers, extensions };
        return upgrade(&hub, &Askers::open(now), &origins, Family::Progress, &asked, handshake).await;
    }
    let asked = AskedMarket { path: uri.path(), query, headers, extensions };
    upgrade_market(&hub, &Askers::open(now), &origins, &asked, handshake).await
}

fn now() -> Timestamp {
    Timestamp::from_unix_ms(1_768_000_000_000)
}

/// Waits until it is true.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "not in {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}
