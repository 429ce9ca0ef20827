//! One reader of the live log: a place in the stream, moved on by pages.

use fillstream_domain::Seq;
use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Bytes, response::Response};
use fillstream_event_log::{LogError, Message, Messages};
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    time::{Interval, MissedTickBehavior, interval, sleep, timeout},
};
use tracing::debug;

use super::{Seat, View, asked::Asked, newest::newest, shown::push_event};
use crate::{
    condition::Condition,
    socket::LOG_PAUSE,
    sse::{CHUNKS, COMMENT, event_stream},
};

/// Messages that one read asks for.
const PAGE: usize = 500;
/// Bytes after which a chunk is handed over: a slow line takes one within the write timeout.
const CHUNK_BYTES: usize = 64 << 10;
/// From the news that there is more to the read of it, so that a busy stream is read by pages, not by messages.
const GATHER: Duration = Duration::from_millis(20);

/// Reasons why a feed ends. It cannot say so on the wire: the client comes back with its `Last-Event-ID`.
#[derive(Debug)]
enum End {
    /// The client has gone.
    Gone,
    /// It did not take a chunk within the write timeout.
    Stalled,
    /// The process goes down.
    GoingDown,
    /// The stream has lost its end: the connection stays, and begins anew.
    Anew,
}

struct Feed {
    view: Arc<View>,
    pattern: Arc<str>,
    /// The last sequence told; [`Seq::ZERO`] before the first.
    told: Seq,
    chunks: mpsc::Sender<Bytes>,
    condition: watch::Receiver<Condition>,
    told_lost: bool,
    /// History that it tells: see [`Condition::history`].
    history: u64,
    comments: Interval,
}

/// Answers with an event stream.
pub(super) fn answer(view: Arc<View>, asked: Asked, seat: Seat) -> Response {
    let (chunks, receiver) = mpsc::channel(CHUNKS);
    let mut comments = interval(view.hub.settings.ping_interval);
    comments.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut condition = view.hub.condition();
    // What has happened before is news to this reader.
    condition.mark_changed();
    let Asked { pattern, after, limit } = asked;
    let told = after.unwrap_or(Seq::ZERO);
    let pattern: Arc<str> = pattern.into();
    let history = condition.borrow().history;
    let mut feed = Feed { view, pattern, told, chunks, condition, told_lost: false, history, comments };
    let Seat { connection, reading } = seat;
    tokio::spawn(async move {
        let mut ended = feed.run(after, limit as u64).await;
        while let Err(End::Anew) = ended {
            ended = feed.run_anew(limit as u64).await;
        }
        let Err(end) = ended;
        debug!(told = %feed.told, ?end, "a reader of the log ends");
        drop(reading);
    });
    event_stream(receiver, connection)
}

impl Feed {
    /// The stream has lost its end: the newest messages that it holds now.
    async fn run_anew(&mut self, newest: u64) -> Result<Infallible, End> {
        self.told = Seq::ZERO;
        self.control("reset", "other_history", "The stream has lost its end; what it holds now follows")
            .await?;
        let view = Arc::clone(&self.view);
        self.attend(view.hub.tail_begins()).await?;
        self.run(None, newest).await
    }

    async fn run(&mut self, after: Option<Seq>, newest: u64) -> Result<Infallible, End> {
        let mut next = self.begin(after, newest).await?;
        let mut position = self.view.hub.positions();
        loop {
            // Before the read: what it does not find is not there up to here.
            let seen = position.borrow_and_update().unwrap_or(Seq::ZERO);
            let Messages { messages, .. } = self.page(next).await?;
            next = match messages.last() {
                Some(last) => last.seq.next(),
                None => next.max(seen.next()),
            };
            self.tell(&messages).await?;
            if next > seen {
                let news = async {
                    // The sender is the hub's, which is held here.
                    let _ = position.changed().await;
                    sleep(GATHER).await;
                };
                self.attend(news).await?;
            }
        }
    }

