//! Requests over NATS: the same router as HTTP's, behind a service of the log's connection.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use fillstream_event_log::{EventLog, JetStreamLog, Service};
use fillstream_nats_api::{NatsApi, definition};
use fillstream_retry::Retry;
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::info;

/// Between two looks whether the process is ready.
const POLL: Duration = Duration::from_millis(50);
/// Longest pause before it is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Time that requests under way may take when the process goes down: as over HTTP.
const PATIENCE: Duration = Duration::from_secs(5);

/// The service, from the moment at which the process is ready.
pub(crate) struct NatsRequests {
    starting: JoinHandle<Option<Service>>,
    stop: CancellationToken,
}

impl NatsRequests {
    /// Begins to take requests as soon as `/ready?role=api` says so: who asks before is told at once that nobody answers, and
    /// goes to another process or comes back.
    pub(crate) fn start(log: JetStreamLog, router: Router, address: &str) -> Self {
        let stop = CancellationToken::new();
        let definition = definition(env!("CARGO_PKG_VERSION"), &format!("{address}/openapi.json"));
        let starting = async move {
            until_ready(&router).await;
            let answers = Arc::new(NatsApi::new(router, log.max_payload()));
            let mut retry = Retry::new("requests over NATS cannot be taken yet", POLL, LONGEST_PAUSE);
            loop {
                match log.serve(definition.clone(), Arc::clone(&answers) as _).await {
                    Ok(service) => {
                        retry.done();
                        info!("takes requests over NATS");
                        return service;
                    }
                    Err(error) => {
                        let pause = retry.note(&error);
                        sleep(pause).await;
                    }
                }
            }
        };
        Self { starting: tokio::spawn(stop.clone().run_until_cancelled_owned(starting)), stop }
    }

    /// Takes no more requests and answers those that it has.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        if let Ok(Some(service)) = self.starting.await {
            service.stop(PATIENCE).await;
        }
    }
}

async fn until_ready(router: &Router) {
    loop {
        let request =
            Request::get("/ready?role=api").body(Body::empty()).expect("an address without a variable part");
        let Ok(response) = router.clone().oneshot(request).await;
        if response.status() == StatusCode::OK {
            return;
        }
        sleep(POLL).await;
    }
}
