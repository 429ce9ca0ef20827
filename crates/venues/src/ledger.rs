//! The file behind a simulated chain, shared by processes.
//!
//! ```text
//!  touch:  lock ─▶ read what others appended ─▶ let time pass ─▶ act ─▶ append own lines ─▶ unlock
//! ```
//! The wall clock says how old the chain is when a process opens it; from there its time runs as the process does, and is
//! never behind what the lines tell. So a clock that is set forward or back, by whatever span, neither stops the blocks nor
//! makes them jump.
//!
//! Only complete lines count. Bytes behind the last newline were left by a process that died while it wrote, before
//! it answered anybody; whoever holds the lock next cuts them off.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use fillstream_clock::Clock;
use fillstream_domain::VenueId;
use fillstream_retry::chain;
use parking_lot::Mutex;

use crate::{
    Observation, SettingsError, SimulatedSettings,
    chain::Chain,
    history::Contradiction,
    line::{Genesis, LINES_VERSION, Line},
    settings::whole_ms,
    transaction::TxId,
};

/// Reasons why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The settings cannot work with any ledger.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The file cannot be read or written.
    #[error("venue ledger {path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A complete line is not one that this version writes, or contradicts the ones before.
    #[error("venue ledger {path}, line {line}: {reason}", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Fault of the line.
        reason: String,
    },
    /// The ledger was begun with another setting, which can never change.
    #[error(
        "venue ledger {path} was begun with {setting} {recorded}, the settings say {configured}: use {recorded}, or another directory",
        path = path.display()
    )]
    Conflict {
        /// The file.
        path: PathBuf,
        /// Name of the setting.
        setting: &'static str,
        /// Its value in the ledger's first line.
        recorded: String,
        /// Its value in the settings.
        configured: String,
    },
    /// The thread that worked on it did not answer: a defect.
    #[error("venue ledger {path}: whoever works on it gave no answer", path = path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
    },
    /// Somebody has deleted or shortened the file while it was in use.
    #[error("venue ledger {path} was deleted or shortened while in use; start again", path = path.display())]
    Deleted {
        /// The file.
        path: PathBuf,
    },
}

impl LedgerError {
    /// It may be well in a moment, or once somebody has mended the disk.
    #[must_use]
    pub const fn passes(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Stopped { .. } => true,
            Self::Settings(_) | Self::Corrupt { .. } | Self::Conflict { .. } | Self::Deleted { .. } => false,
        }
    }
}

/// Room that proves that a disk which was full takes lines again: a page, and more than one touch writes.
const ROOM: usize = 8_192;

/// Path of the ledger of `venue` in a directory of ledgers.
pub(crate) fn path_of(dir: &Path, venue: VenueId) -> PathBuf {
    dir.join(format!("{venue}.jsonl"))
}

/// A chain, and the file that keeps it.
pub(crate) struct Ledger {
    path: PathBuf,
    /// Once it could be opened.
    file: OnceLock<File>,
    /// How this process would begin a ledger, except for the time.
    venue: VenueId,
    seed: u64,
    block_interval_ms: u64,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// State that was read so far. Nothing after an error: then the next touch reads the whole file again, because the
    /// memory may be ahead of it.
    memory: Option<Memory>,
    /// A write has failed: before anybody acts again, one has to succeed. Who only reads would not notice that nobody can write.
    cannot_write: bool,
    /// Outlives the memory: after an error the time goes on as it ran.
    time: Option<ChainTime>,
}

/// The chain's time, which runs with the process: at `running` it was `chain_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ChainTime {
    running: Duration,
    chain_ms: u64,
}

impl ChainTime {
    fn at(self, running: Duration) -> u64 {
        self.chain_ms.saturating_add(whole_ms(running.saturating_sub(self.running)))
    }

    /// The time at `running`, at least `seen`: another process may be ahead, and is followed from there.
    const fn not_before(self, running: Duration, now: u64, seen: u64) -> Self {
        if seen > now { Self { running, chain_ms: seen } } else { self }
    }
}

struct Memory {
    chain: Chain,
    /// Bytes and lines that `chain` has taken in.
    bytes: u64,
    lines: u64,
}

