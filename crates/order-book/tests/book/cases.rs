//! The table of cases: every row as it stands and mirrored, through the book and its twin.
//!
//! Two rows of the published table are not here: what is off tick, off lot, negative or below a minimum (18 in part, 28)
//! cannot be said to the book, whose prices and quantities are counts; its caller refuses it. Deliveries (30) are the
//! matcher's.

use fillstream_order_book::Book;

use crate::engine::Engine;
use crate::notation::Reading;
use crate::standing::{restored, standing};
use crate::twin::Twin;

/// Number or name, inputs, events, what rests afterwards.
type Row = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("1", "S1 10@100, S2 10@100, B3 10@100",
        "rest(1,10@100) rest(2,10@100) T(3,1,100,10)", "| S2 10@100"),
    ("2", "S1 10@101, S2 10@100, B3 15@101",
        "rest(1,10@101) rest(2,10@100) T(3,2,100,10) T(3,1,101,5)", "| S1 5@101"),
    ("3", "S1 10@100, B2 10@105, B3 10@100, S4 10@95",
        "rest(1,10@100) T(2,1,100,10) rest(3,10@100) T(4,3,100,10)", "|"),
    ("4", "S1 10@100, S2 10@100, B3 4@100, B4 8@100",
        "rest(1,10@100) rest(2,10@100) T(3,1,100,4) T(4,1,100,6) T(4,2,100,2)", "| S2 8@100"),
    ("5", "S1 10@100, S2 10@102, B3 20@101",
        "rest(1,10@100) rest(2,10@102) T(3,1,100,10) rest(3,10@101)", "B3 10@101 | S2 10@102"),
    ("6", "S1 10@100, S2 10@101, B3 20@101",
        "rest(1,10@100) rest(2,10@101) T(3,1,100,10) T(3,2,101,10)", "|"),
    ("7", "S1 10@101, B2 10@100",
        "rest(1,10@101) rest(2,10@100)", "B2 10@100 | S1 10@101"),
    ("7, then", "S1 10@101, B2 10@100, B3 10@101",
        "rest(1,10@101) rest(2,10@100) T(3,1,101,10)", "B2 10@100 |"),
    ("8", "S1 10@100, S2 10@100, S3 10@100, X2, B4 20@100",
        "rest(1,10@100) rest(2,10@100) rest(3,10@100) done(2,10,requested) T(4,1,100,10) T(4,3,100,10)", "|"),
    ("9", "S1 10@100, S2 10@100, S3 10@100, X1, X3, S4 10@100, B5 20@100",
        "rest(1,10@100) rest(2,10@100) rest(3,10@100) done(1,10,requested) done(3,10,requested) rest(4,10@100) \
         T(5,2,100,10) T(5,4,100,10)", "|"),
    ("10", "S1 10@100, B2 4@100, X1",
        "rest(1,10@100) T(2,1,100,4) done(1,6,requested)", "|"),
    ("11", "S1 10@100, B2 10@100, X1, X999",
        "rest(1,10@100) T(2,1,100,10) REJ(1,UnknownOrEnded) REJ(999,UnknownOrEnded)", "|"),
    ("12", "S1 10@100 acct=A, S2 10@100, X1 acct=B, A1 5@99 acct=B",
        "rest(1,10@100) rest(2,10@100) REJ(1,NotOwner) REJ(1,NotOwner)", "| S1 10@100 S2 10@100"),
    ("13", "S1 10@100, S1 5@99",
        "rest(1,10@100) REJ(1,DuplicateOrder)", "| S1 10@100"),
    ("13, before any matching", "S1 10@100, B2 10@99, S1 5@99",
        "rest(1,10@100) rest(2,10@99) REJ(1,DuplicateOrder)", "B2 10@99 | S1 10@100"),
    ("14", "S1 10@100, S2 10@100, A1 6@100, B3 6@100",
        "rest(1,10@100) rest(2,10@100) amended(1,6@100,kept) T(3,1,100,6)", "| S2 10@100"),
    ("15", "S1 10@100, S2 10@100, A1 12@100, B3 10@100",
        "rest(1,10@100) rest(2,10@100) amended(1,12@100,lost) rest(1,12@100) T(3,2,100,10)", "| S1 12@100"),
    ("15, to what it is", "S1 10@100, S2 10@100, A1 10@100, A1 10, A1 @100, B3 10@100",
        "rest(1,10@100) rest(2,10@100) same(1) same(1) same(1) T(3,1,100,10)", "| S2 10@100"),
    ("15, another price and back", "S1 10@100, S2 10@100, A1 @101, A1 @100",
        "rest(1,10@100) rest(2,10@100) amended(1,10@101,lost) rest(1,10@101) amended(1,10@100,lost) rest(1,10@100)",
        "| S2 10@100 S1 10@100"),
    ("15, less at another price", "S1 10@100, S2 10@101, A1 5@101",
        "rest(1,10@100) rest(2,10@101) amended(1,5@101,lost) rest(1,5@101)", "| S2 10@101 S1 5@101"),
    ("16", "B1 10@100, S2 10@105, A2 10@98",
        "rest(1,10@100) rest(2,10@105) amended(2,10@98,lost) T(2,1,100,10)", "|"),
    ("16, more than there is", "B1 4@100, B2 4@99, S3 10@105, A3 12@99",
        "rest(1,4@100) rest(2,4@99) rest(3,10@105) amended(3,12@99,lost) T(3,1,100,4) T(3,2,99,4) rest(3,4@99)",
        "| S3 4@99"),
    ("17", "S1 10@100, B2 4@100, A1 4@100",
        "rest(1,10@100) T(2,1,100,4) amended(1,4@100,lost)", "|"),
    ("17, below", "S1 10@100, B2 4@100, A1 3@100, A1 0@100",
        "rest(1,10@100) T(2,1,100,4) REJ(1,BelowFilled) REJ(1,ZeroQuantity)", "| S1 6@100"),
    ("17, at another price", "B3 5@90, S1 10@100, B2 4@100, A1 4@90",
        "rest(3,5@90) rest(1,10@100) T(2,1,100,4) amended(1,4@90,lost)", "B3 5@90 |"),
    ("17, then more", "S1 10@100, B2 4@100, A1 5@100, A1 12@100",
        "rest(1,10@100) T(2,1,100,4) amended(1,5@100,kept) amended(1,12@100,lost) rest(1,8@100)", "| S1 8@100"),
    ("18", "S1 10@100, S2 10@100, A999 1@100, A1 0@100, B3 10@100, A1 12@100",
        "rest(1,10@100) rest(2,10@100) REJ(999,UnknownOrEnded) REJ(1,ZeroQuantity) T(3,1,100,10) REJ(1,UnknownOrEnded)",
        "| S2 10@100"),
    ("19", "S1 4@100, B2 10@99 IOC, B3 10@100 IOC",
        "rest(1,4@100) done(2,10,ioc) T(3,1,100,4) done(3,6,ioc)", "|"),
    ("20", "S1 5@100, S2 5@101, S3 5@103, B4 20@102 IOC",
        "rest(1,5@100) rest(2,5@101) rest(3,5@103) T(4,1,100,5) T(4,2,101,5) done(4,10,ioc)", "| S3 5@103"),
    ("21", "S1 5@100, S2 5@100, S3 5@101, B4 15@101 FOK",
        "rest(1,5@100) rest(2,5@100) rest(3,5@101) T(4,1,100,5) T(4,2,100,5) T(4,3,101,5)", "|"),
    ("22", "S1 5@100, S2 5@101, S3 99@103, B4 11@102 FOK",
        "rest(1,5@100) rest(2,5@101) rest(3,99@103) done(4,11,fok)", "| S1 5@100 S2 5@101 S3 99@103"),
    ("23", "BM1 10", "done(1,10,no liquidity)", "|"),
    ("24", "S1 4@100, S2 3@250, BM3 10",
        "rest(1,4@100) rest(2,3@250) T(3,1,100,4) T(3,2,250,3) done(3,3,no liquidity)", "|"),
    ("24, all or nothing", "S1 4@100, S2 3@250, BM3 8 FOK, BM4 7 FOK",
        "rest(1,4@100) rest(2,3@250) done(3,8,fok) T(4,1,100,4) T(4,2,250,3)", "|"),
    ("25", "S1 10@101, B2 10@101 PO, B3 10@102 PO, B4 10@100 PO",
        "rest(1,10@101) REJ(2,WouldTake) REJ(3,WouldTake) rest(4,10@100)", "B4 10@100 | S1 10@101"),
    ("25, amended", "S1 10@101, B4 10@100 PO, A4 10@101, A4 12@100, A4 @99",
        "rest(1,10@101) rest(4,10@100) REJ(4,WouldTake) amended(4,12@100,lost) rest(4,12@100) \
         amended(4,12@99,lost) rest(4,12@99)", "B4 12@99 | S1 10@101"),
    ("25, traded since", "B1 10@100 PO, S2 4@100, A1 @101, A1 8",
        "rest(1,10@100) T(2,1,100,4) amended(1,10@101,lost) rest(1,6@101) amended(1,8@101,kept)", "B1 4@101 |"),
    ("26, newest", "S1 10@100 acct=A, S2 10@100 acct=B, B3 15@100 acct=B stp=newest",
        "rest(1,10@100) rest(2,10@100) T(3,1,100,10) done(3,5,self-trade)", "| S2 10@100"),
    ("26, oldest", "S1 10@100 acct=A, S2 10@100 acct=B, B3 15@100 acct=B stp=oldest",
        "rest(1,10@100) rest(2,10@100) T(3,1,100,10) done(2,10,self-trade) rest(3,5@100)", "B3 5@100 |"),
    ("26, both", "S1 10@100 acct=A, S2 10@100 acct=B, B3 15@100 acct=B stp=both",
        "rest(1,10@100) rest(2,10@100) T(3,1,100,10) done(2,10,self-trade) done(3,5,self-trade)", "|"),
    ("26, not asked for", "S2 10@100 acct=B, B3 4@100 acct=B",
        "rest(2,10@100) T(3,2,100,4)", "| S2 6@100"),
    ("26, the maker's setting does not count", "S2 10@100 acct=B stp=both, B3 4@100 acct=B",
        "rest(2,10@100) T(3,2,100,4)", "| S2 6@100"),
    ("26, an amended order keeps its own", "S1 10@100 acct=B, B2 10@90 acct=B stp=oldest, A2 10@100",
        "rest(1,10@100) rest(2,10@90) amended(2,10@100,lost) done(1,10,self-trade) rest(2,10@100)", "B2 10@100 |"),
    ("26, amended, newest", "S1 10@100 acct=B, B2 10@90 acct=B stp=newest, A2 10@100",
        "rest(1,10@100) rest(2,10@90) amended(2,10@100,lost) done(2,10,self-trade)", "| S1 10@100"),
    ("26, FOK does not count own orders", "S1 10@100 acct=A, S2 10@100 acct=B, B3 15@100 acct=B stp=oldest FOK",
        "rest(1,10@100) rest(2,10@100) done(3,15,fok)", "| S1 10@100 S2 10@100"),
    ("26, FOK past own orders", "S1 10@100 acct=B, S2 10@100 acct=A, S3 9@101 acct=A, B4 15@101 acct=B stp=oldest FOK",
        "rest(1,10@100) rest(2,10@100) rest(3,9@101) done(1,10,self-trade) T(4,2,100,10) T(4,3,101,5)", "| S3 4@101"),
    ("26, FOK stopped by an own order", "S1 10@100 acct=A, S2 1@100 acct=B, S3 9@100 acct=A, B4 15@101 acct=B stp=newest FOK",
        "rest(1,10@100) rest(2,1@100) rest(3,9@100) done(4,15,fok)", "| S1 10@100 S2 1@100 S3 9@100"),
    ("26, FOK filled before the own order", "S1 10@100 acct=A, S2 1@100 acct=B, B4 10@101 acct=B stp=both FOK",
        "rest(1,10@100) rest(2,1@100) T(4,1,100,10)", "| S2 1@100"),
    ("27", "S1 10@100 GTD t=50, t=49, B2 1@100, t=50, B3 10@100",
        "rest(1,10@100) T(2,1,100,1) done(1,9,expired) rest(3,10@100)", "B3 10@100 |"),
    ("27, by expiry, then by place", "S1 1@100 GTD t=60, B2 1@90 GTD t=50, S3 1@99 PO GTD t=50, A2 2@90, t=70",
        "rest(1,1@100) rest(2,1@90) rest(3,1@99) amended(2,2@90,lost) rest(2,2@90) \
         done(3,1,expired) done(2,2,expired) done(1,1,expired)", "|"),
    ("27, gone before", "S1 1@100 GTD t=60, S2 1@100 GTD t=60, X1, B3 1@100, t=60",
        "rest(1,1@100) rest(2,1@100) done(1,1,requested) T(3,2,100,1)", "|"),
    ("27, less in its place", "S1 9@100 GTD t=60, A1 5, B2 1@100, t=60",
        "rest(1,9@100) amended(1,5@100,kept) T(2,1,100,1) done(1,4,expired)", "|"),
    ("due, some of it ends", "S1 1@100 GTD t=50, S2 1@101 GTD t=50, S3 1@102 GTD t=50, t=50 max=2",
        "rest(1,1@100) rest(2,1@101) rest(3,1@102) done(1,1,expired) done(2,1,expired)", "| S3 1@102"),
    ("due, and in the way", "S1 1@100 GTD t=50, S2 5@100, S3 1@101 GTD t=50, t=50 max=0, B4 4@101, B5 4@101",
        "rest(1,1@100) rest(2,5@100) rest(3,1@101) done(1,1,expired) T(4,2,100,4) T(5,2,100,1) done(3,1,expired) \
         rest(5,3@101)", "B5 3@101 |"),
    ("due, and not in the way", "S1 1@100 GTD t=50, t=50 max=0, B2 1@99, B3 1@99 PO",
        "rest(1,1@100) rest(2,1@99) rest(3,1@99)", "B2 1@99 B3 1@99 | S1 1@100"),
    ("due, its end counts as met", "S1 1@100 GTD t=50, S2 1@100 GTD t=50, S3 1@100, t=50 max=0, B4 1@100 max=2",
        "rest(1,1@100) rest(2,1@100) rest(3,1@100) done(1,1,expired) done(2,1,expired) done(4,1,max makers)",
        "| S3 1@100"),
    ("due, post-only is not refused for it", "S1 1@100 GTD t=50, S2 1@101, t=50 max=0, B3 1@100 PO, B4 1@101 PO",
        "rest(1,1@100) rest(2,1@101) done(1,1,expired) rest(3,1@100) REJ(4,WouldTake)", "B3 1@100 | S2 1@101"),
    ("due, post-only is refused for what lives behind it", "S1 1@100 GTD t=50, S2 1@100, t=50 max=0, B3 1@100 PO",
        "rest(1,1@100) rest(2,1@100) REJ(3,WouldTake)", "| S1 1@100 S2 1@100"),
    ("due, more than a post-only order may meet", "S1 1@100 GTD t=50, S2 1@100 GTD t=50, S3 1@100 GTD t=50, t=50 max=0, B4 1@100 PO max=2",
        "rest(1,1@100) rest(2,1@100) rest(3,1@100) done(1,1,expired) done(2,1,expired) done(4,1,max makers)",
        "| S3 1@100"),
    ("due, FOK does not count on it", "S1 5@100 GTD t=50, S2 5@100, t=50 max=0, B3 6@100 FOK, B4 5@100 FOK",
        "rest(1,5@100) rest(2,5@100) done(3,6,fok) done(1,5,expired) T(4,2,100,5)", "|"),
    ("due, an own order is not met", "S1 1@100 GTD t=50 acct=A, S2 1@100, t=50 max=0, B3 1@100 acct=A stp=newest",
        "rest(1,1@100) rest(2,1@100) done(1,1,expired) T(3,2,100,1)", "|"),
    ("due, amended into it", "S1 1@100 GTD t=50, B2 1@90 PO, t=50 max=0, A2 @100",
        "rest(1,1@100) rest(2,1@90) amended(2,1@100,lost) done(1,1,expired) rest(2,1@100)", "B2 1@100 |"),
    ("due, it ends before it is asked for", "S1 1@100 GTD t=50, S2 1@100, E1, t=50 max=0, E1, E2, E3, X1",
        "rest(1,1@100) rest(2,1@100) done(1,1,expired) REJ(1,UnknownOrEnded)", "| S2 1@100"),
    ("28", "S1 0@100, BM2 0", "REJ(1,ZeroQuantity) REJ(2,ZeroQuantity)", "|"),
    ("most makers", "S1 1@100, S2 1@100, S3 1@101, B4 3@101 max=2",
        "rest(1,1@100) rest(2,1@100) rest(3,1@101) T(4,1,100,1) T(4,2,100,1) done(4,1,max makers)", "| S3 1@101"),
    ("most makers, exactly", "S1 1@100, S2 1@100, B4 3@101 max=2",
        "rest(1,1@100) rest(2,1@100) T(4,1,100,1) T(4,2,100,1) rest(4,1@101)", "B4 1@101 |"),
    ("most makers, FOK", "S1 1@100, S2 1@100, S3 1@101, B4 3@101 FOK max=2, B5 2@101 FOK max=2",
        "rest(1,1@100) rest(2,1@100) rest(3,1@101) done(4,3,max makers) T(5,1,100,1) T(5,2,100,1)", "| S3 1@101"),
    ("most makers, own orders are met", "S1 1@100 acct=A, S2 1@100 acct=A, S3 1@101, B4 3@101 acct=A stp=oldest max=2",
        "rest(1,1@100) rest(2,1@100) rest(3,1@101) done(1,1,self-trade) done(2,1,self-trade) done(4,3,max makers)",
        "| S3 1@101"),
    ("most makers, amended", "S1 1@100, S2 1@100, B3 3@90, A3 @100 max=1",
        "rest(1,1@100) rest(2,1@100) rest(3,3@90) amended(3,3@100,lost) T(3,1,100,1) done(3,2,max makers)",
        "| S2 1@100"),
    ("a full level", "S1 18446744073709551615@100, S2 1@100, S3 1@101, A3 1@100, A1 5, S2 1@100, A2 18446744073709551611",
        "rest(1,18446744073709551615@100) REJ(2,LevelFull) rest(3,1@101) REJ(3,LevelFull) amended(1,5@100,kept) \
         rest(2,1@100) REJ(2,LevelFull)", "| S1 5@100 S2 1@100 S3 1@101"),
    ("a full level, its own lots are no reason", "S1 9223372036854775808@100, A1 18446744073709551615",
        "rest(1,9223372036854775808@100) amended(1,18446744073709551615@100,lost) rest(1,18446744073709551615@100)",
        "| S1 18446744073709551615@100"),
    ("an ended id may come again", "S1 5@100, X1, S1 5@101",
        "rest(1,5@100) done(1,5,requested) rest(1,5@101)", "| S1 5@101"),
];

