//! A market's machine as the log has it: the newest snapshot that is good, then every commit behind it.
//!
//! ```text
//!  snapshot ──▶ Machine ◀── inputs up to the commit's last ── commit ──▶ outcomes and hash equal? next commit
//! ```

use fillstream_domain::{
    book::{Commit, Parts, PartsStep, Symbol},
    subject::{book_inputs, market_commits},
};
use fillstream_event_log::{Consistency, EventLog, Follow, LogError, SnapshotStore};
use fillstream_matcher::{Difference, Machine, Recorded, follow};
use std::collections::VecDeque;
use tracing::{info, warn};

use crate::{
    read::recorded,
    snapshots::{Home, Kind},
};

/// Records that a replay takes at once.
const REPLAY_BATCH: usize = 5_000;

/// A machine and where it stands.
pub struct Loaded {
    /// Right behind the last commit.
    pub machine: Machine,
    /// The sequence of the last commit; 0 before the first.
    pub commit: u64,
}

/// Why a market cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The stream cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The commits of the log are not what its inputs give.
    #[error("the log of {0} does not reproduce itself: {1}")]
    Irreproducible(Symbol, Difference),
}

/// Loads a market up to its last commit. A snapshot that is damaged, or from which the log cannot be followed, is
/// passed over.
///
/// # Errors
/// See [`LoadError`].
pub async fn load(
    log: &dyn EventLog,
    snapshots: Option<&dyn SnapshotStore>,
    symbol: &Symbol,
) -> Result<Loaded, LoadError> {
    let last = log.last(&market_commits(symbol), Consistency::Leader).await?.map_or(0, |record| record.seq);
    let mut up_to = last;
    while let Some(store) = snapshots
        && let Some(snapshot) = newest_snapshot(log, store, symbol, up_to).await?
    {
        let seq = snapshot.commit;
        match catch_up(log, snapshot, last).await {
            Err(LoadError::Irreproducible(_, difference)) if seq > 0 => {
                warn!(%symbol, seq, %difference, "the log does not go on from a snapshot, which is passed over");
                up_to = seq - 1;
            }
            loaded => return loaded,
        }
    }
    catch_up(log, Loaded { machine: Machine::new(symbol.clone()), commit: 0 }, last).await
}

/// The newest good snapshot of a commit at or before `up_to`.
pub(crate) async fn newest_snapshot(
    log: &dyn EventLog,
    store: &dyn SnapshotStore,
    symbol: &Symbol,
    up_to: u64,
) -> Result<Option<Loaded>, LogError> {
    let home = Home::new(log, symbol);
    for (commit, name) in home.newest_first(store, Kind::Machine, up_to).await? {
        let Some(bytes) = store.get(&name).await? else { continue };
        match Machine::restore(&bytes) {
            Ok(machine) if machine.symbol() == symbol => return Ok(Some(Loaded { machine, commit })),
            Ok(_) => warn!(%symbol, name, "a snapshot of another market is passed over"),
            Err(error) => warn!(%symbol, name, %error, "a snapshot is passed over"),
        }
    }
    Ok(None)
}

/// Follows the log to the commit at `last`.
async fn catch_up(log: &dyn EventLog, loaded: Loaded, last: u64) -> Result<Loaded, LoadError> {
    if loaded.commit >= last {
        return Ok(loaded);
    }
    let symbol = loaded.machine.symbol().clone();
    let started = loaded.machine.cursor();
    let mut replay = Replay::begin(log, loaded).await?;
    while replay.loaded.commit < last {
        replay.next().await?.map_err(|difference| LoadError::Irreproducible(symbol.clone(), difference))?;
    }
    info!(%symbol, from = started, to = replay.loaded.machine.cursor(), "inputs replayed");
    Ok(replay.loaded)
}

/// Commits and their inputs, side by side.
pub(crate) struct Replay {
    pub(crate) loaded: Loaded,
    inputs: Box<dyn Follow>,
    commits: Box<dyn Follow>,
    parts: Parts,
    /// Inputs behind the machine's cursor.
    waiting: VecDeque<Recorded>,
    /// Whole commits, each with the sequence of its last part.
    whole: VecDeque<(u64, Vec<Commit>)>,
}

impl Replay {
    pub(crate) async fn begin(log: &dyn EventLog, loaded: Loaded) -> Result<Self, LogError> {
        let symbol = loaded.machine.symbol();
        let inputs = log.follow(loaded.machine.cursor() + 1, Some(&book_inputs(symbol))).await?;
        let commits = log.follow(loaded.commit + 1, Some(&market_commits(symbol))).await?;
        let (waiting, whole) = (VecDeque::new(), VecDeque::new());
        Ok(Self { loaded, inputs, commits, parts: Parts::new(), waiting, whole })
    }

    /// Takes the machine past the next commit; waits for it if there is none yet.
    pub(crate) async fn next(&mut self) -> Result<Result<(), Difference>, LogError> {
        Ok(self.next_commit().await?.map(|_| ()))
    }

    /// The same; hands the commit's parts out.
    pub(crate) async fn next_commit(&mut self) -> Result<Result<Vec<Commit>, Difference>, LogError> {
        while self.whole.is_empty() {
            for record in self.commits.next(REPLAY_BATCH).await? {
                self.take_in(record.seq, &record.payload);
            }
        }
        let Some((seq, commit)) = self.whole.pop_front() else { return Ok(Ok(Vec::new())) };
        let last_input = commit.first().map_or(0, |part| part.last_input);
        while self.waiting.back().map_or(self.loaded.machine.cursor(), |input| input.seq) < last_input {
            let records = self.inputs.next(REPLAY_BATCH).await?;
            self.waiting.extend(records.iter().map(recorded));
        }
        let covered = self.waiting.partition_point(|input| input.seq <= last_input);
        let inputs: Vec<Recorded> = self.waiting.drain(..covered).collect();
        let followed = follow(&mut self.loaded.machine, &commit, &inputs);
        if followed.is_ok() {
            self.loaded.commit = seq;
        }
        Ok(followed.map(|()| commit))
    }

    /// Commits that never ended.
    pub(crate) const fn torn(&self) -> u64 {
        self.parts.torn()
    }

    fn take_in(&mut self, seq: u64, payload: &[u8]) {
        let part = match Commit::decode(payload) {
            Ok(part) => part,
            // A foreign writer's; the projector parks it.
            Err(error) => return warn!(seq, %error, "no part of a commit, passed over"),
        };
        let (step, torn) = self.parts.push(seq, part);
        if let Some(torn) = torn {
            warn!(first = torn.first, last = torn.last, "parts of a commit that never ended are passed over");
        }
        match step {
            PartsStep::Complete(parts) => {
                let seq = parts.last().map_or(seq, |(seq, _)| *seq);
                self.whole.push_back((seq, parts.into_iter().map(|(_, commit)| commit).collect()));
            }
            // A replay begins right behind a whole commit.
            PartsStep::Held | PartsStep::BeganInside { .. } => {}
        }
    }
}
