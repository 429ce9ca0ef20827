//! A server without a port: requests in, answers out.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use fillstream_domain::{
    Amount, Incarnation, Seq, Timestamp, UserId,
    book::{BookInput, BookPlaced, Definition, Symbol},
    parse_exact,
    subject::book_definition,
};
use fillstream_event_log::{Consistency, EventLog, MemoryLog, NewRecord};
use fillstream_http_api::{
    BookApi, Markets, Pages, Room, TailOutcomes, book_router, method_not_allowed, not_found,
};
use fillstream_http_edge::Askers;
use fillstream_retry::Obstacles;
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

use crate::fakes::{Past, Said, Store};

/// User who asks, unless a test says otherwise.
pub(crate) const ANN: &str = "0198c0de-7a5e-7c3a-9f00-00000000000a";
pub(crate) const BOB: &str = "0198c0de-7a5e-7c3a-9f00-00000000000b";
/// Markets of every desk.
pub(crate) const MARKETS: [&str; 3] = ["BTC/USDT", "ETH/USDT", "SOL/USDC"];
/// Pages that are read at once.
pub(crate) const PAGES: usize = 3;
/// Time that PATCH and DELETE wait for a matcher that does not answer, and a page for its place.
const PATIENCE: Duration = Duration::from_millis(20);

pub(crate) fn noon() -> Timestamp {
    "2026-01-10T12:00:00.000Z".parse().expect("a time")
}

fn one_hour_later() -> Timestamp {
    noon().after(Duration::from_secs(3600))
}

pub(crate) fn amount(text: &str) -> Amount {
    Amount::new(parse_exact(text).expect("a decimal")).expect("not negative")
}

pub(crate) fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

pub(crate) fn user(text: &str) -> UserId {
    text.parse().expect("a UUID")
}

/// State that the server works with, in the test's hands.
pub(crate) struct Desk {
    pub(crate) log: MemoryLog,
    pub(crate) store: Arc<Store>,
    pub(crate) matcher: Arc<Said>,
    api: BookApi,
    app: Router,
}

/// An answer, read.
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Told {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{pointer}: {}", self.body))
    }

    pub(crate) fn number(&self, pointer: &str) -> u64 {
        self.body
            .pointer(pointer)
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("{pointer}: {}", self.body))
    }

    /// Pointers of the fields that were refused.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().expect("a pointer")).collect()
    }
}

impl Desk {
    pub(crate) fn open() -> Self {
        let log = MemoryLog::new(Incarnation::new(1));
        for market in MARKETS {
            define(&log, Definition::standard(symbol(market), noon()));
        }
        Self::over(log, noon, Askers::open(noon))
    }

    /// The same stream behind a server that asks for tokens.
    pub(crate) fn guarded(&self, askers: Askers) -> Self {
        Self::over(self.log.clone(), noon, askers)
    }

    /// The same stream, with the answers of whatever matcher works on it.
    pub(crate) async fn matched(&self) -> Self {
        let outcomes = TailOutcomes::start(Arc::new(self.log.clone()), &Obstacles::default()).await;
        let outcomes = outcomes.expect("in memory");
        let api =
            BookApi { outcomes: Arc::new(outcomes), patience: Duration::from_secs(10), ..self.api.clone() };
        Self::of(self.log.clone(), api, &self.store, &self.matcher)
    }

    fn over(log: MemoryLog, clock: fn() -> Timestamp, askers: Askers) -> Self {
        let (store, matcher) = (Arc::new(Store::default()), Arc::new(Said::default()));
        let shared: Arc<dyn EventLog> = Arc::new(log.clone());
        let api = BookApi {
            log: Arc::clone(&shared),
            stored: Arc::<Store>::clone(&store),
            outcomes: Arc::<Said>::clone(&matcher),
            markets: Arc::new(Markets::new(shared)),
            past: Some(Arc::new(Past)),
            room: Room::ample(),
            open: Arc::default(),
            pages: Arc::new(Pages::new(PAGES, PATIENCE)),
            written: Arc::default(),
            askers: Arc::new(askers),
            patience: PATIENCE,
            clock,
        };
        Self::of(log, api, &store, &matcher)
    }

    fn of(log: MemoryLog, api: BookApi, store: &Arc<Store>, matcher: &Arc<Said>) -> Self {
        let app = book_router(api.clone())
            .into_router()
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed);
        Self { log, store: Arc::clone(store), matcher: Arc::clone(matcher), api, app }
    }

    /// The server an hour later, started anew over the same stream.
    pub(crate) fn restarted(&self) -> Self {
        Self::over(self.log.clone(), one_hour_later, Askers::open(one_hour_later))
    }

    pub(crate) async fn last_seq(&self) -> u64 {
        self.log.info().await.expect("in memory").last_seq.get()
    }

    /// A request of Ann's.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: &str) -> Told {
        self.send(method, path, &[("x-user-id", ANN)], body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Told {
        self.ask(Method::GET, path, "").await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Told {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let answer = self.app.clone().oneshot(request).await.expect("never fails");
        let (parts, body) = answer.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a whole body");
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        Told { status: parts.status, headers: parts.headers, body }
    }

    /// Places an order of Ann's; the placed event out of the stream.
    pub(crate) async fn placed(&self, body: &str) -> (u64, BookPlaced) {
        let told = self.ask(Method::POST, "/api/v1/orders", body).await;
        assert_eq!(told.status, StatusCode::CREATED, "{}", told.body);
        let subject = format!("orders.book.BTC-USDT.{}", told.text("/order_id"));
        let record = self.log.first(&subject, Consistency::Leader).await.expect("in memory").expect("stored");
        let input = BookInput::decode(&record.payload).expect("an input");
        let BookInput::Placed(placed) = input else { panic!("{input:?}") };
        (record.seq.get(), placed)
    }
}

/// An order that everybody would take.
pub(crate) fn order(change: &str) -> String {
    let mut order: Value = serde_json::from_str(
        r#"{"symbol":"BTC/USDT","side":"BUY","type":"LIMIT","quantity":"2","price":"100"}"#,
    )
    .expect("JSON");
    let change: Value = serde_json::from_str(change).expect("JSON");
    for (name, value) in change.as_object().expect("an object") {
        order[name] = value.clone();
    }
    order.to_string()
}

pub(crate) fn define(log: &MemoryLog, definition: Definition) {
    append(log, book_definition(&definition.symbol.clone()), BookInput::Definition(definition).encode());
}

pub(crate) fn append(log: &MemoryLog, subject: String, payload: Vec<u8>) -> u64 {
    log.append_now(NewRecord {
        subject,
        after: Seq::ZERO,
        event_id: Uuid::now_v7(),
        event_type: "test".to_owned(),
        time: noon().to_string(),
        traceparent: None,
        retries: None,
        payload: payload.into(),
    })
    .get()
}