impl Ledger {
    /// The ledger of `venue` in `dir`. The file is opened, or begun, when it is touched first.
    pub(crate) fn new(
        dir: &Path,
        venue: VenueId,
        settings: &SimulatedSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        settings.check()?;
        let (path, block_interval_ms) = (path_of(dir, venue), settings.block_interval_ms()?);
        let (file, state) = (OnceLock::new(), Mutex::default());
        Ok(Self { path, file, venue, seed: settings.seed, block_interval_ms, clock, state })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn file(&self) -> Result<&File, LedgerError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        if let Some(dir) = self.path.parent() {
            let made = std::fs::create_dir_all(dir);
            made.map_err(|source| LedgerError::Io { path: dir.to_owned(), source })?;
        }
        let opened = OpenOptions::new().read(true).append(true).create(true).open(&self.path);
        let opened = opened.map_err(|source| self.io(source))?;
        Ok(self.file.get_or_init(|| opened))
    }

    /// Gives the present chain to `act`, alone among all processes, and writes down what it caused.
    pub(crate) fn touch<T>(
        &self,
        act: impl FnOnce(&mut Chain) -> Result<T, Contradiction>,
    ) -> Result<T, LedgerError> {
        let mut state = self.state.lock();
        let _held = Held::take(self.file()?).map_err(|source| self.io(source))?;
        let mut known = self.catch_up(state.memory.take())?;
        if state.cannot_write {
            self.prove_room(&known)?;
            state.cannot_write = false;
        }
        let now = self.time_of(&known.chain, &mut state.time);
        let acted = known.chain.advance(now).and_then(|()| act(&mut known.chain));
        let answer = acted.map_err(|contradiction| self.corrupt(known.lines, contradiction.to_string()))?;
        self.write(&mut known).inspect_err(|_| state.cannot_write = true)?;
        state.memory = Some(known);
        Ok(answer)
    }

    /// The chain's time now.
    fn time_of(&self, chain: &Chain, time: &mut Option<ChainTime>) -> u64 {
        let (running, seen) = (self.clock.running(), chain.now());
        let known = time.unwrap_or_else(|| {
            let age = chain.age_at(self.clock.wall());
            ChainTime { running, chain_ms: age.max(seen) }
        });
        let known = known.not_before(running, known.at(running), seen);
        *time = Some(known);
        known.at(running)
    }

    /// The final outcome of a transaction, if this process has already read it and the ledger is not at work: no wait, no
    /// system call.
    pub(crate) fn outcome(&self, tx: TxId) -> Option<Observation> {
        self.state.try_lock()?.memory.as_ref()?.chain.outcome(tx)
    }

    /// Takes in what was appended since, and cuts off what a dying process has left half written.
    fn catch_up(&self, known: Option<Memory>) -> Result<Memory, LedgerError> {
        let metadata = self.file()?.metadata().map_err(|source| self.io(source))?;
        let known_bytes = known.as_ref().map_or(0, |known| known.bytes);
        if metadata.nlink() == 0 || metadata.len() < known_bytes {
            return Err(LedgerError::Deleted { path: self.path.clone() });
        }
        if let Some(known) = known {
            return if metadata.len() == known.bytes { Ok(known) } else { self.read_on(known) };
        }
        let Some((genesis, bytes)) = self.read_genesis()? else { return self.begin() };
        self.compare(&genesis)?;
        self.read_on(Memory { chain: Chain::new(genesis), bytes, lines: 1 })
    }

    /// The first line, if it is complete.
    fn read_genesis(&self) -> Result<Option<(Genesis, u64)>, LedgerError> {
        let mut text = Vec::new();
        let (mut reader, mut lines) = (self.reader_at(0)?, 0);
        match self.next_line(&mut reader, &mut text, &mut lines)? {
            None => Ok(None),
            Some((Line::Genesis(genesis), bytes)) if genesis.version == LINES_VERSION => {
                Ok(Some((genesis, bytes)))
            }
            Some((Line::Genesis(genesis), _)) => {
                Err(self.corrupt(1, format!("version {} is not known here", genesis.version)))
            }
            Some(_) => Err(self.corrupt(1, "a ledger begins with its genesis".to_owned())),
        }
    }

    fn compare(&self, genesis: &Genesis) -> Result<(), LedgerError> {
        let pairs = [
            ("venue", genesis.venue.to_string(), self.venue.to_string()),
            ("seed", genesis.seed.to_string(), self.seed.to_string()),
            ("block interval", in_ms(genesis.block_interval_ms), in_ms(self.block_interval_ms)),
        ];
        for (setting, recorded, configured) in pairs {
            if recorded != configured {
                return Err(LedgerError::Conflict { path: self.path.clone(), setting, recorded, configured });
            }
        }
        Ok(())
    }

