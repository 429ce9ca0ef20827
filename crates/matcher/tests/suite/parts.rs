//! Outcomes cut into commits and parts, and put together again.

use fillstream_domain::Seq;
use fillstream_domain::book::{Change, Commit, Outcome, Parts, PartsStep};
use fillstream_matcher::{Applied, COMMIT_BYTES, MAX_PARTS, Part, Pending, hash_text};

use crate::desk::{Desk, buy, clock, sell, symbol};

fn decoded(parts: &[Part]) -> Vec<Commit> {
    parts.iter().map(|part| Commit::decode(&part.payload).unwrap()).collect()
}

/// One order over so many makers at as many prices.
fn sweep(makers: u32) -> Applied {
    let mut desk = Desk::open();
    for id in 0..u128::from(makers) {
        desk.give(sell(id + 1, "1", &(1_000 + id).to_string()));
    }
    let taker = buy(1_000_000, &(makers + 7).to_string(), "90000");
    desk.give_at(1_000_000, Ok(taker))
}

fn cut(applied: Applied, max_bytes: usize) -> Vec<Part> {
    let mut pending = Pending::new();
    pending.push(applied);
    pending.cut(&symbol(), max_bytes)
}

/// Each part fits, says what a part has to say, and together they are the outcome.
fn check_parts(applied: &Applied, parts: &[Part], max_bytes: usize) {
    let commits = decoded(parts);
    let last = commits.len() - 1;
    for (place, (part, commit)) in parts.iter().zip(&commits).enumerate() {
        assert!(part.payload.len() <= max_bytes, "part {place} has {} bytes", part.payload.len());
        assert_eq!(part.payload, commit.encode(), "written by hand, and as the type writes it");
        assert_eq!((commit.part as usize, commit.last), (place + 1, place == last));
        let seq = applied.outcome.seq;
        assert_eq!((part.first_input, part.last_input), (seq, seq));
        assert_eq!((commit.first_input, commit.last_input), (seq, seq));
        assert_eq!(commit.hash, (place == last).then(|| hash_text(applied.hash)));
        let [piece] = &commit.outcomes[..] else { panic!("one outcome a part") };
        assert_eq!((piece.continued, piece.goes_on), (place > 0, place < last));
    }
    let whole = Commit::assemble(commits).unwrap();
    assert_eq!(whole.outcomes, std::slice::from_ref(&applied.outcome));
}

#[test]
fn sweeps_are_cut_and_put_together_again() {
    for makers in [999, 1_000, 1_001, 5_001] {
        let applied = sweep(makers);
        assert_eq!(applied.outcome.changes.len(), usize::try_from(makers).unwrap() + 1);
        for max_bytes in [COMMIT_BYTES, 20_000] {
            let parts = cut(applied.clone(), max_bytes);
            check_parts(&applied, &parts, max_bytes);
            // As few as possible: no two neighbours would have fitted into one.
            for pair in parts.windows(2).take(parts.len().saturating_sub(2)) {
                assert!(pair[0].payload.len() + 2_000 > max_bytes, "a part has room left");
            }
        }
        assert_eq!(cut(applied.clone(), COMMIT_BYTES).len(), if makers > 5_000 { 6 } else { 2 });
    }
}

#[test]
fn more_than_a_batch_holds_is_cut_into_larger_parts() {
    let applied = sweep(1_001);
    // Every change a part of its own, were there no bound on parts.
    let parts = cut(applied.clone(), 1_000);
    assert!(parts.len() <= MAX_PARTS, "{}", parts.len());
    check_parts(&applied, &parts, 8_000);
}

