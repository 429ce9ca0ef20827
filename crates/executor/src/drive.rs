//! One order, from wherever it stands to its end.

use std::time::Duration;

use fillstream_clock::WallClock;
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{
    OrderId, RecordId, RecordRef, Seq, TraceParent, VenueId,
    parked::Cause,
    subject::{swap_placed, swap_progress},
    swap::{Phase, Routed, SwapEvent},
};
use fillstream_event_log::{AppendError, EventLog, LogError, NewRecord};
use fillstream_parked::park_at;
use fillstream_retry::{Obstacles, Retry, chain};
use fillstream_swap_machine::{
    Backoff, Built, Offer, Pause, Signed, Step, Transaction, after_build, after_quotes, lost, next,
};
use futures_util::future::join;
use tokio::time::{Instant, sleep_until};
use tracing::{Span, debug, error, field::display, info, warn};
use uuid::Uuid;

use crate::{
    PART, SwapHistory,
    agenda::Agenda,
    effects::Effects,
    hand::{Hand, Room},
    history::{HistoryError, read_history},
};

/// First and longest pause before the stream is asked again that could not be reached.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Ports and settings for driving an order.
pub(crate) struct Drive<'a> {
    pub(crate) log: &'a dyn EventLog,
    pub(crate) effects: &'a Effects,
    pub(crate) room: &'a Room,
    pub(crate) hand: &'a Hand,
    pub(crate) agenda: &'a Agenda,
    pub(crate) obstacles: &'a Obstacles,
    pub(crate) clock: &'a WallClock,
    pub(crate) backoff: Backoff,
    /// A longer pause is not sat out: the order is released, and taken up again when the pause is over.
    pub(crate) hold: Duration,
}

/// Progress of an order that was driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driven {
    /// To its end at this place, or an operator has left it out for good ([`Seq::ZERO`]).
    Ended(Seq),
    /// Nowhere: the stream does not hold it.
    Gone,
    /// Onto the operators' list: an event will say what was decided.
    WithOperator,
    /// To a record that cannot be applied and is parked: an operator has it left out, or tried again.
    HeldUp,
    /// To a pause before the next attempt, told of by the record at `retry`.
    Pausing {
        /// The record.
        retry: Seq,
        /// Pause that is left.
        left: Duration,
    },
    /// To a step at a venue that is not configured here: another executor may have it.
    Elsewhere(VenueId),
    /// To a transaction at a venue where too many are undecided already.
    Crowded,
    /// The log takes nothing at the moment.
    NotNow,
}

/// An order in hand.
struct Held {
    history: SwapHistory,
    /// Answers that came in while their announcement was being appended: asking and signing move nothing, so they
    /// need not wait for the log.
    offers: Option<Vec<Offer>>,
    built: Option<Result<Built, String>>,
    /// End of the pause that the record at this sequence tells of.
    pause: Option<(Seq, Instant)>,
}

/// Reasons why a step was not done.
enum Interrupted {
    Append(AppendError),
    Over(Driven),
}

impl From<AppendError> for Interrupted {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

impl Drive<'_> {
    /// Drives an order until it has ended, or cannot go on here and now. It begins at what the stream holds: a crash and a
    /// first delivery share this road.
    pub(crate) async fn to_the_end(&self, order: OrderId) -> Driven {
        match self.try_to_the_end(order).await {
            Ok(driven) => driven,
            Err(problem) => self.put_aside(order, &problem).await,
        }
    }

    async fn try_to_the_end(&self, order: OrderId) -> Result<Driven, HistoryError> {
        let history = self.read(order).await?;
        reach(Boundary::HistoryRead);
        if let Some(trace) = history.traceparent {
            Span::current().record("trace_id", display(trace.trace_id()));
        }
        let mut held = Held { history, offers: None, built: None, pause: None };
        let mut attempt = None;
        loop {
            let now = held.history.order.attempt();
            // Each recording of a field is printed once more in every line of the span.
            if attempt.replace(now) != Some(now) {
                Span::current().record("attempt", now);
            }
            let error = match self.step(&mut held).await {
                Ok(()) => continue,
                Err(Interrupted::Over(driven)) => return Ok(driven),
                Err(Interrupted::Append(error)) => error,
            };
            match &error {
                // Whoever was first lies behind the fence.
                AppendError::Fenced { last } if *last < held.history.progress_seq => {
                    warn!(%last, "the stream has lost what was known of the order: its history is read anew later");
                    return Ok(Driven::NotNow);
                }
                AppendError::Fenced { last } => {
                    debug!(%last, "the append lost its fence to another executor")
                }
                AppendError::Unknown => {
                    warn!("whether an append was stored is not known: the history is read again")
                }
                AppendError::Full(_) | AppendError::Refused(_) | AppendError::Closed => {
                    warn!(error = %chain(&error), "an append was refused: the order is released for later");
                    return Ok(Driven::NotNow);
                }
            }
            (held.offers, held.built) = (None, None);
            self.catch_up(&mut held.history).await?;
        }
    }

