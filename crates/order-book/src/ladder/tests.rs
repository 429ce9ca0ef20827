//! The ladder alone: levels near and far, and where the window goes.

use super::*;

fn ticks(price: u32) -> Ticks {
    Ticks::new(price).unwrap()
}

fn add(ladder: &mut Ladder, side: Side, price: u32) {
    ladder.occupy(side, ticks(price)).lots = Lots::new(u64::from(price));
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
    ladder.move_around(ticks(1_000_000));
    assert_eq!((prices(&ladder, Side::Buy), prices(&ladder, Side::Sell)), (bids.into(), asks.into()));
    for centre in [1, 40, 900_000, 1_010_000, u32::MAX] {
        ladder.move_around(ticks(centre));
        assert_eq!((prices(&ladder, Side::Buy), prices(&ladder, Side::Sell)), (bids.into(), asks.into()));
    }
    bids.iter().for_each(|&price| take(&mut ladder, Side::Buy, price));
    assert_eq!((prices(&ladder, Side::Buy), prices(&ladder, Side::Sell)), (vec![], asks.into()));
}

#[test]
fn the_window_follows_the_touch_and_not_what_lies_far_away() {
    let mut ladder = Ladder::default();
    let mut outside = 0_usize;
    for price in (100_000..1_000_000).step_by(10) {
        add(&mut ladder, Side::Buy, price);
        outside += usize::from(ladder.place(ticks(price)) >= ladder.window.len());
        if price >= 101_000 {
            take(&mut ladder, Side::Buy, price - 1_000);
        }
    }
    // Each move is paid for by as many orders outside as there were levels: 100, and the patience.
    assert!(outside < 30 * (100 + PATIENCE), "{outside} of 90,000 orders came outside the window");
    let base = ladder.base;
    (1..10_000).for_each(|price| add(&mut ladder, Side::Buy, price));
    assert_eq!(ladder.base, base);
}
