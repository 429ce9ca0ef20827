//! States of a market that spare a replay, under names that no other stream shares. All of them can be thrown away.
//!
//! ```text
//!  <incarnation>/<market>/machine/<commit's sequence>   the machine after that commit; the newest few are kept
//!  <incarnation>/<market>/levels/<commit's sequence>    the price levels after it; the older, the fewer are kept, for looking back
//! ```

use bytes::Bytes;
use fillstream_domain::{
    Amount, Incarnation, Seq,
    book::{Side, Symbol},
};
use fillstream_event_log::{EventLog, LogError, SnapshotStore};
use fillstream_matcher::Machine;
use fillstream_retry::{Retry, chain};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tracing::{debug, warn};

/// Levels of a market that are kept one beside the other, the newest ones.
const LEVELS_KEPT: usize = 100;
/// Of older levels: how many are kept of each span of ages, the next of which is twice as long.
const LEVELS_PER_AGE: u64 = 16;

/// Price levels after a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels {
    /// The commit's sequence; 0 before the first.
    pub seq: Seq,
    /// Best first.
    pub bids: Vec<Level>,
    /// Best first.
    pub asks: Vec<Level>,
}

/// Price and all that rests there.
pub type Level = (Amount, Amount);

impl Levels {
    /// Before the first commit.
    #[must_use]
    pub const fn none() -> Self {
        Self { seq: Seq::ZERO, bids: Vec::new(), asks: Vec::new() }
    }

    /// Of a machine that stands right behind the commit.
    fn of(machine: &Machine, seq: Seq) -> Self {
        let levels = |side| match machine.definition() {
            Some(definition) => {
                let level = |(ticks, lots)| (definition.price(ticks), definition.quantity(lots));
                machine.book().levels(side).map(level).collect()
            }
            None => Vec::new(),
        };
        Self { seq, bids: levels(Side::Buy), asks: levels(Side::Sell) }
    }
}

/// Levels, and now and then the whole machine, taken right behind a commit whose sequence is not known yet.
pub(crate) struct Taken {
    machine: Option<Bytes>,
    levels: Levels,
}

impl Taken {
    pub(crate) fn of(machine: &Machine, whole: bool) -> Self {
        Self { machine: whole.then(|| machine.snapshot().into()), levels: Levels::of(machine, Seq::ZERO) }
    }

    pub(crate) const fn has_machine(&self) -> bool {
        self.machine.is_some()
    }

    /// Keeps what was taken; with a machine it also forgets those that are older than the newest `kept`, and levels that
    /// lie close to others. A store that fails is told of once.
    pub(crate) async fn put(
        mut self,
        store: &dyn SnapshotStore,
        home: &Home,
        seq: Seq,
        kept: usize,
        keeping: &Mutex<Retry>,
    ) {
        self.levels.seq = seq;
        let levels =
            serde_json::to_vec(&self.levels).expect("string keys and plain values always become JSON");
        let stored = async {
            store.put(&home.name(Kind::Levels, seq), levels.into()).await?;
            let Some(machine) = self.machine else { return Ok(()) };
            store.put(&home.name(Kind::Machine, seq), machine).await?;
            let names = store.names(&home.prefix(Kind::Machine)).await?;
            for old in names.iter().rev().skip(kept) {
                store.delete(old).await?;
            }
            let levels = home.named(store, Kind::Levels).await?;
            let seqs: Vec<Seq> = levels.iter().map(|(seq, _)| *seq).collect();
            let close = too_close(&seqs);
            for (_, name) in levels.iter().filter(|(seq, _)| close.contains(seq)) {
                store.delete(name).await?;
            }
            Ok::<(), LogError>(())
        };
        match stored.await {
            Ok(()) => {
                debug!(symbol = %home.symbol, %seq, "a snapshot is kept");
                keeping.lock().done();
            }
            // Nothing waits for it: the next one is tried when it is due.
            Err(error) => _ = keeping.lock().note(&error),
        }
    }
}

/// Place of a market's snapshots.
pub(crate) struct Home {
    incarnation: Incarnation,
    symbol: Symbol,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Machine,
    Levels,
}

impl Home {
    pub(crate) fn new(log: &dyn EventLog, symbol: &Symbol) -> Self {
        Self { incarnation: log.incarnation(), symbol: symbol.clone() }
    }

