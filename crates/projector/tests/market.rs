//! The market's side of the projector, over a log in memory and a SQLite file.
#![allow(clippy::unwrap_used, reason = "tests: a panic is a failure")]

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
use fillstream_read_store::{Applied, Checkpoint, Dump, ReadStore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const INCARNATION: u64 = 7;
const PATIENCE: Duration = Duration::from_secs(20);

/// A log, an empty model, and a directory for it.
struct Site {
    log: MemoryLog,
    store: ReadStore,
    directory: PathBuf,
}

impl Drop for Site {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

impl Site {
    async fn new() -> Self {
        let name = format!("fillstream-projector-{:016x}", RandomState::new().hash_one(()));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        let store = ReadStore::open(&format!("sqlite://{}/read.db", directory.display())).await.unwrap();
        Self { log: MemoryLog::new(INCARNATION), store, directory }
    }

    fn append(&self, subject: String, payload: Vec<u8>) -> u64 {
        self.log.append_now(NewRecord {
            subject,
            after: 0,
            event_id: Uuid::now_v7(),
            event_type: "x".to_owned(),
            time: at().to_string(),
            traceparent: None,
            retries: None,
            payload: payload.into(),
        })
    }

    fn commit(&self, part: &Commit) -> u64 {
        self.append(subject::market_commits(&symbol()), part.encode())
    }

    /// Definition and order 1, each with its commit: sequences 1 to 4.
    fn begin(&self) {
        let definition = Definition::standard(symbol(), at());
        self.append(subject::book_definition(&symbol()), BookInput::Definition(definition).encode());
        self.commit(&part((1, 1), 1, true, outcome(1, InputResult::Defined, vec![])));
        self.place(1);
        self.commit(&part((3, 3), 1, true, created(3, 1)));
    }

    fn place(&self, number: u32) -> u64 {
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

    fn start(&self) -> Running {
        let projector = Projector::new(Arc::new(self.log.clone()), self.store.clone(), at);
        let stop = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&projector).run(stop.clone()));
        Running { projector, stop, task }
    }

    /// A model that is built from nothing, beside.
    async fn rebuilt(&self) -> Dump {
        let beside = Self::new().await;
        tokio::time::timeout(PATIENCE, rebuild(&self.log, &beside.store, &mut |_, _| {}))
            .await
            .unwrap()
            .unwrap();
        beside.store.dump().await.unwrap()
    }

    async fn move_to(&self, from: u64, batch: &Batch, to: u64) {
        let from = Checkpoint { incarnation: Incarnation::new(INCARNATION), seq: Seq::new(from) };
        let applied = self.store.apply(from, batch, Seq::new(to)).await.unwrap();
        assert_eq!(applied, Applied::Done { strays: vec![] });
    }
}

/// A projector at work.
struct Running {
    projector: Arc<Projector>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), RebuildError>>,
}

