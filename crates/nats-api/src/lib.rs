//! Orders over NATS: each request becomes the HTTP request that it stands for and goes through the same router.
//!
//! ```text
//!  nats req fillstream.orders.execute '{…}'
//!        └─▶ Route (subject → method, path) ─▶ http::Request ─▶ the process's Router ─▶ http::Response
//!                                                                                          │
//!  reply: body; Http-Status, Location, …; Nats-Service-Error(-Code) from 400 on ◀─────────┘
//! ```
//! So validation, authentication, idempotency and answers are HTTP's own, and cannot become others.

mod answer;
mod described;
mod members;
mod request;
mod routes;

use async_trait::async_trait;
use axum::{Router, http::StatusCode};
use fillstream_event_log::{
    Answers, EndpointDefinition, Pairs, ServiceDefinition, ServiceReply, ServiceRequest,
};
use fillstream_http_edge::Problem;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

pub use self::described::channels;

use self::routes::ROUTES;

/// Requests in hand at once. Amends and cancels wait up to 5 s for the matcher; 1,024 of them hold some 20 MB at most.
/// Beyond it the answer is 503 at once: never silence.
pub const MAX_IN_HAND: usize = 1024;

/// See the module's first line.
pub struct NatsApi {
    router: Router,
    in_hand: Semaphore,
    max_answer: usize,
}

impl NatsApi {
    /// Requests go to `router`; `max_payload` is what the server takes in one message, bytes.
    #[must_use]
    pub fn new(router: Router, max_payload: usize) -> Self {
        let max_answer = max_payload.saturating_sub(answer::HEADER_ROOM);
        Self { router, in_hand: Semaphore::new(MAX_IN_HAND), max_answer }
    }
}

/// The service as `nats micro info` shows it. `openapi` is the address of the description that the metadata point into.
#[must_use]
pub fn definition(version: &'static str, openapi: &str) -> ServiceDefinition {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let endpoint = |route: &routes::Route| EndpointDefinition {
        name: route.subject.trim_start_matches("fillstream.").replace('.', "-"),
        subject: route.subject,
        metadata: Pairs::from([
            pair("description", route.about.to_owned()),
            pair("example", route.example.to_owned()),
            pair("http", format!("{} {}", route.method, route.path)),
            pair("schema", format!("{openapi}{}", route.pointer())),
        ]),
    };
    ServiceDefinition {
        name: "fillstream",
        version,
        description: "Orders over NATS, as over HTTP. Repeat safely with the header Idempotency-Key.",
        metadata: Pairs::from([pair("openapi", openapi.to_owned())]),
        endpoints: ROUTES.iter().map(endpoint).collect(),
    }
}

#[async_trait]
impl Answers for NatsApi {
    async fn answer(&self, endpoint: usize, request: ServiceRequest) -> ServiceReply {
        let Ok(_in_hand) = self.in_hand.try_acquire() else {
            let detail = "This process has all the requests that it takes at once; nothing is stored.";
            return answer::refused(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_requests",
                detail,
            ))
            .await;
        };
        let request = match request::translate(&ROUTES[endpoint], request) {
            Ok(request) => request,
            Err(problem) => return answer::refused(problem).await,
        };
        match self.router.clone().oneshot(request).await {
            Ok(response) => answer::of(response, self.max_answer).await,
            Err(never) => match never {},
        }
    }
}
