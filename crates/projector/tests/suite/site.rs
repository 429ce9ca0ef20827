//! A log in memory, a SQLite file, and what is written to the log.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fillstream_domain::book::{
    BookInput, BookPlaced, Change, Commit, Definition, InputResult, Levels, OrderState, OrderType, Outcome,
    SelfTradePrevention, Side, Symbol, TimeInForce,
};
use fillstream_domain::{Amount, Incarnation, OrderId, Seq, Timestamp, UserId, parse_exact, subject};
use fillstream_event_log::{EventLog, MemoryLog, NewRecord};
use fillstream_projections::Batch;
use fillstream_projector::{Projector, RebuildError, rebuild};
use fillstream_read_store::test_raw::{Lock, execute_raw};
use fillstream_read_store::{Applied, Checkpoint, DatabaseSettings, Dump, ReadStore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const INCARNATION: Incarnation = Incarnation::new(7);
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A log, an empty model, and a directory for it.
pub struct Site {
    pub log: MemoryLog,
    pub store: ReadStore,
    pub directory: PathBuf,
}

impl Drop for Site {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

impl Site {
    pub async fn new() -> Self {
        let name = format!("fillstream-projector-{:016x}", RandomState::new().hash_one(()));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        let store = ReadStore::open(&format!("sqlite://{}/read.db", directory.display())).await.unwrap();
        Self { log: MemoryLog::new(INCARNATION), store, directory }
    }

    pub fn append(&self, subject: String, payload: Vec<u8>) -> u64 {
        let record = NewRecord {
            subject,
            after: Seq::ZERO,
            event_id: Uuid::now_v7(),
            event_type: "x".to_owned(),
            time: at().to_string(),
            traceparent: None,
            retries: None,
            payload: payload.into(),
        };
        self.log.append_now(record).get()
    }

    pub fn commit(&self, part: &Commit) -> u64 {
        self.append(subject::market_commits(&symbol()), part.encode())
    }

    /// Definition and order 1, each with its commit: sequences 1 to 4.
    pub fn begin(&self) {
        let definition = Definition::standard(symbol(), at());
        self.append(subject::book_definition(&symbol()), BookInput::Definition(definition).encode());
        self.commit(&part((1, 1), 1, true, outcome(1, InputResult::Defined, vec![])));
        self.place(1);
        self.commit(&part((3, 3), 1, true, created(3, 1)));
    }

    pub fn place(&self, number: u32) -> u64 {
        let placed = BookPlaced {
            order_id: order(number),
            user_id: UserId::new(Uuid::from_u128(1)),
            client_order_id: None,
            symbol: symbol(),
            side: Side::Buy,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: Some(amount("100")),
            quantity: amount("1"),
            expires_at: None,
            post_only: false,
            self_trade_prevention: SelfTradePrevention::None,
            fingerprint: "f".to_owned(),
            at: at(),
        };
        self.append(subject::book_order(&symbol(), order(number)), BookInput::Placed(placed).encode())
    }

    pub fn start(&self) -> Running {
        let projector =
            Projector::new(Arc::new(self.log.clone()), self.store.clone(), at, self.directory.clone());
        let stop = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&projector).run(stop.clone()));
        Running { projector, stop, task }
    }

    /// A model that is built from nothing, beside.
    pub async fn rebuilt(&self) -> Dump {
        let beside = Self::new().await;
        tokio::time::timeout(PATIENCE, rebuild(&self.log, &beside.store, &mut |_, _| {}))
            .await
            .unwrap()
            .unwrap();
        beside.store.dump().await.unwrap()
    }

    /// A swap order with its number, and two events of it, the second a transaction that may be sent.
    pub fn swap(&self, number: u32) -> [u64; 3] {
        let id = order(number);
        let event = |fields: &str| {
            format!(
                r#"{{{fields},"version":1,"order_id":"{id}","attempt":1,"max_attempts":3,"at":"2026-01-10T07:30:15.123Z"}}"#
            )
        };
        let placed = event(
            r#""type":"swap.placed","token_in":"SOL","token_out":"USDC","amount_in":"10","slippage":"0.5","fingerprint":"9f86d081""#,
        );
        let routing = event(r#""type":"swap.routing_started""#);
        let prepared = event(
            r#""type":"swap.prepared","venue":"raydium","tx_id":"sim:4f1c","payload":"AAECAwQFBgcICQ==","built_at_height":10,"last_valid_height":160"#,
        );
        [
            self.append(subject::swap_placed(id), placed.into_bytes()),
            self.append(subject::swap_progress(id), routing.into_bytes()),
            self.append(subject::swap_progress(id), prepared.into_bytes()),
        ]
    }

    /// With a store that does not wait for locks.
    pub async fn impatient() -> Self {
        let mut site = Self::new().await;
        let settings =
            DatabaseSettings { lock_timeout: Duration::from_millis(20), ..DatabaseSettings::default() };
        site.store = ReadStore::at(&format!("sqlite://{}", site.file().display()), settings).unwrap();
        site
    }

    /// Waits until the rows in the database go up to there.
    pub async fn holds(&self, seq: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.store.checkpoint().await;
            if matches!(&found, Ok(Some(found)) if found.seq.get() == seq) {
                return;
            }
            assert!(Instant::now() < deadline, "the rows are not at {seq}: {found:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Place of the rows.
    pub fn file(&self) -> PathBuf {
        self.directory.join("read.db")
    }

    /// A statement past the store's rules.
    pub async fn execute(&self, statement: &'static str) {
        execute_raw(&format!("sqlite://{}", self.file().display()), statement).await;
    }

    /// Holds the write lock.
    pub async fn lock(&self) -> Lock {
        Lock::take(&format!("sqlite://{}", self.file().display())).await
    }

    /// Moves the model's checkpoint by hand.
    pub async fn move_to(&self, from: u64, batch: &Batch, to: u64) {
        let record = async |seq| self.log.record(Seq::new(seq)).await.unwrap().unwrap().reference();
        let from = Checkpoint::start(INCARNATION).moved_to(record(from).await);
        let applied = self.store.apply(from, batch, record(to).await).await.unwrap();
        assert_eq!(applied, Applied::Done { strays: vec![] });
    }

    /// Nothing of it is left in the rows that a rebuild from the stream alone would not make.
    pub async fn is_as_rebuilt(&self) {
        assert_eq!(self.store.dump().await.unwrap(), self.rebuilt().await);
    }
}

/// A projector at work.
pub struct Running {
    pub projector: Arc<Projector>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), RebuildError>>,
}

impl Running {
    pub async fn reach(&self, seq: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.projector.position().get() < seq {
            let position = self.projector.position();
            assert!(Instant::now() < deadline, "the projector stays at {position} of {seq}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until the model stands just there, for good or on its way.
    pub async fn stands_at(&self, seq: u64) {
        let position = || self.projector.position().get();
        eventually(|| position() == seq, || format!("the projector is at {}, not at {seq}", position()))
            .await;
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// Waits until it holds.
pub async fn eventually(mut holds: impl FnMut() -> bool, told: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{}", told());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub fn symbol() -> Symbol {
    "BTC/USDT".parse().unwrap()
}

pub fn order(number: u32) -> OrderId {
    OrderId::new(Uuid::from_u128(u128::from(number)))
}

pub fn amount(text: &str) -> Amount {
    Amount::new(parse_exact(text).unwrap()).unwrap()
}

pub fn at() -> Timestamp {
    Timestamp::from_unix_ms(1_768_030_215_123)
}

/// Each outcome leaves so much at 100 as its sequence says.
pub fn outcome(seq: u64, result: InputResult, changes: Vec<Change>) -> Outcome {
    let levels = Levels { bids: vec![(amount("100"), amount(&seq.to_string()))], asks: vec![] };
    Outcome { seq: Seq::new(seq), at: at(), result, continued: false, goes_on: false, changes, levels }
}

pub fn created(seq: u64, number: u32) -> Outcome {
    let state = OrderState {
        order_id: order(number),
        user_id: UserId::new(Uuid::from_u128(1)),
        side: Side::Buy,
        order_type: OrderType::Limit,
        price: Some(amount("100")),
        quantity: amount("1"),
        filled_quantity: amount("0"),
        filled_quote: amount("0"),
        fee: amount("0"),
    };
    outcome(seq, InputResult::Accepted, vec![Change::Created(state)])
}

pub fn part(inputs: (u64, u64), number: u32, last: bool, outcome: Outcome) -> Commit {
    Commit {
        rules: fillstream_domain::book::Rules::TODAY,
        symbol: symbol(),
        first_input: Seq::new(inputs.0),
        last_input: Seq::new(inputs.1),
        part: number,
        last,
        hash: last.then(|| format!("{:016x}", inputs.1)),
        outcomes: vec![outcome],
    }
}
