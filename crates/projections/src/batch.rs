//! Row changes of both sides.

use fillstream_domain::RecordRef;

use crate::{market::MarketBatch, rows::RowBatch};
use fillstream_domain::Seq;

/// Row changes of consecutive records, for one transaction.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Of swap orders.
    pub swaps: RowBatch,
    /// Of book orders and markets.
    pub market: MarketBatch,
    /// The records that these changes were made of, so that the rows can prove which stream they are of.
    pub records: Vec<RecordRef>,
}

impl Batch {
    /// First and last sequence; nothing when the batch is empty.
    #[must_use]
    pub fn span(&self) -> Option<(Seq, Seq)> {
        match (self.swaps.span(), self.market.span()) {
            (Some(swaps), Some(market)) => Some((swaps.0.min(market.0), swaps.1.max(market.1))),
            (swaps, market) => swaps.or(market),
        }
    }
}

impl From<RowBatch> for Batch {
    fn from(swaps: RowBatch) -> Self {
        Self { swaps, ..Self::default() }
    }
}

impl From<MarketBatch> for Batch {
    fn from(market: MarketBatch) -> Self {
        Self { market, ..Self::default() }
    }
}