impl Running {
    async fn reach(&self, seq: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.projector.position() < Seq::new(seq) {
            let position = self.projector.position();
            assert!(Instant::now() < deadline, "the projector stays at {position} of {seq}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn symbol() -> Symbol {
    "BTC/USDT".parse().unwrap()
}

fn order(number: u32) -> OrderId {
    OrderId::new(Uuid::from_u128(u128::from(number)))
}

fn amount(text: &str) -> Amount {
    Amount::new(parse_exact(text).unwrap()).unwrap()
}

fn at() -> Timestamp {
    Timestamp::from_unix_ms(1_768_030_215_123)
}

/// Each outcome leaves so much at 100 as its sequence says.
fn outcome(seq: u64, result: InputResult, changes: Vec<Change>) -> Outcome {
    let levels = Levels { bids: vec![(amount("100"), amount(&seq.to_string()))], asks: vec![] };
    Outcome { seq: Seq::new(seq), at: at(), result, continued: false, goes_on: false, changes, levels }
}

fn created(seq: u64, number: u32) -> Outcome {
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

fn part(inputs: (u64, u64), number: u32, last: bool, outcome: Outcome) -> Commit {
    Commit {
        symbol: symbol(),
        first_input: Seq::new(inputs.0),
        last_input: Seq::new(inputs.1),
        part: number,
        last,
        hash: last.then(|| format!("{:016x}", inputs.1)),
        outcomes: vec![outcome],
    }
}

/// Orders 2, 3, 4, 5 and a commit over them in four parts: sequences 5 to 8 and 9 to 12.
fn four_parts(site: &Site, upto: u32) {
    let inputs = [2, 3, 4, 5].map(|number| site.place(number));
    for number in 1..=upto {
        let at = number as usize - 1;
        site.commit(&part((5, 8), number, number == 4, created(inputs[at], number + 1)));
    }
}

#[tokio::test]
async fn markets_and_orders_are_projected() {
    let site = Site::new().await;
    site.begin();
    site.start().reach(4).await;
    let row = site.store.book_order(order(1)).await.unwrap().unwrap();
    assert_eq!((row.placed_seq, row.last_seq), (Seq::new(3), Seq::new(4)));
    let market = site.store.markets().await.unwrap().remove(0);
    assert_eq!(market.definition, Some(Definition::standard(symbol(), at())));
    assert_eq!(
        (market.commit_seq, market.last_input, market.hash.as_deref()),
        (Seq::new(4), Seq::new(3), Some("0000000000000003"))
    );
    assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await);
}

#[tokio::test]
async fn the_checkpoint_waits_for_the_last_part() {
    let site = Site::new().await;
    site.begin();
    let running = site.start();
    four_parts(&site, 3);
    running.reach(8).await;
    // The parts were read by now or will be: neither moves the model.
    assert_eq!(
        site.rebuilt().await.checkpoint.unwrap().seq,
        Seq::new(8),
        "a rebuild does not wait for the end either"
    );
    assert_eq!(running.projector.position(), Seq::new(8));
    assert_eq!(site.store.book_order(order(2)).await.unwrap().unwrap().last_seq, Seq::new(5));
    site.commit(&part((5, 8), 4, true, created(8, 5)));
    running.reach(12).await;
    assert_eq!(site.store.book_order(order(2)).await.unwrap().unwrap().last_seq, Seq::new(9));
    assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await);
    assert_eq!(running.projector.torn(), 0);
}

#[tokio::test]
async fn a_model_that_ends_within_a_commit_gets_all_of_it() {
    for inside in 8..12 {
        let site = Site::new().await;
        site.begin();
        for number in 2..=5 {
            site.place(number);
        }
        let running = site.start();
        running.reach(8).await;
        running.stop().await;
        // Nobody of ours does that.
        site.move_to(8, &Batch::default(), inside).await;
        for number in 1..=4 {
            site.commit(&part((5, 8), number, number == 4, created(u64::from(number) + 4, number + 1)));
        }
        site.place(6);
        let running = site.start();
        running.reach(13).await;
        assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await, "from {inside}");
        assert_eq!(running.projector.torn(), 0);
    }
}

#[tokio::test]
async fn parts_without_an_end_are_left_out() {
    let site = Site::new().await;
    site.begin();
    let running = site.start();
    four_parts(&site, 2);
    // Power was lost; the next matcher commits the same inputs anew, behind something else.
    site.append("orders.swap.x".to_owned(), b"garbage".to_vec());
    running.reach(11).await;
    assert_eq!(running.projector.torn(), 1);
    assert_eq!(site.store.book_order(order(2)).await.unwrap().unwrap().last_seq, Seq::new(5));
    let anew = site.commit(&part((5, 8), 1, true, created(5, 2)));
    running.reach(anew).await;
    assert_eq!(site.store.book_order(order(2)).await.unwrap().unwrap().last_seq, Seq::new(anew));
    // Parts without a beginning.
    site.commit(&part((20, 20), 3, true, created(6, 3)));
    running.reach(anew + 1).await;
    assert_eq!(running.projector.torn(), 2);
    assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await);
}

#[tokio::test]
async fn unreadable_commits_are_parked_and_unreadable_inputs_are_the_matcher_s_business() {
    let site = Site::new().await;
    site.begin();
    let mut foreign = part((1, 1), 1, true, created(1, 1));
    foreign.symbol = "ETH/USDT".parse().unwrap();
    let bad = [
        site.commit(&foreign),
        site.append(subject::market_commits(&symbol()), b"{".to_vec()),
        site.append("markets.nope".to_owned(), b"{}".to_vec()),
    ];
    for subject in [
        subject::book_order(&symbol(), order(1)),
        subject::book_definition(&symbol()),
        "orders.book.x".to_owned(),
    ] {
        site.append(subject, b"garbage".to_vec());
    }
    let running = site.start();
    running.reach(10 + bad.len() as u64).await;
    let parked = site.log.last_of_each(subject::ALL_PARKED).await.unwrap();
    let subjects: Vec<_> = parked.into_iter().map(|record| record.subject).collect();
    assert_eq!(subjects, bad.map(|seq| format!("parked.projector.{seq}")));
    assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await);
}
