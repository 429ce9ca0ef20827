//! A swap order as the stream tells it.
//!
//! ```text
//!  …placed:    first record ── parked and retried? ──▶ its repetition ──▶ the terms
//!  …progress:  record, record, … each applied, or left out because an operator has dealt with it
//! ```

use fillstream_domain::{
    OrderId, RecordRef, Seq, TraceParent,
    parked::Closing,
    subject::{swap_placed, swap_progress},
    swap::{DecodeError, IllegalEvent, SwapEvent, SwapOrder},
};
use fillstream_event_log::{Consistency, EventLog, LogError, Page, Record};
use fillstream_parked::closing;
use futures_util::future::{try_join, try_join_all};

use crate::PART;

/// Parked entries that are asked for at the same time.
const ASKED_AT_ONCE: usize = 32;

/// An order with the fence for its next event.
#[derive(Debug, Clone)]
pub struct SwapHistory {
    /// The order, folded.
    pub order: SwapOrder,
    /// The sequence of its placed event.
    pub placed_seq: Seq,
    /// The last sequence of its progress subject; [`Seq::ZERO`] when there is none.
    pub progress_seq: Seq,
    /// The trace that the order belongs to, from its placed event.
    pub traceparent: Option<TraceParent>,
    /// The records that tell of signed transactions, those that were left out among them.
    pub signed: Vec<RecordRef>,
}

/// Reasons why an order cannot be folded from its history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The stream cannot be read.
    #[error("the order's history cannot be read")]
    Log(#[from] LogError),
    /// There is no such order.
    #[error("there is no swap order {0}")]
    Unknown(OrderId),
    /// An operator has left its placed event out for good.
    #[error("swap order {0} was left out: its placed event could not be read, and an operator skipped it")]
    LeftOut(OrderId),
    /// The record that should place it does not; it holds the order up as a whole.
    #[error("the order's placed event is none")]
    Unplaced(#[source] Box<HistoryError>),
    /// A record is no event.
    #[error("the record at sequence {seq} cannot be read")]
    Unreadable {
        /// Its sequence.
        seq: Seq,
        /// Cause.
        source: DecodeError,
    },
    /// A record is an event of another order, or no placed event where one must be.
    #[error("the record at sequence {0} does not belong there")]
    Misplaced(Seq),
    /// An event that cannot follow.
    #[error("the event at sequence {seq} breaks the life cycle")]
    Illegal {
        /// Its sequence.
        seq: Seq,
        /// Cause.
        source: IllegalEvent,
    },
}

impl HistoryError {
    /// The sequence of the record that is in the way, if it is one.
    #[must_use]
    pub const fn seq(&self) -> Option<Seq> {
        match self {
            Self::Log(_) | Self::Unknown(_) | Self::LeftOut(_) => None,
            Self::Unplaced(problem) => problem.seq(),
            Self::Unreadable { seq, .. } | Self::Misplaced(seq) | Self::Illegal { seq, .. } => Some(*seq),
        }
    }
}

impl SwapHistory {
    /// An order right after its placed event.
    fn from_placed(order: OrderId, record: &Record) -> Result<Self, HistoryError> {
        match decode(record)? {
            SwapEvent::Placed(placed) if placed.order_id == order => Ok(Self {
                order: SwapOrder::new(placed),
                placed_seq: record.seq,
                progress_seq: Seq::ZERO,
                traceparent: record.traceparent,
                signed: Vec::new(),
            }),
            SwapEvent::Placed(_)
            | SwapEvent::RoutingStarted(_)
            | SwapEvent::Routed(_)
            | SwapEvent::Prepared(_)
            | SwapEvent::RetryScheduled(_)
            | SwapEvent::ReviewNeeded(_)
            | SwapEvent::Confirmed(_)
            | SwapEvent::Failed(_) => Err(HistoryError::Misplaced(record.seq)),
        }
    }

    /// Takes the next record in, or passes it by when an operator has dealt with it: it is never applied at its old place,
    /// also by a version that could read it.
    fn take(&mut self, record: &Record, dealt_with: bool) -> Result<(), HistoryError> {
        let mine = |event: &SwapEvent| event.order_id() == self.order.placed().order_id;
        let event = decode(record);
        if matches!(event, Ok(SwapEvent::Prepared(_))) {
            self.signed.push(record.reference());
        }
        if dealt_with {
            self.order.leave_out(record.seq, event.ok().filter(mine).as_ref());
        } else {
            let event = Some(event?).filter(mine).ok_or(HistoryError::Misplaced(record.seq))?;
            self.order.apply(event).map_err(|source| HistoryError::Illegal { seq: record.seq, source })?;
        }
        self.progress_seq = record.seq;
        Ok(())
    }

    async fn take_page(&mut self, log: &dyn EventLog, page: &Page) -> Result<(), HistoryError> {
        for records in page.records.chunks(ASKED_AT_ONCE) {
            let asked: Vec<_> = records.iter().map(|record| closing(log, PART, record.seq)).collect();
            for (record, closing) in records.iter().zip(try_join_all(asked).await?) {
                self.take(record, closing.is_some())?;
            }
        }
        Ok(())
    }

    /// Reads what the stream has behind the last event known, from the leader: the next fence rests on it.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn catch_up(&mut self, log: &dyn EventLog) -> Result<(), HistoryError> {
        let progress = swap_progress(self.order.placed().order_id);
        loop {
            let page = log.read(&progress, self.progress_seq.next(), Consistency::Leader).await?;
            self.take_page(log, &page).await?;
            if !page.more {
                return Ok(());
            }
        }
    }
}

