//! The ladder alone: levels near and far, and where the window goes.

use super::*;

fn ticks(price: u32) -> Ticks {
    Ticks::new(price).unwrap()
}

fn add(ladder: &mut Ladder, side: Side, price: u32) {
    ladder.occupy(side, ticks(price), 0).lots = Lots::new(u64::from(price));
}

fn take(ladder: &mut Ladder, side: Side, price: u32) {
    *ladder.get_mut(ticks(price)) = Level::EMPTY;
    ladder.vacate(side, ticks(price));
}

fn prices(ladder: &Ladder, side: Side) -> Vec<u32> {
    let all = std::iter::successors(ladder.best(side), |&price| ladder.next(side, price));
    all.inspect(|&price| assert_eq!(ladder.get(price).lots, Lots::new(u64::from(price.get()))))
        .map(Ticks::get)
        .collect()
}

#[test]
fn levels_follow_each_other_across_the_window_and_both_sides_of_it() {
    let (bids, asks) =
        ([1_000_000, 999_999, 990_000, 900_000, 40, 1], [1_000_001, 1_010_000, 2_000_000, u32::MAX]);
    let mut ladder = Ladder::default();
    bids.iter().rev().for_each(|&price| add(&mut ladder, Side::Buy, price));
    asks.iter().rev().for_each(|&price| add(&mut ladder, Side::Sell, price));
    for (places, centre) in [
        (512, 1_000_000),
        (512, 1_000_200),
        (512, 999_900),
        (1024, 1),
        (1024, 40),
        (4096, 900_000),
        (65_536, 1_010_000),
        (65_536, u32::MAX),
        (65_536, 1_000_000),
        (65_536, 980_000),
    ] {
        ladder.move_around(ticks(centre), places);
        assert_eq!((prices(&ladder, Side::Buy), prices(&ladder, Side::Sell)), (bids.into(), asks.into()));
    }
    bids.iter().for_each(|&price| take(&mut ladder, Side::Buy, price));
    assert_eq!((prices(&ladder, Side::Buy), prices(&ladder, Side::Sell)), (vec![], asks.into()));
}

#[test]
fn the_window_follows_the_touch_and_not_what_lies_far_away() {
    let mut ladder = Ladder::default();
    let mut outside = 0_usize;
    for price in (100_000..1_000_000).step_by(3) {
        add(&mut ladder, Side::Buy, price);
        outside += usize::from(ladder.place(ticks(price)) >= ladder.window.len());
        if price >= 100_300 {
            take(&mut ladder, Side::Buy, price - 300);
        }
    }
    assert_eq!(outside, 0, "of 300,000 orders, each the best, so many came outside the window");
    let base = ladder.base;
    (1..10_000).for_each(|price| add(&mut ladder, Side::Buy, price));
    assert_eq!((ladder.base, ladder.window.len()), (base, *PLACES.start()));
}

#[test]
fn the_window_grows_as_far_as_the_orders_pay_for_it() {
    let check = |orders: usize, expected: usize| {
        let mut ladder = Ladder::default();
        add(&mut ladder, Side::Buy, 1 << 20);
        for round in 0..200_000 {
            let price = ticks((1 << 20) - round % 50_000);
            ladder.occupy(Side::Buy, price, orders).lots = Lots::new(u64::from(price.get()));
        }
        assert_eq!(ladder.window.len(), expected, "{orders} orders");
        assert_eq!(prices(&ladder, Side::Buy).len(), 50_000, "{orders} orders");
    };
    check(3_000, 512);
    check(3_072, 1_024);
    check(100_000, 32_768);
    check(1_000_000, 65_536);
}
