//! One market at work.
//!
//! ```text
//!  inputs ──▶ machine ──▶ pending ──(we lead, nothing in flight)──▶ cut ──▶ append, fenced on the last message there
//!  commits ──▶ heard: ours? known. Another's? pending is dropped up to its last input, hashes are compared, we stand by
//! ```
//! Nothing is decided by who leads: two that lead at once lose fences to each other and nothing else.

mod committing;
mod others;
mod waking;

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use fillstream_commit_reader::{CommitReader, LaterVersion, OnForeign};
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{
    RecordRef, Seq, Timestamp, TraceParent,
    book::{InputResult, Symbol},
    parked::Cause,
    subject::{BookSubject, book_clock, book_inputs, market_commits},
};
use fillstream_event_log::{AppendError, Consistency, EventLog, LogError, Record, SnapshotStore};
use fillstream_matcher::{COMMIT_BYTES, Machine, Pending};
use fillstream_parked::park;
use fillstream_retry::Retry;
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Duration, Instant, sleep_until},
};
use tracing::{info, warn};

use self::committing::Trouble;
use crate::{
    load::{LoadError, Loaded, load},
    read::recorded,
    run::MarketState,
    settings::Settings,
    snapshots::{Home, Taken},
    tail::{Tail, tail},
};

/// Name of this part in parked entries.
const PART: &str = "matcher";
/// Outcomes that may wait for their commit before no further input is read: some seconds of them.
const MAX_PENDING: usize = 50_000;
/// The same in bytes as they are encoded: a hundred full commits.
const MAX_PENDING_BYTES: usize = 100 * COMMIT_BYTES;
/// Levels that are kept for each machine: they are small, and whoever looks back folds the commits between two of them.
const LEVELS_PER_SNAPSHOT: u64 = 10;
/// Between two clock inputs of a market in which something is due once in a while.
const CLOCK_PAUSE: Duration = Duration::from_secs(1);
/// The same while orders are due that the last one could not end: they are many, and each commit of them is large.
const LATE_PAUSE: Duration = Duration::from_millis(50);
/// The same while the clocks differ: nothing but time or an operator heals that.
const AHEAD_PAUSE: Duration = Duration::from_secs(10);
/// Before a parked entry is tried again.
const PARK_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PARK_PAUSE: Duration = Duration::from_secs(5);

/// Ports and settings of a market's task.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) snapshots: Option<Arc<dyn SnapshotStore>>,
    pub(crate) clock: fn() -> Timestamp,
    pub(crate) settings: Settings,
    /// Retries of keeping snapshots, over all markets: told of once.
    pub(crate) keeping: Arc<Mutex<Retry>>,
}

/// Reasons why a market's task has to begin anew.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("a tail has ended")]
    Tail,
    #[error("the stream has lost its end: the commits end at {last}, and one was at {fence}")]
    LostEnd { fence: Seq, last: Seq },
    #[error("the tail of inputs has left out what lies between {after} and {first}")]
    Gap { after: Seq, first: Seq },
    #[error(transparent)]
    Version(#[from] LaterVersion),
    #[error("another matcher's commit up to input {last_input} says {theirs}, ours would say {ours}")]
    Diverged { last_input: Seq, theirs: String, ours: String },
    #[error("the market's task has panicked")]
    Panicked,
}

/// Role of this matcher: it commits, or stands by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stance {
    Leading,
    /// Somebody else does, and was heard of then.
    StandingBy(Instant),
}

type InFlight = JoinHandle<Result<Seq, AppendError>>;

/// A commit of another matcher that waits for our machine to come so far.
struct Heard {
    seq: Seq,
    last_input: Seq,
    says: Says,
}

/// Fields of a commit that can be compared without doing it again.
#[derive(Debug, PartialEq, Eq)]
struct Says {
    inputs: usize,
    hash: Option<String>,
}

/// Our commit, while nothing is known of it.
struct UnderWay {
    /// The message that it comes behind.
    fence: Seq,
    last_input: Seq,
    /// Snapshot to be kept once the commit is stored.
    taken: Option<Taken>,
}

