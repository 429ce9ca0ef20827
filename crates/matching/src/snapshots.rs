//! States of a market that spare a replay, under names that no other stream shares. All of them can be thrown away.
//!
//! ```text
//!  <incarnation>/<market>/machine/<commit's sequence>   the machine after that commit; the newest few are kept
//!  <incarnation>/<market>/levels/<commit's sequence>    the price levels after it; all are kept, for looking back
//! ```

use bytes::Bytes;
use fillstream_domain::{
    Amount, Incarnation, Seq,
    book::{Side, Symbol},
};
use fillstream_event_log::{EventLog, LogError, SnapshotStore};
use fillstream_matcher::Machine;
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

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

    /// Keeps what was taken, then forgets machines that are older than the newest `kept`.
    pub(crate) async fn put(mut self, store: &dyn SnapshotStore, home: &Home, seq: Seq, kept: usize) {
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
            Ok::<(), LogError>(())
        };
        match stored.await {
            Ok(()) => debug!(symbol = %home.symbol, %seq, "a snapshot is kept"),
            Err(error) => {
                warn!(symbol = %home.symbol, %error, "a snapshot is not kept; the next one will be")
            }
        }
    }
}

/// Where a market's snapshots are.
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
    ) -> Result<Vec<(Seq, String)>, LogError> {
        let prefix = self.prefix(kind);
        let names = store.names(&prefix).await?;
        let seq = |name: &String| name.strip_prefix(&prefix)?.parse::<Seq>().ok();
        let named = names.into_iter().rev().filter_map(|name| Some((seq(&name)?, name)));
        Ok(named.filter(|(seq, _)| *seq <= up_to).collect())
    }
}

/// The newest kept levels of a market at or before a sequence; none before the first.
///
/// # Errors
/// When the store cannot be asked.
pub(crate) async fn nearest_levels(
    log: &dyn EventLog,
    store: &dyn SnapshotStore,
    symbol: &Symbol,
    up_to: Seq,
) -> Result<Levels, LogError> {
    let home = Home::new(log, symbol);
    for (seq, name) in home.newest_first(store, Kind::Levels, up_to).await? {
        let Some(bytes) = store.get(&name).await? else { continue };
        match serde_json::from_slice::<Levels>(&bytes) {
            Ok(levels) if levels.seq == seq => return Ok(levels),
            Ok(_) | Err(_) => warn!(name, "a snapshot is damaged and is passed over"),
        }
    }
    Ok(Levels::none())
}