    /// Beginning of the feed: behind what the client has seen, or with the newest messages.
    async fn begin(&mut self, after: Option<Seq>, wanted: u64) -> Result<Seq, End> {
        let last = self.ask_log(|view, _| async move { view.hub.end().await }.boxed()).await?;
        match after {
            Some(after) if after <= last => return Ok(after.next()),
            // It is of an older copy of the stream, or made up.
            Some(_) => {
                self.told = Seq::ZERO;
                self.control("reset", "ahead_of_stream", "The stream does not go that far").await?;
            }
            None => {}
        }
        self.ask_log(|view, pattern| {
            async move { newest(&*view.messages, &pattern, last, wanted).await }.boxed()
        })
        .await
    }

    async fn page(&mut self, from: Seq) -> Result<Messages, End> {
        self.ask_log(|view, pattern| async move { view.messages.browse(&pattern, from, PAGE).await }.boxed())
            .await
    }

    /// Asks the log until it answers. That it does not is told by the process's condition.
    async fn ask_log<T>(
        &mut self,
        ask: impl Fn(Arc<View>, Arc<str>) -> BoxFuture<'static, Result<T, LogError>>,
    ) -> Result<T, End> {
        let (view, pattern) = (Arc::clone(&self.view), Arc::clone(&self.pattern));
        let answer = async {
            loop {
                match ask(Arc::clone(&view), Arc::clone(&pattern)).await {
                    Ok(answer) => return answer,
                    Err(error) => {
                        debug!(error = %fillstream_retry::chain(&error), "the log cannot be read yet")
                    }
                }
                sleep(LOG_PAUSE).await;
            }
        };
        self.attend(answer).await
    }

    /// Sees to the connection, to comments and to the process's condition until `until` is done.
    async fn attend<T>(&mut self, until: impl Future<Output = T>) -> Result<T, End> {
        tokio::pin!(until);
        loop {
            // In random order, so that none of these keeps the others waiting.
            tokio::select! {
                done = &mut until => return Ok(done),
                _ = self.condition.changed() => self.condition_changed().await?,
                () = self.chunks.closed() => return Err(End::Gone),
                _ = self.comments.tick() => self.write(COMMENT).await?,
            }
        }
    }

    async fn condition_changed(&mut self) -> Result<(), End> {
        let Condition { stopping, stream_lost, history } = *self.condition.borrow_and_update();
        if stopping {
            self.control("shutdown", "going_down", "The server goes down; resume with Last-Event-ID").await?;
            return Err(End::GoingDown);
        }
        if self.history != history {
            self.history = history;
            return Err(End::Anew);
        }
        if stream_lost == self.told_lost {
            return Ok(());
        }
        self.told_lost = stream_lost;
        let (reason, message) = match stream_lost {
            true => ("stream_unreachable", "The stream cannot be reached; waiting for it"),
            false => ("stream_reachable", "The stream is reachable again"),
        };
        self.control("status", reason, message).await
    }

    /// Tells of the connection itself. Without an `id`: the client's place stays where it is.
    async fn control(&mut self, kind: &str, reason: &str, message: &str) -> Result<(), End> {
        let timestamp = (self.view.hub.clock)();
        let data = json!({
            "type": kind, "reason": reason, "message": message, "seq": self.told, "timestamp": timestamp
        });
        self.write(format!("event: {kind}\ndata: {data}\n\n").into()).await
    }

    async fn tell(&mut self, messages: &[Message]) -> Result<(), End> {
        let (mut chunk, mut count) = (String::new(), 0);
        for (at, message) in messages.iter().enumerate() {
            push_event(&mut chunk, message);
            count += 1;
            if chunk.len() >= CHUNK_BYTES || at + 1 == messages.len() {
                self.write(std::mem::take(&mut chunk).into()).await?;
                self.view.hub.counters.messages_sent.add(std::mem::take(&mut count));
                self.told = message.seq;
            }
        }
        Ok(())
    }

    async fn write(&mut self, chunk: Bytes) -> Result<(), End> {
        let limit = self.view.hub.settings.write_timeout;
        match timeout(limit, self.chunks.send(chunk)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Stalled),
        }
    }
}
