//! The rules of a simulated chain: pure. Time arrives, lines leave.
//!
//! ```text
//!  send ──▶ Sent ──(due)──▶ Landed | Reverted          everything that has arrived lands or reverts in time
//!    └────▶ Dropped ──(last block passed)──▶ Dead      nothing that is dead can arrive
//! ```

use std::time::Duration;

use fillstream_domain::{Atoms, Pair, Timestamp};

use crate::{
    Fault, Observation, SubmitOutcome, SwapTerms,
    faults::Dice,
    history::{Contradiction, Fate, History},
    line::{Genesis, Line, Sent},
    market::{Market, SwapError},
    transaction::{Transaction, TxId},
};

/// A chain: its past, and what may happen next.
#[derive(Debug)]
pub(crate) struct Chain {
    genesis: Genesis,
    history: History,
    /// Lines that this process has caused and not written yet.
    unwritten: Vec<Line>,
}

impl Chain {
    pub(crate) fn new(genesis: Genesis) -> Self {
        Self { genesis, history: History::new(genesis.venue), unwritten: Vec::new() }
    }

    /// The block that is being made now; the first one is 0.
    pub(crate) const fn height(&self) -> u64 {
        self.height_at(self.history.now())
    }

    const fn height_at(&self, at: u64) -> u64 {
        at / self.genesis.block_interval_ms
    }

    /// The last millisecond of a block.
    const fn end_of(&self, height: u64) -> u64 {
        height.saturating_add(1).saturating_mul(self.genesis.block_interval_ms).saturating_sub(1)
    }

    /// Age of the chain by a wall clock, in milliseconds.
    pub(crate) fn age_at(&self, wall: Timestamp) -> u64 {
        u64::try_from(wall.unix_ms().saturating_sub(self.genesis.began.unix_ms())).unwrap_or(0)
    }

    /// The latest time that the chain has seen, in milliseconds since it began.
    pub(crate) const fn now(&self) -> u64 {
        self.history.now()
    }

    /// Lets time pass up to `now`, and everything land that is due by then.
    pub(crate) fn advance(&mut self, now: u64) -> Result<(), Contradiction> {
        self.history.advance(now);
        self.land_due()
    }

    /// Proceeds of a swap now; nothing in the outer option when there is no such market.
    pub(crate) fn quote(&self, pair: Pair, amount_in: Atoms) -> Option<Result<Atoms, SwapError>> {
        let (market, side) = Market::find(self.genesis.venue, pair)?;
        Some(market.quote(self.genesis.venue, self.history.pool(market), side, amount_in))
    }

    /// Builds the transaction of an attempt at the present height.
    pub(crate) fn build(&self, terms: &SwapTerms, min_out: Atoms, life_blocks: u64) -> Transaction {
        let chain = (self.genesis.venue, self.genesis.began);
        Transaction::new(chain, terms, min_out, self.height(), life_blocks)
    }

    /// Takes a send in. What has arrived already is not taken in twice.
    pub(crate) fn send(
        &mut self,
        tx: TxId,
        transaction: Transaction,
        landing_delay_ms: u64,
        dice: &Dice,
    ) -> Result<SubmitOutcome, Contradiction> {
        let nth = self.history.sends(tx).saturating_add(1);
        match self.history.fate(tx) {
            Fate::UnderWay { .. } | Fate::Landed { .. } | Fate::Reverted { .. } => {}
            Fate::Unseen | Fate::Dead { .. } => {
                if let Some(reason) = self.refusal(&transaction) {
                    return Ok(SubmitOutcome::Rejected(reason));
                }
                self.take_in(tx, transaction, landing_delay_ms, (dice, nth))?;
            }
        }
        let lost = dice.strikes(Fault::LoseReply, &tx.to_string(), nth);
        let accepted = SubmitOutcome::Accepted;
        Ok(if lost { SubmitOutcome::Unknown("the reply was lost".to_owned()) } else { accepted })
    }

    /// Reason why a transaction that has not arrived can never do so. What is dead is expired: its proof has moved the time.
    fn refusal(&self, transaction: &Transaction) -> Option<String> {
        let (height, last) = (self.height(), transaction.last_valid_height);
        if transaction.genesis != self.genesis.began {
            Some("signed for another ledger".to_owned())
        } else if transaction.pair().is_none() {
            Some("unknown pair".to_owned())
        } else if height > last {
            Some(format!("expired: block {last} was its last, this is block {height}"))
        } else {
            None
        }
    }

