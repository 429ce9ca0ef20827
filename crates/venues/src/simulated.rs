//! A simulated venue: delays and faults around a ledger.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use fillstream_clock::{Clock, SystemClock};
use fillstream_domain::{Atoms, VenueId};
use fillstream_retry::Obstacles;

use crate::{
    Fault, LedgerError, Observation, PrepareError, PreparedTx, QuoteError, SimulatedSettings, SubmitOutcome,
    SwapTerms, Unavailable, Venue, VenueQuote,
    clerk::Clerk,
    faults::Dice,
    ledger::Ledger,
    market::SwapError,
    pool::PoolError,
    settings::whole_ms,
    transaction::{Transaction, TxId},
};

/// Delay of a late quote: beyond any sensible deadline, so that the deadline is what ends the wait.
const QUOTE_LATE_BY: Duration = Duration::from_secs(60);

/// Between two looks whether a ledger can be used by now.
const OPEN_POLL: Duration = Duration::from_millis(100);

/// One simulated venue. Any number of them, in any number of processes, can share a directory.
pub struct SimulatedVenue {
    venue: VenueId,
    settings: SimulatedSettings,
    dice: Dice,
    clerk: Clerk,
}

/// Opens both venues over the ledgers in `dir`, which are begun when they do not exist. A disk that cannot be used is no error:
/// the ledger is tried again and again, and its trouble shown among `obstacles`.
///
/// # Errors
/// When the settings cannot work, or contradict those that a ledger was begun with, or a file is no ledger.
pub async fn open_simulated(
    dir: &Path,
    settings: &SimulatedSettings,
    obstacles: &Obstacles,
) -> Result<Vec<Arc<dyn Venue>>, Arc<LedgerError>> {
    let mut venues: Vec<Arc<dyn Venue>> = Vec::new();
    for venue in VenueId::ALL {
        let clock = Arc::new(SystemClock::start());
        venues.push(Arc::new(SimulatedVenue::open(dir, venue, settings, clock, obstacles).await?));
    }
    Ok(venues)
}

impl SimulatedVenue {
    /// Opens one venue over its ledger in `dir`, with clocks of the caller's.
    ///
    /// # Errors
    /// As [`open_simulated`].
    pub async fn open(
        dir: &Path,
        venue: VenueId,
        settings: &SimulatedSettings,
        clock: Arc<dyn Clock>,
        obstacles: &Obstacles,
    ) -> Result<Self, Arc<LedgerError>> {
        let ledger = Ledger::new(dir, venue, settings, clock)?;
        let clerk = Clerk::start(ledger, venue, obstacles)?;
        match clerk.touch(|_| Ok(())).await {
            Err(error) if !error.passes() => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let dice = Dice { seed: settings.seed, venue, faults: settings.faults };
        Ok(Self { venue, settings: settings.clone(), dice, clerk })
    }

    /// The reason for clients; the operator's log says more.
    fn unavailable(&self) -> String {
        format!("the ledger of {} cannot be used", self.venue)
    }
}

#[async_trait]
impl Venue for SimulatedVenue {
    fn id(&self) -> VenueId {
        self.venue
    }

    async fn open(&self) {
        while self.clerk.touch(|_| Ok(())).await.is_err() {
            tokio::time::sleep(OPEN_POLL).await;
        }
    }

    async fn quote(&self, terms: &SwapTerms) -> Result<VenueQuote, QuoteError> {
        pause(self.settings.quote_delay).await;
        let asked = terms.order_id.to_string();
        let strikes = |fault| self.dice.strikes(fault, &asked, u32::from(terms.attempt));
        if strikes(Fault::QuoteLate) {
            pause(QUOTE_LATE_BY).await;
        }
        if strikes(Fault::QuoteError) {
            return Err(QuoteError::Unavailable("a simulated fault".to_owned()));
        }
        let SwapTerms { pair, amount_in, .. } = *terms;
        let quoted = self.clerk.touch(move |chain| Ok(chain.quote(pair, amount_in))).await;
        match quoted.map_err(|_| QuoteError::Unavailable(self.unavailable()))? {
            None => Err(QuoteError::NoPool),
            Some(Ok(amount_out)) => Ok(VenueQuote { amount_out }),
            Some(Err(SwapError::InsufficientLiquidity)) => Err(QuoteError::InsufficientLiquidity),
            Some(Err(SwapError::Pool(PoolError::TooSmall))) => Err(QuoteError::TooSmall),
            Some(Err(SwapError::Pool(PoolError::TooLarge))) => Err(QuoteError::TooLarge),
        }
    }

    async fn prepare(&self, terms: &SwapTerms, min_out: Atoms) -> Result<PreparedTx, PrepareError> {
        pause(self.settings.build_delay).await;
        let (terms, life_blocks) = (*terms, self.settings.life_blocks);
        let built = self.clerk.touch(move |chain| Ok(chain.build(&terms, min_out, life_blocks))).await;
        built.map(|transaction| transaction.sign()).map_err(|_| PrepareError(self.unavailable()))
    }

    async fn submit(&self, tx: &PreparedTx) -> SubmitOutcome {
        pause(self.settings.submit_delay).await;
        let (id, transaction) = match Transaction::open(self.venue, tx) {
            Ok(opened) => opened,
            Err(reason) => return SubmitOutcome::Rejected(reason),
        };
        let landing_delay_ms = whole_ms(self.settings.landing_delay);
        let dice = self.dice;
        let sent = self.clerk.touch(move |chain| chain.send(id, transaction, landing_delay_ms, &dice)).await;
        sent.unwrap_or_else(|_| SubmitOutcome::Unknown(self.unavailable()))
    }

    async fn observe(&self, tx: &PreparedTx) -> Result<Observation, Unavailable> {
        if self.dice.strikes(Fault::Unknowable, &tx.tx_id, 1) {
            return Ok(Observation::Unknowable("a simulated fault".to_owned()));
        }
        if let Some(outcome) = TxId::parse(&tx.tx_id).and_then(|id| self.clerk.ledger().outcome(id)) {
            return Ok(outcome);
        }
        match Transaction::open(self.venue, tx) {
            Ok((id, transaction)) => {
                let observed = self.clerk.touch(move |chain| chain.observe(id, &transaction)).await;
                observed.map_err(|_| Unavailable(self.unavailable()))
            }
            Err(reason) => Ok(Observation::Unknowable(reason)),
        }
    }
}

/// Waits; for no time at all it touches no timer.
async fn pause(span: Duration) {
    if !span.is_zero() {
        tokio::time::sleep(span).await;
    }
}
