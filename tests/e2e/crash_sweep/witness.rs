//! Reads along what the stream says, and asks the venues' ledgers, without a word from any process of the sweep.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use fillstream_domain::{
    Atoms, OrderId, Pair, Token,
    swap::{SwapEvent, SwapOrder},
};
use fillstream_event_log::{After, EventLog, JetStreamLog, Record};
use fillstream_retry::Obstacles;
use fillstream_tests::{Process, stream};
use fillstream_venues::{Audit, SwapTerms, open_simulated};
use parking_lot::Mutex;
use tokio::{task::JoinHandle, time::sleep};

use super::{
    stage::{Stage, venues},
    verdict::{Life, Lives, faults},
};

/// Time that orders may take to end, on a machine that is busy with other tests: several lives of a transaction.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);

/// See the module's first line.
pub(super) struct Witness<'a> {
    stage: &'a Stage,
    pub(super) log: JetStreamLog,
    lives: Arc<Mutex<Lives>>,
    reader: JoinHandle<()>,
}

impl<'a> Witness<'a> {
    /// Reads along from the first event on.
    pub(super) async fn open(stage: &'a Stage) -> Self {
        let log = stream::open(&stage.nats().url()).await;
        let mut tail = log.follow(After::START, None).await.expect("the stream can be followed");
        let lives = Arc::new(Mutex::new(Lives::new()));
        let reader = tokio::spawn({
            let lives = Arc::clone(&lives);
            async move {
                let mut orders = BTreeMap::new();
                while let Ok(records) = tail.next(1000).await {
                    for record in records {
                        take(&mut orders, &mut lives.lock(), &record);
                    }
                }
            }
        });
        Self { stage, log, lives, reader }
    }

    /// True when every order that was answered with 201 has ended.
    pub(super) fn is_settled(&self) -> bool {
        let lives = self.lives.lock();
        // The newest one is the likeliest not to.
        self.stage.placed().iter().rev().all(|order| lives.get(order).is_some_and(Life::has_ended))
    }

    /// Waits until every order that was answered with 201 has ended.
    pub(super) async fn settle(&self) {
        self.settle_by(&[]).await;
    }

    /// As [`settle`](Self::settle), by these processes, whose words are shown when they do not.
    pub(super) async fn settle_by(&self, executors: &[&Process]) {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_settled() {
            assert!(!self.reader.is_finished(), "the stream holds what must not be there: see above");
            if Instant::now() >= deadline {
                let said: Vec<_> = executors.iter().map(|executor| executor.said()).collect();
                panic!("orders have not ended: {:#?}\n{}", self.unsettled(), said.join("\n--\n"));
            }
            sleep(POLL).await;
        }
    }

    /// The orders that have not ended, each with where it stands.
    fn unsettled(&self) -> Vec<String> {
        let (lives, placed) = (self.lives.lock(), self.stage.placed());
        let open = placed.iter().filter(|order| !lives.get(order).is_some_and(Life::has_ended));
        open.map(|order| match lives.get(order) {
            Some(life) => format!("{order} {life}"),
            None => format!("{order} is not in the stream"),
        })
        .collect()
    }

    /// An order as the stream tells it.
    pub(super) fn order(&self, order: OrderId) -> Option<SwapOrder> {
        self.lives.lock().get(&order).map(|life| life.order.clone())
    }

    /// Every order has ended once, by a legal life, and the venues' own count of executions is the one that its end
    /// tells of. All orders must have ended.
    pub(super) async fn assert_exactly_once(&self) {
        let audit = self.audit().await;
        assert!(!self.reader.is_finished(), "the stream holds what must not be there: see above");
        let lives = self.lives.lock().clone();
        let found = faults(&lives, &audit);
        if let Some((order, _)) = found.first() {
            panic!("{found:#?}\n{}", self.stage.printed(&["order", &order.to_string()]));
        }
        assert_eq!(
            lives.len(),
            self.stage.placed().len(),
            "orders in the stream, and those answered with 201"
        );
    }

    /// The venues' ledgers, once nothing is under way any more: what was sent in vain may land as late as its life lasts.
    pub(super) async fn audit(&self) -> Audit {
        audit_when_still(&self.stage.ledgers()).await
    }
}

/// Reads the venues' ledgers when nothing is under way any more.
pub(super) async fn audit_when_still(ledgers: &std::path::Path) -> Audit {
    let deadline = Instant::now() + venues().life() * 2;
    loop {
        let audit = Audit::read(ledgers).expect("the ledgers can be read");
        let under_way: Vec<_> = audit.orders().filter(|(_, order)| order.under_way() > 0).collect();
        if under_way.is_empty() {
            return audit;
        }
        assert!(Instant::now() < deadline, "still under way: {under_way:?}");
        let_time_pass(ledgers).await;
        sleep(Duration::from_millis(20)).await;
    }
}

/// A ledger stands still until somebody asks it something.
async fn let_time_pass(ledgers: &std::path::Path) {
    let pair = Pair::new(Token::Sol, Token::Usdc).expect("two tokens are a pair");
    let order_id = OrderId::new(uuid::Uuid::now_v7());
    let terms = SwapTerms { order_id, attempt: 1, pair, amount_in: Atoms::new(1_000_000_000) };
    let opened = open_simulated(ledgers, &venues(), &Obstacles::default()).await;
    for venue in opened.expect("the ledgers can be opened") {
        venue.quote(&terms).await.expect("SOL is traded");
    }
}

/// Takes a record of a swap in. Panics when it breaks the life cycle.
fn take(orders: &mut BTreeMap<OrderId, SwapOrder>, lives: &mut Lives, record: &Record) {
    let Ok(event) = SwapEvent::decode(&record.payload) else { return };
    stream::fold_on(orders, record);
    let order = orders[&event.order_id()].clone();
    let life = lives.entry(event.order_id()).or_insert_with(|| Life::new(order.clone()));
    life.take(order, &event);
}
