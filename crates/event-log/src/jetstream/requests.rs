//! Requests with one or many answers over one inbox subscription.
//!
//! A broken connection ends every waiting request at once: whoever waits learns that the answer is lost and can
//! find out by reading, instead of waiting for a time-out.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, HeaderMap, Message, PublishErrorKind};
use bytes::Bytes;
use fillstream_retry::chain;
use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{Link, LogError, error::Missing};

/// An answer that takes longer is treated as lost. Servers answer within milliseconds; a disk that syncs slowly
/// may need a second.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

type Waiting = Arc<Mutex<HashMap<u64, mpsc::UnboundedSender<Message>>>>;

/// The switchboard: sends requests, routes answers.
#[derive(Clone)]
pub(super) struct Requests {
    client: Client,
    inbox: Arc<str>,
    next: Arc<AtomicU64>,
    waiting: Waiting,
    link: watch::Receiver<Link>,
    came_back: Arc<Mutex<Option<Instant>>>,
    /// Ends with the last of the clones, and the connection with it.
    _router: Arc<JoinSet<()>>,
}

/// Tells requests about the connection; made before the connection is.
#[derive(Clone)]
pub(super) struct LinkKeeper {
    waiting: Waiting,
    link: watch::Sender<Link>,
    /// Time at which the connection that is up was made again; nothing for the first one.
    came_back: Arc<Mutex<Option<Instant>>>,
}

impl LinkKeeper {
    pub(super) fn new() -> Self {
        Self { waiting: Waiting::default(), link: watch::Sender::new(Link::Up), came_back: Arc::default() }
    }

    /// To be called at each change of the connection.
    pub(super) fn changed(&self, link: Link) {
        // Told late, a new connection must not end the requests that were sent over it already.
        if link == Link::Down {
            self.waiting.lock().clear();
        }
        // That the first connection is up is no change: nothing was under way on another one.
        self.link.send_if_modified(|before| {
            let is_news = *before != link;
            if is_news && link == Link::Up {
                *self.came_back.lock() = Some(Instant::now());
            }
            *before = link;
            is_news
        });
    }
}

/// Answers to one request, in order of arrival. Dropping it forgets the request.
pub(super) struct Answers {
    id: u64,
    waiting: Waiting,
    received: mpsc::UnboundedReceiver<Message>,
    /// When the next one is late.
    until: Instant,
}

impl Requests {
    pub(super) async fn start(client: Client, keeper: &LinkKeeper) -> Result<Self, LogError> {
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(format!("{inbox}.*")).await.map_err(LogError::unreachable)?;
        let waiting = Arc::clone(&keeper.waiting);
        let mut router = JoinSet::new();
        router.spawn(async move {
            while let Some(message) = answers.next().await {
                route(&waiting, message);
            }
        });
        Ok(Self {
            client,
            inbox: inbox.into(),
            next: Arc::default(),
            waiting: Arc::clone(&keeper.waiting),
            link: keeper.link.subscribe(),
            came_back: Arc::clone(&keeper.came_back),
            _router: Arc::new(router),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// True when the connection was lost, and made again less than this long ago: the server may be another one, or have
    /// lost its end.
    pub(super) fn came_back_within(&self, span: Duration) -> bool {
        self.came_back.lock().is_some_and(|at| at.elapsed() < span)
    }

    /// Waits for the connection. What is sent without one waits in line, and may be stale when it goes out.
    pub(super) async fn connected(&self) {
        // The sender is held by the client, which is held here.
        let _ = self.link.clone().wait_for(|link| *link == Link::Up).await;
    }

    /// Sends a request; the answers arrive at what is returned.
    pub(super) async fn send(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<Answers, LogError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, received) = mpsc::unbounded_channel();
        self.waiting.lock().insert(id, sender);
        let until = Instant::now() + ANSWER_TIMEOUT;
        let answers = Answers { id, waiting: Arc::clone(&self.waiting), received, until };
        let reply = format!("{}.{id}", self.inbox);
        let sent = match headers {
            Some(headers) => {
                self.client.publish_with_reply_and_headers(subject, reply, headers, payload).await
            }
            None => self.client.publish_with_reply(subject, reply, payload).await,
        };
        match sent {
            Ok(()) => Ok(answers),
            Err(error) if error.kind() == PublishErrorKind::Send => Err(LogError::unreachable(error)),
            // The client refuses what would make the server drop the connection.
            Err(error) => Err(LogError::Invalid(chain(&error).to_string())),
        }
    }

    /// One request, one answer.
    pub(super) async fn ask(&self, subject: String, payload: Bytes) -> Result<Message, LogError> {
        let sent = timeout(ANSWER_TIMEOUT, self.send(subject, None, payload)).await;
        sent.map_err(|_| lost())??.next().await
    }
}

impl Answers {
    /// The next answer.
    pub(super) async fn next(&mut self) -> Result<Message, LogError> {
        match timeout_at(self.until, self.received.recv()).await {
            Ok(Some(message)) => {
                self.until = Instant::now() + ANSWER_TIMEOUT;
                Ok(message)
            }
            Ok(None) | Err(_) => Err(lost()),
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.id);
    }
}

fn lost() -> LogError {
    Missing::Lost.into()
}

fn route(waiting: &Waiting, message: Message) {
    let id = message.subject.rsplit('.').next().and_then(|token| token.parse().ok());
    if let Some(id) = id
        && let Some(sender) = waiting.lock().get(&id)
    {
        // The receiver may have given up meanwhile; then nobody wants this answer.
        let _ = sender.send(message);
    }
}