    /// Reads an order's history, again and again while the stream cannot be reached.
    async fn read(&self, order: OrderId) -> Result<SwapHistory, HistoryError> {
        let mut retry = reading();
        loop {
            match read_history(self.log, order).await {
                Err(HistoryError::Log(error @ LogError::Unreachable(_))) => retry.failed(&error).await,
                read => {
                    retry.done();
                    return read;
                }
            }
        }
    }

    /// Reads what the stream has behind the last event known, as patiently.
    async fn catch_up(&self, history: &mut SwapHistory) -> Result<(), HistoryError> {
        let mut retry = reading();
        loop {
            match history.catch_up(self.log).await {
                Err(HistoryError::Log(error @ LogError::Unreachable(_))) => retry.failed(&error).await,
                read => {
                    retry.done();
                    return read;
                }
            }
        }
    }

    async fn step(&self, held: &mut Held) -> Result<(), Interrupted> {
        let order = held.history.order.clone();
        self.agenda.alive(order.placed().order_id);
        let known = || self.agenda.lost(order.placed().order_id, &held.history.signed);
        let signed = match (known(), order.phase()) {
            // Its next record is a transaction.
            (None, Phase::Building(_)) => {
                self.agenda.recalled().await;
                known()
            }
            (known, _) => known,
        };
        if let Some(signed) = signed {
            // Should the record only not have been read yet, the fence says so.
            if let Some(event) = lost(&order, &signed, (self.clock)()) {
                error!(record = %signed.record, "the stream has lost a transaction that may have been sent: an operator must decide");
                return Ok(self.end_attempt(held, event).await?);
            }
        }
        match next(&order, (self.clock)(), self.pause_left(held)) {
            Step::Begin(event) => {
                let quotes = self.effects.quotes(&order, order.attempt() + 1);
                reach(Boundary::BeforeBegin);
                let (appended, offers) = join(self.append(held, event), quotes).await;
                appended?;
                reach(Boundary::AfterBegin);
                held.offers = Some(offers);
            }
            Step::AskQuotes => {
                let offers = match held.offers.take() {
                    Some(offers) => offers,
                    None => self.effects.quotes(&order, order.attempt()).await,
                };
                let event = after_quotes(&order, &offers, &self.backoff, (self.clock)());
                if let SwapEvent::Routed(routed) = event {
                    self.route(held, routed).await?;
                } else {
                    self.end_attempt(held, event).await?;
                }
            }
            Step::Build(routed) => {
                let built = match held.built.take() {
                    Some(built) => built,
                    None => {
                        self.is_here(routed.venue)?;
                        self.effects.build(&order, &routed).await
                    }
                };
                let event = after_build(&order, &routed, built, &self.backoff, (self.clock)());
                reach(Boundary::BeforePrepared);
                self.append(held, event).await?;
                reach(Boundary::AfterPrepared);
            }
            Step::Deliver(prepared) => {
                self.is_here(prepared.venue)?;
                if !self.hand.go_to(prepared.venue, self.room) {
                    return Err(Interrupted::Over(Driven::Crowded));
                }
                if let Some(record) = held.history.signed.last().copied() {
                    let transaction = Transaction { venue: prepared.venue, tx_id: prepared.tx_id.clone() };
                    self.agenda.remember(prepared.order_id, Signed { record, transaction });
                }
                let alive = || self.agenda.alive(prepared.order_id);
                let event = self.effects.deliver(&order, &prepared, alive).await;
                self.end_attempt(held, event).await?;
            }
            Step::Wait(left) => self.wait(held, left).await?,
            Step::CallOperator(event) => {
                warn!("a record was left out that may tell of a transaction: an operator must decide");
                self.end_attempt(held, event).await?;
            }
            Step::AskOperator(in_doubt) => {
                let tx_id = in_doubt.tx_id.unwrap_or_else(|| "an unknown transaction".to_owned());
                let reason = format!("whether {tx_id} landed cannot be decided");
                let id = order.placed().order_id;
                let place = (held.history.placed_seq, &*swap_placed(id));
                park_at(self.log, PART, place, Cause::Review, reason, (self.clock)()).await?;
                return Err(Interrupted::Over(Driven::WithOperator));
            }
            Step::Ended => return Err(Interrupted::Over(Driven::Ended(held.history.progress_seq))),
        }
        Ok(())
    }

    /// Rest of the pause before the next attempt, as far as this process has heard of it before.
    fn pause_left(&self, held: &Held) -> Pause {
        let retry = held.history.progress_seq;
        let known = held.pause.filter(|(seq, _)| *seq == retry).map(|(_, over)| over);
        let heard = || self.agenda.pause_over_at(held.history.order.placed().order_id, retry);
        known
            .or_else(heard)
            .map_or(Pause::AsRecorded, |over| Pause::Left(over.saturating_duration_since(Instant::now())))
    }

    fn is_here(&self, venue: VenueId) -> Result<(), Interrupted> {
        if self.effects.has(venue) { Ok(()) } else { Err(Interrupted::Over(Driven::Elsewhere(venue))) }
    }

