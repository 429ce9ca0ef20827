//! The parts that run in the background.

use std::{sync::Arc, time::Duration};

use fillstream_clock::now;
use fillstream_domain::{book::Symbol, swap::Prepared};
use fillstream_event_log::{EventLog, JetStreamLog, LogError, SnapshotStore};
use fillstream_executor::{Executor, Signed, Transaction};
use fillstream_matching::{Matcher, definitions};
use fillstream_projector::{Projector, lost_transactions};
use fillstream_read_store::ReadStore;
use fillstream_retry::Obstacles;
use fillstream_stream_bridge::Hub;
use fillstream_venues::open_simulated;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{EXECUTOR, Role, Start, channels::ChannelRows, venues::Counted, watching::Watching};
use crate::Failure;

/// Time that sockets may take to be told and closed.
const SOCKETS_PATIENCE: Duration = Duration::from_secs(10);
/// Time that a part may take to stop.
const PART_PATIENCE: Duration = Duration::from_secs(10);

/// Longest wait of a start for the rows to be compared with the stream. Most often that is one record.
const ROWS_PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait of a first start for its markets, which takes milliseconds.
const MARKETS_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks whether they are there.
const MARKETS_POLL: Duration = Duration::from_millis(5);

/// Parts that run in this process.
pub(crate) struct Parts {
    pub(crate) hub: Option<Arc<Hub>>,
    pub(crate) projector: Option<Arc<Projector>>,
    pub(crate) matcher: Option<Arc<Matcher>>,
    pub(crate) executor: Option<Arc<Executor>>,
    tasks: JoinSet<(Role, Result<(), Failure>)>,
}

impl Parts {
    pub(crate) async fn start(
        start: &Start,
        log: &JetStreamLog,
        shared: &Arc<dyn EventLog>,
        store: Option<ReadStore>,
        snapshots: Option<Arc<dyn SnapshotStore>>,
        watching: &Watching,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let mut tasks = JoinSet::new();
        let mut executor = None;
        if start.has(Role::Executor) {
            let obstacles = Obstacles::default();
            let venues = open_simulated(&start.venue_ledger, &start.venues.simulated(), &obstacles).await?;
            let venues = Counted::all(venues, &watching.metrics);
            let (settings, clock) = (start.executor.executor(), Arc::new(now));
            let part = Executor::new(
                Arc::clone(shared),
                venues.clone(),
                snapshots.clone(),
                settings,
                clock,
                obstacles,
            );
            // Before rows that are ahead of the stream are made anew.
            if let Some(store) = &store {
                recall_lost(&part, &**shared, store).await;
            }
            executor = Some(Arc::clone(&part));
            let queue = log.work(&consumer(start)?).shown_in(part.obstacles());
            let stop = stop.clone();
            tasks.spawn(async move {
                // Without its venues each attempt would fail.
                let open = join_all(venues.iter().map(|venue| venue.open()));
                if stop.run_until_cancelled(open).await.is_some() {
                    part.run(Box::new(queue), stop).await;
                }
                (Role::Executor, Ok(()))
            });
        }
        let mut projector = None;
        if let (true, Some(store)) = (start.has(Role::Projector), store.clone()) {
            let part = Projector::new(Arc::clone(shared), store, now, start.data.clone());
            projector = Some(Arc::clone(&part));
            let stop = stop.clone();
            tasks.spawn(async move { (Role::Projector, part.run(stop).await.map_err(Failure::from)) });
        }
        let mut matcher = None;
        if start.has(Role::Matcher) {
            let part = Matcher::new(Arc::clone(shared), snapshots, start.matcher.matcher(), now);
            matcher = Some(Arc::clone(&part));
            let stop = stop.clone();
            tasks.spawn(async move { (Role::Matcher, part.run(stop).await.map_err(Failure::from)) });
        }
        let mut hub = None;
        if start.has(Role::Bridge) {
            let (log, settings) = (Arc::clone(shared), start.sockets.bridge(start.http.auth.is_on()));
            let part = match store {
                Some(store) => {
                    Hub::with_markets(log, Arc::new(ChannelRows(store, settings.trades)), settings, now)
                }
                None => Hub::new(log, settings, now),
            };
            hub = Some(Arc::clone(&part));
            let stop = stop.clone();
            tasks.spawn(async move { (Role::Bridge, part.run(stop).await.map_err(Failure::from)) });
        }
        Ok(Self { hub, projector, matcher, executor, tasks })
    }