pub(crate) struct Market {
    context: Context,
    symbol: Symbol,
    machine: Machine,
    pending: Pending,
    /// The sequence of the last commit that our machine has followed, or written.
    commit: Seq,
    /// The sequence of the last message that we know among the commits: the fence. Beyond `commit` lies a commit that
    /// waits in `heard`, or one that was torn, or a foreign writer's message.
    end: Seq,
    stance: Stance,
    heard: VecDeque<Heard>,
    reader: CommitReader,
    under_way: Option<UnderWay>,
    since_snapshot: u64,
    since_levels: u64,
    /// The stream's last sequence when we began.
    began_at: Seq,
    /// Time of the last input: market time goes on from there. None before the first that was stored since we began: how
    /// long the earlier ones lie back is not known.
    last_input_at: Option<Instant>,
    /// The first input came where the leader has it.
    is_proved: bool,
    /// The last input that its tail gave: what is committed rests on it.
    last_heard: Option<RecordRef>,
    /// Traces of inputs without a commit: a commit belongs to that of the first input that it covers.
    traces: VecDeque<(Seq, TraceParent)>,
    clock_seq: Seq,
    clock_due: Instant,
    late_due: Instant,
    /// Commits that were not stored, or of which nobody knows.
    trouble: Trouble,
    state: watch::Sender<MarketState>,
}

impl Market {
    /// Loads the market and works until something is in doubt.
    pub(crate) async fn run(
        context: Context,
        symbol: Symbol,
        state: watch::Sender<MarketState>,
    ) -> Result<Infallible, Ended> {
        let began_at = context.log.info().await?.last_seq;
        let Loaded { machine, commit, end, replayed } =
            load(&*context.log, context.snapshots.as_deref(), &symbol).await?;
        let clock = context.log.last(&book_clock(&symbol), Consistency::Leader).await?;
        let inputs = tail(&*context.log, machine.cursor(), &book_inputs(&symbol)).await?;
        let commits = tail(&*context.log, commit, &market_commits(&symbol)).await?;
        info!(%symbol, cursor = %machine.cursor(), %commit, "the market is loaded");
        let now = Instant::now();
        let market = Self {
            context,
            symbol,
            machine,
            pending: Pending::default(),
            commit,
            end,
            stance: Stance::Leading,
            heard: VecDeque::new(),
            reader: CommitReader::new("matcher", OnForeign::StopAtLater),
            under_way: None,
            since_snapshot: replayed,
            since_levels: 0,
            began_at,
            last_input_at: None,
            is_proved: false,
            last_heard: None,
            traces: VecDeque::new(),
            clock_seq: clock.map_or(Seq::ZERO, |record| record.seq),
            clock_due: now + CLOCK_PAUSE,
            late_due: now,
            trouble: Trouble::none(),
            state,
        };
        market.work(inputs, commits).await
    }

    async fn work(mut self, mut inputs: Tail, mut commits: Tail) -> Result<Infallible, Ended> {
        let mut in_flight: Option<InFlight> = None;
        loop {
            self.follow_others()?;
            if in_flight.is_none() && self.may_commit() {
                in_flight = Some(self.begin_commit());
            }
            self.show();
            let wake = self.wakes_at();
            tokio::select! {
                records = inputs.recv(), if self.may_read() => {
                    self.take_in(records.ok_or(Ended::Tail)??).await?;
                    // All that has arrived goes into one step.
                    while self.may_read() && let Ok(records) = inputs.try_recv() {
                        self.take_in(records?).await?;
                    }
                    reach(Boundary::InputsApplied);
                }
                records = commits.recv() => self.hear(records.ok_or(Ended::Tail)??)?,
                done = async { in_flight.as_mut().expect("only polled while there is one").await }, if in_flight.is_some() => {
                    in_flight = None;
                    self.committed(done.unwrap_or(Err(AppendError::Unknown)))?;
                }
                () = async { sleep_until(wake.expect("only polled when it is set")).await }, if wake.is_some() => {
                    self.wake().await?;
                }
            }
        }
    }

