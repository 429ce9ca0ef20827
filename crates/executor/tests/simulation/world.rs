//! One run: orders come, executors come and go, strangers handle the queue, clocks are set; then all is well for a while, and
//! the books are checked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use fillstream_clock::WallClock;
use fillstream_domain::{
    Incarnation, OrderId, Seq, Timestamp, UserId, VenueId,
    parked::Cause,
    subject::{ALL_SWAPS_PLACED, swap_placed, swap_progress},
    swap::{Field, Phase, Request, Status, SwapEvent, SwapOrder},
};
use fillstream_event_log::{Consistency, EventLog, MemoryLog, MemoryQueue, MemorySnapshots, NewRecord};
use fillstream_executor::{Executor, Settings, Verdict, read_history, resolve};
use fillstream_retry::Obstacles;
use fillstream_swap_machine::Backoff;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    chain::{Chain, RoughVenue},
    life::{Dice, Life, MortalQueue, MortalSnapshots},
    rough_log::RoughLog,
};

const ORDERS: u128 = 6;
const ACK_WAIT: Duration = Duration::from_secs(1);
/// Time for which things go wrong.
const ROUGH: Duration = Duration::from_secs(90);
/// Time that it may take then until every swap has ended.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// Time on the wall clock at the beginning.
const EPOCH_MS: i64 = 1_768_030_215_123;

/// Guarantees that hold in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) fences_hold: bool,
    pub(crate) stream_is_followed: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { fences_hold: true, stream_is_followed: true }
    }
}

/// Course of a run.
pub(crate) struct Run {
    pub(crate) faults: Vec<String>,
    pub(crate) told: Told,
}

/// Counts of what happened, so that a test can see that something did.
#[derive(Debug, Default)]
pub(crate) struct Told {
    confirmed: usize,
    failed: usize,
    attempts: usize,
    reviewed: usize,
    deaths: usize,
    taken_away: usize,
}

impl Told {
    pub(crate) fn add(&mut self, other: &Self) {
        self.confirmed += other.confirmed;
        self.failed += other.failed;
        self.attempts += other.attempts;
        self.reviewed += other.reviewed;
        self.deaths += other.deaths;
        self.taken_away += other.taken_away;
    }

    pub(crate) fn assert_something_happened(&self) {
        let Self { confirmed, failed, attempts, reviewed, deaths, taken_away } = self;
        let all = [confirmed, failed, reviewed, deaths, taken_away];
        assert!(all.iter().all(|count| **count > 0) && *attempts > confirmed + failed, "{self:?}");
    }
}

/// See the module's first line.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) log: MemoryLog,
    pub(crate) queue: MemoryQueue,
    pub(crate) chain: Chain,
    pub(crate) snapshots: MemorySnapshots,
    pub(crate) rough: Arc<AtomicBool>,
    /// While it is, no append comes back.
    pub(crate) hangs: Arc<AtomicBool>,
    /// By how much the wall clock is off.
    pub(crate) off_ms: Arc<AtomicI64>,
    began: Instant,
    plan: Plan,
}

/// An executor's process.
pub(crate) struct Process {
    pub(crate) executor: Arc<Executor>,
    life: Life,
    stop: CancellationToken,
}

impl Process {
    /// Dies at whatever it is waiting for.
    pub(crate) fn kill(self) {
        self.life.end();
        self.stop.cancel();
    }
}

pub(crate) fn on_one_thread<T>(run: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run)
}

pub(crate) fn settings() -> Settings {
    Settings {
        quote_timeout: Duration::from_secs(1),
        backoff: Backoff { base: Duration::from_millis(500), max: Duration::from_secs(4) },
        ack_wait: ACK_WAIT,
        stalled_after: ACK_WAIT * Settings::STALLED_AFTER_ACK_WAITS,
        checkpoint_every: Duration::from_secs(5),
        ..Settings::default()
    }
}

impl World {
    pub(crate) fn new(seed: u64, plan: Plan) -> Self {
        let dice = Dice::new(seed);
        let log = MemoryLog::new(Incarnation::new(7));
        Self {
            queue: MemoryQueue::new(log.clone(), ALL_SWAPS_PLACED, ACK_WAIT, 4),
            chain: Chain::new(),
            snapshots: MemorySnapshots::default(),
            rough: Arc::new(AtomicBool::new(true)),
            off_ms: Arc::default(),
            hangs: Arc::default(),
            began: Instant::now(),
            dice,
            log,
            plan,
        }
    }

