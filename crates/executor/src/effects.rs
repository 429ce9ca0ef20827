//! The steps that touch the world: quotes, building, sending, looking.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use fillstream_clock::WallClock;
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{
    Atoms, Pair, VenueId,
    swap::{Placed, Prepared, Routed, SwapEvent, SwapOrder},
};
use fillstream_retry::{Obstacles, Retry};
use fillstream_swap_machine::{Built, Look, Offer, after_look};
use fillstream_venues::{Observation, PreparedTx, SubmitOutcome, SwapTerms, Unavailable, Venue};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use crate::Settings;

/// Longest wait for a venue to build, send or show something before it counts as unavailable.
pub(crate) const VENUE_PATIENCE: Duration = Duration::from_secs(10);

/// The venues, with the patience that they get.
pub(crate) struct Effects {
    venues: Vec<Configured>,
    settings: Settings,
    clock: WallClock,
}

/// A venue, and how looking at it goes. It is one trouble for all orders that wait there.
struct Configured {
    venue: Arc<dyn Venue>,
    looks: Mutex<Retry>,
}

impl Effects {
    pub(crate) fn new(
        venues: Vec<Arc<dyn Venue>>,
        settings: Settings,
        clock: WallClock,
        obstacles: &Obstacles,
    ) -> Self {
        let configured = |venue: Arc<dyn Venue>| {
            let what = match venue.id() {
                VenueId::Raydium => "executor: transactions not observed at raydium",
                VenueId::Meteora => "executor: transactions not observed at meteora",
            };
            let retry = Retry::new(what, settings.look_interval_min, settings.look_interval_max);
            Configured { venue, looks: Mutex::new(retry.shown_in(obstacles)) }
        };
        Self { venues: venues.into_iter().map(configured).collect(), settings, clock }
    }

    /// True when a venue can be reached from here.
    pub(crate) fn has(&self, id: VenueId) -> bool {
        self.configured(id).is_some()
    }

    /// All venues at the same time; a late one is an answer too.
    pub(crate) async fn quotes(&self, order: &SwapOrder, attempt: u8) -> Vec<Offer> {
        let Some(terms) = terms(order.placed(), attempt) else { return Vec::new() };
        let asked = self.venues.iter().map(|Configured { venue, .. }| async move {
            let answer = match timeout(self.settings.quote_timeout, venue.quote(&terms)).await {
                Ok(Ok(quote)) => Ok(quote.amount_out),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no quote within {} ms", self.settings.quote_timeout.as_millis())),
            };
            Offer { venue: venue.id(), amount_out: answer }
        });
        let offers = join_all(asked).await;
        reach(Boundary::QuotesIn);
        offers
    }

    /// Has the chosen venue build and sign.
    pub(crate) async fn build(&self, order: &SwapOrder, routed: &Routed) -> Result<Built, String> {
        let placed = order.placed();
        let terms = terms(placed, routed.attempt).ok_or("the pair is not known")?;
        let min_out: Atoms =
            placed.token_out.atoms(routed.min_amount_out).ok_or("the least output is no amount")?;
        let Configured { venue, .. } = self.configured(routed.venue).ok_or_else(|| not_here(routed.venue))?;
        let built = match timeout(VENUE_PATIENCE, venue.prepare(&terms, min_out)).await {
            Ok(Ok(tx)) => Ok(Built {
                tx_id: tx.tx_id,
                payload: BASE64_STANDARD.encode(tx.payload),
                built_at_height: tx.built_at_height,
                last_valid_height: tx.last_valid_height,
            }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("{} did not build the transaction in time", routed.venue)),
        };
        reach(Boundary::Built);
        built
    }

