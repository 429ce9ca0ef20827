//! A service as its clients meet it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, HeaderMap, Message};
use async_trait::async_trait;
use bytes::Bytes;
use fillstream_event_log::{
    Answers, EndpointDefinition, JetStreamLog, Pairs, Service, ServiceDefinition, ServiceReply,
    ServiceRequest,
};
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use crate::{records::soon, server::Server};

const SUBJECTS: [&str; 3] = ["desk.echo", "desk.slow", "desk.broken"];
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn definition() -> ServiceDefinition {
    let endpoint = |subject: &'static str| EndpointDefinition {
        name: subject.replace('.', "-"),
        subject,
        metadata: Pairs::from([("about".to_owned(), subject.to_owned())]),
    };
    ServiceDefinition {
        name: "desk",
        version: "1.2.3",
        description: "A desk",
        metadata: Pairs::new(),
        endpoints: SUBJECTS.map(endpoint).into(),
    }
}

/// Echoes, waits, or breaks.
struct Desk {
    begun: AtomicUsize,
    gate: Semaphore,
}

impl Desk {
    fn new() -> Arc<Self> {
        Arc::new(Self { begun: AtomicUsize::new(0), gate: Semaphore::new(0) })
    }
}

#[async_trait]
impl Answers for Desk {
    async fn answer(&self, endpoint: usize, request: ServiceRequest) -> ServiceReply {
        self.begun.fetch_add(1, Ordering::Relaxed);
        match SUBJECTS[endpoint] {
            "desk.slow" => drop(self.gate.acquire().await.unwrap()),
            "desk.broken" => panic!("a bug"),
            _ => {}
        }
        let mut reply = ServiceReply { error: None, headers: request.headers, payload: request.payload };
        if reply.payload == "bad" {
            reply.error = Some((422, "two\r\nlines".to_owned()));
        }
        reply
    }
}

async fn serve(log: &JetStreamLog, desk: &Arc<Desk>) -> Service {
    log.serve(definition(), Arc::clone(desk) as _).await.unwrap()
}

async fn ask(client: &Client, subject: &'static str, payload: &str) -> Message {
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    timeout(PATIENCE, client.request(subject, payload)).await.expect("an answer").unwrap()
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_errors_have_a_body_and_panics_a_word() {
    let server = Server::os_buffered();
    let log = server.log().await;
    let _service = serve(&log, &Desk::new()).await;
    let client = async_nats::connect(server.process.url()).await.unwrap();
    let mut headers = HeaderMap::new();
    headers.append("Twice", "1");
    headers.append("Twice", "2");
    let echoed = client.request_with_headers("desk.echo", headers.clone(), "x".into()).await.unwrap();
    assert_eq!((&echoed.payload[..], echoed.headers), (&b"x"[..], Some(headers)));
    let refused = ask(&client, "desk.echo", "bad").await;
    assert_eq!(&refused.payload[..], b"bad");
    assert_eq!(header(&refused, "Nats-Service-Error-Code"), Some("422"));
    assert_eq!(header(&refused, "Nats-Service-Error"), Some("two  lines"));
    let broken = ask(&client, "desk.broken", "").await;
    assert_eq!(header(&broken, "Nats-Service-Error-Code"), Some("500"));
    // Nobody would hear the answer.
    client.publish("desk.echo", "no reply".into()).await.unwrap();
    ask(&client, "desk.echo", "y").await;
    let stats = ask(&client, "$SRV.STATS.desk", "").await;
    let stats: Value = serde_json::from_slice(&stats.payload).unwrap();
    let counts: Vec<_> = (0..3)
        .map(|n| {
            (stats["endpoints"][n]["num_requests"].as_u64(), stats["endpoints"][n]["num_errors"].as_u64())
        })
        .collect();
    assert_eq!(counts, [(Some(3), Some(1)), (Some(0), Some(0)), (Some(1), Some(1))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_is_answered_before_the_end() {
    let server = Server::os_buffered();
    let (log, desk) = (server.log().await, Desk::new());
    let service = serve(&log, &desk).await;
    let client = async_nats::connect(server.process.url()).await.unwrap();
    let mut asked = JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        asked.spawn(async move { ask(&client, "desk.slow", "x").await });
    }
    crate::records::eventually("all are begun", async || desk.begun.load(Ordering::Relaxed) == 20).await;
    let stopping = tokio::spawn(service.stop(PATIENCE));
    crate::records::eventually("no more are taken", async || {
        let nobody = client.request("desk.echo", Bytes::new()).await;
        nobody.is_err_and(|error| error.kind() == async_nats::RequestErrorKind::NoResponders)
    })
    .await;
    assert!(!stopping.is_finished());
    desk.gate.add_permits(1);
    while let Some(answered) = asked.join_next().await {
        assert_eq!(&answered.unwrap().payload[..], b"x");
    }
    soon("the end", stopping).await.unwrap();
}

/// Services come and go under load: no request is lost on its way to one that leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_leaves_loses_no_request() {
    let server = Server::os_buffered();
    let (log, desk) = (server.log().await, Desk::new());
    let _stays = serve(&log, &desk).await;
    let done = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let (client, done) = (async_nats::connect(server.process.url()).await.unwrap(), Arc::clone(&done));
        clients.spawn(async move {
            while done.load(Ordering::Relaxed) == 0 {
                assert_eq!(&ask(&client, "desk.echo", "x").await.payload[..], b"x");
            }
        });
    }
    for _ in 0..40 {
        // A connection of its own, as another process has it.
        let leaves = serve(&server.log().await, &desk).await;
        let begun = desk.begun.load(Ordering::Relaxed);
        crate::records::eventually("it is asked", async || desk.begun.load(Ordering::Relaxed) > begun + 20)
            .await;
        soon("it leaves", leaves.stop(PATIENCE)).await;
    }
    done.store(1, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.expect("every request is answered");
    }
}
