//! The book beside its naive twin: the same answers and events for whatever is asked.

use std::collections::{HashMap, HashSet};

use fillstream_domain::book::{CancelReason, Life, Lots, Pricing};
use fillstream_domain::{OrderId, Timestamp};
use fillstream_order_book::{Amended, Book, Event, Refused, Resting};
use proptest::prelude::*;

use crate::dice::Dice;
use crate::engine::{Answer, Engine, Operation, Step};
use crate::operations::{Operations, Prices};
use crate::standing::{never_crossed, restored, standing};
use crate::twin::Twin;

/// Set to 1: a hundred times as many operations.
const LONG: &str = "FILLSTREAM_TEST_LONG";
/// Operations of the default run, over all kinds of prices together.
const OPERATIONS: u64 = 1_000_000;
/// Both books are compared order by order, and the snapshot restored, once in this many operations on average.
const LOOK_EVERY: u64 = 2_000;

/// Book and twin, and what is known of all quantities that ever came.
struct Pair {
    book: Book,
    twin: Twin,
    events: Vec<Event>,
    twins: Vec<Event>,
    open: Open,
    until: Until,
    seen: Seen,
}

/// Events that have happened at least once.
#[derive(Default)]
struct Seen {
    refusals: HashSet<Refused>,
    amends: HashSet<Amended>,
    reasons: HashSet<CancelReason>,
    most_orders: usize,
}

impl Seen {
    fn note(&mut self, answer: &Answer, events: &[Event], orders: usize) {
        match answer {
            Err(refused) => _ = self.refusals.insert(*refused),
            Ok(amended) => self.amends.extend(*amended),
        }
        self.reasons.extend(events.iter().filter_map(|event| match event {
            Event::Cancelled { reason, .. } => Some(*reason),
            Event::Trade { .. } | Event::Rested { .. } | Event::Amended { .. } => None,
        }));
        self.most_orders = self.most_orders.max(orders);
    }
}

/// Lots of every order that is still in the book: what it asked for, less what has traded or was cancelled.
#[derive(Default)]
struct Open(HashMap<OrderId, u64>);

impl Open {
    /// Quantity in = traded + cancelled + resting.
    fn account(&mut self, step: &Step, events: &[Event]) {
        if let Operation::Place(order) = step.operation {
            self.0.insert(order.order_id, order.quantity.get());
        }
        for event in events {
            match *event {
                Event::Trade { maker, taker, quantity, .. } => {
                    self.spend(maker.order_id, quantity);
                    self.spend(taker, quantity);
                }
                Event::Cancelled { order, left, .. } => {
                    assert_eq!(order.quantity.minus(order.filled), Some(left));
                    self.spend(order.order_id, left);
                }
                Event::Rested { order } => self.holds(&order),
                Event::Amended { before, after, .. } => {
                    self.holds(&before);
                    assert_eq!((before.filled, before.side), (after.filled, after.side));
                    self.spend(before.order_id, before.left());
                    if after.left() > Lots::ZERO {
                        self.0.insert(after.order_id, after.left().get());
                    }
                }
            }
        }
    }

    fn spend(&mut self, order_id: OrderId, lots: Lots) {
        let left = self.0.get_mut(&order_id).unwrap();
        *left = left.checked_sub(lots.get()).unwrap();
        if *left == 0 {
            self.0.remove(&order_id);
        }
    }

    fn holds(&self, order: &Resting) {
        assert_eq!(self.0.get(&order.order_id), Some(&order.left().get()), "{order:?}");
    }
}

/// Until when each order may trade.
#[derive(Default)]
struct Until(HashMap<OrderId, Option<Timestamp>>);

