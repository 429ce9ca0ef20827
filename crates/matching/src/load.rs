//! A market's machine as the log has it: the newest snapshot that is good, then every commit behind it.
//!
//! ```text
//!  snapshot ──▶ Machine ◀── inputs up to the commit's last ── commit ──▶ outcomes and hash equal? next commit
//! ```

use fillstream_commit_reader::{CommitReader, OnForeign, Step, WholeCommit};
use fillstream_domain::{
    Seq,
    book::{Commit, Symbol},
    subject::{book_inputs, market_commits},
};
use fillstream_event_log::{After, Consistency, EventLog, Follow, LogError, Record, SnapshotStore};
use fillstream_matcher::{Difference, Machine, Recorded, follow, hash_text};
use fillstream_retry::chain;
use std::{collections::VecDeque, time::Duration};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::{
    read::recorded,
    snapshots::{Home, Kind},
};

/// Records that a replay takes at once.
const REPLAY_BATCH: usize = 5_000;
/// Time that an input may be missing that a commit covers: longer than a replica of the stream is behind.
const INPUT_PATIENCE: Duration = Duration::from_secs(2);

/// A machine and where it stands.
pub struct Loaded {
    /// Right behind the last commit.
    pub machine: Machine,
    /// The sequence of the last commit; [`Seq::ZERO`] before the first.
    pub commit: Seq,
    /// The sequence of the last message among the commits, which the next one comes behind: beyond `commit` when a
    /// commit was torn by a power failure.
    pub end: Seq,
    /// Inputs that were replayed: there is no newer snapshot.
    pub replayed: u64,
}

impl Loaded {
    pub(crate) fn nothing(symbol: &Symbol) -> Self {
        Self { machine: Machine::new(symbol.clone()), commit: Seq::ZERO, end: Seq::ZERO, replayed: 0 }
    }
}

/// Reasons why a market cannot be loaded.
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
    let last =
        log.last(&market_commits(symbol), Consistency::Leader).await?.map_or(Seq::ZERO, |record| record.seq);
    let mut up_to = last;
    while let Some(store) = snapshots
        && let Some(snapshot) = newest_snapshot(log, store, symbol, up_to).await?
    {
        let seq = snapshot.commit;
        match catch_up(log, snapshot, last).await {
            Err(LoadError::Irreproducible(_, difference)) if !seq.is_zero() => {
                warn!(%symbol, %seq, %difference, "the log does not go on from a snapshot, which is passed over");
                up_to = seq.prev();
            }
            loaded => return loaded,
        }
    }
    catch_up(log, Loaded::nothing(symbol), last).await
}

/// The newest good snapshot of a commit at or before `up_to`: one whose hash is what the commit says. None when the store
/// gives none: the log is the truth, and only takes longer.
pub(crate) async fn newest_snapshot(
    log: &dyn EventLog,
    store: &dyn SnapshotStore,
    symbol: &Symbol,
    up_to: Seq,
) -> Result<Option<Loaded>, LogError> {
    let home = Home::new(log, symbol);
    for (commit, name) in home.newest_first(store, Kind::Machine, up_to).await {
        let Some(bytes) = home.read(store, &name).await else { continue };
        match Machine::restore(&bytes) {
            Ok(machine) if is_behind(log, symbol, commit, &machine).await? => {
                return Ok(Some(Loaded { machine, commit, end: commit, replayed: 0 }));
            }
            Ok(_) => warn!(%symbol, name, "a snapshot that is not its commit's state is passed over"),
            Err(error) => {
                warn!(%symbol, name, error = %chain(&error), "a snapshot is passed over")
            }
        }
    }
    Ok(None)
}

/// True when the machine stands where the commit at `seq` has left it. A stream that has lost its end may have another
/// commit there by now.
async fn is_behind(
    log: &dyn EventLog,
    symbol: &Symbol,
    seq: Seq,
    machine: &Machine,
) -> Result<bool, LogError> {
    let subject = market_commits(symbol);
    for consistency in [Consistency::Any, Consistency::Leader] {
        let page = log.read(&subject, seq, consistency).await?;
        if let Some(record) = page.records.first().filter(|record| record.seq == seq) {
            let hash = Commit::decode(&record.payload).ok().and_then(|commit| commit.hash);
            // The hash covers market and cursor.
            return Ok(hash == Some(hash_text(machine.hash())));
        }
    }
    Ok(false)
}

/// Follows the log up to `last`, where its last message among the commits is.
async fn catch_up(log: &dyn EventLog, loaded: Loaded, last: Seq) -> Result<Loaded, LoadError> {
    if loaded.end >= last {
        return Ok(loaded);
    }
    let symbol = loaded.machine.symbol().clone();
    let started = loaded.machine.cursor();
    let mut replay = Replay::begin(log, loaded, last).await?;
    let irreproducible = |difference| LoadError::Irreproducible(symbol.clone(), difference);
    while replay.next_commit().await?.map_err(irreproducible)?.is_some() {}
    info!(%symbol, from = %started, to = %replay.loaded.machine.cursor(), "inputs replayed");
    Ok(replay.loaded)
}

