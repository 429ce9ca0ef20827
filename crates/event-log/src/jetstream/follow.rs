//! The tail: an ephemeral consumer without acknowledgements, watched for gaps and for the connection's end: what was under
//! way on it is lost, and nothing tells of a gap until another message comes.
//!
//! ```text
//!  consumer (mem, from N) ──▶ message: consumer sequence = former + 1 ?  yes ─▶ give it
//!        ▲                                                    │ no, or heartbeat missed, consumer or connection gone
//!        └─────────────── again, from last given + 1 ─────────┘
//!  leader, every 2 s ──▶ has more, and the consumer still has not given it 2 s later ─▶ again: its replica lags
//! ```
//! Tails have a connection of their own: a replay that fills it holds up no append and no read.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, DeliverPolicy, PullConsumer, ReplayPolicy, pull},
};
use async_trait::async_trait;
use fillstream_domain::{RecordRef, Seq};
use fillstream_retry::{Retry, chain};
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tracing::{debug, warn};

use super::{
    Shared,
    connect::stream_info,
    prove::{Doubt, prove, prove_patiently},
    read::{self, with_headers},
    requests::Requests,
};
use crate::{After, Consistency, Follow, Link, LogError, Record, stamp::millis};

/// Messages that one pull asks for: enough to replay at full speed.
const PULL_BATCH: usize = 2000;
/// Bytes that one pull asks for: the server cuts a connection on which 64 MiB wait, and several tails share it.
const PULL_BYTES: usize = 8 << 20;
/// A server that says nothing for twice this long has lost the consumer.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// The server forgets the consumer of a dead process after this.
const INACTIVE: Duration = Duration::from_secs(10);
/// First and longest pause before the consumer is made again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Longest wait for a consumer: one that is placed on a node which has just died is never made.
const CREATE_PATIENCE: Duration = Duration::from_secs(1);
/// Tries to make the first consumer, each of which may be placed on another node.
const CREATE_TRIES: usize = 3;
/// Between two questions to the leader of a replicated stream. What it has had for that long and the consumer has not given
/// shows that the consumer's replica lags.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A tail over a consumer of its own.
pub(super) struct Tail {
    shared: Arc<Shared>,
    /// The tails' connection.
    tails: Requests,
    link: watch::Receiver<Link>,
    pattern: Option<String>,
    /// Beginning of the tail, then the last record given. What is taken in and not given yet goes with the caller's future.
    after: After,
    /// Doubt about `after`, until the leader has said whether it is lost.
    doubt: Doubt,
    /// The stream sequence that comes next at the earliest.
    next: Seq,
    /// The consumer sequence of the last message.
    consumed: u64,
    behind: u64,
    recreated: u64,
    messages: Option<pull::Stream>,
    /// The consumer that is being made: kept, so that a caller who gives up waiting does not begin it anew.
    making: Option<BoxFuture<'static, (Doubt, Result<Made, LogError>)>>,
    retry: Retry,
    lag: LagWatch,
}

/// A consumer that was made, and proved to go on where the tail is.
struct Made {
    messages: pull::Stream,
    is_replicated: bool,
    /// Records of the pattern behind the tail, by the consumer's word.
    behind: u64,
    /// The connection's state, from when it was made.
    link: watch::Receiver<Link>,
}

/// The question to the leader, now and then, for what a replica that lags does not have: it says that nothing is left.
struct LagWatch {
    /// Without other members there is no replica that lags.
    is_replicated: bool,
    look_at: Instant,
    /// The question under way: the first record of the pattern behind what was given.
    question: Option<BoxFuture<'static, Result<Option<Seq>, LogError>>>,
    /// The first record that the leader had and the consumer had not given, at the last look.
    lacks: Option<Seq>,
}

impl LagWatch {
    fn begin(is_replicated: bool) -> Self {
        Self { is_replicated, look_at: Instant::now() + LOOK_EVERY, question: None, lacks: None }
    }

    /// Waits for the leader's next answer. Safe to give up: a question under way is kept.
    async fn answer(
        &mut self,
        ask: impl FnOnce() -> BoxFuture<'static, Result<Option<Seq>, LogError>>,
    ) -> Option<Seq> {
        if !self.is_replicated {
            return std::future::pending().await;
        }
        sleep_until(self.look_at).await;
        let answer = self.question.get_or_insert_with(ask).await;
        self.question = None;
        self.look_at = Instant::now() + LOOK_EVERY;
        answer.unwrap_or_else(|error| {
            debug!(error = %chain(&error), "the leader is not asked whether the tail lags");
            None
        })
    }