    pub(crate) fn run(seed: u64, plan: Plan) -> Run {
        on_one_thread(async { Self::new(seed, plan).live().await })
    }

    pub(crate) fn clock(&self) -> WallClock {
        let (began, off_ms) = (self.began, Arc::clone(&self.off_ms));
        Arc::new(move || {
            let ms = i64::try_from(began.elapsed().as_millis()).unwrap();
            Timestamp::from_unix_ms(EPOCH_MS + ms + off_ms.load(Ordering::Relaxed))
        })
    }

    /// Starts a process with these venues.
    pub(crate) fn process(&self, venues: &[VenueId], settings: Settings) -> Process {
        let life = Life::begin(&self.dice);
        let venues = venues.iter().map(|id| {
            let venue = RoughVenue {
                id: *id,
                life: life.clone(),
                chain: self.chain.clone(),
                rough: Arc::clone(&self.rough),
            };
            Arc::new(venue) as Arc<dyn fillstream_venues::Venue>
        });
        let log = RoughLog {
            life: life.clone(),
            log: self.log.clone(),
            rough: Arc::clone(&self.rough),
            fences_hold: self.plan.fences_hold,
            hangs: Arc::clone(&self.hangs),
            is_followed: self.plan.stream_is_followed,
        };
        let snapshots = MortalSnapshots { life: life.clone(), snapshots: self.snapshots.clone() };
        let executor = Executor::new(
            Arc::new(log),
            venues.collect(),
            Some(Arc::new(snapshots)),
            settings,
            self.clock(),
            Obstacles::default(),
        );
        let queue = MortalQueue { life: life.clone(), queue: Box::new(self.queue.clone()) };
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&executor).run(Box::new(queue), stop.clone()));
        Process { executor, life, stop }
    }

    fn any_process(&self) -> Process {
        self.process(&VenueId::ALL, settings())
    }

    /// An order is placed, as the intake does.
    pub(crate) fn place(&self, order: OrderId) -> Seq {
        self.log.append_now(placed(order, (self.clock())()))
    }

    async fn live(self) -> Run {
        let mut told = Told::default();
        let orders: Vec<_> = (1..=ORDERS).map(order).collect();
        let mut waiting = orders.clone();
        let mut processes = [self.any_process(), self.any_process()];
        while self.began.elapsed() < ROUGH {
            sleep(Duration::from_millis(self.dice.below(1_500))).await;
            match self.dice.below(12) {
                0..4 => {
                    if let Some(order) = waiting.pop() {
                        self.place(order);
                    }
                }
                4..6 => {
                    let which = usize::try_from(self.dice.below(2)).unwrap();
                    std::mem::replace(&mut processes[which], self.any_process()).kill();
                    told.deaths += 1;
                }
                6 | 7 => {
                    self.queue.take_away().await;
                    told.taken_away += 1;
                }
                8 => self.queue.make_anew(),
                9 => self.queue.pause(self.dice.strikes(500)),
                10 => {
                    let hours = i64::try_from(self.dice.below(5)).unwrap() - 2;
                    self.off_ms.store(hours * 3_600_000, Ordering::Relaxed);
                }
                _ => self.decide(&orders, &mut told).await,
            }
        }
        for order in waiting {
            self.place(order);
        }
        // From now on all is well, but nobody gives the queue back what was taken from it, and one process stays away.
        self.rough.store(false, Ordering::Relaxed);
        self.queue.pause(false);
        let [last, other] = processes;
        other.kill();
        let healed = Instant::now();
        while !self.all_ended(&orders).await && healed.elapsed() < PATIENCE {
            sleep(Duration::from_secs(1)).await;
            self.decide(&orders, &mut told).await;
        }
        let faults = self.check(&orders, &mut told).await;
        last.kill();
        Run { faults, told }
    }

    /// An operator decides what nobody else can, by what the chain says.
    async fn decide(&self, orders: &[OrderId], told: &mut Told) {
        for order in orders {
            let Ok(history) = read_history(&self.log, *order).await else { continue };
            let Phase::Review(in_doubt) = history.order.phase() else { continue };
            // Without a name it is a doubt that only executors without fences have.
            let landed = in_doubt.tx_id.as_deref().and_then(|tx_id| self.chain.found_out(tx_id));
            let Some(landed) = landed else { continue };
            let amount_out = || history.order.placed().amount_in;
            let verdict = match landed {
                true => Verdict::Landed { amount_out: amount_out(), named: None },
                false => Verdict::Dead,
            };
            // It may be the second one's turn already.
            if resolve(&self.log, *order, verdict).await.is_ok() {
                told.reviewed += 1;
            }
        }
    }

    async fn all_ended(&self, orders: &[OrderId]) -> bool {
        for order in orders {
            // One that breaks its life cycle is a fault already, and may never end.
            if self.fold(*order).await.is_ok_and(|(order, _, _)| !order.status().is_terminal()) {
                return false;
            }
        }
        true
    }

    /// The order by all of its events, with its terminal events and its transactions counted.
    pub(crate) async fn fold(&self, id: OrderId) -> Result<(SwapOrder, usize, usize), String> {
        let first = self.log.first(&swap_placed(id), Consistency::Leader).await.unwrap();
        let placed = SwapEvent::decode(&first.ok_or("not placed")?.payload).unwrap();
        let SwapEvent::Placed(placed) = placed else { return Err("not placed".to_owned()) };
        let (mut order, mut ends, mut signed) = (SwapOrder::new(placed), 0, 0);
        for record in
            self.log.read(&swap_progress(id), Seq::FIRST, Consistency::Leader).await.unwrap().records
        {
            let event = SwapEvent::decode(&record.payload).map_err(|error| error.to_string())?;
            ends += usize::from(matches!(event, SwapEvent::Confirmed(_) | SwapEvent::Failed(_)));
            signed += usize::from(matches!(event, SwapEvent::Prepared(_)));
            order.apply(event).map_err(|error| format!("sequence {}: {error}", record.seq))?;
        }
        Ok((order, ends, signed))
    }

    async fn check(&self, orders: &[OrderId], told: &mut Told) -> Vec<String> {
        let mut faults = Vec::new();
        for id in orders {
            let executions = self.chain.executions(*id);
            if executions > 1 {
                faults.push(format!("{id} was executed {executions} times"));
            }
            let (order, ends, signed) = match self.fold(*id).await {
                Ok(folded) => folded,
                Err(error) => {
                    faults.push(format!("{id} breaks its life cycle: {error}"));
                    continue;
                }
            };
            told.attempts += signed;
            let expected = match order.status() {
                Status::Confirmed => {
                    told.confirmed += 1;
                    1
                }
                Status::Failed => {
                    told.failed += 1;
                    0
                }
                Status::Pending | Status::Routing | Status::Building | Status::Submitted => {
                    faults.push(format!("{id} never ended: {:?}", order.phase()));
                    continue;
                }
            };
            if executions != expected || ends != 1 {
                let status = order.status();
                faults.push(format!(
                    "{id} is {status}, was executed {executions} times and ended {ends} times"
                ));
            }
        }
        let open = fillstream_parked::list(&self.log).await.unwrap();
        let open = open.iter().filter(|open| open.entry.cause == Cause::Review);
        faults.extend(open.map(|open| format!("still on the operators' list: {:?}", open.entry)));
        faults
    }
}

pub(crate) fn order(number: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(number))
}

/// Record that the intake appends for an order of 10 SOL.
pub(crate) fn placed(order: OrderId, at: Timestamp) -> NewRecord {
    let request = Request {
        token_in: Field::Text("SOL"),
        token_out: Field::Text("USDC"),
        amount: Field::Number("10"),
        slippage: Field::Missing,
    };
    let event = SwapEvent::Placed(request.judge().unwrap().place(order, None::<UserId>, None, at));
    record(swap_placed(order), Seq::ZERO, &event)
}

pub(crate) fn record(subject: String, after: Seq, event: &SwapEvent) -> NewRecord {
    NewRecord {
        subject,
        after,
        event_id: Uuid::now_v7(),
        event_type: event.event_type().cloud_event_type(),
        time: event.at().to_string(),
        traceparent: None,
        retries: None,
        payload: event.encode().into(),
    }
}
