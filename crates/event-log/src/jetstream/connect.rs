//! Connecting: the client, the stream as its definition file says, the incarnation.

use std::{io, path::PathBuf, time::Duration};

use async_nats::{ConnectErrorKind, ConnectOptions, Event, StatusCode};
use fillstream_domain::{Incarnation, Seq};
use fillstream_retry::Retry;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    JetStreamLog, Shared,
    batch::nothing,
    credentials::{with_access, with_credentials, without_passwords},
    requests::{LinkKeeper, Requests},
    writer::Writer,
};
use crate::{Durability, Link, LogError, ServerError, error::Missing};

/// Longest pause between two tries to reconnect: an outage must not outlast the server's by much.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(500);
/// Between two pings: a server that leaves more than two of them unanswered is left.
const PING_EVERY: Duration = Duration::from_secs(1);
/// Messages that may wait in a subscription: several full pages of history at once.
const SUBSCRIPTION_CAPACITY: usize = 1 << 17;
/// Namespace of incarnations.
const INCARNATIONS: Uuid = Uuid::from_u128(0x0f2d_51a8_9c1b_4e0c_8d3e_6f72_6465_7273);

/// Key under which a stream's metadata keep its incarnation, 16 hex digits.
pub const INCARNATION: &str = "fillstream-incarnation";

/// The wire JSON of the stream, as `nats stream add --config` reads it.
#[derive(Debug, Clone)]
pub struct Definitions {
    /// `nats/streams/orders.json`
    pub stream: Value,
}

/// Proofs of a server to us and of us to it, besides user, password and token, which stand in the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// A PEM file with the authority that has signed the server's certificate. With one the connection is encrypted,
    /// whatever the address says; with none the machine's own authorities are believed.
    pub ca: Option<PathBuf>,
    /// PEM files with our certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// A credentials file (`.creds`) with a user's JWT and seed.
    pub creds: Option<PathBuf>,
}

/// Options of a connection.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Proofs of server and client.
    pub access: Access,
    /// `nats://host:port`, several separated by commas; the first with `user:password@` or `token@` says who we are.
    pub url: String,
    /// Name of the connection in the server's lists.
    pub name: String,
    /// Worth of an acknowledgement as the operator states it; a memory stream says `memory` by itself.
    pub durability: Durability,
}

/// Reasons why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No server there, or it refused the connection.
    #[error("cannot connect to NATS at {url}")]
    Server {
        /// The address tried, without its password.
        url: String,
        /// Cause: the client's error.
        source: async_nats::ConnectError,
    },
    /// The file with the user's credentials could not be read.
    #[error("cannot read the NATS credentials in {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The stream could not be made or read.
    #[error("cannot open the stream")]
    Stream(#[from] LogError),
    /// A stream of that name exists and lacks what the system rests on.
    #[error("stream {stream} exists with {setting} = {found}, but must have {wanted}: see nats/streams")]
    Settings {
        /// The stream.
        stream: String,
        /// The setting that is wrong.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        wanted: String,
    },
    /// The definition has no name.
    #[error("the stream's definition has no name")]
    Definition,
}

fn says_invalid(error: &async_nats::ConnectError) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::InvalidData)
}

impl ConnectError {
    /// It may be well in a moment: whoever starts waits for it.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Server { source, .. } => match source.kind() {
                ConnectErrorKind::Dns | ConnectErrorKind::TimedOut | ConnectErrorKind::MaxReconnects => true,
                // A certificate that is not believed comes as an error of reading.
                ConnectErrorKind::Io => !says_invalid(source),
                ConnectErrorKind::ServerParse
                | ConnectErrorKind::Authentication
                | ConnectErrorKind::AuthorizationViolation
                | ConnectErrorKind::Tls => false,
            },
            Self::Stream(error) => error.passes(),
            Self::Credentials { .. } | Self::Settings { .. } | Self::Definition => false,
        }
    }
}

impl JetStreamLog {
    /// Connects, and makes the stream when it is not there. An existing stream is checked, never changed.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn open(options: &LogOptions, definitions: &Definitions) -> Result<Self, ConnectError> {
        let requests = connect(options, |_| ()).await?;
        let name = definitions.stream.get("name").and_then(Value::as_str).ok_or(ConnectError::Definition)?;
        let found = match stream_info(&requests, name).await {
            Err(LogError::Server(error)) if error.says_no_stream() => {
                create(&requests, name, &definitions.stream).await?
            }
            found => found?,
        };
        check(name, &found)?;
        compare_replicas(name, &found, replicas(&definitions.stream));
        let durability = if found.memory { Durability::Memory } else { options.durability };
        let writer = Writer::start(requests.clone(), name.to_owned(), durability);
        let incarnation = found.incarnation;
        Ok(Self(std::sync::Arc::new(Shared {
            requests,
            options: options.clone(),
            tails: tokio::sync::OnceCell::new(),
            stream: name.to_owned(),
            incarnation,
            durability,
            writer,
        })))
    }
}

/// Begins the subjects on which our processes hear their answers. Not the common `_INBOX`: clients who may hear that
/// must not hear what the log tells us, nor have us answer there what we wait for.
pub(crate) const OWN_INBOX: &str = "_INBOX_fillstream";

