//! A simulated venue: delays and faults around a ledger. The ledger's short file operations run inline.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use fillstream_clock::{Clock, SystemClock};
use fillstream_domain::{Atoms, VenueId};

use crate::{
    Fault, LedgerError, Observation, PrepareError, PreparedTx, QuoteError, SimulatedSettings, SubmitOutcome,
    SwapTerms, Unavailable, Venue, VenueQuote,
    faults::Dice,
    ledger::Ledger,
    market::SwapError,
    pool::PoolError,
    settings::whole_ms,
    transaction::{Transaction, TxId},
};

/// Delay of a late quote: beyond any sensible deadline, so that the deadline is what ends the wait.
const QUOTE_LATE_BY: Duration = Duration::from_secs(60);

/// One simulated venue. Any number of them, in any number of processes, can share a directory.
pub struct SimulatedVenue {
    venue: VenueId,
    settings: SimulatedSettings,
    dice: Dice,
    ledger: Ledger,
}

/// Opens both venues over the ledgers in `dir`, which are begun when they do not exist.
///
/// # Errors
/// When the settings cannot work, contradict those that a ledger was begun with, or a file cannot be used.
pub fn open_simulated(dir: &Path, settings: &SimulatedSettings) -> Result<Vec<Arc<dyn Venue>>, LedgerError> {
    let open = |venue| SimulatedVenue::open(dir, venue, settings, Arc::new(SystemClock::start()));
    VenueId::ALL.into_iter().map(|venue| open(venue).map(|venue| Arc::new(venue) as Arc<dyn Venue>)).collect()
}

impl SimulatedVenue {
    /// Opens one venue over its ledger in `dir`, with clocks of the caller's.
    ///
    /// # Errors
    /// As [`open_simulated`].
    pub fn open(
        dir: &Path,
        venue: VenueId,
        settings: &SimulatedSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        let ledger = Ledger::open(dir, venue, settings, clock)?;
        let dice = Dice { seed: settings.seed, venue, faults: settings.faults };
        Ok(Self { venue, settings: settings.clone(), dice, ledger })
    }

    /// The reason for clients; the operator's log says more.
    fn unavailable(&self, error: &LedgerError) -> String {
        tracing::error!(%error, venue = %self.venue, "a venue ledger cannot be used");
        format!("the ledger of {} cannot be used", self.venue)
    }
}

#[async_trait]
impl Venue for SimulatedVenue {
    fn id(&self) -> VenueId {
        self.venue
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
        let quoted = self.ledger.touch(|chain| Ok(chain.quote(terms.pair, terms.amount_in)));
        match quoted.map_err(|error| QuoteError::Unavailable(self.unavailable(&error)))? {
            None => Err(QuoteError::NoPool),
            Some(Ok(amount_out)) => Ok(VenueQuote { amount_out }),
            Some(Err(SwapError::InsufficientLiquidity)) => Err(QuoteError::InsufficientLiquidity),
            Some(Err(SwapError::Pool(PoolError::TooSmall))) => Err(QuoteError::TooSmall),
            Some(Err(SwapError::Pool(PoolError::TooLarge))) => Err(QuoteError::TooLarge),
        }
    }

    async fn prepare(&self, terms: &SwapTerms, min_out: Atoms) -> Result<PreparedTx, PrepareError> {
        pause(self.settings.build_delay).await;
        let built = self.ledger.touch(|chain| Ok(chain.build(terms, min_out, self.settings.life_blocks)));
        built.map(|transaction| transaction.sign()).map_err(|error| PrepareError(self.unavailable(&error)))
    }

    async fn submit(&self, tx: &PreparedTx) -> SubmitOutcome {
        pause(self.settings.submit_delay).await;
        let (id, transaction) = match Transaction::open(self.venue, tx) {
            Ok(opened) => opened,
            Err(reason) => return SubmitOutcome::Rejected(reason),
        };
        let landing_delay_ms = whole_ms(self.settings.landing_delay);
        let sent = self.ledger.touch(|chain| chain.send(id, transaction, landing_delay_ms, &self.dice));
        sent.unwrap_or_else(|error| SubmitOutcome::Unknown(self.unavailable(&error)))
    }

    async fn observe(&self, tx: &PreparedTx) -> Result<Observation, Unavailable> {
        if self.dice.strikes(Fault::Unknowable, &tx.tx_id, 1) {
            return Ok(Observation::Unknowable("a simulated fault".to_owned()));
        }
        if let Some(outcome) = TxId::parse(&tx.tx_id).and_then(|id| self.ledger.outcome(id)) {
            return Ok(outcome);
        }
        match Transaction::open(self.venue, tx) {
            Ok((id, transaction)) => {
                let observed = self.ledger.touch(|chain| chain.observe(id, &transaction));
                observed.map_err(|error| Unavailable(self.unavailable(&error)))
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