    /// Tells that the consumer is to be left: what the leader had at the last look has still not come, though the consumer
    /// says that nothing is left.
    fn lags(&mut self, next: Seq, behind: u64, found: Option<Seq>) -> bool {
        let lagged = self.lacks.is_some_and(|lacks| next <= lacks);
        self.lacks = found.filter(|_| behind == 0);
        lagged && self.lacks.is_some()
    }
}

impl Tail {
    pub(super) async fn open(
        shared: Arc<Shared>,
        after: After,
        pattern: Option<&str>,
    ) -> Result<Self, LogError> {
        let tails = shared.tails().await?.clone();
        let mut tail = Self {
            link: tails.link(),
            tails,
            shared,
            pattern: pattern.map(str::to_owned),
            after,
            doubt: Doubt::default(),
            next: after.seq().next(),
            consumed: 0,
            behind: 0,
            recreated: 0,
            messages: None,
            making: None,
            retry: Retry::new("tail: consumer not made", PAUSES.0, PAUSES.1),
            lag: LagWatch::begin(false),
        };
        prove_patiently(&tail.shared, after).await?;
        let mut more_tries = 1..CREATE_TRIES;
        loop {
            let (doubt, made) = tail.make(Duration::ZERO).await;
            tail.doubt = doubt;
            match made {
                Err(error @ LogError::Unreachable(_)) if more_tries.next().is_some() => {
                    debug!(error = %chain(&error), "the consumer of a tail is not made at once");
                }
                made => {
                    tail.take_up(made?);
                    return Ok(tail);
                }
            }
        }
    }

    /// Makes a consumer that goes on where the tail is, after a pause.
    fn make(&self, pause: Duration) -> BoxFuture<'static, (Doubt, Result<Made, LogError>)> {
        let (shared, tails, mut doubt) = (Arc::clone(&self.shared), self.tails.clone(), self.doubt);
        let (pattern, next, after) = (self.pattern.clone().unwrap_or_default(), self.next, self.after);
        Box::pin(async move {
            sleep(pause).await;
            let made = make(&shared, &tails, pattern, next, after, &mut doubt).await;
            (doubt, made)
        })
    }

    fn take_up(&mut self, made: Made) {
        let Made { messages, is_replicated, behind, link } = made;
        self.messages = Some(messages);
        self.lag = LagWatch::begin(is_replicated);
        self.consumed = 0;
        self.behind = behind;
        self.link = link;
    }

    /// Sets the consumer up again until it works; only what waiting does not mend ends this. Safe to give up: it goes on
    /// where it was.
    async fn recover(&mut self) -> Result<(), LogError> {
        loop {
            if self.making.is_none() {
                self.recreated += 1;
                self.making = Some(self.make(Duration::ZERO));
            }
            let Some(making) = &mut self.making else { continue };
            let (doubt, made) = making.await;
            self.making = None;
            self.doubt = doubt;
            match made {
                Ok(made) => {
                    self.take_up(made);
                    self.retry.done();
                    return Ok(());
                }
                Err(error) if error.is_final() => return Err(error),
                Err(error) => {
                    let pause = self.retry.note(&error);
                    self.making = Some(self.make(pause));
                }
            }
        }
    }

    /// Remembers how far the caller has come.
    fn give(&mut self, taken: Vec<Record>) -> Vec<Record> {
        if let Some(last) = taken.last() {
            self.after = After::Record(last.reference());
        }
        taken
    }

    /// Takes a message in; nothing when it shows a gap.
    fn accept(&mut self, message: jetstream::Message) -> Option<Record> {
        let info = message.info().ok()?;
        let (seq, pending) = (Seq::new(info.stream_sequence), info.pending);
        let stored_at = millis(info.published);
        if info.consumer_sequence != self.consumed + 1 || seq < self.next {
            return None;
        }
        self.consumed += 1;
        self.next = seq.next();
        self.behind = pending;
        let message = message.split().0;
        let record = Record::new(seq, message.subject.into_string(), stored_at, None, message.payload);
        Some(with_headers(record, message.headers.as_ref()))
    }
}

