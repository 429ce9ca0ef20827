//! A swap order as the stream tells it.

use fillstream_domain::{
    OrderId, Seq,
    subject::{swap_placed, swap_progress},
    swap::{DecodeError, IllegalEvent, SwapEvent, SwapOrder},
};
use fillstream_event_log::{Consistency, EventLog, LogError, Record};
use fillstream_parked::is_left_out;

use crate::run::PART;

/// An order with the fence for its next event.
#[derive(Debug, Clone)]
pub struct SwapHistory {
    /// The order, folded.
    pub order: SwapOrder,
    /// The sequence of its placed event.
    pub placed_seq: Seq,
    /// The last sequence of its progress subject; [`Seq::ZERO`] when there is none.
    pub progress_seq: Seq,
}

/// Why an order cannot be folded from its history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The stream cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// There is no such order.
    #[error("there is no swap order {0}")]
    Unknown(OrderId),
    /// A record is no event.
    #[error("the record at sequence {seq} cannot be read: {source}")]
    Unreadable {
        /// Its sequence.
        seq: Seq,
        /// Why.
        source: DecodeError,
    },
    /// A record is an event of another order, or no placed event where one must be.
    #[error("the record at sequence {0} does not belong there")]
    Misplaced(Seq),
    /// An event that cannot follow.
    #[error("the event at sequence {seq} breaks the life cycle: {source}")]
    Illegal {
        /// Its sequence.
        seq: Seq,
        /// Why.
        source: IllegalEvent,
    },
}

impl HistoryError {
    /// The sequence of the record that is in the way, if it is one.
    #[must_use]
    pub const fn seq(&self) -> Option<Seq> {
        match self {
            Self::Log(_) | Self::Unknown(_) => None,
            Self::Unreadable { seq, .. } | Self::Misplaced(seq) | Self::Illegal { seq, .. } => Some(*seq),
        }
    }
}

impl SwapHistory {
    /// An order right after its placed event.
    ///
    /// # Errors
    /// When the record is not the placed event of its subject's order.
    pub fn from_placed(order: OrderId, record: &Record) -> Result<Self, HistoryError> {
        match decode(record)? {
            SwapEvent::Placed(placed) if placed.order_id == order => {
                Ok(Self { order: SwapOrder::new(placed), placed_seq: record.seq, progress_seq: Seq::ZERO })
            }
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

    /// Takes the next record in.
    ///
    /// # Errors
    /// When it is no event, not of this order, or cannot follow.
    pub fn apply(&mut self, record: &Record) -> Result<(), HistoryError> {
        let event = decode(record)?;
        if event.order_id() != self.order.placed().order_id {
            return Err(HistoryError::Misplaced(record.seq));
        }
        self.order.apply(event).map_err(|source| HistoryError::Illegal { seq: record.seq, source })?;
        self.progress_seq = record.seq;
        Ok(())
    }

    /// Reads what the stream has behind the last event known, from the leader: the next fence rests on it. A record that
    /// cannot be applied and that an operator has dealt with is left out.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn catch_up(&mut self, log: &dyn EventLog) -> Result<(), HistoryError> {
        let progress = swap_progress(self.order.placed().order_id);
        loop {
            let page = log.read(&progress, self.progress_seq.next(), Consistency::Leader).await?;
            for record in &page.records {
                if let Err(problem) = self.apply(record) {
                    if !is_left_out(log, PART, record.seq).await? {
                        return Err(problem);
                    }
                    self.progress_seq = record.seq;
                }
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}

fn decode(record: &Record) -> Result<SwapEvent, HistoryError> {
    SwapEvent::decode(&record.payload).map_err(|source| HistoryError::Unreadable { seq: record.seq, source })
}

/// Reads an order from the stream.
///
/// # Errors
/// See [`HistoryError`].
pub async fn read_history(log: &dyn EventLog, order: OrderId) -> Result<SwapHistory, HistoryError> {
    // An order is placed once, by the first record; what stands behind it is not its event.
    let placed = log.read(&swap_placed(order), Seq::FIRST, Consistency::Leader).await?.records;
    let placed = placed.first().ok_or(HistoryError::Unknown(order))?;
    let mut history = SwapHistory::from_placed(order, placed)?;
    history.catch_up(log).await?;
    Ok(history)
}
