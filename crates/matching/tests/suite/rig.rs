//! A log, orders on it, and matchers that come and go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fillstream_domain::{
    Amount, Incarnation, OrderId, Seq, Timestamp, UserId,
    book::{
        AmendRequested, BookInput, BookPlaced, CancelRequested, Commit, Definition, OrderType, Outcome,
        SelfTradePrevention, Side, Symbol, TimeInForce,
    },
    parse_exact,
    subject::{book_definition, book_inputs, book_order, market_commits},
};
use fillstream_event_log::{After, EventLog, MemoryLog, MemorySnapshots, NewRecord, Record, SnapshotStore};
use fillstream_matching::{MarketState, Matcher, Settings, verify};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Time that anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap())
}

pub(crate) fn amount(text: &str) -> Amount {
    Amount::new(parse_exact(text).unwrap()).unwrap()
}

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(Uuid::from_u64_pair(1, number))
}

pub(crate) struct Rig {
    pub(crate) log: MemoryLog,
    pub(crate) snapshots: Arc<MemorySnapshots>,
    pub(crate) symbol: Symbol,
    next: AtomicU64,
}

/// A matcher at work; it ends when this is dropped.
pub(crate) struct AtWork {
    pub(crate) matcher: Arc<Matcher>,
    stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl AtWork {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// The only market's state.
    pub(crate) fn state(&self) -> MarketState {
        self.matcher.markets().first().map_or_else(MarketState::default, |(_, state)| state.clone())
    }

    pub(crate) fn leads(&self, symbol: &Symbol) -> bool {
        self.matcher.markets().iter().any(|(market, state)| market == symbol && state.leading)
    }
}

impl Rig {
    /// A market that is defined and has no matcher yet.
    pub(crate) fn new() -> Self {
        let symbol: Symbol = "BTC/USDT".parse().unwrap();
        let rig = Self {
            log: MemoryLog::new(Incarnation::new(7)),
            snapshots: Arc::new(MemorySnapshots::default()),
            symbol: symbol.clone(),
            next: AtomicU64::new(1),
        };
        rig.append(
            book_definition(&symbol),
            &BookInput::Definition(Definition::standard(symbol.clone(), now())),
        );
        rig
    }

    /// The same inputs, and no commit.
    pub(crate) async fn twin(&self) -> Self {
        let twin = Self {
            log: MemoryLog::new(Incarnation::new(7)),
            snapshots: Arc::default(),
            symbol: self.symbol.clone(),
            next: AtomicU64::new(u64::MAX / 2),
        };
        let mut inputs = self.log.follow(After::START, Some(&book_inputs(&self.symbol))).await.unwrap();
        while inputs.behind() > 0 {
            for record in inputs.next(1_000).await.unwrap() {
                twin.log.set_time(record.stored_at);
                let seq = twin.append_raw(record.subject, record.payload.to_vec());
                assert_eq!(seq, record.seq.get(), "inputs came before all commits");
            }
        }
        twin
    }

    pub(crate) fn matcher(&self, settings: Settings) -> AtWork {
        self.matcher_on(Arc::new(self.log.clone()), settings, now)
    }

    /// A matcher that sees the log through something.
    pub(crate) fn matcher_on(
        &self,
        log: Arc<dyn EventLog>,
        settings: Settings,
        clock: fn() -> Timestamp,
    ) -> AtWork {
        let snapshots: Arc<dyn SnapshotStore> = Arc::clone(&self.snapshots) as _;
        let matcher = Matcher::new(log, Some(snapshots), settings, clock);
        let stop = CancellationToken::new();
        let (running, stopped) = (Arc::clone(&matcher), stop.clone());
        let task = tokio::spawn(async move { running.run(stopped).await.unwrap() });
        AtWork { matcher, stop, task }
    }

    pub(crate) fn append(&self, subject: String, input: &BookInput) -> u64 {
        self.append_raw(subject, input.encode())
    }

    pub(crate) fn append_raw(&self, subject: String, payload: Vec<u8>) -> u64 {
        self.log
            .append_now(NewRecord {
                subject,
                after: Seq::ZERO,
                event_id: Uuid::now_v7(),
                event_type: "test".to_owned(),
                time: now().to_string(),
                traceparent: None,
                retries: None,
                payload: payload.into(),
            })
            .get()
    }

