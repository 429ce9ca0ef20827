//! The executor's loop: one task for each order in hand.

use std::{sync::Arc, time::Duration};

use fillstream_clock::now;
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{
    parked::Cause,
    subject::{SwapSubject, swap_progress},
};
use fillstream_event_log::{EventLog, Work, WorkQueue};
use fillstream_parked::park;
use fillstream_swap_machine::Backoff;
use fillstream_venues::Venue;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    SwapHistory,
    drive::{Drive, Driven},
    effects::Effects,
    history::HistoryError,
};

/// How this part names itself in parked entries.
pub(crate) const PART: &str = "executor";
/// Pause before an entry is parked again that could not be written.
const PAUSE: Duration = Duration::from_millis(200);

/// What can be set about the executor.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Longest wait for a quote; without any in time the attempt has failed.
    pub quote_timeout: Duration,
    /// Pause between two sends of the same bytes.
    pub rebroadcast: Duration,
    /// First pause between two looks at a venue that gives no hint.
    pub look_interval_min: Duration,
    /// Longest pause between two looks at a venue that gives no hint.
    pub look_interval_max: Duration,
    /// When the next attempt is due.
    pub backoff: Backoff,
    /// The queue's `ack_wait`: without a word for this long an order goes to another executor.
    pub ack_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            quote_timeout: Duration::from_secs(5),
            rebroadcast: Duration::from_secs(2),
            look_interval_min: Duration::from_millis(2),
            look_interval_max: Duration::from_millis(400),
            backoff: Backoff::default(),
            ack_wait: Duration::from_secs(5),
        }
    }
}

/// Works on swap orders.
pub struct Executor {
    log: Arc<dyn EventLog>,
    effects: Effects,
    settings: Settings,
}

impl Executor {
    /// An executor over these venues.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, venues: Vec<Arc<dyn Venue>>, settings: Settings) -> Arc<Self> {
        Arc::new(Self { log, effects: Effects::new(venues, settings), settings })
    }

    /// Works until told to stop. Orders in hand are given back at once then, for any other executor to take up.
    pub async fn run(self: Arc<Self>, mut queue: WorkQueue, stop: CancellationToken) {
        let orders = TaskTracker::new();
        loop {
            let work = tokio::select! {
                () = stop.cancelled() => break,
                work = queue.next() => work,
            };
            let (executor, stop) = (Arc::clone(&self), stop.clone());
            orders.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => work.later(Duration::ZERO).await,
                    () = executor.work(&work) => {}
                }
            });
        }
        orders.close();
        orders.wait().await;
        info!("the executor has stopped");
    }

    /// One order in hand; tells the queue that it is being worked on as long as that takes.
    async fn work(&self, work: &Work) {
        reach(Boundary::TakenUp);
        let handled = self.handle(work);
        tokio::pin!(handled);
        let driven = loop {
            tokio::select! {
                driven = &mut handled => break driven,
                () = tokio::time::sleep(self.settings.ack_wait / 5) => work.in_progress().await,
            }
        };
        match driven {
            Driven::Done => {
                reach(Boundary::BeforeAck);
                work.done().await;
                reach(Boundary::AfterAck);
            }
            Driven::NotNow => work.later(self.settings.ack_wait).await,
        }
    }

    async fn handle(&self, work: &Work) -> Driven {
        match self.drive(work).await {
            Ok(driven) => driven,
            Err(problem) => self.put_aside(work, &problem).await,
        }
    }

    /// Puts the record on the operators' list that is in the way. A placed event that cannot be read is done with. A
    /// record behind it holds the order up, until an operator has dealt with it or a version comes that can read it.
    async fn put_aside(&self, work: &Work, problem: &HistoryError) -> Driven {
        let placed = &work.record;
        let seq = problem.seq().unwrap_or(placed.seq);
        let mut culprit = placed.clone();
        if let Some(subject) = SwapSubject::parse(&placed.subject)
            && seq != placed.seq
        {
            (culprit.seq, culprit.subject) = (seq, swap_progress(subject.order()));
        }
        let reason = problem.to_string();
        loop {
            match park(&*self.log, PART, &culprit, Cause::Unreadable, reason.clone(), now()).await {
                Ok(true) => break warn!(%seq, subject = culprit.subject, reason, "a record is parked"),
                Ok(false) => break,
                Err(error) => warn!(%error, "the parked entry is not written yet"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        if seq == placed.seq { Driven::Done } else { Driven::NotNow }
    }

    async fn drive(&self, work: &Work) -> Result<Driven, HistoryError> {
        let record = &work.record;
        let subject = SwapSubject::parse(&record.subject).ok_or(HistoryError::Misplaced(record.seq))?;
        let mut history = SwapHistory::from_placed(subject.order(), record)?;
        // On the first delivery there is no progress, as a rule; the first fence finds out when there is.
        if work.delivered > 1 {
            while let Err(error) = history.catch_up(&*self.log).await {
                let HistoryError::Log(_) = error else { return Err(error) };
                tokio::time::sleep(PAUSE).await;
            }
            reach(Boundary::HistoryRead);
        }
        let drive = Drive {
            log: &*self.log,
            effects: &self.effects,
            backoff: self.settings.backoff,
            placed: record,
            traceparent: work.traceparent.as_deref(),
        };
        drive.to_the_end(history).await
    }
}
