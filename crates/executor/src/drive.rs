//! One order, from wherever it stands to its end.

use std::time::Duration;

use fillstream_clock::now;
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{
    Seq,
    parked::Cause,
    subject::swap_progress,
    swap::{Routed, SwapEvent},
};
use fillstream_event_log::{AppendError, EventLog, NewRecord, Record};
use fillstream_parked::park;
use fillstream_swap_machine::{Backoff, Built, Offer, Step, after_build, after_quotes, next};
use futures_util::future::join;
use tokio::time::sleep;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::{SwapHistory, effects::Effects, history::HistoryError, run::PART};

/// Pause before the stream is asked again that could not be reached.
const PAUSE: Duration = Duration::from_millis(100);

/// What drives an order needs.
pub(crate) struct Drive<'a> {
    pub(crate) log: &'a dyn EventLog,
    pub(crate) effects: &'a Effects,
    pub(crate) backoff: Backoff,
    pub(crate) placed: &'a Record,
    pub(crate) traceparent: Option<&'a str>,
}

/// How far an order was driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driven {
    /// To its end, or onto the operators' list.
    Done,
    /// The log takes nothing at the moment: to be handed out again.
    NotNow,
}

/// Answers that came in while their announcement was being appended: asking and signing move nothing, so they
/// need not wait for the log.
#[derive(Default)]
struct Ahead {
    offers: Option<Vec<Offer>>,
    built: Option<Result<Built, String>>,
}

impl Drive<'_> {
    /// Drives the order until it has ended or an operator is asked.
    ///
    /// # Errors
    /// When the history cannot be folded: the order is to be parked.
    pub(crate) async fn to_the_end(&self, mut history: SwapHistory) -> Result<Driven, HistoryError> {
        let mut ahead = Ahead::default();
        loop {
            match self.step(&mut history, &mut ahead).await {
                Ok(true) => return Ok(Driven::Done),
                Ok(false) => {}
                Err(AppendError::Fenced { last }) => {
                    debug!(order_id = %history.order.placed().order_id, %last, "another executor was first");
                    ahead = Ahead::default();
                    self.catch_up(&mut history).await?;
                }
                Err(AppendError::Unknown) => {
                    ahead = Ahead::default();
                    self.catch_up(&mut history).await?;
                }
                Err(error @ (AppendError::Full(_) | AppendError::Refused(_) | AppendError::Closed)) => {
                    warn!(%error, order_id = %history.order.placed().order_id, "the order is left for later");
                    return Ok(Driven::NotNow);
                }
            }
        }
    }

    async fn catch_up(&self, history: &mut SwapHistory) -> Result<(), HistoryError> {
        loop {
            match history.catch_up(self.log).await {
                Err(HistoryError::Log(error)) => {
                    debug!(%error, "the history cannot be read yet");
                    sleep(PAUSE).await;
                }
                read => return read,
            }
        }
    }

    /// One step; true when nothing is left to do.
    async fn step(&self, history: &mut SwapHistory, ahead: &mut Ahead) -> Result<bool, AppendError> {
        let order = history.order.clone();
        match next(&order, now()) {
            Step::Begin(event) => {
                let quotes = self.effects.quotes(&order, order.attempt() + 1);
                reach(Boundary::BeforeBegin);
                let (appended, offers) = join(self.append(history, event), quotes).await;
                appended?;
                reach(Boundary::AfterBegin);
                ahead.offers = Some(offers);
            }
            Step::AskQuotes => {
                let offers = match ahead.offers.take() {
                    Some(offers) => offers,
                    None => self.effects.quotes(&order, order.attempt()).await,
                };
                let event = after_quotes(&order, &offers, &self.backoff, now());
                if let SwapEvent::Routed(routed) = event {
                    self.route(history, ahead, routed).await?;
                } else {
                    self.end_attempt(history, event).await?;
                }
            }
            Step::Build(routed) => {
                let built = match ahead.built.take() {
                    Some(built) => built,
                    None => self.effects.build(&order, &routed).await,
                };
                let event = after_build(&order, &routed, built, &self.backoff, now());
                reach(Boundary::BeforePrepared);
                self.append(history, event).await?;
                reach(Boundary::AfterPrepared);
            }
            Step::Deliver(prepared) => {
                let event = self.effects.deliver(&order, &prepared).await;
                self.end_attempt(history, event).await?;
            }
            Step::Wait(until) => {
                reach(Boundary::BeforeWait);
                sleep(until.since(now())).await;
                reach(Boundary::AfterWait);
            }
            Step::AskOperator(prepared) => {
                let reason = format!("whether {} landed cannot be decided", prepared.tx_id);
                park(self.log, PART, self.placed, Cause::Review, reason, now()).await?;
                return Ok(true);
            }
            Step::Ended => return Ok(true),
        }
        Ok(false)
    }

    /// The route goes on record while the transaction is being built.
    async fn route(
        &self,
        history: &mut SwapHistory,
        ahead: &mut Ahead,
        routed: Routed,
    ) -> Result<(), AppendError> {
        let order = history.order.clone();
        let build = self.effects.build(&order, &routed);
        reach(Boundary::BeforeRouted);
        let (appended, built) = join(self.append(history, SwapEvent::Routed(routed.clone())), build).await;
        appended?;
        reach(Boundary::AfterRouted);
        ahead.built = Some(built);
        Ok(())
    }

    /// An attempt's end, whichever it is.
    async fn end_attempt(&self, history: &mut SwapHistory, event: SwapEvent) -> Result<(), AppendError> {
        let (before, after) = match &event {
            SwapEvent::RetryScheduled(_) => (Boundary::BeforeRetry, Boundary::AfterRetry),
            SwapEvent::ReviewNeeded(_) => (Boundary::BeforeReview, Boundary::AfterReview),
            SwapEvent::Confirmed(_)
            | SwapEvent::Failed(_)
            | SwapEvent::Placed(_)
            | SwapEvent::RoutingStarted(_)
            | SwapEvent::Routed(_)
            | SwapEvent::Prepared(_) => (Boundary::BeforeEnd, Boundary::AfterEnd),
        };
        reach(before);
        self.append(history, event).await?;
        reach(after);
        let order = &history.order;
        info!(order_id = %order.placed().order_id, attempt = order.attempt(), status = %order.status(), "attempt over");
        Ok(())
    }

    /// Appends behind the last event known, and takes the event into the fold.
    async fn append(&self, history: &mut SwapHistory, event: SwapEvent) -> Result<(), AppendError> {
        let record =
            event_record(&event, swap_progress(event.order_id()), history.progress_seq, self.traceparent);
        history.progress_seq = self.log.append(record).await?;
        // The machine gives legal events only; a fold that refused one would be a defect of ours.
        history.order.apply(event).map_err(|error| AppendError::invalid(error.to_string()))
    }
}

/// An event as a record behind `after`.
pub(crate) fn event_record(
    event: &SwapEvent,
    subject: String,
    after: Seq,
    traceparent: Option<&str>,
) -> NewRecord {
    NewRecord {
        subject,
        after,
        event_id: Uuid::now_v7(),
        event_type: event.event_type().cloud_event_type(),
        time: event.at().to_string(),
        traceparent: traceparent.map(str::to_owned),
        retries: None,
        payload: event.encode().into(),
    }
}