impl Until {
    /// No maker trades once its time is over, ended or not.
    fn account(&mut self, step: &Step, events: &[Event]) {
        if let Operation::Place(order) = step.operation {
            let until = match order.pricing {
                Pricing::Limit { life: Life::Gtd(at), .. } => Some(at),
                Pricing::PostOnly { expires_at, .. } => expires_at,
                Pricing::Limit { life: Life::Gtc | Life::Ioc | Life::Fok, .. } | Pricing::Market { .. } => {
                    None
                }
            };
            self.0.insert(order.order_id, until);
        }
        for event in events {
            if let Event::Trade { maker, .. } = event {
                let until = self.0[&maker.order_id];
                assert!(until.is_none_or(|at| at > step.taking.now), "{maker:?} trades after {until:?}");
            }
        }
    }
}

impl Pair {
    fn new() -> Self {
        let (book, twin) = (Book::new(), Twin::default());
        Self {
            book,
            twin,
            events: Vec::new(),
            twins: Vec::new(),
            open: Open::default(),
            until: Until::default(),
            seen: Seen::default(),
        }
    }

    fn step(&mut self, step: &Step) {
        self.events.clear();
        self.twins.clear();
        let before = self.book.hash();
        let answer = self.book.apply(step, &mut self.events);
        let twins = self.twin.apply(step, &mut self.twins);
        assert_eq!((answer, &self.events), (twins, &self.twins), "{step:?}");
        if answer.is_err() {
            assert_eq!((self.book.hash(), self.events.len()), (before, 0), "{step:?} is refused");
        } else {
            self.open.account(step, &self.events);
            self.until.account(step, &self.events);
        }
        self.seen.note(&answer, &self.events, self.book.len());
        never_crossed(&self.book);
        assert_eq!(self.book.len(), self.open.0.len(), "{step:?}");
        assert_eq!(self.book.next_expiry(), self.twin.next_expiry(), "{step:?}");
    }

    /// All of both, and a restored book goes on in place of the first.
    fn look(&mut self) {
        let stands = standing(&self.book);
        assert_eq!(stands, self.twin.standing());
        for order in stands.iter().flatten() {
            self.open.holds(order);
        }
        self.book = restored(&self.book);
        assert_eq!(standing(&self.book), stands);
    }
}

fn run(mut made: Operations, seed: u64, operations: u64) -> Seen {
    let (mut dice, mut pair) = (Dice(seed), Pair::new());
    for _ in 0..operations {
        pair.step(&made.next(&mut dice));
        if dice.one_in(LOOK_EVERY) {
            pair.look();
        }
    }
    pair.look();
    pair.seen
}

fn operations() -> u64 {
    if std::env::var(LONG).is_ok_and(|value| value == "1") { 100 * OPERATIONS } else { OPERATIONS }
}

#[test]
fn random_operations_agree_within_a_few_ticks() {
    let seen = run(Operations::new(Prices::Narrow), 1, operations() / 4);
    let (refusals, amends, reasons) = (seen.refusals.len(), seen.amends.len(), seen.reasons.len());
    assert_eq!(
        (refusals, amends, reasons),
        (7, 4, 7),
        "operations of all kinds must lead to all that can happen"
    );
    assert!(seen.most_orders > 40, "{} orders at most", seen.most_orders);
}

#[test]
fn random_operations_agree_over_wandering_prices() {
    run(Operations::new(Prices::Wide), 2, operations() / 4);
}

#[test]
fn random_operations_agree_at_the_ends_of_all_prices() {
    run(Operations::new(Prices::Ends), 3, operations() / 4);
}

#[test]
fn random_operations_agree_while_orders_are_due() {
    let seen = run(Operations::late(Prices::Narrow), 4, operations() / 4);
    assert_eq!((seen.refusals.len(), seen.amends.len(), seen.reasons.len()), (7, 4, 7));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Short runs, which shrink to the few operations that matter.
    #[test]
    fn any_operations_agree(seeds in prop::collection::vec(any::<u64>(), 1..120), wide in any::<bool>()) {
        let mut made = Operations::late(if wide { Prices::Wide } else { Prices::Narrow });
        let mut pair = Pair::new();
        for seed in seeds {
            pair.step(&made.next(&mut Dice(seed)));
        }
        pair.look();
    }
}
