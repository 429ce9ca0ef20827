//! The health of this process: asked when somebody looks, at most once a second, and judged for each role.
//!
//! ```text
//!  leader ─ end, oldest input of each market ─┐
//!  parts ── positions, obstacles ─────────────┼─▶ facts ─▶ judge ─▶ Look ─▶ /ready, /metrics
//!  appends ─ the last one, or a probe ────────┤             (kept for a second)
//!  disks ─── room ────────────────────────────┘
//! ```

use std::{sync::Arc, time::Duration};

use fillstream_domain::{Seq, Timestamp, book::Symbol};
use fillstream_event_log::{EventLog, Inspector, LogError};
use fillstream_executor::{Executor, Summary};
use fillstream_matching::{MarketState, Matcher};
use fillstream_projector::Projector;
use fillstream_retry::{Obstacles, chain};
use fillstream_stream_bridge::Hub;
use futures_util::{StreamExt, stream};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{Role, Start, parts::Parts, room::Place, watching::Watching};
use crate::health::{
    appends::{Failing, Failure},
    judge::{Facts, Lacks, Market, Obstacle, Stream, Verdict, judge},
    room::Room,
    waiting,
};

/// Time that the stream may take to answer before it counts as unreachable.
const STREAM_PATIENCE: Duration = Duration::from_secs(2);
/// Time for which a look is good: a second when all is well, so that looking costs nothing; less while something is not, so
/// that its end is noticed at once.
const GOOD_LOOK_LASTS: Duration = Duration::from_secs(1);
const BAD_LOOK_LASTS: Duration = Duration::from_millis(50);
/// Markets that are asked for at the same time.
const MARKETS_AT_ONCE: usize = 16;

/// The parts of this process that can be asked.
pub(crate) struct Watched {
    pub(crate) roles: Vec<Role>,
    pub(crate) log: Arc<dyn EventLog>,
    /// A connection of its own: health is asked about while the log's is busy.
    leader: Inspector,
    pub(crate) hub: Option<Arc<Hub>>,
    pub(crate) projector: Option<Arc<Projector>>,
    pub(crate) matcher: Option<Arc<Matcher>>,
    pub(crate) executor: Option<Arc<Executor>>,
    pub(crate) watching: Watching,
    /// From when on what waits is an outage.
    pub(crate) late: Duration,
}

/// See the module's first line.
pub(crate) struct Health {
    watched: Watched,
    last: Mutex<Option<Arc<Look>>>,
}

/// State of the process at a moment.
pub(crate) struct Look {
    at: Instant,
    /// End of the stream; nothing when it does not answer.
    pub(crate) last: Option<Seq>,
    /// Reason why an append would fail.
    pub(crate) cannot_append: Option<String>,
    /// Reason why new orders are refused for want of room.
    pub(crate) store_full: Option<String>,
    /// The parts of this process.
    pub(crate) parts: Vec<Part>,
    /// Room on the disks and within the server's limits.
    pub(crate) room: Vec<(Place, Room, Option<u64>)>,
}

/// One part at a moment.
pub(crate) struct Part {
    pub(crate) role: Role,
    pub(crate) verdict: Verdict,
    pub(crate) obstacles: Vec<Obstacle>,
    /// Swaps that have not ended, as the executor has followed them.
    pub(crate) unended: Option<Summary>,
    /// The matcher's markets, with their states.
    pub(crate) markets: Vec<(Market, MarketState)>,
}

impl Part {
    /// A role of another process's.
    pub(crate) fn absent(role: Role) -> Self {
        let nowhere = Stream { last: Err(String::new()), cannot_append: None };
        let verdict = judge(role, &Facts::Absent, &[], &nowhere, Duration::ZERO);
        Self { role, verdict, obstacles: Vec::new(), markets: Vec::new(), unended: None }
    }
}

impl Look {
    /// Every part of this process does its work.
    pub(crate) fn is_ready(&self) -> bool {
        self.last.is_some() && self.parts.iter().all(|part| part.verdict.reason.is_none())
    }

    /// The part of a role, when it is one of this process's.
    pub(crate) fn part(&self, role: Role) -> Option<&Part> {
        self.parts.iter().find(|part| part.role == role)
    }

    fn lasts(&self) -> Duration {
        if self.is_ready() { GOOD_LOOK_LASTS } else { BAD_LOOK_LASTS }
    }
}

impl Health {
    pub(crate) fn new(watched: Watched) -> Self {
        Self { watched, last: Mutex::new(None) }
    }

    /// State now, or a moment ago. Who asks at the same time gets the same answer.
    pub(crate) async fn look(&self) -> Arc<Look> {
        let mut last = self.last.lock().await;
        if let Some(look) = last.as_ref().filter(|look| look.at.elapsed() < look.lasts()) {
            return Arc::clone(look);
        }
        let look = Arc::new(self.watched.look().await);
        self.watched.tell(&look);
        *last = Some(Arc::clone(&look));
        look
    }

    pub(crate) fn watched(&self) -> &Watched {
        &self.watched
    }
}

impl Watched {
    pub(crate) fn new(
        start: &Start,
        log: Arc<dyn EventLog>,
        leader: Inspector,
        parts: &Parts,
        watching: Watching,
    ) -> Self {
        Self {
            roles: start.roles.clone(),
            log,
            leader,
            hub: parts.hub.clone(),
            projector: parts.projector.clone(),
            matcher: parts.matcher.clone(),
            executor: parts.executor.clone(),
            watching,
            late: start.operations.ready_within.get(),
        }
    }