    /// The first send of a transaction that gets through decides when it lands, and how.
    fn take_in(
        &mut self,
        tx: TxId,
        transaction: Transaction,
        landing_delay_ms: u64,
        (dice, nth): (&Dice, u32),
    ) -> Result<(), Contradiction> {
        let (at, subject) = (self.history.now(), tx.to_string());
        let end = self.end_of(transaction.last_valid_height);
        let due = at.saturating_add(landing_delay_ms);
        if due > end || dice.strikes(Fault::Drop, &subject, nth) {
            return self.record(Line::Dropped { at, tx, order_id: transaction.order_id });
        }
        let late = dice.strikes(Fault::LandLate, &subject, 1);
        let due = if late { due + dice.roll("landing", &subject, 1) % (end - due + 1) } else { due };
        let revert = dice.strikes(Fault::Revert, &subject, 1);
        self.record(Line::Sent(Sent { at, due, revert, tx, transaction }))?;
        self.land_due()
    }

    /// Final state of a transaction, when there is one.
    pub(crate) fn outcome(&self, tx: TxId) -> Option<Observation> {
        match self.history.fate(tx) {
            Fate::Unseen | Fate::UnderWay { .. } => None,
            Fate::Landed { at, amount_out } => {
                Some(Observation::Landed { amount_out: *amount_out, height: self.height_at(*at) })
            }
            Fate::Reverted { at, reason } => {
                Some(Observation::Reverted { reason: reason.clone(), height: self.height_at(*at) })
            }
            Fate::Dead { at } => Some(Observation::Dead { height: self.height_at(*at) }),
        }
    }

    /// State of a transaction. A death is recorded, so that no process takes the bytes any more, not even
    /// one whose clock is behind.
    pub(crate) fn observe(
        &mut self,
        tx: TxId,
        transaction: &Transaction,
    ) -> Result<Observation, Contradiction> {
        if let Some(outcome) = self.outcome(tx) {
            return Ok(outcome);
        }
        if let Fate::UnderWay { due, .. } = self.history.fate(tx) {
            let left = due.saturating_sub(self.history.now());
            return Ok(Observation::Pending { again_in: Some(Duration::from_millis(left)) });
        }
        if transaction.genesis != self.genesis.began {
            return Ok(Observation::Unknowable("signed for a ledger that is no more".to_owned()));
        }
        let height = self.height();
        if height <= transaction.last_valid_height {
            return Ok(Observation::NotSeen);
        }
        self.record(Line::Dead { at: self.history.now(), tx, order_id: transaction.order_id })?;
        Ok(Observation::Dead { height })
    }

    fn land_due(&mut self) -> Result<(), Contradiction> {
        while let Some(sent) = self.history.next_due() {
            let line = self.landing(sent);
            self.record(line)?;
        }
        Ok(())
    }

    /// Fate of a transaction whose time has come.
    fn landing(&self, sent: &Sent) -> Line {
        let Transaction { order_id, amount_in, min_out, .. } = sent.transaction;
        let (at, tx, venue) = (sent.due, sent.tx, self.genesis.venue);
        let reverted = |reason| Line::Reverted { at, tx, order_id, reason };
        if sent.revert {
            return reverted("reverted by a simulated fault".to_owned());
        }
        let Some((market, side)) = sent.transaction.pair().and_then(|pair| Market::find(venue, pair)) else {
            return reverted("no pool for this pair".to_owned());
        };
        match market.land(venue, self.history.pool(market), side, amount_in, min_out) {
            Ok((amount_out, pool)) => Line::Landed { at, tx, order_id, amount_out, pool },
            Err(reason) => reverted(reason),
        }
    }

    /// Lines to write, in order. The caller must write them all or forget this chain.
    pub(crate) fn take_unwritten(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.unwritten)
    }

    fn record(&mut self, line: Line) -> Result<(), Contradiction> {
        self.history.apply(line.clone())?;
        self.unwritten.push(line);
        Ok(())
    }

    /// Takes a line in that was read from the file.
    pub(crate) fn apply(&mut self, line: Line) -> Result<(), Contradiction> {
        self.history.apply(line)
    }
}

#[cfg(test)]
mod tests;