    /// Little waits for its commit, or what another matcher has committed is still to be read.
    fn may_read(&self) -> bool {
        let little = self.pending.len() < MAX_PENDING && self.pending.bytes() < MAX_PENDING_BYTES;
        little || self.heard.front().is_some_and(|heard| heard.last_input > self.machine.cursor())
    }

    /// Applies inputs. What cannot be read is put aside where operators look, before the commit says so.
    async fn take_in(&mut self, records: Vec<Record>) -> Result<(), Ended> {
        if let Some(first) = records.first() {
            self.prove_begin(first.seq).await?;
        }
        reach(Boundary::InputsRead);
        if self.pending.is_empty() && matches!(self.stance, Stance::StandingBy(_)) {
            // Nobody had anything to commit until now.
            self.stance = Stance::StandingBy(Instant::now());
        }
        for record in records {
            let recorded = recorded(&record);
            if matches!(BookSubject::parse(&record.subject), Some(BookSubject::Clock(_))) {
                self.clock_seq = recorded.seq;
            }
            self.last_heard = Some(record.reference());
            // An input that came twice changes nothing.
            let Ok(applied) = self.machine.apply(&recorded) else { continue };
            if let InputResult::Parked { reason } = &applied.outcome.result {
                self.park(&record, reason.clone()).await;
            }
            self.since_snapshot += 1;
            self.since_levels += 1;
            self.traces.extend(record.traceparent.map(|trace| (record.seq, trace)));
            self.pending.push(applied);
            if recorded.seq > self.began_at {
                self.last_input_at = Some(Instant::now());
            }
        }
        Ok(())
    }

    /// The leader says that no input lies between where the market was loaded to and the first that its tail gives: on a
    /// replica that lags a tail may begin too late, and a commit over what was not heard could never be mended.
    async fn prove_begin(&mut self, first: Seq) -> Result<(), Ended> {
        if self.is_proved {
            return Ok(());
        }
        let after = self.machine.cursor();
        let next = self.context.log.next_matching(after.next(), &book_inputs(&self.symbol)).await?;
        if next.is_some_and(|next| next.seq < first) {
            return Err(Ended::Gap { after, first });
        }
        self.is_proved = true;
        Ok(())
    }

    async fn park(&self, record: &Record, reason: String) {
        let (log, now) = (&*self.context.log, (self.context.clock)());
        warn!(seq = %record.seq, subject = record.subject, reason, "an input is parked");
        let mut retry =
            Retry::new("matcher: append of a parked entry retried", PARK_PAUSE, LONGEST_PARK_PAUSE);
        while let Err(error) = park(log, PART, record, Cause::Unreadable, reason.clone(), now).await {
            retry.failed(&error).await;
        }
        retry.done();
    }

    /// Forgets what a commit up to `last_input` covers; the hash behind it, when that is known.
    fn drop_covered(&mut self, last_input: Seq) -> Option<String> {
        while self.traces.front().is_some_and(|(seq, _)| *seq <= last_input) {
            self.traces.pop_front();
        }
        self.pending.drop_covered(last_input)
    }

    fn keep(&self, taken: Taken, store: Arc<dyn SnapshotStore>, seq: Seq) {
        let home = Home::new(&*self.context.log, &self.symbol);
        let (kept, keeping) = (self.context.settings.snapshots_kept, Arc::clone(&self.context.keeping));
        tokio::spawn(async move {
            reach(Boundary::BeforeSnapshot);
            taken.put(&*store, &home, seq, kept, &keeping).await;
            reach(Boundary::AfterSnapshot);
        });
    }

    fn show(&self) {
        self.state.send_if_modified(|state| {
            let now = MarketState {
                loaded: true,
                position: self.machine.cursor(),
                pending: self.pending.len(),
                leading: self.stance == Stance::Leading,
                reason: self.obstacle(),
            };
            let is_news = *state != now;
            if is_news {
                *state = now;
            }
            is_news
        });
    }
}