    /// Waits until the markets of a new stream can be traded: before that, HTTP and sockets know none of them, and would
    /// tell the first client that BTC/USDT is no market.
    pub(crate) async fn first_markets(&self, log: &dyn EventLog) {
        let Some(matcher) = &self.matcher else { return };
        let there = async {
            while !self.markets_are_there(matcher, log).await.unwrap_or(false) {
                sleep(MARKETS_POLL).await;
            }
        };
        if timeout(MARKETS_PATIENCE, there).await.is_err() {
            warn!("the first markets are not there yet");
        }
    }

    async fn markets_are_there(&self, matcher: &Matcher, log: &dyn EventLog) -> Result<bool, LogError> {
        let states = matcher.markets();
        let committed = |symbol: &Symbol, seq| {
            let found = states.iter().find(|(known, _)| known == symbol);
            found.is_some_and(|(_, state)| state.position >= seq && state.pending == 0)
        };
        let defined = definitions(log).await?;
        // No market begins before all of the first ones are defined.
        let all = !states.is_empty() && defined.iter().all(|(seq, defined)| committed(&defined.symbol, *seq));
        let Some(hub) = self.hub.as_ref().filter(|_| all) else { return Ok(all) };
        Ok(hub.position() >= log.info().await?.last_seq)
    }

    /// Waits until a part ends by itself, which none should.
    pub(crate) async fn ended(&mut self) -> Failure {
        match self.tasks.join_next().await {
            Some(Ok((role, Ok(())))) => format!("the {} has ended by itself", role.name()).into(),
            Some(Ok((_, Err(error)))) => error,
            Some(Err(panic)) => format!("a part has failed: {panic}").into(),
            // The api alone has nothing in the background.
            None => std::future::pending().await,
        }
    }

    /// Sockets are told, closed with 1001, and gone, before anything else stops.
    pub(crate) async fn tell_sockets(&self) {
        let Some(hub) = &self.hub else { return };
        hub.stop();
        let gone = async {
            while hub.counters().connections.get() > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(SOCKETS_PATIENCE, gone).await.is_err() {
            warn!(sockets = hub.counters().connections.get(), "sockets did not close in time and are cut");
        }
    }

    /// Waits for the parts that were told to stop.
    pub(crate) async fn stop(&mut self) {
        let patience = Instant::now() + PART_PATIENCE;
        loop {
            match timeout_at(patience, self.tasks.join_next()).await {
                Ok(None) => return,
                Ok(Some(Ok((_, Ok(()))))) => {}
                Ok(Some(Ok((role, Err(error))))) => {
                    warn!(error = %fillstream_retry::chain(error.as_ref()), role = role.name(), "a part ended with an error")
                }
                Ok(Some(Err(panic))) => warn!(%panic, "a part failed"),
                Err(_) => return warn!("some parts did not stop in time"),
            }
        }
    }
}

/// Tells the executor of transactions that only the rows know, which a stream that lost its end may have been robbed of.
/// Rows that cannot be read in time keep no swap from being executed.
async fn recall_lost(executor: &Executor, log: &dyn EventLog, store: &ReadStore) {
    let lost = match timeout(ROWS_PATIENCE, lost_transactions(log, store)).await {
        Ok(Ok(lost)) => lost,
        Ok(Err(error)) => {
            return warn!(error = %fillstream_retry::chain(&error), "rows and stream were not compared: what only the rows know of transactions is not known");
        }
        Err(_) => {
            return warn!(
                "rows and stream were not compared in time: what only the rows know of transactions is not known"
            );
        }
    };
    for (record, Prepared { order_id, venue, tx_id, .. }) in lost {
        executor.recall(order_id, Signed { record, transaction: Transaction { venue, tx_id } }).await;
    }
}

/// The executor's consumer as its file says, with what was set otherwise.
fn consumer(start: &Start) -> Result<Value, Failure> {
    let mut consumer: Value = serde_json::from_str(EXECUTOR)?;
    let ack_wait = u64::try_from(start.executor.ack_wait.get().as_nanos())?;
    consumer["ack_wait"] = ack_wait.into();
    consumer["max_ack_pending"] = start.executor.max_ack_pending.into();
    Ok(consumer)
}
