//! Venues whose calls are counted.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use fillstream_domain::{Atoms, VenueId};
use fillstream_metrics::{Metrics, VenueCall};
use fillstream_venues::{
    Observation, PrepareError, PreparedTx, QuoteError, SubmitOutcome, SwapTerms, Unavailable, Venue,
    VenueQuote,
};

/// See the module's first line.
pub(crate) struct Counted {
    venue: Arc<dyn Venue>,
    metrics: Arc<Metrics>,
}

impl Counted {
    pub(crate) fn all(venues: Vec<Arc<dyn Venue>>, metrics: &Arc<Metrics>) -> Vec<Arc<dyn Venue>> {
        for venue in &venues {
            metrics.venues.begin(venue.id().name());
        }
        let counted = |venue| -> Arc<dyn Venue> { Arc::new(Self { venue, metrics: Arc::clone(metrics) }) };
        venues.into_iter().map(counted).collect()
    }

    async fn count<T>(
        &self,
        call: VenueCall,
        asked: impl Future<Output = T>,
        is_answer: impl Fn(&T) -> bool,
    ) -> T {
        let began = Instant::now();
        let answer = asked.await;
        let venue = self.venue.id().name();
        self.metrics.venues.answered(venue, call, is_answer(&answer), began.elapsed());
        answer
    }
}

#[async_trait]
impl Venue for Counted {
    fn id(&self) -> VenueId {
        self.venue.id()
    }

    async fn open(&self) {
        self.venue.open().await;
    }

    async fn quote(&self, terms: &SwapTerms) -> Result<VenueQuote, QuoteError> {
        self.count(VenueCall::Quote, self.venue.quote(terms), Result::is_ok).await
    }

    async fn prepare(&self, terms: &SwapTerms, min_out: Atoms) -> Result<PreparedTx, PrepareError> {
        self.count(VenueCall::Prepare, self.venue.prepare(terms, min_out), Result::is_ok).await
    }

    async fn submit(&self, tx: &PreparedTx) -> SubmitOutcome {
        self.count(VenueCall::Submit, self.venue.submit(tx), |sent| *sent == SubmitOutcome::Accepted).await
    }

    async fn observe(&self, tx: &PreparedTx) -> Result<Observation, Unavailable> {
        self.count(VenueCall::Observe, self.venue.observe(tx), Result::is_ok).await
    }
}
