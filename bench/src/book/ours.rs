//! The book of this project, with full semantics: owners, state hash, self-trade prevention, 128-bit ids.

use fillstream_order_book::{Book, Event, flow::Ask};

use super::{
    contender::{Contender, Trades},
    script::{Operation, Wanted, number_of, order_id},
};

pub(super) struct Fillstream {
    book: Book,
    events: Vec<Event>,
}

impl Contender for Fillstream {
    const NAME: &'static str = "fillstream";
    type Command = Ask;

    fn new() -> Self {
        Self { book: Book::new(), events: Vec::new() }
    }

    fn command(operation: &Operation) -> Ask {
        match operation.wanted {
            Wanted::Place(order) => Ask::Place(order),
            Wanted::Cancel { order, user } => Ask::Cancel(order_id(order), user),
        }
    }

    fn answer(&mut self, command: &Ask, trades: &mut Trades) {
        self.events.clear();
        command.apply(&mut self.book, &mut self.events);
        for event in &self.events {
            if let Event::Trade { maker, price, quantity, .. } = event {
                trades.add(number_of(maker.order_id), u64::from(price.get()), quantity.get());
            }
        }
    }
}
