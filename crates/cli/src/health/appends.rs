//! State of the stream's appends: remembered from the last one, and after a failed one proved by a probe.
//!
//! ```text
//!  append stored ──▶ able                                  nothing is appended for the sake of asking
//!  append full, unknown ──▶ failing ──▶ probe, probe, … stored ──▶ able
//! ```

use std::{sync::Arc, time::Duration};

use fillstream_clock::now;
use fillstream_domain::{
    Seq,
    subject::{BookSubject, PROBE, SwapSubject},
    swap::SwapEvent,
};
use fillstream_event_log::{AppendError, AppendObserver, Consistency, EventLog, Link, LogError, NewRecord};
use fillstream_metrics::{AppendOutcome, Attempt, EventKind, Metrics};
use fillstream_retry::{Retry, chain};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use uuid::Uuid;

/// Pauses between two probes.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Appends that fail, since when, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failing {
    /// The first failure since the last success.
    pub(crate) since: Instant,
    /// The last failure.
    pub(crate) failure: Failure,
    /// The last failure, with its causes.
    pub(crate) reason: String,
}

impl Failing {
    /// The stream's own words when it has no room.
    pub(crate) fn full(&self) -> Option<String> {
        (self.failure == Failure::Full).then(|| self.reason.clone())
    }
}

/// Failure of an append that says something about the stream, and not about the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is no room. Nothing is stored, and that is known.
    Full,
    /// No answer in time.
    Unknown,
}

/// See the module's first line. It hears of every append of the process.
pub(crate) struct Appends {
    failing: watch::Sender<Option<Failing>>,
    metrics: Arc<Metrics>,
}

impl Appends {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { failing: watch::Sender::new(None), metrics })
    }

    /// Failure of now; nothing when the last append was stored, or none has failed yet.
    pub(crate) fn failing(&self) -> Option<Failing> {
        self.failing.borrow().clone()
    }

    /// As [`failing`](Self::failing), and every change of it.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Failing>> {
        self.failing.subscribe()
    }

    fn stored(&self) {
        self.failing.send_if_modified(|failing| failing.take().is_some());
    }

    fn failed(&self, failure: Failure, error: &AppendError) {
        let reason = chain(error).to_string();
        self.failing.send_modify(|failing| {
            let since = failing.as_ref().map_or_else(Instant::now, |failing| failing.since);
            *failing = Some(Failing { since, failure, reason });
        });
    }

    /// Appends a probe whenever appends fail, until one is stored. Runs as long as it is polled.
    pub(crate) async fn prove(&self, log: &dyn EventLog) {
        let mut failing = self.watch();
        while failing.wait_for(Option::is_some).await.is_ok() {
            let mut retry = Retry::new("append: the probe is not stored", FIRST_PAUSE, LONGEST_PAUSE);
            while self.failing().is_some() {
                // Without a connection there is nobody to ask, and the log says so itself.
                let mut link = log.link();
                if link.wait_for(|link| *link == Link::Up).await.is_err() {
                    return;
                }
                match probe(log).await {
                    Ok(()) => {
                        self.stored();
                        retry.done();
                    }
                    Err(error) => {
                        let pause = retry.note(&error);
                        sleep(pause).await;
                    }
                }
            }
        }
    }
}

/// Reasons why a probe was not stored.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error("the last probe cannot be read")]
    Read(#[source] LogError),
    #[error("the probe cannot be appended")]
    Append(#[source] AppendError),
}

/// Appends one record that means nothing, behind the last one of its kind. Another process's probe that was faster proves
/// as much.
async fn probe(log: &dyn EventLog) -> Result<(), ProbeError> {
    let last = log.last(PROBE, Consistency::Leader).await.map_err(ProbeError::Read)?;
    let after = last.map_or(Seq::ZERO, |last| last.seq);
    let at = now().to_string();
    let record = NewRecord {
        subject: PROBE.to_owned(),
        after,
        event_id: Uuid::now_v7(),
        event_type: "fillstream.probe.v1".to_owned(),
        payload: format!(r#"{{"type":"probe","version":1,"at":"{at}"}}"#).into(),
        time: at,
        traceparent: None,
        retries: None,
    };
    match log.append(record).await {
        Ok(_) => Ok(()),
        Err(AppendError::Fenced { last }) if last > after => Ok(()),
        Err(error) => Err(ProbeError::Append(error)),
    }
}

impl AppendObserver for Appends {
    fn ended(&self, subject: &str, payload: &[u8], appended: Result<Seq, &AppendError>, elapsed: Duration) {
        let outcome = match appended {
            Ok(_) => {
                self.stored();
                AppendOutcome::Stored
            }
            // It was judged, not stored: that tells nothing of the stream.
            Err(AppendError::Fenced { .. }) => AppendOutcome::Fenced,
            Err(AppendError::Refused(_)) => AppendOutcome::Refused,
            Err(error @ AppendError::Full(_)) => {
                self.failed(Failure::Full, error);
                AppendOutcome::Refused
            }
            Err(AppendError::Closed) => AppendOutcome::Closed,
            Err(error @ AppendError::Unknown) => {
                self.failed(Failure::Unknown, error);
                AppendOutcome::Unknown
            }
        };
        let kind = kind(subject);
        self.metrics.appends.ended(kind, outcome, elapsed);
        if kind == EventKind::Swap
            && appended.is_ok()
            && let Some(attempt) = attempt(payload)
        {
            self.metrics.appends.attempt(attempt);
        }
    }

    fn grouped(&self, records: usize) {
        self.metrics.appends.grouped(records);
    }
}

fn kind(subject: &str) -> EventKind {
    match BookSubject::parse(subject) {
        Some(BookSubject::Commits(_)) => EventKind::Commit,
        Some(BookSubject::Order(..) | BookSubject::Definition(_) | BookSubject::Clock(_)) => EventKind::Book,
        None if SwapSubject::parse(subject).is_some() => EventKind::Swap,
        None if subject == PROBE => EventKind::Other,
        None if subject.starts_with("parked.") => EventKind::Parked,
        None => EventKind::Other,
    }
}

/// Outcome of the attempt that this event tells of.
fn attempt(payload: &[u8]) -> Option<Attempt> {
    match SwapEvent::decode(payload).ok()? {
        SwapEvent::Confirmed(_) => Some(Attempt::Confirmed),
        SwapEvent::Failed(_) => Some(Attempt::Failed),
        SwapEvent::RetryScheduled(_) => Some(Attempt::Retried),
        SwapEvent::ReviewNeeded(_) => Some(Attempt::Review),
        SwapEvent::Placed(_)
        | SwapEvent::RoutingStarted(_)
        | SwapEvent::Routed(_)
        | SwapEvent::Prepared(_) => None,
    }
}