    pub(crate) fn prefix(&self, kind: Kind) -> String {
        let kind = match kind {
            Kind::Machine => "machine",
            Kind::Levels => "levels",
        };
        format!("{}/{}/{kind}/", self.incarnation, self.symbol.market())
    }

    fn name(&self, kind: Kind, seq: Seq) -> String {
        // Of one width, so that names are in order of their sequences.
        format!("{}{seq:020}", self.prefix(kind))
    }

    /// Names with the sequences in them, newest first, at most `up_to`.
    pub(crate) async fn newest_first(
        &self,
        store: &dyn SnapshotStore,
        kind: Kind,
        up_to: Seq,
    ) -> Vec<(Seq, String)> {
        let named = self.named(store, kind).await.unwrap_or_else(|error| {
            warn!(symbol = %self.symbol, error = %chain(&error), "the snapshots cannot be read: the log is replayed");
            Vec::new()
        });
        named.into_iter().filter(|(seq, _)| *seq <= up_to).collect()
    }

    async fn named(&self, store: &dyn SnapshotStore, kind: Kind) -> Result<Vec<(Seq, String)>, LogError> {
        let prefix = self.prefix(kind);
        let names = store.names(&prefix).await?;
        let seq = |name: &String| name.strip_prefix(&prefix)?.parse::<Seq>().ok();
        Ok(names.into_iter().rev().filter_map(|name| Some((seq(&name)?, name))).collect())
    }

    /// Object kept under a name; nothing when it is gone, or the store does not give it.
    pub(crate) async fn read(&self, store: &dyn SnapshotStore, name: &str) -> Option<Bytes> {
        store.get(name).await.unwrap_or_else(|error| {
            warn!(symbol = %self.symbol, name, error = %chain(&error), "a snapshot cannot be read and is passed over");
            None
        })
    }
}

/// Levels that may be forgotten, of those that are kept, newest first. The newest [`LEVELS_KEPT`] stay; of the older ones
/// one in each [`LEVELS_PER_AGE`]th of a span of ages that doubles, so that whoever looks back folds a like part of what lies
/// behind, however far that is.
fn too_close(newest_first: &[Seq]) -> BTreeSet<Seq> {
    let Some(newest) = newest_first.first() else { return BTreeSet::new() };
    let place = |seq: &Seq| {
        let age = newest.since(*seq).max(LEVELS_PER_AGE);
        let span = age.ilog2();
        (span, (u128::from(age - (1 << span)) * u128::from(LEVELS_PER_AGE)) >> span)
    };
    let older = newest_first.get(LEVELS_KEPT..).unwrap_or_default();
    older.windows(2).filter(|pair| place(&pair[0]) == place(&pair[1])).map(|pair| pair[0]).collect()
}

/// The newest kept levels of a market at or before a sequence; none before the first, and none when the store gives none:
/// the commits say the same, in more time.
pub(crate) async fn nearest_levels(
    log: &dyn EventLog,
    store: &dyn SnapshotStore,
    symbol: &Symbol,
    up_to: Seq,
) -> Levels {
    let home = Home::new(log, symbol);
    for (seq, name) in home.newest_first(store, Kind::Levels, up_to).await {
        let Some(bytes) = home.read(store, &name).await else { continue };
        match serde_json::from_slice::<Levels>(&bytes) {
            Ok(levels) if levels.seq == seq => return levels,
            Ok(_) | Err(_) => warn!(name, "a snapshot is damaged and is passed over"),
        }
    }
    Levels::none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_thinned_to_a_bounded_number_that_lies_ever_closer_to_now() {
        const EVERY: u64 = 2_000;
        let mut kept: Vec<Seq> = Vec::new();
        for round in 1..=20_000_u64 {
            kept.insert(0, Seq::new(round * EVERY));
            // A machine is kept once in ten times.
            if round % 10 == 0 {
                let close = too_close(&kept);
                kept.retain(|seq| !close.contains(seq));
            }
        }
        assert!(kept.len() < LEVELS_KEPT + 20 * 16, "{} are kept", kept.len());
        assert!(kept[..LEVELS_KEPT].windows(2).all(|pair| pair[0].since(pair[1]) == EVERY));
        for pair in kept.windows(2) {
            let (apart, age) = (pair[0].since(pair[1]), kept[0].since(pair[1]));
            assert!(apart <= EVERY.max(age / 4), "{apart} between two of age {age}");
        }
        assert_eq!(too_close(&[]), BTreeSet::new());
    }
}