    pub(crate) fn placed(&self, owner: UserId, side: Side, price: &str, quantity: &str) -> BookPlaced {
        BookPlaced {
            order_id: OrderId::new(Uuid::from_u64_pair(2, self.next.fetch_add(1, Ordering::Relaxed))),
            user_id: owner,
            client_order_id: None,
            symbol: self.symbol.clone(),
            side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: Some(amount(price)),
            quantity: amount(quantity),
            expires_at: None,
            post_only: false,
            self_trade_prevention: SelfTradePrevention::None,
            fingerprint: String::new(),
            at: now(),
        }
    }

    pub(crate) fn place(&self, placed: BookPlaced) -> (OrderId, u64) {
        let order = placed.order_id;
        (order, self.append(book_order(&self.symbol, order), &BookInput::Placed(placed)))
    }

    pub(crate) fn cancel(&self, order: OrderId, owner: UserId) -> u64 {
        let (symbol, at) = (self.symbol.clone(), now());
        let input =
            BookInput::CancelRequested(CancelRequested { order_id: order, user_id: owner, symbol, at });
        self.append(book_order(&self.symbol, order), &input)
    }

    pub(crate) fn amend(&self, order: OrderId, owner: UserId, quantity: &str) -> u64 {
        let (symbol, at) = (self.symbol.clone(), now());
        let quantity = Some(amount(quantity));
        let input = BookInput::AmendRequested(AmendRequested {
            order_id: order,
            user_id: owner,
            symbol,
            quantity,
            price: None,
            at,
        });
        self.append(book_order(&self.symbol, order), &input)
    }

    /// So many inputs of all kinds around 100; returns the last one's sequence.
    pub(crate) fn flow(&self, seed: u64, inputs: usize) -> u64 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut known: Vec<(OrderId, UserId)> = Vec::new();
        let mut last = 0;
        for _ in 0..inputs {
            let owner = user(dice.random_range(0..5));
            let picked = (!known.is_empty()).then(|| known[dice.random_range(0..known.len())]);
            last = match (dice.random_range(0..10), picked) {
                (0..=1, Some((order, owner))) => self.cancel(order, owner),
                (2, Some((order, owner))) => {
                    self.amend(order, owner, &format!("{}", dice.random_range(1..9)))
                }
                _ => {
                    let side = if dice.random_bool(0.5) { Side::Buy } else { Side::Sell };
                    let price = format!("{}", dice.random_range(95..106));
                    let (order, seq) =
                        self.place(self.placed(owner, side, &price, &dice.random_range(1..9).to_string()));
                    known.push((order, owner));
                    seq
                }
            };
        }
        last
    }

    pub(crate) async fn commits(&self) -> Vec<(u64, Commit)> {
        let subject = market_commits(&self.symbol);
        let mut all: Vec<Record> = Vec::new();
        loop {
            let from = all.last().map_or(1, |record| record.seq.next().get());
            let page = self
                .log
                .read(&subject, Seq::new(from), fillstream_event_log::Consistency::Leader)
                .await
                .unwrap();
            all.extend(page.records);
            if !page.more {
                return all
                    .iter()
                    .map(|record| (record.seq.get(), Commit::decode(&record.payload).unwrap()))
                    .collect();
            }
        }
    }

    /// Waits until a commit covers the input.
    pub(crate) async fn covered(&self, input: u64) {
        let covered = async {
            while self.commits().await.last().is_none_or(|(_, commit)| commit.last_input < Seq::new(input)) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, covered).await.unwrap_or_else(|_| panic!("input {input} is not covered"));
    }

    pub(crate) async fn outcome(&self, input: u64) -> Outcome {
        self.covered(input).await;
        let commits = self.commits().await;
        let mut outcomes = commits.into_iter().flat_map(|(_, commit)| commit.outcomes);
        outcomes.find(|outcome| outcome.seq == Seq::new(input)).unwrap()
    }

    /// Every input is covered once, in order, and the log reproduces itself.
    pub(crate) async fn check(&self, inputs: usize) {
        let commits = self.commits().await;
        let seqs: Vec<Seq> =
            commits.iter().flat_map(|(_, commit)| &commit.outcomes).map(|outcome| outcome.seq).collect();
        assert!(seqs.is_sorted_by(|one, other| one < other), "an input is covered twice, or out of order");
        assert_eq!(seqs.len(), inputs, "inputs that are covered");
        let report = verify(&self.log, None, &mut |_, _| {}).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        let from_snapshot = verify(&self.log, Some(&*self.snapshots), &mut |_, _| {}).await.unwrap();
        assert!(from_snapshot.is_clean(), "{from_snapshot:?}");
        assert_eq!(from_snapshot.markets[0].hash, report.markets[0].hash);
    }
}

pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

/// The same for what has to be asked.
pub(crate) async fn eventually(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !done().await {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}