/// Connects; `refused` hears what the server says no to.
pub(super) async fn connect(
    options: &LogOptions,
    refused: impl Fn(&str) + Send + Sync + 'static,
) -> Result<Requests, ConnectError> {
    let keeper = LinkKeeper::new();
    let told = keeper.clone();
    // The client waits by itself: here it is only told of.
    let retry = Mutex::new(Retry::new("NATS: not connected", RECONNECT_PAUSE_MAX, RECONNECT_PAUSE_MAX));
    // A text would be one address to the client, with commas in it.
    let addresses: Vec<_> = options.url.split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
    let client = with_access(with_credentials(ConnectOptions::new(), &options.url), &options.access)
        .await?
        .name(&options.name)
        .custom_inbox_prefix(OWN_INBOX)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .ping_interval(PING_EVERY)
        .reconnect_delay_callback(|tries| {
            let pause = Duration::from_millis(5) * u32::try_from(tries.min(100)).unwrap_or(100);
            pause.min(RECONNECT_PAUSE_MAX)
        })
        .event_callback(move |event| {
            tell(&told, &mut retry.lock(), &event);
            if let Event::ServerError(error) = &event {
                refused(&error.to_string());
            }
            std::future::ready(())
        })
        .connect(&*addresses)
        .await
        .map_err(|source| ConnectError::Server { url: without_passwords(&options.url), source })?;
    Ok(Requests::start(client, &keeper).await?)
}

/// Each try to connect again that fails is an event: two a second, of each connection.
fn tell(keeper: &LinkKeeper, retry: &mut Retry, event: &Event) {
    match event {
        Event::Connected => {
            retry.done();
            info!("connected to NATS");
            keeper.changed(Link::Up);
        }
        Event::Disconnected | Event::Closed => {
            warn!("the connection to NATS is lost");
            keeper.changed(Link::Down);
        }
        Event::SlowConsumer(_) | Event::LameDuckMode | Event::Draining => warn!(%event, "NATS"),
        Event::ServerError(_) => warn!(%event, "NATS"),
        Event::ClientError(error) => drop(retry.note(&LogError::unreachable(error.to_string()))),
    }
}

/// The stream, as far as the log needs to know it.
pub(super) struct Found {
    pub(super) incarnation: Incarnation,
    pub(super) first_seq: Seq,
    pub(super) last_seq: Seq,
    pub(super) replicas: usize,
    memory: bool,
    config: Value,
}

#[derive(Deserialize)]
struct InfoAnswer {
    created: Option<String>,
    config: Option<Value>,
    state: Option<StreamState>,
    error: Option<ServerError>,
}

#[derive(Deserialize)]
struct StreamState {
    first_seq: Seq,
    last_seq: Seq,
}

/// Asks the leader for the stream's state.
pub(super) async fn stream_info(requests: &Requests, stream: &str) -> Result<Found, LogError> {
    info_request(requests, stream, format!("$JS.API.STREAM.INFO.{stream}"), nothing()).await
}

/// Makes the stream, with an incarnation of its own. When another process is faster, it is that one's stream.
async fn create(requests: &Requests, stream: &str, definition: &Value) -> Result<Found, LogError> {
    let mut definition = definition.clone();
    let incarnation = format!("{:016x}", Uuid::now_v7().as_u64_pair().1);
    definition["metadata"][INCARNATION] = incarnation.into();
    let subject = format!("$JS.API.STREAM.CREATE.{stream}");
    match info_request(requests, stream, subject, definition.to_string().into()).await {
        Err(LogError::Server(error)) if error.says_stream_exists() => stream_info(requests, stream).await,
        made => made,
    }
}

async fn info_request(
    requests: &Requests,
    stream: &str,
    subject: String,
    payload: bytes::Bytes,
) -> Result<Found, LogError> {
    let message = requests.ask(subject, payload).await?;
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(Missing::NoResponder.into());
    }
    let answer: InfoAnswer = serde_json::from_slice(&message.payload).map_err(LogError::unreadable)?;
    if let Some(error) = answer.error {
        return Err(error.into());
    }
    let (Some(created), Some(config), Some(state)) = (answer.created, answer.config, answer.state) else {
        return Err(LogError::unreadable("stream information without its parts"));
    };
    let computed = || Uuid::new_v5(&INCARNATIONS, format!("{stream}/{created}").as_bytes()).as_u64_pair().0;
    let incarnation = kept_incarnation(&config).unwrap_or_else(computed);
    Ok(Found {
        incarnation: Incarnation::new(incarnation),
        first_seq: state.first_seq,
        last_seq: state.last_seq,
        replicas: replicas(&config),
        memory: config.get("storage").and_then(Value::as_str) == Some("memory"),
        config,
    })
}

/// A stream that was restored says which one it is: its time of creation is another one.
fn kept_incarnation(config: &Value) -> Option<u64> {
    let text = config.get("metadata")?.get(INCARNATION)?.as_str()?;
    u64::from_str_radix(text, 16).ok()
}

/// Warns of a stream that has fewer replicas than are wished for: only an operator may change that.
pub(super) fn compare_replicas(stream: &str, found: &Found, wanted: usize) {
    if found.replicas < wanted {
        warn!(
            stream,
            replicas = found.replicas,
            wanted,
            "the stream stays as it is: nats stream edit {stream} --replicas {wanted}"
        );
    }
}

fn replicas(config: &Value) -> usize {
    config.get("num_replicas").and_then(|replicas| replicas.as_u64()?.try_into().ok()).unwrap_or(1)
}

/// What the system rests on; everything else is the operator's choice.
fn check(stream: &str, found: &Found) -> Result<(), ConnectError> {
    for (setting, wanted) in [("allow_direct", true), ("deny_delete", true)] {
        let value = found.config.get(setting).and_then(Value::as_bool).unwrap_or(false);
        if value != wanted {
            return Err(ConnectError::Settings {
                stream: stream.to_owned(),
                setting,
                found: value.to_string(),
                wanted: wanted.to_string(),
            });
        }
    }
    if !found.config.get("allow_atomic").and_then(Value::as_bool).unwrap_or(false) {
        warn!(stream, "the stream does not allow atomic batches: group commit falls back to plain publishes");
    }
    Ok(())
}