#[test]
fn every_case_holds_as_it_stands_and_mirrored() {
    for row in TABLE {
        check(row, Reading { mirrored: false });
        check(row, Reading { mirrored: true });
    }
}

fn check(&(name, inputs, expected, rests): &Row, reading: Reading) {
    let (mut book, mut twin, mut inputs_read) = (Book::new(), Twin::default(), reading.inputs());
    let mut seen = Vec::new();
    for input in inputs.split(", ") {
        let step = inputs_read.read(input);
        let (mut events, mut twins) = (Vec::new(), Vec::new());
        let before = (book.hash(), book.snapshot());
        let answer = book.apply(&step, &mut events);
        assert_eq!(
            (answer, &events),
            (twin.apply(&step, &mut twins), &twins),
            "case {name} {reading:?}: {input}"
        );
        seen.extend(reading.show(&step, answer, &events));
        if answer.is_err() {
            assert_eq!(events, [], "case {name}: {input} is refused");
            assert!((book.hash(), book.snapshot()) == before, "case {name}: {input} is refused");
        }
        let stands = standing(&book);
        assert_eq!(standing(&restored(&book)), stands, "case {name} {reading:?}: {input}");
        assert_eq!(twin.standing(), stands, "case {name} {reading:?}: {input}");
    }
    assert_eq!(seen.join(" "), expected, "case {name} {reading:?}");
    assert_eq!(reading.show_standing(&standing(&book)), rests, "case {name} {reading:?}");
}

#[test]
fn what_the_book_cannot_be_told() {
    use fillstream_domain::book::Ticks;
    assert_eq!(Ticks::new(0), None, "a price of 0 (case 28)");
}
