//! Snapshots: what they restore, and what is refused.

use fillstream_order_book::{BadSnapshot, Book, Event};

use crate::dice::Dice;
use crate::engine::{Engine, Step};
use crate::notation::Reading;
use crate::operations::{Operations, Prices};
use crate::standing::standing;

/// Two orders in one queue, one beside it with an expiry, one on the other side.
fn small() -> Book {
    let (mut book, mut read) = (Book::new(), Reading { mirrored: false }.inputs());
    for input in ["B1 9@100", "B2 9@100 PO stp=both", "B3 9@99 GTD t=50", "S4 9@101", "SM5 4"] {
        book.apply(&read.read(input), &mut Vec::new()).unwrap();
    }
    book
}

#[test]
fn twenty_snapshots_go_on_like_the_book_they_were_taken_of() {
    const STEPS: usize = 20_000;
    let (mut dice, mut made) = (Dice(7), Operations::new(Prices::Wide));
    let steps: Vec<Step> = (0..STEPS).map(|_| made.next(&mut dice)).collect();
    let mut points: Vec<usize> =
        (0..20).map(|_| usize::try_from(dice.below(STEPS as u64)).unwrap()).collect();
    points.sort_unstable();
    let mut book = Book::new();
    let mut restored: Vec<Book> = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        for _ in points.iter().filter(|&&point| point == place) {
            restored.push(Book::restore(&book.snapshot()).unwrap());
        }
        let mut events: Vec<Event> = Vec::new();
        let answer = book.apply(step, &mut events);
        for other in &mut restored {
            let mut others = Vec::new();
            assert_eq!((other.apply(step, &mut others), &others), (answer, &events), "step {place}");
            assert_eq!(other.hash(), book.hash(), "step {place}");
        }
    }
    assert_eq!(restored.len(), 20);
    assert!(restored.iter().all(|other| other.snapshot() == book.snapshot()));
}

#[test]
fn nothing_but_a_snapshot_is_restored() {
    let bytes = small().snapshot();
    assert_eq!(standing(&Book::restore(&bytes).unwrap()), standing(&small()));
    for length in 0..bytes.len() {
        assert!(Book::restore(&bytes[..length]).is_err(), "cut at {length}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(Book::restore(&wrong).is_err(), "bit {bit}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(Book::restore(&longer).unwrap_err(), BadSnapshot::Length);
    assert_eq!(Book::restore(b"fsbook02").unwrap_err(), BadSnapshot::Version);
}

#[test]
fn orders_that_make_no_book_are_refused() {
    const HEAD: usize = 32;
    const ORDER: usize = 64;
    let bytes = small().snapshot();
    let order = |place: usize| &bytes[HEAD + place * ORDER..HEAD + (place + 1) * ORDER];
    let (head, rest) = (&bytes[..HEAD], &bytes[HEAD + 2 * ORDER..]);
    let check = |name: &str, orders: [&[u8]; 2], expected: BadSnapshot| {
        let wrong = [head, orders[0], orders[1], rest].concat();
        assert_eq!(Book::restore(&wrong).unwrap_err(), expected, "{name}");
    };
    let with = |at: usize, bytes: &[u8]| {
        let mut order = order(1).to_vec();
        order[at..at + bytes.len()].copy_from_slice(bytes);
        order
    };
    check("queue turned round", [order(1), order(0)], BadSnapshot::Orders);
    check("an order twice", [order(0), order(0)], BadSnapshot::Orders);
    check("nothing left", [order(0), &with(40, &9_u64.to_le_bytes())], BadSnapshot::Orders);
    check("a place not given yet", [order(0), &with(48, &9_u64.to_le_bytes())], BadSnapshot::Orders);
    check("a price of 0", [order(0), &with(56, &0_u32.to_le_bytes())], BadSnapshot::Orders);
    check("no side", [order(0), &with(60, &[2])], BadSnapshot::Orders);
    check("crossed", [order(0), &with(56, &101_u32.to_le_bytes())], BadSnapshot::Orders);
    check("level too full", [order(0), &with(32, &u64::MAX.to_le_bytes())], BadSnapshot::Orders);
    check("another quantity", [order(0), &with(32, &8_u64.to_le_bytes())], BadSnapshot::Hash);
}
