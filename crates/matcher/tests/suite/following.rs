//! Commits of the log done again.

use fillstream_domain::Seq;
use fillstream_domain::book::{Change, Commit, InputResult};
use fillstream_matcher::{Difference, Machine, Pending, Recorded, follow};

use crate::{
    desk::{Desk, amount, buy, cancel, sell, symbol},
    random::{flow, run},
};

/// All commits of a flow: each with its parts, and the inputs that it covers.
fn commits(inputs: &[Recorded], every: usize, max_bytes: usize) -> Vec<(Vec<Commit>, Vec<Recorded>)> {
    let (mut machine, mut pending, mut all) = (Machine::new(symbol()), Pending::new(), Vec::new());
    let mut rest = inputs;
    for step in inputs.chunks(every) {
        run(&mut machine, step).into_iter().for_each(|applied| pending.push(applied));
        while !pending.is_empty() {
            let parts = pending.cut(&symbol(), max_bytes);
            let (covered, behind) =
                rest.split_at(rest.partition_point(|input| input.seq <= parts[0].last_input));
            assert!(pending.drop_covered(parts[0].last_input).is_some());
            all.push((
                parts.iter().map(|part| Commit::decode(&part.payload).unwrap()).collect(),
                covered.to_vec(),
            ));
            rest = behind;
        }
    }
    all
}

#[test]
fn a_replay_comes_out_the_same_however_it_was_cut() {
    let inputs = flow(3, 5_000);
    let mut hashes = Vec::new();
    for (every, max_bytes) in [(1, 500_000), (50, 500_000), (50, 3_000)] {
        let mut machine = Machine::new(symbol());
        let commits = commits(&inputs, every, max_bytes);
        assert_eq!(commits.iter().any(|(parts, _)| parts.len() > 1), max_bytes == 3_000);
        for (parts, covered) in &commits {
            assert_eq!(follow(&mut machine, parts, covered), Ok(()));
        }
        hashes.push((machine.cursor(), machine.hash()));
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

#[test]
fn what_was_parked_stays_parked() {
    let mut desk = Desk::open();
    desk.give(sell(1, "10", "100"));
    desk.give_at(3, Err("written by a later version".to_owned()));
    desk.give(buy(2, "10", "100"));
    let [(parts, covered)] = &mut commits(&desk.log, 10, 500_000)[..] else { panic!("one commit") };
    // This version can read it, and must not act on it.
    covered[2].input = Ok(cancel(1));
    let mut machine = Machine::new(symbol());
    assert_eq!(follow(&mut machine, parts, covered), Ok(()));
    assert_eq!(machine.hash(), desk.machine.hash());
    // The other way round there is a difference.
    let mut covered = desk.log.clone();
    covered[3].input = Err("unreadable".to_owned());
    let difference = follow(&mut Machine::new(symbol()), parts, &covered).unwrap_err();
    assert!(difference.what.starts_with(r#"the result is {"result":"accepted"}"#), "{difference}");
}

#[test]
fn the_first_difference_is_named() {
    let mut desk = Desk::open();
    desk.give(sell(1, "10", "100"));
    desk.give(buy(2, "4", "100"));
    desk.give(cancel(9));
    let [(good, inputs)] = &commits(&desk.log, 10, 500_000)[..] else { panic!("one commit") };
    let check = |edit: &dyn Fn(&mut Commit, &mut Vec<Recorded>), seq, what: &str| {
        let (mut commit, mut inputs) = (good[0].clone(), inputs.clone());
        edit(&mut commit, &mut inputs);
        let Difference { seq: at, what: found } =
            follow(&mut Machine::new(symbol()), &[commit], &inputs).unwrap_err();
        assert_eq!(at, Seq::new(seq), "{found}");
        assert!(found.starts_with(what), "{found}");
    };
    check(&|commit, _| commit.symbol = "ETH/USDT".parse().unwrap(), 10, r#"the market is "ETH/USDT""#);
    check(&|commit, _| commit.hash = Some("0".repeat(16)), 40, r#"the hash is "0000000000000000""#);
    check(&|commit, _| commit.hash = None, 40, "the hash is null");
    check(&|commit, _| commit.outcomes[1].at = commit.outcomes[0].at, 20, "market time is");
    check(
        &|commit, _| commit.outcomes[2].result = InputResult::Ticked,
        30,
        r#"the result is {"result":"ticked"}"#,
    );
    check(&|commit, _| commit.outcomes[1].levels.asks[0].1 = amount("9"), 20, "levels is");
    check(&|commit, _| drop(commit.outcomes[2].changes.pop()), 30, "change 1 is null");
    let other_quantity = |commit: &mut Commit, _: &mut Vec<Recorded>| {
        let Change::Trade(trade) = &mut commit.outcomes[2].changes[1] else { panic!("a trade") };
        trade.quantity = amount("5");
    };
    check(&other_quantity, 30, r#"change 1 is {"change":"trade""#);
    check(&|_, inputs| drop(inputs.remove(1)), 20, "has an outcome and is no input");
    check(&|commit, _| drop(commit.outcomes.remove(1)), 20, "is covered and has no outcome");
    check(&|commit, _| drop(commit.outcomes.pop()), 40, "is covered and has no outcome");
    check(&|commit, _| commit.last_input = Seq::new(41), 10, "the span of inputs is [10,41]");

    let mut machine = Machine::new(symbol());
    assert_eq!(follow(&mut machine, good, inputs), Ok(()));
    let twice = follow(&mut machine, good, inputs).unwrap_err();
    assert_eq!(twice.to_string(), "input 10: is covered a second time: an earlier commit ends at 40");
}
