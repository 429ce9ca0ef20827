//! Points that are swept: every boundary, under several faults, with none or one other executor beside it.

use std::{fmt, ops::RangeInclusive};

use fillstream_crash_point::Boundary;

/// Number of rounds through the whole plan when time does not matter.
pub(super) const LONG_ROUNDS: u32 = 10;

/// Who else works on the orders.
#[derive(Debug, Clone, Copy)]
pub(super) enum Crew {
    /// Nobody: the next process takes up what the dead one left.
    Alone,
    /// Another executor, which does not die.
    Rival,
    /// Another executor, which dies at points of its own.
    Pair,
    /// The process does not die but stands still until another one has ended its orders, and then goes on with what
    /// it knew before.
    Frozen,
}

/// Point where a process dies, and the orders that bring it there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) boundary: Boundary,
    /// It dies when it is there for this time, from 1.
    pub(super) nth: u32,
    /// Token that is paid in the orders; USDC is received.
    pub(super) token_in: &'static str,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} with {}", self.boundary.name(), self.nth, self.token_in)
    }
}

/// Points that are swept under the same circumstances.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) crew: Crew,
    pub(super) faults: &'static str,
    pub(super) points: Vec<Point>,
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, faults {:?}", self.crew, self.faults)
    }
}

const LOSSY: &str = "drop=300,lose_reply=300";
const LATE: &str = "drop=200,lose_reply=200,land_late=200";
const REVERTING: &str = "revert=300,lose_reply=200";

/// One round. A pair of executors gets the first half of its leg each.
const ROUND: [(Crew, &str, RangeInclusive<u32>); 10] = [
    (Crew::Alone, "", 1..=2),
    (Crew::Alone, LOSSY, 1..=1),
    (Crew::Alone, LATE, 1..=1),
    (Crew::Alone, REVERTING, 1..=1),
    (Crew::Rival, LOSSY, 1..=1),
    (Crew::Rival, REVERTING, 1..=1),
    (Crew::Pair, "", 1..=2),
    (Crew::Pair, LATE, 1..=2),
    (Crew::Frozen, "", 1..=1),
    (Crew::Frozen, LOSSY, 1..=1),
];

/// The legs of so many rounds. A later round dies when a boundary is reached for a later time.
pub(super) fn legs(rounds: u32) -> impl Iterator<Item = Leg> {
    let all = (0..rounds).flat_map(|round| ROUND.into_iter().map(move |leg| (round, leg)));
    all.enumerate().map(|(turn, (round, (crew, faults, nths)))| {
        let more = round % 3;
        let nths = nths.start() + more..=nths.end() + more;
        let points = nths.flat_map(|nth| points(nth, turn)).collect();
        Leg { crew, faults, points }
    })
}

/// Every boundary that an executor reaches without an operator.
fn points(nth: u32, turn: usize) -> impl Iterator<Item = Point> {
    let reached = Boundary::ALL.iter().filter_map(|boundary| Some((*boundary, tokens(*boundary)?)));
    reached.enumerate().map(move |(place, (boundary, tokens))| {
        let token_in = tokens[(place + turn) % tokens.len()];
        Point { boundary, nth, token_in }
    })
}

/// What the orders pay that reach a boundary: SOL is swapped, DUST fails while routing, RUSH fails on the venue.
fn tokens(boundary: Boundary) -> Option<&'static [&'static str]> {
    use Boundary as B;
    match boundary {
        B::TakenUp
        | B::HistoryRead
        | B::BeforeBegin
        | B::AfterBegin
        | B::QuotesIn
        | B::BeforeEnd
        | B::AfterEnd
        | B::BeforeAck
        | B::AfterAck => Some(&["SOL", "SOL", "DUST", "RUSH"]),
        B::BeforeRouted
        | B::AfterRouted
        | B::Built
        | B::BeforePrepared
        | B::AfterPrepared
        | B::BeforeSubmit
        | B::AfterSubmit
        | B::BeforeObserve
        | B::AfterObserve => Some(&["SOL", "RUSH"]),
        B::BeforeRetry | B::AfterRetry | B::BeforeWait | B::AfterWait => Some(&["DUST", "RUSH"]),
        // The intake's, those of orders that nobody can decide, and the matcher's, which has a sweep of its own.
        B::BeforePlaced
        | B::AfterPlaced
        | B::BeforeReview
        | B::AfterReview
        | B::BeforeDecision
        | B::AfterDecision
        | B::InputsRead
        | B::InputsApplied
        | B::BeforeCommit
        | B::AfterCommit
        | B::BeforeSnapshot
        | B::AfterSnapshot
        | B::BeforeClock
        | B::AfterClock => None,
    }
}
