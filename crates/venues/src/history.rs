//! A chain's past, as its lines tell it. The state changes here, by one line at a time, whether this process or
//! another one wrote it; a line that cannot follow the ones before is refused.

use std::collections::{BTreeMap, HashMap};

use fillstream_domain::{Atoms, Token, VenueId};

use crate::{
    line::{Line, Sent},
    market::Market,
    pool::Pool,
    transaction::TxId,
};

/// A line that cannot follow the lines before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Contradiction(&'static str);

/// State of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has never arrived.
    Unseen,
    /// It will land or revert at `due`.
    UnderWay { due: u64, arrival: u64 },
    /// It executed the swap.
    Landed { at: u64, amount_out: Atoms },
    /// It moved nothing.
    Reverted { at: u64, reason: String },
    /// It can never arrive any more.
    Dead { at: u64 },
}

#[derive(Debug)]
struct Record {
    /// Sends that are on record, dropped ones included.
    sends: u32,
    fate: Fate,
}

/// All that the lines have told so far. Times are in milliseconds since the ledger began.
#[derive(Debug)]
pub(crate) struct History {
    venue: VenueId,
    /// The latest time seen: the chain's clock never runs back.
    now: u64,
    /// The pools that were ever traded in, by their market's tokens.
    pools: HashMap<(Token, Token), Pool>,
    records: HashMap<TxId, Record>,
    /// Transactions that have not landed yet, in the order in which they will: by due time, then by arrival.
    under_way: BTreeMap<(u64, u64), Sent>,
    /// Transactions that ever arrived.
    arrivals: u64,
}

impl History {
    pub(crate) fn new(venue: VenueId) -> Self {
        let (pools, records) = (HashMap::new(), HashMap::new());
        Self { venue, now: 0, pools, records, under_way: BTreeMap::new(), arrivals: 0 }
    }

    pub(crate) const fn now(&self) -> u64 {
        self.now
    }

    /// Lets time pass; it stands still when `now` is in the past.
    pub(crate) fn advance(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    pub(crate) fn fate(&self, tx: TxId) -> &Fate {
        self.records.get(&tx).map_or(&Fate::Unseen, |record| &record.fate)
    }

    /// Sends of this transaction that are on record.
    pub(crate) fn sends(&self, tx: TxId) -> u32 {
        self.records.get(&tx).map_or(0, |record| record.sends)
    }

    /// The transaction that lands next, if its time has come.
    pub(crate) fn next_due(&self) -> Option<&Sent> {
        self.under_way.first_key_value().map(|(_, sent)| sent).filter(|sent| sent.due <= self.now)
    }

    /// The market's pool as the latest swap has left it.
    pub(crate) fn pool(&self, market: &Market) -> Pool {
        self.pools.get(&market.tokens()).copied().unwrap_or_else(|| market.reference())
    }

    /// Takes the next line in.
    pub(crate) fn apply(&mut self, line: Line) -> Result<(), Contradiction> {
        match line {
            Line::Genesis(_) => return Err(Contradiction("a ledger begins once")),
            Line::Sent(sent) => {
                self.advance(sent.at);
                let fate = Fate::UnderWay { due: sent.due, arrival: self.arrivals };
                self.unseen(sent.tx)?.fate = fate;
                self.under_way.insert((sent.due, self.arrivals), sent);
                self.arrivals += 1;
            }
            Line::Dropped { at, tx, .. } => {
                self.advance(at);
                self.unseen(tx)?;
            }
            Line::Landed { at, tx, amount_out, pool, .. } => {
                let sent = self.ended(at, tx, Fate::Landed { at, amount_out })?;
                let market = sent.transaction.pair().and_then(|pair| Market::find(self.venue, pair));
                let (market, _) = market.ok_or(Contradiction("a swap lands in a market"))?;
                self.pools.insert(market.tokens(), pool);
            }
            Line::Reverted { at, tx, reason, .. } => {
                self.ended(at, tx, Fate::Reverted { at, reason })?;
            }
            Line::Dead { at, tx, .. } => {
                self.advance(at);
                self.unseen(tx)?.fate = Fate::Dead { at };
            }
        }
        Ok(())
    }

    /// The record of a transaction that has not arrived before, with one more line about it.
    fn unseen(&mut self, tx: TxId) -> Result<&mut Record, Contradiction> {
        let record = self.records.entry(tx).or_insert(Record { sends: 0, fate: Fate::Unseen });
        if record.fate != Fate::Unseen {
            return Err(Contradiction("a transaction arrives once, and never after its death"));
        }
        record.sends = record.sends.saturating_add(1);
        Ok(record)
    }

    /// A transaction comes to its end in a block.
    fn ended(&mut self, at: u64, tx: TxId, fate: Fate) -> Result<Sent, Contradiction> {
        self.advance(at);
        let record = self.records.get_mut(&tx).ok_or(Contradiction("nothing lands that was not sent"))?;
        let Fate::UnderWay { due, arrival } = record.fate else {
            return Err(Contradiction("a transaction lands once"));
        };
        record.fate = fate;
        self.under_way.remove(&(due, arrival)).ok_or(Contradiction("what lands was under way"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger's lines about one transaction, each in the form in which it stands in the file.
    fn line(kind: &str) -> Line {
        const TX: &str = r#""tx":"sim:raydium:000000000000000000000000000000aa""#;
        const ORDER: &str = r#""order_id":"0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e""#;
        let fields = match kind {
            "genesis" => r#""version":1,"venue":"raydium","seed":0,"began":"2026-01-10T07:30:15.123Z","block_interval_ms":400"#.to_owned(),
            "sent" => format!(
                r#""at":5,"due":9,"revert":false,{TX},"transaction":{{"genesis":"2026-01-10T07:30:15.123Z","venue":"raydium",{ORDER},"attempt":1,"token_in":"SOL","token_out":"USDC","amount_in":"1","min_out":"1","built_at_height":0,"last_valid_height":150}}"#
            ),
            "landed" => format!(r#""at":9,{TX},{ORDER},"amount_out":"1","pool":{{"base":"1","quote":"2"}}"#),
            "reverted" => format!(r#""at":9,{TX},{ORDER},"reason":"slippage exceeded""#),
            _ => format!(r#""at":9,{TX},{ORDER}"#),
        };
        serde_json::from_str(&format!(r#"{{"{kind}":{{{fields}}}}}"#)).unwrap()
    }

    #[test]
    fn lines_follow_each_other_or_are_refused() {
        const LINES: [&str; 6] = ["genesis", "sent", "dropped", "landed", "reverted", "dead"];
        for (past, possible) in [
            (&[][..], &["sent", "dropped", "dead"][..]),
            (&["dropped"], &["sent", "dropped", "dead"]),
            (&["sent"], &["landed", "reverted"]),
            (&["dropped", "sent"], &["landed", "reverted"]),
            (&["sent", "landed"], &[]),
            (&["sent", "reverted"], &[]),
            (&["dead"], &[]),
        ] {
            for next in LINES {
                let mut history = History::new(VenueId::Raydium);
                for kind in past {
                    history.apply(line(kind)).unwrap();
                }
                assert_eq!(
                    history.apply(line(next)).is_ok(),
                    possible.contains(&next),
                    "{next} after {past:?}"
                );
            }
        }
    }
}
