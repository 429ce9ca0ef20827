//! A venue with a count of its own. It keeps the contract, and everything else goes wrong at times: quotes fail or never
//! come, sends and answers get lost, transactions land late, revert, or cannot be found out about.

use std::{collections::HashMap, future::pending, sync::Arc, time::Duration};

use async_trait::async_trait;
use fillstream_domain::{Atoms, OrderId, VenueId};
use fillstream_venues::{
    Observation, PrepareError, PreparedTx, QuoteError, SubmitOutcome, SwapTerms, Unavailable, Venue,
    VenueQuote,
};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::life::Life;

const BLOCK: Duration = Duration::from_millis(400);
const LIFE_BLOCKS: u64 = 50;

/// The chain: what has become of every transaction.
#[derive(Clone)]
pub(crate) struct Chain(Arc<Shared>);

struct Shared {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    txs: HashMap<String, Tx>,
    signed: u64,
    /// The venue that cannot be asked what became of a transaction.
    silent: Option<VenueId>,
}

struct Tx {
    order: OrderId,
    last_valid: u64,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unseen,
    Due { at: Instant, reverts: bool },
    Landed,
    Reverted,
    Dead,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let (began, state) = (Instant::now(), Mutex::default());
        Self(Arc::new(Shared { began, state }))
    }

    /// From now on this venue, or none, cannot be asked what became of a transaction.
    pub(crate) fn silence(&self, venue: Option<VenueId>) {
        self.0.state.lock().silent = venue;
    }

    fn height(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis() / BLOCK.as_millis()).unwrap()
    }

    /// The end of a block.
    fn end_of(&self, height: u64) -> Instant {
        self.0.began + BLOCK * u32::try_from(height + 1).unwrap() - Duration::from_millis(1)
    }

    /// Swaps that were executed for an order.
    pub(crate) fn executions(&self, order: OrderId) -> usize {
        let state = self.0.state.lock();
        let landed = |tx: &&Tx| tx.order == order && settled(tx) == Fate::Landed;
        state.txs.values().filter(landed).count()
    }

    /// Verdict on a transaction that an operator asks about: whether it landed; none while it still can.
    pub(crate) fn found_out(&self, tx_id: &str) -> Option<bool> {
        let state = self.0.state.lock();
        let tx = &state.txs[tx_id];
        match settled(tx) {
            Fate::Landed => Some(true),
            Fate::Reverted | Fate::Dead => Some(false),
            Fate::Due { .. } => None,
            Fate::Unseen => (self.height() > tx.last_valid).then_some(false),
        }
    }
}

fn settled(tx: &Tx) -> Fate {
    match tx.fate {
        Fate::Due { at, reverts } if at <= Instant::now() => {
            if reverts {
                Fate::Reverted
            } else {
                Fate::Landed
            }
        }
        Fate::Unseen | Fate::Due { .. } | Fate::Landed | Fate::Reverted | Fate::Dead => tx.fate,
    }
}

/// A process's end of a venue on the chain.
pub(crate) struct RoughVenue {
    pub(crate) id: VenueId,
    pub(crate) life: Life,
    pub(crate) chain: Chain,
    /// While it is, things go wrong.
    pub(crate) rough: Arc<std::sync::atomic::AtomicBool>,
}

impl RoughVenue {
    fn strikes(&self, per_mille: u64) -> bool {
        self.rough.load(std::sync::atomic::Ordering::Relaxed) && self.life.dice.strikes(per_mille)
    }

    async fn travels(&self) {
        self.life.alive().await;
        self.life.dice.dawdle(60).await;
        self.life.alive().await;
    }
}

#[async_trait]
impl Venue for RoughVenue {
    fn id(&self) -> VenueId {
        self.id
    }

    async fn quote(&self, _: &SwapTerms) -> Result<VenueQuote, QuoteError> {
        self.travels().await;
        if self.strikes(100) {
            pending::<()>().await;
        }
        if self.strikes(150) {
            return Err(QuoteError::Unavailable("a simulated fault".to_owned()));
        }
        Ok(VenueQuote { amount_out: Atoms::new(1_450_000_000) })
    }

    async fn prepare(&self, terms: &SwapTerms, _: Atoms) -> Result<PreparedTx, PrepareError> {
        self.travels().await;
        if self.strikes(100) {
            return Err(PrepareError("a simulated fault".to_owned()));
        }
        let height = self.chain.height();
        let mut state = self.chain.0.state.lock();
        state.signed += 1;
        let tx_id = format!("{}/{}/{}", terms.order_id, terms.attempt, state.signed);
        let last_valid = height + LIFE_BLOCKS;
        let tx = Tx { order: terms.order_id, last_valid, fate: Fate::Unseen };
        state.txs.insert(tx_id.clone(), tx);
        Ok(PreparedTx { tx_id, payload: Vec::new(), built_at_height: height, last_valid_height: last_valid })
    }

    async fn submit(&self, sent: &PreparedTx) -> SubmitOutcome {
        self.travels().await;
        if self.strikes(250) {
            return SubmitOutcome::Unknown("lost on the way".to_owned());
        }
        {
            let height = self.chain.height();
            let late = Duration::from_millis(self.life.dice.below(20_000));
            let (lands_late, reverts) = (self.strikes(200), self.strikes(150));
            let mut state = self.chain.0.state.lock();
            let tx = state.txs.get_mut(&sent.tx_id).unwrap();
            if tx.fate == Fate::Unseen {
                if height > tx.last_valid {
                    return SubmitOutcome::Rejected("expired".to_owned());
                }
                let at = Instant::now() + if lands_late { late } else { Duration::from_millis(300) };
                tx.fate = Fate::Due { at: at.min(self.chain.end_of(tx.last_valid)), reverts };
            }
        }
        self.travels().await;
        if self.strikes(250) {
            SubmitOutcome::Unknown("no answer".to_owned())
        } else {
            SubmitOutcome::Accepted
        }
    }

    async fn observe(&self, sent: &PreparedTx) -> Result<Observation, Unavailable> {
        self.travels().await;
        if self.strikes(150) || self.chain.0.state.lock().silent == Some(self.id) {
            return Err(Unavailable("a simulated fault".to_owned()));
        }
        if self.strikes(10) {
            return Ok(Observation::Unknowable("a simulated fault".to_owned()));
        }
        let height = self.chain.height();
        let observed = {
            let mut state = self.chain.0.state.lock();
            let tx = state.txs.get_mut(&sent.tx_id).unwrap();
            tx.fate = settled(tx);
            match tx.fate {
                Fate::Landed => Observation::Landed { amount_out: Atoms::new(1_450_000_000), height },
                Fate::Reverted => Observation::Reverted { reason: "a simulated fault".to_owned(), height },
                Fate::Due { at, .. } => Observation::Pending { again_in: Some(at - Instant::now()) },
                Fate::Unseen if height <= tx.last_valid => Observation::NotSeen,
                Fate::Unseen | Fate::Dead => {
                    tx.fate = Fate::Dead;
                    Observation::Dead { height }
                }
            }
        };
        self.travels().await;
        Ok(observed)
    }
}
