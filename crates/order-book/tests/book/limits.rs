//! Sizes: long sweeps, memory of a resting order, and a warm book that asks for no more of it.

use fillstream_domain::book::{CancelReason, Life, Lots, Pricing, SelfTradePrevention, Side, Ticks};
use fillstream_order_book::{Book, Event, NewOrder, Taking};

use crate::dice::Dice;
use crate::engine::{order_id, user_id};

/// Bytes that a resting order may cost, with its part of the index, of the levels and of what lies idle.
const MOST_BYTES: usize = 96;

fn limit(number: u64, side: Side, quantity: u64, price: u32, life: Life) -> NewOrder {
    NewOrder {
        order_id: order_id(number),
        user_id: user_id(number),
        side,
        quantity: Lots::new(quantity),
        pricing: Pricing::Limit { price: Ticks::new(price).unwrap(), life },
        self_trade_prevention: SelfTradePrevention::None,
    }
}

#[test]
fn one_order_sweeps_as_many_makers_as_it_may() {
    const MAKERS: u32 = 5_001;
    let check = |max_makers: u32, life: Life, trades: u32, reason: Option<CancelReason>| {
        let (mut book, mut events) = (Book::new(), Vec::new());
        let taking = Taking { max_makers, ..Taking::UNBOUNDED };
        for number in 0..MAKERS {
            let maker = limit(u64::from(number), Side::Sell, 2, 1_000 + number / 7, Life::Gtc);
            book.place(&maker, taking, &mut events).unwrap();
        }
        events.clear();
        let taker = limit(1 << 40, Side::Buy, u64::from(2 * MAKERS), u32::MAX, life);
        book.place(&taker, taking, &mut events).unwrap();
        let sweep: Vec<&Event> = events.iter().filter(|event| matches!(event, Event::Trade { .. })).collect();
        assert_eq!(sweep.len(), trades as usize, "{max_makers} {life:?}");
        assert_eq!(book.len(), (MAKERS - trades) as usize, "{max_makers} {life:?}");
        let left = Lots::new(u64::from(2 * (MAKERS - trades)));
        let cancelled = events.iter().find_map(|event| match event {
            Event::Cancelled { left, reason, .. } => Some((*left, *reason)),
            Event::Trade { .. } | Event::Rested { .. } | Event::Amended { .. } => None,
        });
        assert_eq!(cancelled, reason.map(|reason| (left, reason)), "{max_makers} {life:?}");
    };
    check(5_001, Life::Gtc, 5_001, None);
    check(5_000, Life::Gtc, 5_000, Some(CancelReason::MaxMakers));
    check(999, Life::Ioc, 999, Some(CancelReason::MaxMakers));
    check(5_001, Life::Fok, 5_001, None);
    check(5_000, Life::Fok, 0, Some(CancelReason::MaxMakers));
    check(0, Life::Gtc, 0, Some(CancelReason::MaxMakers));
}

/// Fills a book, then cancels and places anew, always the same number of orders, at random.
#[test]
fn an_order_costs_its_bytes_and_a_warm_book_no_more() {
    for orders in [2_000_u64, 100_000] {
        let (mut book, mut events, mut dice) = (Book::new(), Vec::new(), Dice(5));
        let mut live: Vec<u64> = (0..orders).collect();
        let place = |book: &mut Book, number: u64, events: &mut Vec<Event>, dice: &mut Dice| {
            let price = 100_000 + u32::try_from(dice.below(1_000)).unwrap();
            book.place(&limit(number, Side::Sell, 1, price, Life::Gtc), Taking::UNBOUNDED, events).unwrap();
        };
        for &number in &live {
            place(&mut book, number, &mut events, &mut dice);
        }
        let mut warm = 0;
        for round in 0..4 * orders {
            events.clear();
            let gone = usize::try_from(dice.below(orders)).unwrap();
            book.cancel(order_id(live[gone]), user_id(live[gone]), &mut events).unwrap();
            live[gone] = orders + round;
            place(&mut book, live[gone], &mut events, &mut dice);
            if round == orders {
                warm = book.bytes();
            }
        }
        assert_eq!(book.bytes(), warm, "{orders} orders");
        let of_one = warm.div_ceil(book.len());
        assert!(of_one <= MOST_BYTES, "{of_one} bytes for each of {orders} orders");
    }
}
