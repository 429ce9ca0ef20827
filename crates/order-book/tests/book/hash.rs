//! The state hash: what it covers, and that it never changes.

use fillstream_order_book::Book;

use crate::dice::Dice;
use crate::engine::Engine;
use crate::notation::Reading;
use crate::operations::{Operations, Prices};
use crate::standing::restored;

fn book(inputs: &str) -> Book {
    let (mut book, mut read) = (Book::new(), Reading { mirrored: false }.inputs());
    for input in inputs.split(", ").filter(|input| !input.is_empty()) {
        book.apply(&read.read(input), &mut Vec::new()).unwrap();
    }
    book
}

/// Each of these differs from the first in one thing.
#[rustfmt::skip]
const ALL_DIFFERENT: &[(&str, &str)] = &[
    ("the order itself", "S1 10@100"),
    ("nothing", ""),
    ("its id", "S2 10@100 acct=A, X2 acct=A, S3 10@100"),
    ("its user", "S1 10@100 acct=A"),
    ("its side", "B1 10@100"),
    ("its price", "S1 10@101"),
    ("its quantity", "S1 11@100"),
    ("what is filled", "S1 10@100, B2 4@100"),
    ("the same left of less", "S1 10@100, B2 4@100, A1 9"),
    ("its self-trade prevention", "S1 10@100 stp=newest"),
    ("another", "S1 10@100 stp=oldest"),
    ("the third", "S1 10@100 stp=both"),
    ("post-only", "S1 10@100 PO"),
    ("an expiry", "S1 10@100 GTD t=0"),
    ("another expiry", "S1 10@100 GTD t=1"),
    ("post-only with an expiry", "S1 10@100 PO GTD t=1"),
    ("the place it was given", "S2 1@99, X2, S1 10@100"),
    ("the place that is next", "S1 10@100, S2 1@99, X2"),
    ("a second order", "S1 10@100, S2 10@100"),
    ("the second first", "S2 10@100, S1 10@100"),
    ("the second first since", "S1 10@100, S2 10@100, A1 9, A1 10"),
];

#[test]
fn every_term_and_the_order_of_the_queue_count() {
    let hashes: Vec<u64> = ALL_DIFFERENT.iter().map(|(_, inputs)| book(inputs).hash()).collect();
    for (one, (name, _)) in ALL_DIFFERENT.iter().enumerate() {
        for (other, (other_name, _)) in ALL_DIFFERENT.iter().enumerate().skip(one + 1) {
            assert_ne!(hashes[one], hashes[other], "{name} and {other_name}");
        }
    }
}

#[test]
fn what_leaves_no_trace_leaves_none_in_the_hash() {
    let before = book("S1 10@100, S2 10@101").hash();
    for inputs in [
        "S1 10@100, S2 10@101, B3 5@99 IOC",
        "S1 10@100, S2 10@101, B3 50@200 FOK",
        "S1 10@100, S2 10@101, SM3 5",
        "S1 10@100, S2 10@101, A1 10@100",
        "S1 10@100, S2 10@101, t=99",
    ] {
        assert_eq!(book(inputs).hash(), before, "{inputs}");
    }
}

/// A replay in another process, on another machine, by a later version: the hash of the same past is this number.
#[test]
fn hashes_never_change() {
    let check = |prices: Prices, expected: u64| {
        let (mut dice, mut made, mut book) = (Dice(29), Operations::new(prices), Book::new());
        for _ in 0..20_000 {
            _ = book.apply(&made.next(&mut dice), &mut Vec::new());
        }
        assert_eq!(format!("{:016x}", book.hash()), format!("{expected:016x}"), "{prices:?}");
        assert_eq!(restored(&book).hash(), expected, "{prices:?}");
    };
    check(Prices::Narrow, 0x0d40_6f19_ed28_11df);
    check(Prices::Wide, 0x1a09_9ef3_177d_d221);
    assert_eq!(Book::new().hash(), 0xe5ee_4959_6a7c_c08e, "of an empty book");
}