    fn begin(&self) -> Result<Memory, LedgerError> {
        let genesis = Genesis {
            version: LINES_VERSION,
            venue: self.venue,
            seed: self.seed,
            began: self.clock.wall(),
            block_interval_ms: self.block_interval_ms,
        };
        self.cut_at(0)?;
        let mut begun = Memory { chain: Chain::new(genesis), bytes: 0, lines: 0 };
        self.append(&mut begun, &[Line::Genesis(genesis)])?;
        Ok(begun)
    }

    fn read_on(&self, mut known: Memory) -> Result<Memory, LedgerError> {
        let mut text = Vec::new();
        let mut reader = self.reader_at(known.bytes)?;
        while let Some((line, bytes)) = self.next_line(&mut reader, &mut text, &mut known.lines)? {
            let applied = known.chain.apply(line);
            applied.map_err(|contradiction| self.corrupt(known.lines, contradiction.to_string()))?;
            known.bytes += bytes;
        }
        self.cut_at(known.bytes)?;
        Ok(known)
    }

    fn reader_at(&self, bytes: u64) -> Result<BufReader<&File>, LedgerError> {
        let mut file = self.file()?;
        file.seek(SeekFrom::Start(bytes)).map_err(|source| self.io(source))?;
        Ok(BufReader::new(file))
    }

    /// The next complete line and its length; nothing at the end.
    fn next_line(
        &self,
        reader: &mut BufReader<&File>,
        text: &mut Vec<u8>,
        lines: &mut u64,
    ) -> Result<Option<(Line, u64)>, LedgerError> {
        text.clear();
        reader.read_until(b'\n', text).map_err(|source| self.io(source))?;
        if text.last() != Some(&b'\n') {
            return Ok(None);
        }
        *lines += 1;
        let line = serde_json::from_slice(text).map_err(|error| self.corrupt(*lines, error.to_string()))?;
        Ok(Some((line, length(text))))
    }

    fn cut_at(&self, bytes: u64) -> Result<(), LedgerError> {
        let file = self.file()?;
        let length = file.metadata().map_err(|source| self.io(source))?.len();
        if length <= bytes {
            return Ok(());
        }
        tracing::warn!(path = %self.path.display(), bytes = length.saturating_sub(bytes), "cutting off an unfinished line of a venue ledger");
        file.set_len(bytes).map_err(|source| self.io(source))
    }

    /// Writes behind the last line what is no line, and cuts it off again.
    fn prove_room(&self, known: &Memory) -> Result<(), LedgerError> {
        let mut file = self.file()?;
        let written = file.write_all(&[b' '; ROOM]);
        let cut = file.set_len(known.bytes);
        written.and(cut).map_err(|source| self.io(source))
    }

    fn write(&self, known: &mut Memory) -> Result<(), LedgerError> {
        let lines = known.chain.take_unwritten();
        if lines.is_empty() { Ok(()) } else { self.append(known, &lines) }
    }

    fn append(&self, known: &mut Memory, lines: &[Line]) -> Result<(), LedgerError> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line).map_err(|error| self.io(error.into()))?;
            text.push(b'\n');
        }
        let mut file = self.file()?;
        file.write_all(&text).map_err(|source| self.io(source))?;
        known.bytes += length(&text);
        known.lines += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    pub(crate) fn io(&self, source: io::Error) -> LedgerError {
        LedgerError::Io { path: self.path.clone(), source }
    }

    fn corrupt(&self, line: u64, reason: String) -> LedgerError {
        LedgerError::Corrupt { path: self.path.clone(), line, reason }
    }
}

fn in_ms(ms: u64) -> String {
    format!("{ms} ms")
}

fn length(text: &[u8]) -> u64 {
    u64::try_from(text.len()).expect("a length fits 64 bits")
}

/// The file lock, held. It excludes every other open file: those of other processes and of this one.
struct Held<'a>(&'a File);

impl<'a> Held<'a> {
    fn take(file: &'a File) -> io::Result<Self> {
        loop {
            match file.lock() {
                Ok(()) => return Ok(Self(file)),
                // A signal is no reason to give up.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::error!(error = %chain(&error), "cannot unlock a venue ledger; others wait until this process ends");
        }
    }
}
