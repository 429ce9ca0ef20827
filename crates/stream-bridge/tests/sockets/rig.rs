//! A hub over a log, served on loopback.

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
    extract::{Path, RawQuery, State, ws::WebSocketUpgrade},
    http::{Extensions, HeaderMap},
    response::Response,
    routing::get,
};
use fillstream_domain::{OrderId, Seq, Timestamp, swap::SwapEvent};
use fillstream_event_log::{Consistency, EventLog, NewRecord};
use fillstream_http_edge::{Askers, Origins, parameter};
use fillstream_stream_bridge::{Asked, Family, Hub, Settings, events, upgrade};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    life::{self, Place},
    rough_log::RoughLog,
};

pub(crate) const INCARNATION: u64 = 7;
/// Below the range that the kernel hands out for outgoing connections.
const PORTS: Range<u16> = 20_000..32_000;
/// A test that waits longer for anything fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The contract's settings with the times that tests wait for made short.
pub(crate) fn settings() -> Settings {
    Settings {
        linger: Duration::from_millis(50),
        unreachable_after: Duration::from_millis(200),
        load_limit: Duration::from_millis(1500),
        ..Settings::default()
    }
}

/// The server; gone when this is dropped.
pub(crate) struct Rig {
    pub(crate) log: RoughLog,
    pub(crate) hub: Arc<Hub>,
    pub(crate) address: SocketAddr,
    /// The task that follows the stream.
    tail: JoinSet<()>,
    _serving: JoinSet<()>,
}

impl Rig {
    pub(crate) async fn start(settings: Settings) -> Self {
        Self::start_with(settings, None).await
    }

    /// `send_buffer`: bytes that the kernel holds for a client that does not read.
    pub(crate) async fn start_with(settings: Settings, send_buffer: Option<u32>) -> Self {
        let log = RoughLog::new(INCARNATION);
        // A stream that is not empty, so that the tail's position tells whether it runs.
        log.calm.append_now(record(&life::event(life::order(999_999), "placed", ""), 0));
        Self::over(log, settings, send_buffer).run_tail().await
    }

    fn over(log: RoughLog, settings: Settings, send_buffer: Option<u32>) -> Self {
        let (hub, address, serving) = serve(Arc::new(log.clone()), settings, send_buffer);
        Self { log, hub, address, tail: JoinSet::new(), _serving: serving }
    }

    /// Another process over the same log, whose weather is its own.
    pub(crate) async fn twin(&self) -> Self {
        self.twin_without_tail().run_tail().await
    }

    /// Another process, which has not begun to follow the stream.
    pub(crate) fn twin_without_tail(&self) -> Self {
        Self::over(self.log.twin(), settings(), None)
    }

    /// Begins to follow the stream.
    pub(crate) async fn run_tail(mut self) -> Self {
        self.tail.spawn(run(Arc::clone(&self.hub)));
        self.caught_up().await;
        self
    }

    /// The tail has handed out all that is stored.
    pub(crate) async fn caught_up(&self) {
        let last = self.log.calm.info().await.unwrap().last_seq;
        until("the tail has handed it out", || self.hub.position() == last).await;
    }

    /// The task that follows the stream ends, as if it had panicked.
    pub(crate) async fn abort_tail(&mut self) {
        self.tail.shutdown().await;
    }

    /// The addresses of the two channels of an order.
    pub(crate) fn url(&self, every_step: bool, order: OrderId) -> String {
        url(self.address, every_step, order)
    }

    /// Appends the next events of an order, each fenced as the writers do it. Returns the last sequence.
    pub(crate) async fn append(&self, order: OrderId, kinds: &[&str]) -> u64 {
        append(&self.log.calm, order, kinds).await
    }

    /// Appends an event without asking what is there already; for many of them.
    pub(crate) fn append_now(&self, event: &SwapEvent) -> u64 {
        self.log.calm.append_now(record(event, 0)).get()
    }

    /// Messages that the log holds for a channel.
    pub(crate) async fn channel(&self, order: OrderId, every_step: bool) -> Vec<Place> {
        channel(&self.log.calm, order, every_step).await
    }
}

