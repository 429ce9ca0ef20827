//! The index alone: ids of all kinds, coming and going.

use std::collections::HashMap;

use fillstream_domain::UserId;
use fillstream_domain::book::{Lots, SelfTradePrevention, Side, Ticks};
use uuid::Uuid;

use super::*;
use crate::ladder::Ladder;
use crate::slab::Order;

fn order(number: u128) -> Order {
    Order {
        id: OrderId::new(Uuid::from_u128(number)),
        user: UserId::new(Uuid::nil()),
        quantity: Lots::new(1),
        filled: Lots::ZERO,
        priority: 0,
        price: Ticks::new(1).unwrap(),
        side: Side::Buy,
        self_trade_prevention: SelfTradePrevention::None,
        post_only: false,
        expires: false,
    }
}

/// Orders come and go at random, about so many of these at a time, and each that is there is found, and no other.
fn finds_what_is_there(ids: &[u128], resting: usize) {
    let (mut index, mut slab, mut ladder) = (Index::default(), Slab::new(), Ladder::default());
    let mut there: HashMap<u128, Slot> = HashMap::new();
    let mut state = 1_u64;
    for _ in 0..20_000 {
        state = state.wrapping_mul(SPREAD).rotate_left(17).wrapping_add(1);
        let number = ids[usize::try_from(state % ids.len() as u64).unwrap()];
        let order = order(number);
        let level = ladder.occupy(order.side, order.price, 0);
        if let Some(slot) = there.remove(&number) {
            index.remove(index.entry_of(slot, &slab));
            slab.free(slot, level);
        } else if there.len() < resting {
            let slot = slab.push(order, level);
            index.insert(Key::of(order.id), slot, &slab);
            there.insert(number, slot);
        }
        assert_eq!(index.len(), there.len());
        let found = index.find(Key::of(order.id), order.id, &slab).map(|entry| entry.slot);
        assert_eq!(found, there.get(&number).copied());
    }
    for number in ids {
        let id = order(*number).id;
        let found = index.find(Key::of(id), id, &slab).map(|entry| entry.slot);
        assert_eq!(found, there.get(number).copied());
    }
    for slot in there.into_values() {
        index.remove(index.entry_of(slot, &slab));
    }
    let idle = |bucket: &Bucket| bucket.passed == 0 && bucket.tags == [FREE; LANES];
    assert!(index.buckets.iter().all(idle), "nothing is left of those that have gone");
}

#[test]
fn finds_what_is_there_whatever_the_ids_look_like() {
    let numbered: Vec<u128> = (0..500).collect();
    finds_what_is_there(&numbered, 250);
    finds_what_is_there(&numbered, 3);
    // All of one home, and of one tag: bucket after bucket is full of them.
    let alike = |number: &u128| Key::of(order(*number).id).0 >> 56 == 0;
    let of_one_home: Vec<u128> = (0_u128..).filter(alike).take(100).collect();
    finds_what_is_there(&of_one_home, 60);
    let of_one_tag = |number: &u128| Key::of(order(*number).id).tag() == 0x80;
    finds_what_is_there(&(0_u128..).filter(of_one_tag).take(200).collect::<Vec<_>>(), 100);
}
