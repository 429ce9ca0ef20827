//! A private directory of ledgers and clocks that only the test moves.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use fillstream_clock::Clock;
use fillstream_domain::{Atoms, OrderId, Pair, Timestamp, Token, VenueId};
use fillstream_retry::Obstacles;
use fillstream_venues::{Audit, Executions, LedgerError, SimulatedSettings, SimulatedVenue, SwapTerms};
use uuid::Uuid;

static BENCHES: AtomicU32 = AtomicU32::new(0);

/// State that the tests of one ledger directory share; the directory goes with it.
pub(crate) struct Bench {
    dir: PathBuf,
    clocks: Arc<Clocks>,
    /// Trouble of its venues.
    pub(crate) obstacles: Obstacles,
}

/// The machine's clocks: the wall clock can be set, the other one only runs.
struct Clocks {
    unix_ms: AtomicI64,
    running_ms: AtomicU64,
}

impl Clock for Clocks {
    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.unix_ms.load(Ordering::Relaxed))
    }

    fn running(&self) -> Duration {
        Duration::from_millis(self.running_ms.load(Ordering::Relaxed))
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let number = BENCHES.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("fillstream-venues-{}-{number}", std::process::id()));
        let clocks = Clocks { unix_ms: AtomicI64::new(1_768_030_215_123), running_ms: AtomicU64::new(0) };
        Self { dir, clocks: Arc::new(clocks), obstacles: Obstacles::default() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// No delays, blocks of 400 ms, seed 7.
    pub(crate) fn settings(&self, faults: &str) -> SimulatedSettings {
        let settings = SimulatedSettings { seed: 7, ..SimulatedSettings::default() }.without_delays();
        SimulatedSettings { faults: faults.parse().unwrap(), ..settings }
    }

    /// One more process's worth of raydium.
    pub(crate) fn venue(&self, faults: &str) -> SimulatedVenue {
        self.try_venue(faults).unwrap()
    }

    pub(crate) fn try_venue(&self, faults: &str) -> Result<SimulatedVenue, Arc<LedgerError>> {
        self.open(VenueId::Raydium, &self.settings(faults))
    }

    pub(crate) fn venue_with(&self, settings: &SimulatedSettings) -> SimulatedVenue {
        self.open(VenueId::Raydium, settings).unwrap()
    }

    fn open(&self, venue: VenueId, settings: &SimulatedSettings) -> Result<SimulatedVenue, Arc<LedgerError>> {
        let clocks = Arc::<Clocks>::clone(&self.clocks);
        run(SimulatedVenue::open(&self.dir, venue, settings, clocks, &self.obstacles))
    }

    /// Time goes on, on both clocks.
    pub(crate) fn pass(&self, span: Duration) {
        let ms = u64::try_from(span.as_millis()).unwrap();
        self.clocks.running_ms.fetch_add(ms, Ordering::Relaxed);
        self.set_wall(i64::try_from(ms).unwrap());
    }

    /// Somebody sets the wall clock, forward by so many milliseconds, or back.
    pub(crate) fn set_wall(&self, by_ms: i64) {
        self.clocks.unix_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// What the venues did for an order.
    pub(crate) fn audit(&self, order: u128) -> Executions {
        self.audit_all().order(sol(order, 1).order_id)
    }

    /// What the venues did. The other venue's ledger is begun for it if need be.
    pub(crate) fn audit_all(&self) -> Audit {
        self.open(VenueId::Meteora, &self.settings("")).unwrap();
        Audit::read(&self.dir).unwrap()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join("raydium.jsonl")
    }

    pub(crate) fn file(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    pub(crate) fn write_file(&self, bytes: &[u8]) {
        fs::write(self.path(), bytes).unwrap();
    }

    pub(crate) fn remove_file(&self) {
        fs::remove_file(self.path()).unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir)
            && self.dir.exists()
        {
            eprintln!("{} is left over: {error}", self.dir.display());
        }
    }
}

/// Runs a future without any timer: a delay of zero must not need one.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn swap(order: u128, attempt: u8, token_in: Token, token_out: Token, atoms_in: u128) -> SwapTerms {
    SwapTerms {
        order_id: OrderId::new(Uuid::from_u128(order)),
        attempt,
        pair: Pair::new(token_in, token_out).unwrap(),
        amount_in: Atoms::new(atoms_in),
    }
}

/// Ten SOL into USDC.
pub(crate) fn sol(order: u128, attempt: u8) -> SwapTerms {
    swap(order, attempt, Token::Sol, Token::Usdc, 10_000_000_000)
}