    async fn look(&self) -> Look {
        let failing = self.watching.appends.failing();
        // Before the stream's end is asked for: a position that moves on meanwhile is not beyond it.
        let states = self.matcher.as_ref().map(|matcher| matcher.markets()).unwrap_or_default();
        let views = [
            (Role::Projector, self.projector.as_ref().map(|part| part.position())),
            (Role::Bridge, self.hub.as_ref().map(|part| part.position())),
        ];
        let asked = timeout(STREAM_PATIENCE, async {
            let now = waiting::now(&self.leader).await?;
            let last = waiting::end(&*self.log).await?;
            let asked = stream::iter(states).map(|(symbol, state)| self.market(symbol, state, now));
            let markets: Vec<_> = asked.buffered(MARKETS_AT_ONCE).collect().await;
            let mut behind = Vec::new();
            for (role, position) in views {
                if let Some(position) = position {
                    behind.push((role, position, self.lacks(position, last, now).await));
                }
            }
            Ok::<_, LogError>((last, markets, behind))
        });
        let (last, markets, views) = match asked.await {
            Ok(Ok((last, markets, views))) => (Ok(last), markets, views),
            Ok(Err(error)) => (Err(chain(&error).to_string()), Vec::new(), Vec::new()),
            Err(_) => (Err("the stream does not answer".to_owned()), Vec::new(), Vec::new()),
        };
        let store_full = self.watching.no_room();
        let cannot_append = failing.as_ref().filter(|failing| failing.failure == Failure::Unknown).map(why);
        let stream = Stream { last: last.clone(), cannot_append: cannot_append.clone() };
        let parts = self.roles.iter().map(|role| self.part(*role, &stream, &markets, &views)).collect();
        let room = self.watching.room.places();
        Look { at: Instant::now(), last: last.ok(), cannot_append, store_full, parts, room }
    }

    async fn market(&self, symbol: Symbol, state: MarketState, now: Timestamp) -> (Market, MarketState) {
        let waits = waiting::market(&*self.log, &self.leader, &symbol, now).await;
        let (loaded, position) = (state.loaded, state.position);
        (Market { symbol: symbol.to_string(), loaded, position, waits, reason: state.reason.clone() }, state)
    }

    async fn lacks(&self, position: Seq, last: Seq, now: Timestamp) -> Lacks {
        if position >= last { Lacks::Nothing } else { waiting::behind(&self.leader, position, now).await }
    }

    fn part(
        &self,
        role: Role,
        stream: &Stream,
        markets: &[(Market, MarketState)],
        views: &[(Role, Seq, Lacks)],
    ) -> Part {
        let facts = match role {
            Role::Api => Facts::Intake,
            Role::Executor => {
                let lacks = |of: fn(&Executor) -> Option<(Seq, Duration)>| {
                    let found = self.executor.as_ref().and_then(|part| of(part));
                    found.map_or(Lacks::Nothing, |(seq, age)| Lacks::Since(seq, age))
                };
                Facts::Queue { waits: lacks(Executor::overdue), hangs: lacks(Executor::hanging) }
            }
            Role::Matcher => Facts::Markets(markets.iter().map(|(market, _)| market.clone()).collect()),
            Role::Projector | Role::Bridge => {
                let view = views.iter().find(|(view, ..)| *view == role);
                view.map_or(
                    Facts::View { position: Seq::ZERO, lacks: Lacks::Nothing },
                    |(_, position, lacks)| Facts::View { position: *position, lacks: lacks.clone() },
                )
            }
        };
        let obstacles = obstacles(self.obstacles(role));
        let verdict = judge(role, &facts, &obstacles, stream, self.late);
        let markets = if role == Role::Matcher { markets.to_vec() } else { Vec::new() };
        let executor = self.executor.as_ref().filter(|_| role == Role::Executor);
        let unended = executor.map(|part| part.unended());
        Part { role, verdict, obstacles, markets, unended }
    }

    /// Trouble of a part at the moment, where it tells.
    fn obstacles(&self, role: Role) -> Option<&Obstacles> {
        match role {
            Role::Projector => self.projector.as_ref().map(|part| part.obstacles()),
            Role::Bridge => self.hub.as_ref().map(|part| part.obstacles()),
            Role::Executor => self.executor.as_ref().map(|part| part.obstacles()),
            Role::Api => Some(&self.watching.api),
            // Each market tells of its own.
            Role::Matcher => None,
        }
    }

    /// Figures for the metrics.
    fn tell(&self, look: &Look) {
        let gauges = &self.watching.metrics.gauges;
        for Part { role, verdict, markets, .. } in &look.parts {
            gauges.ready(role.name(), verdict.reason.is_none());
            if let (Role::Projector | Role::Bridge, Some(position)) = (role, verdict.position) {
                gauges.part(role.name(), position.get(), verdict.lag.map(|lag| lag.as_secs_f64()));
            }
            for (market, _) in markets {
                let waits = market.waits.age().map(|age| age.as_secs_f64());
                gauges.market(&market.symbol, market.position.get(), waits);
            }
        }
        for (place, room, floor) in &look.room {
            gauges.room(place.name(), room.free, *floor);
        }
    }
}

fn obstacles(told: Option<&Obstacles>) -> Vec<Obstacle> {
    let all = told.map(Obstacles::all).unwrap_or_default().into_iter();
    all.map(|(what, found)| Obstacle {
        what: what.to_owned(),
        lasts: found.since.elapsed(),
        reason: found.reason,
        hinders: found.hinders,
    })
    .collect()
}

fn why(failing: &Failing) -> String {
    let seconds = failing.since.elapsed().as_secs();
    format!("appends fail for {seconds} s: {}", failing.reason)
}