    /// Sits out what is left of a pause, or releases the order when that is long. What counts is how long ago this process
    /// heard of the retry, by a clock that nobody sets.
    async fn wait(&self, held: &mut Held, left: Duration) -> Result<(), Interrupted> {
        let (retry, over) = (held.history.progress_seq, Instant::now() + left);
        held.pause = Some((retry, over));
        if left > self.hold {
            return Err(Interrupted::Over(Driven::Pausing { retry, left }));
        }
        reach(Boundary::BeforeWait);
        sleep_until(over).await;
        reach(Boundary::AfterWait);
        Ok(())
    }

    /// The route goes on record while the transaction is being built.
    async fn route(&self, held: &mut Held, routed: Routed) -> Result<(), AppendError> {
        let order = held.history.order.clone();
        let build = self.effects.build(&order, &routed);
        reach(Boundary::BeforeRouted);
        let (appended, built) = join(self.append(held, SwapEvent::Routed(routed.clone())), build).await;
        appended?;
        reach(Boundary::AfterRouted);
        held.built = Some(built);
        Ok(())
    }

    /// An attempt's end, whichever it is.
    async fn end_attempt(&self, held: &mut Held, event: SwapEvent) -> Result<(), AppendError> {
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
        self.append(held, event).await?;
        reach(after);
        info!(status = %held.history.order.status(), "attempt over");
        Ok(())
    }

    /// Appends behind the last event known, and takes the event into the fold.
    async fn append(&self, held: &mut Held, event: SwapEvent) -> Result<(), AppendError> {
        let decided = Instant::now();
        let history = &mut held.history;
        let subject = swap_progress(event.order_id());
        let record = event_record(&event, subject, history.progress_seq, history.traceparent);
        let id = RecordId::Event(record.event_id);
        history.progress_seq = self.log.append(record).await?;
        if matches!(event, SwapEvent::Prepared(_)) {
            history.signed.push(RecordRef { seq: history.progress_seq, id });
        }
        // The machine gives legal events only; a fold that refused one would be a defect of ours.
        history.order.apply(event).map_err(|error| AppendError::invalid(error.to_string()))?;
        if let Phase::Waiting { delay, .. } = history.order.phase() {
            held.pause = Some((history.progress_seq, decided + *delay));
        }
        Ok(())
    }

    /// Puts the record on the operators' list that is in the way. It holds the order up until an operator has dealt with it
    /// or a version comes that can read it.
    async fn put_aside(&self, order: OrderId, problem: &HistoryError) -> Driven {
        let (seq, subject, driven) = match problem {
            HistoryError::LeftOut(_) => return Driven::Ended(Seq::ZERO),
            HistoryError::Unknown(_) => {
                warn!(error = %chain(problem), "the order is forgotten: the stream has lost it");
                return Driven::Gone;
            }
            HistoryError::Log(_) => {
                warn!(error = %chain(problem), "the order is released for later");
                return Driven::NotNow;
            }
            HistoryError::Unplaced(problem) => {
                let Some(seq) = problem.seq() else { return Driven::NotNow };
                (seq, swap_placed(order), Driven::HeldUp)
            }
            HistoryError::Unreadable { seq, .. }
            | HistoryError::Misplaced(seq)
            | HistoryError::Illegal { seq, .. } => (*seq, swap_progress(order), Driven::HeldUp),
        };
        let reason = chain(problem).to_string();
        let parked = put_aside(self.log, (seq, &subject), &reason, self.clock, self.obstacles).await;
        if parked { driven } else { Driven::NotNow }
    }
}

fn reading() -> Retry {
    Retry::new("executor: order's history not read", PAUSES.0, PAUSES.1)
}

/// Parks a record that cannot be read; false when the log takes nothing at the moment.
pub(crate) async fn put_aside(
    log: &dyn EventLog,
    (seq, subject): (Seq, &str),
    reason: &str,
    clock: &WallClock,
    obstacles: &Obstacles,
) -> bool {
    let mut retry = Retry::new("executor: parked entry not written", PAUSES.0, PAUSES.1).shown_in(obstacles);
    loop {
        match park_at(log, PART, (seq, subject), Cause::Unreadable, reason.to_owned(), clock()).await {
            Ok(true) => {
                warn!(%seq, subject, reason, "a record is parked");
                return true;
            }
            Ok(false) => return true,
            Err(error @ AppendError::Unknown) => retry.failed(&error).await,
            Err(error) => {
                warn!(error = %chain(&error), %seq, subject, "a record could not be parked");
                return false;
            }
        }
    }
}

/// An event as a record behind `after`.
pub(crate) fn event_record(
    event: &SwapEvent,
    subject: String,
    after: Seq,
    traceparent: Option<TraceParent>,
) -> NewRecord {
    NewRecord {
        subject,
        after,
        event_id: Uuid::now_v7(),
        event_type: event.event_type().cloud_event_type(),
        time: event.at().to_string(),
        traceparent: traceparent.map(|trace| trace.to_string()),
        retries: None,
        payload: event.encode().into(),
    }
}