pub(crate) fn url(address: SocketAddr, every_step: bool, order: OrderId) -> String {
    match every_step {
        true => format!("ws://{address}/api/orders/status/{order}?"),
        false => format!("ws://{address}/api/orders/execute?orderId={order}&"),
    }
}

/// Serves the sockets of a hub over any log.
pub(crate) fn serve(
    log: Arc<dyn EventLog>,
    settings: Settings,
    send_buffer: Option<u32>,
) -> (Arc<Hub>, SocketAddr, JoinSet<()>) {
    let hub = Hub::new(log, settings, now);
    let mut tasks = JoinSet::new();
    let listener = listen(send_buffer);
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/api/orders/status/{order}", get(every_step))
        .route("/api/orders/execute", get(changes))
        .route("/api/orders/{order}/events", get(event_stream))
        .with_state(Arc::clone(&hub));
    tasks.spawn(async move { drop(axum::serve(listener, router).await) });
    (hub, address, tasks)
}

pub(crate) async fn run(hub: Arc<Hub>) {
    drop(hub.run(CancellationToken::new()).await);
}

pub(crate) fn listen(send_buffer: Option<u32>) -> TcpListener {
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

async fn every_step(
    State(hub): State<Arc<Hub>>,
    Path(order): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    handshake: WebSocketUpgrade,
) -> Response {
    let asked = Asked {
        order: Some(&order),
        query: query.as_deref(),
        headers: &headers,
        extensions: &Extensions::new(),
    };
    upgrade(&hub, &Askers::open(now), &origins(), Family::Progress, &asked, handshake).await
}

async fn changes(
    State(hub): State<Arc<Hub>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    handshake: WebSocketUpgrade,
) -> Response {
    let order = parameter(query.as_deref(), "orderId");
    let asked = Asked {
        order: order.as_deref(),
        query: query.as_deref(),
        headers: &headers,
        extensions: &Extensions::new(),
    };
    upgrade(&hub, &Askers::open(now), &origins(), Family::Status, &asked, handshake).await
}

async fn event_stream(
    State(hub): State<Arc<Hub>>,
    Path(order): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = Asked {
        order: Some(&order),
        query: query.as_deref(),
        headers: &headers,
        extensions: &Extensions::new(),
    };
    events(&hub, &Askers::open(now), &origins(), &asked).await
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_ms(1_768_000_000_000)
}

pub(crate) fn origins() -> Origins {
    Origins::Listed(vec!["https://desk.example".to_owned()])
}

pub(crate) fn record(event: &SwapEvent, after: u64) -> NewRecord {
    NewRecord {
        subject: life::subject(event.order_id(), event),
        after: Seq::new(after),
        event_id: Uuid::now_v7(),
        event_type: event.event_type().cloud_event_type(),
        time: event.at().to_string(),
        traceparent: None,
        retries: None,
        payload: event.encode().into(),
    }
}

pub(crate) async fn append(log: &dyn EventLog, order: OrderId, kinds: &[&str]) -> u64 {
    let mut seq = 0;
    for kind in kinds {
        let event = life::event(order, kind, "");
        let subject = life::subject(order, &event);
        let after =
            log.last(&subject, Consistency::Leader).await.unwrap().map_or(Seq::ZERO, |record| record.seq);
        seq = log.append(record(&event, after.get())).await.unwrap().get();
    }
    seq
}

/// Messages that the log holds for a channel.
pub(crate) async fn channel(log: &dyn EventLog, order: OrderId, every_step: bool) -> Vec<Place> {
    let mut events = Vec::new();
    for subject in
        [fillstream_domain::subject::swap_placed(order), fillstream_domain::subject::swap_progress(order)]
    {
        let mut from = 0;
        loop {
            let page = log.read(&subject, Seq::new(from), Consistency::Leader).await.unwrap();
            from = page.records.last().map_or(from, |record| record.seq.next().get());
            let decode = |payload: &[u8]| SwapEvent::decode(payload).unwrap();
            events.extend(page.records.iter().map(|record| (record.seq.get(), decode(&record.payload))));
            if !page.more {
                break;
            }
        }
    }
    life::places(events.iter().map(|(seq, event)| (*seq, event)), every_step)
}

/// Waits until it is true.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "not in {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}