#[test]
fn readers_begin_anywhere_in_a_commit() {
    let applied = sweep(999);
    let commits: Vec<(Seq, Commit)> = (500..).map(Seq::new).zip(decoded(&cut(applied, 100_000))).collect();
    assert!(commits.len() > 3);
    for begin in 0..commits.len() {
        let (mut parts, mut next, mut again) = (Parts::new(), begin, 0);
        let whole = loop {
            let (seq, commit) = commits[next].clone();
            match parts.push(seq, commit).0 {
                PartsStep::Complete(whole) => break whole,
                PartsStep::Held => {
                    assert_eq!(parts.held_from(), Some(Seq::new(499)));
                    next += 1;
                }
                PartsStep::BeganInside { read_again_from } => {
                    assert_eq!(parts.held_from(), None);
                    again += 1;
                    next = usize::try_from(read_again_from.since(Seq::new(500))).unwrap();
                }
            }
        };
        assert_eq!((whole, again, parts.torn()), (commits.clone(), usize::from(begin > 0), 0));
    }
}

#[test]
fn a_commit_takes_as_many_outcomes_as_fit() {
    let mut desk = Desk::open();
    let mut pending = Pending::new();
    let applied: Vec<Applied> = (1..=40)
        .map(|id| match id % 8 {
            0 => desk.give_at(1, Ok(buy(id, "7", "200"))),
            _ => desk.give_at(1, Ok(sell(id, "1", "100"))),
        })
        .collect();
    applied.iter().cloned().for_each(|applied| pending.push(applied));
    let bytes = pending.bytes();
    let (mut taken, mut sizes): (Vec<Outcome>, Vec<usize>) = (Vec::new(), Vec::new());
    while !pending.is_empty() {
        let parts = pending.cut(&symbol(), 3_000);
        assert_eq!(parts, pending.cut(&symbol(), 3_000), "nothing is dropped by cutting");
        let whole = Commit::assemble(decoded(&parts)).unwrap();
        let (first, last) = (&whole.outcomes[0], whole.outcomes.last().unwrap());
        assert_eq!((whole.first_input, whole.last_input), (first.seq, last.seq));
        assert!(parts.len() == 1 || whole.outcomes.len() == 1);
        for part in &parts {
            assert!(part.payload.len() <= 3_000);
        }
        sizes.push(whole.outcomes.len());
        taken.extend(whole.outcomes);
        assert_eq!(pending.drop_covered(whole.last_input), whole.hash);
    }
    assert_eq!(taken, applied.iter().map(|applied| applied.outcome.clone()).collect::<Vec<_>>());
    assert!(sizes.contains(&1) && sizes.iter().any(|size| *size > 4), "{sizes:?}");
    assert_eq!((pending.bytes(), pending.cut(&symbol(), 3_000)), (0, Vec::new()));
    assert!(bytes > 20_000);
}

#[test]
fn what_another_matcher_covers_is_dropped() {
    let mut desk = Desk::open();
    let mut pending = Pending::new();
    let applied: Vec<Applied> = (0..4).map(|at| desk.give_at(at, Ok(clock()))).collect();
    applied.iter().cloned().for_each(|applied| pending.push(applied));
    let seqs: Vec<Seq> = applied.iter().map(|applied| applied.outcome.seq).collect();
    assert_eq!(pending.drop_covered(seqs[0].prev()), None);
    assert_eq!(pending.len(), 4);
    assert_eq!(pending.drop_covered(seqs[1]), Some(hash_text(applied[1].hash)));
    assert_eq!(pending.drop_covered(seqs[1]), None, "it is dropped already");
    // It ends between two of our inputs, then behind all of them.
    assert_eq!((pending.drop_covered(seqs[2].next()), pending.len()), (None, 1));
    assert_eq!((pending.drop_covered(seqs[3].next()), pending.len()), (None, 0));
}

#[test]
fn trades_are_never_split_and_ids_never_repeat() {
    let parts = decoded(&cut(sweep(1_001), 20_000));
    let changes = parts.iter().flat_map(|part| &part.outcomes[0].changes);
    let mut ids: Vec<_> = changes
        .filter_map(|change| match change {
            Change::Trade(trade) => Some(trade.trade_id),
            Change::Created(_) | Change::Rejected(_) | Change::Cancelled { .. } | Change::Amended(_) => None,
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 1_001);
}