/// Commits and their inputs, side by side, up to a message among the commits that the log had at the beginning.
pub(crate) struct Replay {
    pub(crate) loaded: Loaded,
    inputs: Box<dyn Follow>,
    commits: Box<dyn Follow>,
    reader: CommitReader,
    up_to: Seq,
    /// Inputs behind the machine's cursor.
    waiting: VecDeque<Recorded>,
    /// Whole commits; or why one cannot be read.
    whole: VecDeque<Result<WholeCommit, Difference>>,
}

impl Replay {
    pub(crate) async fn begin(log: &dyn EventLog, loaded: Loaded, up_to: Seq) -> Result<Self, LogError> {
        let symbol = loaded.machine.symbol();
        let inputs = log.follow(After::Seq(loaded.machine.cursor()), Some(&book_inputs(symbol))).await?;
        let commits = log.follow(After::Seq(loaded.commit), Some(&market_commits(symbol))).await?;
        let (waiting, whole) = (VecDeque::new(), VecDeque::new());
        let reader = CommitReader::new("matcher", OnForeign::StopAtLater);
        Ok(Self { loaded, inputs, commits, reader, up_to, waiting, whole })
    }

    /// Takes the machine past the next commit and hands its parts out; nothing when there is none left.
    pub(crate) async fn next_commit(&mut self) -> Result<Result<Option<WholeCommit>, Difference>, LogError> {
        while self.whole.is_empty() && self.loaded.end < self.up_to {
            let Ok(records) = timeout(INPUT_PATIENCE, self.commits.next(REPLAY_BATCH)).await else {
                // The stream may have lost what was to be reached: by the leader's word there is no more.
                if let Ok(true) = self.commits.caught_up().await {
                    self.up_to = self.loaded.end;
                }
                continue;
            };
            for record in records? {
                let seq = record.seq;
                if seq > self.up_to {
                    // No commit lies at the place itself.
                    self.up_to = self.loaded.end;
                    break;
                }
                self.take_in(&record);
                self.loaded.end = seq;
            }
        }
        let commit = match self.whole.pop_front() {
            None => return Ok(Ok(None)),
            Some(Err(difference)) => return Ok(Err(difference)),
            Some(Ok(whole)) => whole,
        };
        let (seq, last_input) = (commit.end(), commit.last_input());
        if let Err(missing) = self.wait_for_input(last_input, seq).await? {
            return Ok(Err(missing));
        }
        let covered = self.waiting.partition_point(|input| input.seq <= last_input);
        let inputs: Vec<Recorded> = self.waiting.drain(..covered).collect();
        let parts: Vec<_> = commit.parts().iter().map(|(_, part)| part).collect();
        let followed = follow(&mut self.loaded.machine, &parts, &inputs);
        if followed.is_ok() {
            self.loaded.commit = seq;
            self.loaded.replayed += inputs.len() as u64;
        }
        Ok(followed.map(|()| Some(commit)))
    }

    /// Reads inputs up to the one at `last_input`, which the commit that ends at `commit` covers.
    async fn wait_for_input(
        &mut self,
        last_input: Seq,
        commit: Seq,
    ) -> Result<Result<(), Difference>, LogError> {
        let missing = || {
            let what = format!("is covered by the commit at {commit} and is no input of the log");
            Ok(Err(Difference { seq: last_input, what }))
        };
        if last_input >= commit {
            return missing();
        }
        while self.waiting.back().map_or(self.loaded.machine.cursor(), |input| input.seq) < last_input {
            let next = self.inputs.next(REPLAY_BATCH);
            let Ok(records) = timeout(INPUT_PATIENCE, next).await else {
                // The tail may lie on a replica that lags, or the stream be out of reach: the leader's word counts.
                match self.inputs.caught_up().await {
                    Ok(true) => return missing(),
                    Ok(false) | Err(_) => continue,
                }
            };
            self.waiting.extend(records?.iter().map(recorded));
        }
        Ok(Ok(()))
    }

    /// Commits that never ended.
    pub(crate) const fn torn(&self) -> u64 {
        self.reader.torn()
    }

    fn take_in(&mut self, record: &Record) {
        match self.reader.push(record) {
            Ok(Step::Complete(whole)) => self.whole.push_back(Ok(whole)),
            // A replay begins right behind a whole commit.
            Ok(Step::Nothing | Step::PassedOver { .. } | Step::BeganInside { .. }) => {}
            Err(later) => {
                let what = chain(&later).to_string();
                self.whole.push_back(Err(Difference { seq: later.seq, what }));
            }
        }
    }
}
