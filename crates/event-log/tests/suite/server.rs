//! A nats-server of one test, logs over it, and a witness of its own.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_nats::{
    Subscriber,
    jetstream::{self, stream::Stream},
};
use bytes::Bytes;
use fillstream_domain::Incarnation;
use fillstream_event_log::{
    Access, Definitions, Durability, EventLog, JetStreamLog, LogOptions, MemoryLog, SharedLog, StreamInfo,
};
use fillstream_nats_server::{Options, PortChoice, PrivateServer, SyncMode, locate};
use serde_json::Value;
use uuid::Uuid;

const ORDERS: &str = include_str!("../../../../nats/streams/orders.json");
/// What a memory log is made with here.
pub(crate) const MEMORY_INCARNATION: u64 = 7;

pub(crate) fn stream_definition() -> Value {
    serde_json::from_str(ORDERS).unwrap()
}

/// A running server and its directory, both gone at the end.
pub(crate) struct Server {
    pub(crate) process: PrivateServer,
    durability: Durability,
    dir: Dir,
}

struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Server {
    pub(crate) fn durable() -> Self {
        Self::start(SyncMode::Always, Durability::Fsync)
    }

    pub(crate) fn os_buffered() -> Self {
        Self::start(SyncMode::OsBuffer, Durability::OsBuffer)
    }

    fn start(sync: SyncMode, durability: Durability) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("fillstream-log-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let dir = Dir(std::env::temp_dir().join(name));
        let binary = locate(&mut |line| eprintln!("{line}")).unwrap();
        let options = Options { port: PortChoice::Any, sync, ..Options::new(binary, &dir.0) };
        Self { process: PrivateServer::start(&options).unwrap(), durability, dir }
    }

    /// Directory in which the server keeps its streams.
    pub(crate) fn store(&self) -> PathBuf {
        self.dir.0.join("jetstream")
    }

    pub(crate) async fn log(&self) -> JetStreamLog {
        self.log_at(&self.process.url()).await
    }

    /// A log that reaches the server by another address.
    pub(crate) async fn log_at(&self, url: &str) -> JetStreamLog {
        let options = LogOptions {
            access: Access::default(),
            url: url.to_owned(),
            name: "suite".to_owned(),
            durability: self.durability,
        };
        JetStreamLog::open(&options, &Definitions { stream: stream_definition() }).await.unwrap()
    }

    pub(crate) async fn witness(&self) -> Witness {
        Witness(async_nats::connect(self.process.url()).await.unwrap())
    }

    /// Runs what waits for the server's process, without holding up the runtime.
    pub(crate) async fn with_process(self: &Arc<Self>, act: impl FnOnce(&PrivateServer) + Send + 'static) {
        let server = Arc::clone(self);
        tokio::task::spawn_blocking(move || act(&server.process)).await.unwrap();
    }
}

/// Looks at the stream with nothing of the code under test.
pub(crate) struct Witness(async_nats::Client);

/// A record as the server has it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) subject: String,
    pub(crate) event_id: Uuid,
    /// The atomic batch it came in.
    pub(crate) batch: Option<String>,
}

impl Witness {
    pub(crate) async fn stream(&self) -> Stream {
        self.stream_named("ORDERS").await
    }

    pub(crate) async fn stream_named(&self, name: &str) -> Stream {
        jetstream::new(self.0.clone()).get_stream(name).await.unwrap()
    }

    /// Publishes what a stream then takes.
    pub(crate) async fn publish(&self, subject: &str, payload: impl Into<Bytes>) {
        let answer = self.0.request(subject.to_owned(), payload.into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert!(answer["seq"].is_u64(), "{subject}: {answer}");
    }

    /// All that is stored, in order.
    pub(crate) async fn stored(&self) -> Vec<Stored> {
        let stream = self.stream().await;
        let last = stream.cached_info().state.last_sequence;
        let mut stored = Vec::new();
        for seq in 1..=last {
            let message = stream.direct_get(seq).await.unwrap();
            let header = |name: &str| message.headers.get(name).map(ToString::to_string);
            stored.push(Stored {
                seq,
                subject: message.subject.to_string(),
                event_id: header("ce-id").unwrap().parse().unwrap(),
                batch: header("Nats-Batch-Id"),
            });
        }
        stored
    }

    /// A request to JetStream's interface, which must succeed.
    pub(crate) async fn api(&self, subject: &str, body: &str) -> Value {
        let body = body.to_owned().into();
        let answer = self.0.request(format!("$JS.API.{subject}"), body).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert!(answer.get("error").is_none(), "{subject}: {answer}");
        answer
    }

    /// Listens without ever answering.
    pub(crate) async fn listen(&self, subject: &'static str) -> Subscriber {
        self.0.subscribe(subject).await.unwrap()
    }

    /// Has a consumer's next message sent to somebody else than the one who follows it.
    pub(crate) async fn steal_from(&self, consumer: &str, to: &'static str) {
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.ORDERS.{consumer}");
        self.0.publish_with_reply(subject, to, "1".into()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    pub(crate) async fn delete_stream(&self) {
        self.api("STREAM.DELETE.ORDERS", "").await;
    }

    pub(crate) async fn create_stream(&self) {
        self.api("STREAM.CREATE.ORDERS", ORDERS).await;
    }

    /// Names of the stream's consumers.
    pub(crate) async fn consumers(&self) -> Vec<String> {
        let answer = self.api("CONSUMER.NAMES.ORDERS", "").await;
        let names = answer["consumers"].as_array().cloned().unwrap_or_default();
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn delete_consumers(&self) {
        for name in self.consumers().await {
            self.api(&format!("CONSUMER.DELETE.ORDERS.{name}"), "").await;
        }
    }
}

/// The same log, followed by one tail.
pub(crate) async fn shared(log: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
    Arc::new(SharedLog::start(log).await.unwrap())
}

/// Runs a case on an empty log of each kind.
pub(crate) async fn on_each_log(case: impl AsyncFn(Arc<dyn EventLog>)) {
    let run = async |log: Arc<dyn EventLog>| {
        let StreamInfo { durability, .. } = log.info().await.unwrap();
        eprintln!("on the log whose durability is {}", durability.name());
        case(log).await;
    };
    run(Arc::new(MemoryLog::new(Incarnation::new(MEMORY_INCARNATION)))).await;
    run(shared(Arc::new(MemoryLog::new(Incarnation::new(MEMORY_INCARNATION)))).await).await;
    let (durable, os_buffered) = (Server::durable(), Server::os_buffered());
    run(Arc::new(durable.log().await)).await;
    run(shared(Arc::new(os_buffered.log().await)).await).await;
}
