//! The seeded flow in words that every book understands alike.
//!
//! ```text
//!  Flow ─▶ an ask ─▶ one operation, or two: what takes at once, and what stays
//! ```
//! A limit order that takes a part and stays with the rest is asked for in two pieces, each an operation of its own:
//! matchcore sweeps through such an order's limit. All books get the same pieces.

use std::collections::HashMap;

use fillstream_domain::{
    OrderId, UserId,
    book::{Life, Lots, Pricing, Side, Ticks},
};
use fillstream_order_book::{
    Book, Event, NewOrder,
    flow::{Ask, Flow},
};
use uuid::Uuid;

const SEED: u64 = 1;

/// Numbered from 0 without a gap; an order is called by the number of the operation that placed it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    pub(super) number: u64,
    pub(super) wanted: Wanted,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// Its id is `order_id(number)`.
    Place(NewOrder),
    Cancel {
        order: u64,
        user: UserId,
    },
}

/// The id of the order that an operation placed, as UUIDs of version 7 are made: a number in front, noise behind.
pub(super) fn order_id(number: u64) -> OrderId {
    OrderId::new(Uuid::from_u64_pair(number << 16 | 0x7000, 1 << 63 | noise(number) >> 2))
}

/// The mixing of `SplitMix64`: ids that are spread better than real ones would flatter a hash table.
const fn noise(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The operation that placed it.
pub(super) fn number_of(order: OrderId) -> u64 {
    order.uuid().as_u64_pair().0 >> 16
}

/// How a limit order that takes a part and stays with the rest is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pieces {
    One,
    Two,
}

/// Operations without end.
pub(super) struct Script {
    flow: Flow,
    pieces: Pieces,
    /// Knows what rests.
    book: Book,
    events: Vec<Event>,
    /// What the flow's orders that rest are called here.
    numbers: HashMap<OrderId, u64>,
    next: u64,
    /// Operations so far that were asked for in two pieces.
    pub(super) cut: u64,
}

impl Script {
    pub(super) fn new(resting: usize, pieces: Pieces) -> Self {
        Self {
            flow: Flow::new(SEED, resting),
            pieces,
            book: Book::new(),
            events: Vec::new(),
            numbers: HashMap::new(),
            next: 0,
            cut: 0,
        }
    }

    /// The next operations, so many or one more.
    pub(super) fn stretch(&mut self, operations: usize) -> Vec<Operation> {
        let mut stretch = Vec::with_capacity(operations + 1);
        while stretch.len() < operations {
            let ask = self.flow.next().expect("the flow has no end");
            self.put(&ask, &mut stretch);
            self.follow(&ask);
        }
        stretch
    }

    /// What rests behind the operations so far.
    pub(super) const fn book(&self) -> &Book {
        &self.book
    }

    fn put(&mut self, ask: &Ask, stretch: &mut Vec<Operation>) {
        match *ask {
            Ask::Cancel(order, user) => {
                let order = self.numbers[&order];
                stretch.push(self.operation(|_| Wanted::Cancel { order, user }));
            }
            Ask::Place(mut order) => {
                let name = order.order_id;
                if let Some(taken) = self.taken_at_once(&order).filter(|_| self.pieces == Pieces::Two) {
                    self.cut += 1;
                    let taking = NewOrder { quantity: taken, ..order };
                    stretch.push(self.operation(|order_id| Wanted::Place(NewOrder { order_id, ..taking })));
                    order.quantity = order.quantity.minus(taken).expect("it takes a part");
                }
                self.numbers.insert(name, self.next);
                stretch.push(self.operation(|order_id| Wanted::Place(NewOrder { order_id, ..order })));
            }
        }
    }

    fn operation(&mut self, wanted: impl FnOnce(OrderId) -> Wanted) -> Operation {
        let number = self.next;
        self.next += 1;
        Operation { number, wanted: wanted(order_id(number)) }
    }

    /// What a limit order takes before it stays with the rest; nothing when it only takes or only stays.
    fn taken_at_once(&self, order: &NewOrder) -> Option<Lots> {
        let Pricing::Limit { price: limit, life: Life::Gtc } = order.pricing else { return None };
        let agreed = |price: Ticks| match order.side {
            Side::Buy => price <= limit,
            Side::Sell => price >= limit,
        };
        let levels = self.book.levels(order.side.opposite()).take_while(|(price, _)| agreed(*price));
        let mut sum = 0;
        for (_, lots) in levels {
            sum += lots.get();
            if sum >= order.quantity.get() {
                return None;
            }
        }
        (sum > 0).then_some(Lots::new(sum))
    }

    /// The flow's own book, so that names of orders that have ended are forgotten.
    fn follow(&mut self, ask: &Ask) {
        self.events.clear();
        ask.apply(&mut self.book, &mut self.events);
        for event in &self.events {
            if let Event::Trade { maker, .. } = event
                && maker.left() == Lots::ZERO
            {
                self.numbers.remove(&maker.order_id);
            }
        }
        let rests = matches!(self.events.last(), Some(Event::Rested { .. }));
        if !rests {
            let (Ask::Place(NewOrder { order_id, .. }) | Ask::Cancel(order_id, _)) = ask;
            self.numbers.remove(order_id);
        }
    }
}