    /// Sends the recorded bytes, again every rebroadcast interval, and looks until something is decided. Calls `alive` after
    /// each word with the venue, or when its time is over.
    pub(crate) async fn deliver(
        &self,
        order: &SwapOrder,
        prepared: &Prepared,
        alive: impl Fn(),
    ) -> SwapEvent {
        let mut next_send = Instant::now();
        let mut pause = self.settings.look_interval_min;
        loop {
            if Instant::now() >= next_send {
                self.send(prepared).await;
                alive();
                next_send = Instant::now() + self.settings.rebroadcast;
            }
            let (look, hint) = self.look(prepared).await;
            alive();
            if let Some(event) = after_look(order, prepared, look, &self.settings.backoff, (self.clock)()) {
                return event;
            }
            let wait = hint.unwrap_or(pause).min(self.settings.rebroadcast);
            sleep(wait.max(self.settings.look_interval_min)).await;
            pause = (pause * 2).min(self.settings.look_interval_max);
        }
    }

    /// What the venue says to a send decides nothing: only a look does.
    async fn send(&self, prepared: &Prepared) {
        let Ok((Configured { venue, .. }, tx)) = self.recorded(prepared) else { return };
        reach(Boundary::BeforeSubmit);
        let answer = timeout(VENUE_PATIENCE, venue.submit(&tx)).await;
        reach(Boundary::AfterSubmit);
        match answer {
            Ok(SubmitOutcome::Accepted) => {}
            Ok(SubmitOutcome::Unknown(reason) | SubmitOutcome::Rejected(reason)) => {
                debug!(tx = prepared.tx_id, reason, "the send is in doubt");
            }
            Err(_) => debug!(tx = prepared.tx_id, "no answer to the send"),
        }
    }

    async fn look(&self, prepared: &Prepared) -> (Look, Option<Duration>) {
        let (Configured { venue, looks }, tx) = match self.recorded(prepared) {
            Ok(recorded) => recorded,
            Err(reason) => return (Look::Unknowable(reason), None),
        };
        reach(Boundary::BeforeObserve);
        let observed = timeout(VENUE_PATIENCE, venue.observe(&tx)).await;
        reach(Boundary::AfterObserve);
        let observed = observed.unwrap_or_else(|_| Err(Unavailable("no answer in time".to_owned())));
        match &observed {
            Ok(_) => looks.lock().done(),
            Err(error) => drop(looks.lock().note(error)),
        }
        match observed {
            Ok(Observation::Landed { amount_out, .. }) => (Look::Landed(amount_out), None),
            Ok(Observation::Reverted { reason, .. }) => (Look::Reverted(reason), None),
            Ok(Observation::Pending { again_in }) => (Look::Open, again_in),
            Ok(Observation::NotSeen) | Err(_) => (Look::Open, None),
            Ok(Observation::Dead { .. }) => (Look::Dead, None),
            Ok(Observation::Unknowable(reason)) => (Look::Unknowable(reason), None),
        }
    }

    fn recorded(&self, prepared: &Prepared) -> Result<(&Configured, PreparedTx), String> {
        let payload = BASE64_STANDARD
            .decode(&prepared.payload)
            .map_err(|error| format!("the recorded transaction is not base64: {error}"))?;
        let tx = PreparedTx {
            tx_id: prepared.tx_id.clone(),
            payload,
            built_at_height: prepared.built_at_height,
            last_valid_height: prepared.last_valid_height,
        };
        Ok((self.configured(prepared.venue).ok_or_else(|| not_here(prepared.venue))?, tx))
    }

    fn configured(&self, id: VenueId) -> Option<&Configured> {
        self.venues.iter().find(|configured| configured.venue.id() == id)
    }
}

fn not_here(id: VenueId) -> String {
    format!("{id} is not configured here")
}

fn terms(placed: &Placed, attempt: u8) -> Option<SwapTerms> {
    let pair = Pair::new(placed.token_in, placed.token_out)?;
    let amount_in = placed.token_in.atoms(placed.amount_in)?;
    Some(SwapTerms { order_id: placed.order_id, attempt, pair, amount_in })
}