fn decode(record: &Record) -> Result<SwapEvent, HistoryError> {
    SwapEvent::decode(&record.payload).map_err(|source| HistoryError::Unreadable { seq: record.seq, source })
}

/// Reads an order from the stream, by its leader.
///
/// # Errors
/// See [`HistoryError`].
pub async fn read_history(log: &dyn EventLog, order: OrderId) -> Result<SwapHistory, HistoryError> {
    let progress = swap_progress(order);
    let (placed, begin) = try_join(placed(log, order), async {
        Ok(log.read(&progress, Seq::FIRST, Consistency::Leader).await?)
    })
    .await?;
    let unplaced = |problem| HistoryError::Unplaced(Box::new(problem));
    let mut history = SwapHistory::from_placed(order, &placed).map_err(unplaced)?;
    history.take_page(log, &begin).await?;
    if begin.more {
        history.catch_up(log).await?;
    }
    Ok(history)
}

/// The record that places an order: the first of its subject, which an operator may have had repeated. Whatever a foreign
/// writer puts behind it has no say.
async fn placed(log: &dyn EventLog, order: OrderId) -> Result<Record, HistoryError> {
    let subject = swap_placed(order);
    let first = log.first(&subject, Consistency::Leader).await?;
    let mut record = first.ok_or(HistoryError::Unknown(order))?;
    loop {
        let Some(closed) = closing(log, PART, record.seq).await? else {
            if decode(&record).is_ok() {
                return Ok(record);
            }
            // The entry of a record that is tried again is closed behind its repetition, which may be here before that.
            match repetition(log, &subject, &record).await? {
                Some(again) => record = again,
                None => return Ok(record),
            }
            continue;
        };
        match (closed.closing, closed.retried_as) {
            // The entry of an order that was decided; the event itself is good.
            (Closing::Resolved, _) => return Ok(record),
            (Closing::Skipped, _) | (Closing::Retried, None) => return Err(HistoryError::LeftOut(order)),
            (Closing::Retried, Some(again)) => {
                let page = log.read(&subject, again, Consistency::Leader).await?;
                let again = page.records.into_iter().next().filter(|found| found.seq == again);
                record = again.ok_or(HistoryError::LeftOut(order))?;
            }
        }
    }
}

/// The record of a subject that repeats this one.
async fn repetition(log: &dyn EventLog, subject: &str, of: &Record) -> Result<Option<Record>, LogError> {
    let behind = log.read(subject, of.seq.next(), Consistency::Leader).await?;
    Ok(behind.records.into_iter().find(|record| record.retries == Some(of.seq)))
}
