//! Counts executions per order from the ledgers' files alone, without a word from the executor.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use fillstream_domain::{OrderId, VenueId};

use crate::{
    LedgerError,
    ledger::path_of,
    line::{Line, Sent},
};

/// Executions of one order by the venues, all attempts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Executions {
    /// Different transactions that arrived.
    pub sent: u32,
    /// Sends that got lost on the way.
    pub dropped: u32,
    /// Transactions that executed the swap. More than one is what must never happen.
    pub landed: u32,
    /// Transactions that reverted.
    pub reverted: u32,
    /// Transactions that were proved dead.
    pub dead: u32,
}

impl Executions {
    /// Transactions that have arrived and will still land or revert.
    #[must_use]
    pub const fn under_way(&self) -> u32 {
        self.sent.saturating_sub(self.landed.saturating_add(self.reverted))
    }
}

/// Statements of all ledgers of a directory about every order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    orders: BTreeMap<OrderId, Executions>,
}

impl Audit {
    /// Reads the ledgers of both venues. It takes no lock and changes nothing; an unfinished last line is left out.
    ///
    /// # Errors
    /// When a ledger is missing or unreadable.
    pub fn read(dir: &Path) -> Result<Self, LedgerError> {
        let mut audit = Self::default();
        for venue in VenueId::ALL {
            audit.read_ledger(&path_of(dir, venue))?;
        }
        Ok(audit)
    }

    /// Executions of an order; all zero when the venues have never heard of it.
    #[must_use]
    pub fn order(&self, order: OrderId) -> Executions {
        self.orders.get(&order).copied().unwrap_or_default()
    }

    /// All orders that the venues have heard of.
    pub fn orders(&self) -> impl Iterator<Item = (OrderId, Executions)> {
        self.orders.iter().map(|(order, executions)| (*order, *executions))
    }

    /// The orders that were executed more than once.
    pub fn executed_twice(&self) -> impl Iterator<Item = OrderId> {
        self.orders().filter(|(_, executions)| executions.landed > 1).map(|(order, _)| order)
    }

    fn read_ledger(&mut self, path: &Path) -> Result<(), LedgerError> {
        let io = |source| LedgerError::Io { path: path.to_owned(), source };
        let mut reader = BufReader::new(File::open(path).map_err(io)?);
        let mut text = Vec::new();
        for number in 1.. {
            text.clear();
            reader.read_until(b'\n', &mut text).map_err(io)?;
            if text.last() != Some(&b'\n') {
                break;
            }
            let line = serde_json::from_slice(&text).map_err(|error| LedgerError::Corrupt {
                path: path.to_owned(),
                line: number,
                reason: error.to_string(),
            })?;
            self.count(&line);
        }
        Ok(())
    }

    fn count(&mut self, line: &Line) {
        let (order_id, counter): (_, fn(&mut Executions) -> &mut u32) = match line {
            Line::Genesis(_) => return,
            Line::Sent(Sent { transaction, .. }) => (transaction.order_id, |of| &mut of.sent),
            Line::Dropped { order_id, .. } => (*order_id, |of| &mut of.dropped),
            Line::Landed { order_id, .. } => (*order_id, |of| &mut of.landed),
            Line::Reverted { order_id, .. } => (*order_id, |of| &mut of.reverted),
            Line::Dead { order_id, .. } => (*order_id, |of| &mut of.dead),
        };
        *counter(self.orders.entry(order_id).or_default()) += 1;
    }
}