async fn make(
    shared: &Shared,
    tails: &Requests,
    pattern: String,
    next: Seq,
    after: After,
    doubt: &mut Doubt,
) -> Result<Made, LogError> {
    shared.requests.connected().await;
    tails.connected().await;
    let mut link = tails.link();
    link.mark_unchanged();
    let mut context = jetstream::new(tails.client().clone());
    context.set_timeout(CREATE_PATIENCE);
    let config = pull::Config {
        name: Some(shared.consumer_name()),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: next.get() },
        ack_policy: AckPolicy::None,
        replay_policy: ReplayPolicy::Instant,
        filter_subject: pattern,
        inactive_threshold: INACTIVE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer: PullConsumer = context
        .create_consumer_on_stream(config, shared.stream.as_str())
        .await
        .map_err(LogError::unreachable)?;
    // A stream that was recreated has other events under the same numbers. Only now is it known to be the one that
    // the consumer is on.
    let found = stream_info(&shared.requests, &shared.stream).await?;
    if found.incarnation != shared.incarnation {
        return Err(LogError::Recreated);
    }
    // Only now: a stream that is put back while the consumer is made would not be noticed by an earlier look.
    prove(shared, after, doubt).await?;
    let behind = consumer.cached_info().num_pending;
    let messages = consumer
        .stream()
        .max_messages_per_batch(PULL_BATCH)
        .max_bytes_per_batch(PULL_BYTES)
        .heartbeat(HEARTBEAT)
        .expires(HEARTBEAT * 10)
        .messages()
        .await
        .map_err(LogError::unreachable)?;
    Ok(Made { messages, is_replicated: found.replicas > 1, behind, link })
}

/// Asks the leader for the first record of a pattern from a sequence on.
fn question(
    shared: &Arc<Shared>,
    from: Seq,
    pattern: Option<&str>,
) -> BoxFuture<'static, Result<Option<Seq>, LogError>> {
    let (shared, pattern) = (Arc::clone(shared), pattern.unwrap_or(">").to_owned());
    Box::pin(async move {
        let next = read::next(&shared.requests, &shared.stream, &pattern, from, Consistency::Leader).await?;
        Ok(next.map(|record| record.seq))
    })
}

#[async_trait]
impl Follow for Tail {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, LogError> {
        let mut taken = Vec::new();
        loop {
            let Some(messages) = &mut self.messages else {
                self.recover().await?;
                continue;
            };
            let message = if taken.is_empty() {
                let shared = &self.shared;
                let (from, pattern) = (self.next, &self.pattern);
                tokio::select! {
                    biased;
                    message = messages.next() => message,
                    Ok(()) = self.link.changed() => None,
                    found = self.lag.answer(|| question(shared, from, pattern.as_deref())) => {
                        if self.lag.lags(self.next, self.behind, found) {
                            warn!(seq = %self.next, "the tail's replica lags: its consumer is made anew");
                            self.messages = None;
                        }
                        continue;
                    }
                }
            } else {
                match messages.next().now_or_never() {
                    Some(message) => message,
                    None => return Ok(self.give(taken)),
                }
            };
            match message {
                Some(Ok(message)) => match self.accept(message) {
                    Some(record) => taken.push(record),
                    None => {
                        warn!(seq = %self.next, "the tail has a gap: its consumer is made anew");
                        self.messages = None;
                    }
                },
                Some(Err(error)) => {
                    debug!(error = %chain(&error), "the tail is set up again");
                    self.messages = None;
                }
                None => self.messages = None,
            }
            if taken.len() >= max || (self.messages.is_none() && !taken.is_empty()) {
                return Ok(self.give(taken));
            }
        }
    }

    fn reached(&self) -> Option<RecordRef> {
        match self.after {
            After::Record(record) => Some(record),
            After::Seq(_) => None,
        }
    }

    async fn caught_up(&mut self) -> Result<bool, LogError> {
        let (requests, stream) = (&self.shared.requests, &self.shared.stream);
        let pattern = self.pattern.as_deref().unwrap_or(">");
        let next = read::next(requests, stream, pattern, self.next, Consistency::Leader).await?;
        Ok(next.is_none())
    }

    fn behind(&self) -> u64 {
        self.behind
    }

    fn recreated(&self) -> u64 {
        self.recreated
    }
}
