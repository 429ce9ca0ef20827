//! A log that was written before commits had a second version, recorded then: it is replayed by the rules of its time.
//! In it an input ends more orders than makers may be met, users have more orders than the definition's limit, which
//! nobody knew then, and a stamp leaps ahead.

use fillstream_domain::{
    Seq, Timestamp,
    book::{BookInput, Commit, Rules},
};
use fillstream_matcher::{Audit, Machine, Recorded, follow, hash_text};
use serde_json::Value;

use crate::desk::{Desk, symbol};

const LOG: &str = include_str!("../fixture/version1.jsonl");
/// What the matcher of that time had at the end.
const LAST_HASH: &str = "b6b6c3b31b4c392a";

/// Each commit with the inputs that it covers.
fn recorded() -> Vec<(Commit, Vec<Recorded>)> {
    let (mut all, mut inputs) = (Vec::new(), Vec::new());
    for line in LOG.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(commit) = line["commit"].as_str() {
            all.push((Commit::decode(commit.as_bytes()).unwrap(), std::mem::take(&mut inputs)));
            continue;
        }
        let input = BookInput::decode(line["input"].as_str().unwrap().as_bytes());
        inputs.push(Recorded {
            seq: Seq::new(line["seq"].as_u64().unwrap()),
            stored_at: Timestamp::from_unix_ms(line["stored_at"].as_i64().unwrap()),
            input: input.map_err(|error| error.to_string()),
        });
    }
    all
}

#[test]
fn an_old_log_comes_out_the_same() {
    let (mut machine, mut audit) = (Machine::new(symbol()), Audit::new());
    for (commit, inputs) in recorded() {
        assert_eq!(commit.rules, Rules::V1);
        assert_eq!(follow(&mut machine, std::slice::from_ref(&commit), &inputs), Ok(()));
        for outcome in &commit.outcomes {
            assert_eq!(audit.read(outcome), Ok(()));
        }
        // From a snapshot of any moment, too.
        machine = Machine::restore(&machine.snapshot()).unwrap();
    }
    assert_eq!(hash_text(machine.hash()), LAST_HASH);
}

/// The rules matter: by today's, the same inputs come to something else.
#[test]
fn an_old_log_is_not_what_todays_rules_make() {
    let mut machine = Machine::new(symbol());
    let differs = recorded().into_iter().any(|(commit, inputs)| {
        let commit = Commit { rules: Rules::V2, ..commit };
        follow(&mut machine, &[commit], &inputs).is_err()
    });
    assert!(differs);
}

/// One log may hold commits of both: a market goes on by today's rules behind an old commit.
#[test]
fn a_market_goes_on_behind_an_old_log() {
    let mut desk = Desk::empty();
    for (commit, inputs) in recorded() {
        assert_eq!(follow(&mut desk.machine, &[commit], &inputs), Ok(()));
        desk.log.extend(inputs);
    }
    let before = desk.machine.clone();
    let next = |desk: &mut Desk| {
        let seq = desk.machine.cursor().plus(5);
        let stored_at = desk.machine.market_time();
        let input =
            Ok(crate::desk::written_at(crate::desk::buy(u128::from(seq.get()), "1", "900"), stored_at));
        Recorded { seq, stored_at, input }
    };
    let recorded = next(&mut desk);
    let mut pending = fillstream_matcher::Pending::new();
    pending.push(desk.machine.apply(&recorded).unwrap());
    let parts: Vec<_> = pending.cut(&symbol(), 500_000);
    let commits: Vec<Commit> = parts.iter().map(|part| Commit::decode(&part.payload).unwrap()).collect();
    assert_eq!(commits[0].rules, Rules::TODAY);
    let mut follower = Machine::restore(&before.snapshot()).unwrap();
    assert_eq!(follow(&mut follower, &commits, &[recorded]), Ok(()));
    assert_eq!(follower.hash(), desk.machine.hash());
}
