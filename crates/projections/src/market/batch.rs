//! Consecutive records of the market's side as row changes, merged to one change for each order, level and market.

use std::collections::BTreeMap;

use fillstream_domain::book::{BookPlaced, BookStatus, Commit, Definition, InputResult, Side, Symbol};
use fillstream_domain::{Amount, OrderId, Seq};

use super::{
    BookOrderPatch, BookOrderRow, DefinitionRow, LevelRow, MarketPatch, TradeRow, UserUpdateRow, messages,
};
use crate::column::storable;

/// See the module. A commit counts at its final part's sequence: before that nobody knows of it.
#[derive(Debug, Clone, Default)]
pub struct MarketBatch {
    placed: BTreeMap<OrderId, BookOrderRow>,
    patches: BTreeMap<OrderId, BookOrderPatch>,
    updates: Vec<UserUpdateRow>,
    trades: Vec<TradeRow>,
    levels: BTreeMap<(Symbol, Side, Amount), LevelRow>,
    definitions: Vec<DefinitionRow>,
    markets: BTreeMap<Symbol, MarketPatch>,
    span: Option<(Seq, Seq)>,
}

impl MarketBatch {
    /// Takes a placed event in. Of two with one id the first counts, here as in the read model.
    pub fn placed(&mut self, seq: Seq, placed: &BookPlaced) {
        self.reach(seq);
        self.placed.entry(placed.order_id).or_insert_with(|| BookOrderRow::new(seq, placed));
    }

    /// Takes a definition in. It is in force once a commit says so.
    pub fn definition(&mut self, seq: Seq, definition: Definition) {
        self.reach(seq);
        self.definitions.push(DefinitionRow { seq, definition });
    }

    /// Takes a complete commit in: all its parts with their sequences. Nothing happens without parts.
    pub fn commit<C: AsRef<Commit>>(&mut self, parts: &[(Seq, C)]) {
        let Some((end, last)) = parts.last() else { return };
        let last = last.as_ref();
        self.reach(*end);
        let mut patch = MarketPatch {
            symbol: last.symbol.clone(),
            definition_seq: None,
            commit_seq: *end,
            last_input: last.last_input,
            hash: last.hash.as_deref().map(storable),
            market_time: None,
            depth_seq: None,
            depth_index: None,
        };
        let mut changed = false;
        for (seq, part) in parts {
            self.part(*seq, part.as_ref());
            market(&mut patch, &mut changed, *seq, part.as_ref());
        }
        match self.markets.get_mut(&patch.symbol) {
            Some(former) => former.merge(patch),
            None => drop(self.markets.insert(patch.symbol.clone(), patch)),
        }
    }

    fn part(&mut self, seq: Seq, part: &Commit) {
        let told = messages(seq, part);
        for message in &told.orders {
            self.updates.push(message.into());
            self.patch(message.into());
        }
        self.trades.extend(told.trades.into_iter().map(TradeRow::from));
        for outcome in &part.outcomes {
            for (side, levels) in [(Side::Buy, &outcome.levels.bids), (Side::Sell, &outcome.levels.asks)] {
                for &(price, quantity) in levels {
                    let symbol = part.symbol.clone();
                    let row = LevelRow { symbol: symbol.clone(), side, price, quantity, seq };
                    self.levels.insert((symbol, side, price), row);
                }
            }
        }
    }

    /// The last change counts, except a refusal: see [`BookOrderRow::take`].
    fn patch(&mut self, patch: BookOrderPatch) {
        let changed = self.patches.contains_key(&patch.order_id);
        if !(changed && patch.status == BookStatus::Rejected) {
            self.patches.insert(patch.order_id, patch);
        }
    }

    fn reach(&mut self, seq: Seq) {
        let first = self.span.map_or(seq, |(first, _)| first);
        self.span = Some((first, seq));
    }

    /// Rows of the orders placed in this batch, later changes taken in.
    pub fn new_orders(&self) -> impl Iterator<Item = BookOrderRow> {
        self.placed.iter().map(|(id, row)| {
            let mut row = row.clone();
            if let Some(patch) = self.patches.get(id) {
                row.take(patch);
            }
            row
        })
    }

    /// Changes of orders that were placed before this batch.
    pub fn changes(&self) -> impl Iterator<Item = &BookOrderPatch> {
        self.all_changes().filter(|patch| !self.placed.contains_key(&patch.order_id))
    }

    /// [`changes`](Self::changes) and those that [`new_orders`](Self::new_orders) has taken in.
    pub fn all_changes(&self) -> impl Iterator<Item = &BookOrderPatch> {
        self.patches.values()
    }

    /// Messages of users' channels, in order.
    #[must_use]
    pub fn updates(&self) -> &[UserUpdateRow] {
        &self.updates
    }

    /// Trades, in order.
    #[must_use]
    pub fn trades(&self) -> &[TradeRow] {
        &self.trades
    }

    /// Levels that are not what they were; those with quantity 0 are gone.
    pub fn levels(&self) -> impl Iterator<Item = &LevelRow> {
        self.levels.values()
    }

    /// Definitions that were asked for.
    #[must_use]
    pub fn definitions(&self) -> &[DefinitionRow] {
        &self.definitions
    }

    /// Markets with commits in this batch.
    pub fn markets(&self) -> impl Iterator<Item = &MarketPatch> {
        self.markets.values()
    }

    /// First and last sequence; nothing when the batch is empty.
    #[must_use]
    pub const fn span(&self) -> Option<(Seq, Seq)> {
        self.span
    }
}

/// Takes a part into its commit's change of the market. `changed` says whether an input that goes on has changed a level
/// in an earlier part: its depth message is numbered where it ends.
fn market(patch: &mut MarketPatch, changed: &mut bool, seq: Seq, part: &Commit) {
    let mut depth = None;
    for outcome in &part.outcomes {
        patch.market_time = Some(outcome.at);
        if outcome.result == InputResult::Defined {
            patch.definition_seq = Some(outcome.seq);
        }
        *changed |= !outcome.levels.is_empty();
        if !outcome.goes_on && std::mem::take(changed) {
            depth = Some(depth.map_or(0, |index: u32| index + 1));
        }
    }
    if depth.is_some() {
        (patch.depth_seq, patch.depth_index) = (Some(seq), depth);
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
