//! The chain's rules, without files: time is what the test says.

use fillstream_domain::{OrderId, Token, VenueId};
use uuid::Uuid;

use super::*;
use crate::{Faults, line::LINES_VERSION};

const BLOCK_MS: u64 = 400;
const LIFE_BLOCKS: u64 = 150;
/// The last millisecond at which a transaction that was built at height 0 can land.
const END_MS: u64 = (LIFE_BLOCKS + 1) * BLOCK_MS - 1;
const BEGAN_MS: i64 = 1_768_030_215_123;

struct Bench {
    chain: Chain,
    dice: Dice,
    landing_delay_ms: u64,
    /// All lines so far.
    lines: Vec<Line>,
}

impl Bench {
    fn new(landing_delay_ms: u64, faults: &str) -> Self {
        let venue = VenueId::Raydium;
        let began = Timestamp::from_unix_ms(BEGAN_MS);
        let genesis = Genesis { version: LINES_VERSION, venue, seed: 7, began, block_interval_ms: BLOCK_MS };
        let dice = Dice { seed: 7, venue, faults: faults.parse::<Faults>().unwrap() };
        Self { chain: Chain::new(genesis), dice, landing_delay_ms, lines: Vec::new() }
    }

    fn at(&mut self, ms: u64) -> &mut Self {
        self.chain.advance(ms).unwrap();
        self.keep_lines();
        self
    }

    fn build(&self, order: u128) -> (TxId, Transaction) {
        let terms = SwapTerms {
            order_id: OrderId::new(Uuid::from_u128(order)),
            attempt: 1,
            pair: Pair::new(Token::Sol, Token::Usdc).unwrap(),
            amount_in: Atoms::new(10_000_000_000),
        };
        let transaction = self.chain.build(&terms, Atoms::new(1_440_000_000), LIFE_BLOCKS);
        (TxId::of(VenueId::Raydium, &transaction.sign().payload), transaction)
    }

    fn send(&mut self, (tx, transaction): (TxId, Transaction)) -> SubmitOutcome {
        let sent = self.chain.send(tx, transaction, self.landing_delay_ms, &self.dice).unwrap();
        self.keep_lines();
        sent
    }

    fn observe(&mut self, (tx, transaction): (TxId, Transaction)) -> Observation {
        let observed = self.chain.observe(tx, &transaction).unwrap();
        self.keep_lines();
        observed
    }

    fn keep_lines(&mut self) {
        self.lines.extend(self.chain.take_unwritten());
    }

    fn landings(&self) -> usize {
        self.lines.iter().filter(|line| matches!(line, Line::Landed { .. })).count()
    }

    /// Another process that has read the same lines.
    fn reader(&self) -> Self {
        let mut reader = Self::new(self.landing_delay_ms, &self.dice.faults.to_string());
        for line in &self.lines {
            reader.chain.apply(line.clone()).unwrap();
        }
        reader
    }
}

fn landed(observation: &Observation) -> bool {
    matches!(observation, Observation::Landed { .. })
}

#[test]
fn the_same_bytes_execute_once_however_often_they_are_sent() {
    let mut bench = Bench::new(1500, "");
    let tx = bench.build(1);
    for ms in [0, 700, 1499] {
        assert_eq!(bench.at(ms).send(tx), SubmitOutcome::Accepted);
        let left = Duration::from_millis(1500 - ms);
        assert_eq!(bench.observe(tx), Observation::Pending { again_in: Some(left) });
    }
    let first = bench.at(1500).observe(tx);
    assert!(matches!(first, Observation::Landed { height: 3, .. }), "{first:?}");
    for ms in [1501, END_MS + 1] {
        assert_eq!(bench.at(ms).send(tx), SubmitOutcome::Accepted);
        assert_eq!(bench.observe(tx), first);
    }
    assert_eq!(bench.landings(), 1);
}

#[test]
fn without_delay_a_send_has_landed_when_it_is_answered() {
    let mut bench = Bench::new(0, "");
    let tx = bench.build(1);
    bench.send(tx);
    assert!(landed(&bench.observe(tx)));
}

#[test]
fn two_transactions_of_one_order_are_two_executions() {
    let mut bench = Bench::new(0, "");
    for ms in [0, BLOCK_MS] {
        let tx = bench.at(ms).build(1);
        bench.send(tx);
    }
    assert_eq!(bench.landings(), 2);
}

#[test]
fn a_dropped_send_can_be_repeated() {
    let mut bench = Bench::new(0, "drop=500");
    let strikes = |bench: &Bench, order: u128, nth| {
        bench.dice.strikes(Fault::Drop, &bench.build(order).0.to_string(), nth)
    };
    let order = (0..100).find(|order| strikes(&bench, *order, 1) && !strikes(&bench, *order, 2)).unwrap();
    let tx = bench.build(order);
    assert_eq!(bench.send(tx), SubmitOutcome::Accepted);
    assert_eq!(bench.observe(tx), Observation::NotSeen);
    // The count of sends is part of the history: a process that starts now goes on with the second one.
    let mut reader = bench.reader();
    assert_eq!(reader.send(tx), SubmitOutcome::Accepted);
    assert!(landed(&reader.observe(tx)));
}

#[test]
fn a_lost_reply_loses_nothing_else() {
    let mut bench = Bench::new(0, "lose_reply=1000");
    let tx = bench.build(1);
    for _ in 0..3 {
        assert!(matches!(bench.send(tx), SubmitOutcome::Unknown(_)));
        assert!(landed(&bench.observe(tx)));
    }
    assert_eq!(bench.landings(), 1);
}

#[test]
fn a_late_landing_is_somewhere_in_the_rest_of_the_life() {
    let mut heights = Vec::new();
    for order in 0..200 {
        let mut bench = Bench::new(1500, "land_late=1000");
        let tx = bench.build(order);
        bench.send(tx);
        assert!(matches!(bench.at(1499).observe(tx), Observation::Pending { .. }));
        let Observation::Landed { height, .. } = bench.at(END_MS).observe(tx) else {
            panic!("still not landed")
        };
        heights.push(height);
    }
    let (early, late) = (heights.iter().min().unwrap(), heights.iter().max().unwrap());
    assert!(*early < 10 && *late > 140 && *late <= LIFE_BLOCKS, "blocks {early} to {late}");
}

#[test]
fn a_landed_swap_moves_the_price_for_everybody() {
    let mut bench = Bench::new(0, "");
    let (tx, pair) = (bench.build(1), Pair::new(Token::Sol, Token::Usdc).unwrap());
    let price = |bench: &Bench| bench.chain.quote(pair, Atoms::new(10_000_000_000)).unwrap().unwrap();
    let before = price(&bench);
    bench.send(tx);
    assert!(price(&bench) < before);
    assert_eq!(price(&bench.reader()), price(&bench));
}

#[test]
fn a_revert_moves_nothing() {
    let mut bench = Bench::new(0, "revert=1000");
    let (tx, pair) = (bench.build(1), Pair::new(Token::Sol, Token::Usdc).unwrap());
    let before = bench.chain.quote(pair, Atoms::new(1_000_000));
    bench.send(tx);
    let reason = "reverted by a simulated fault".to_owned();
    assert_eq!(bench.observe(tx), Observation::Reverted { reason, height: 0 });
    assert_eq!(bench.chain.quote(pair, Atoms::new(1_000_000)), before);
}

#[test]
fn a_swap_below_its_minimum_reverts() {
    let mut bench = Bench::new(0, "");
    let (_, mut transaction) = bench.build(1);
    transaction.min_out = Atoms::new(1_500_000_000);
    let tx = TxId::of(VenueId::Raydium, &transaction.sign().payload);
    bench.send((tx, transaction));
    let reason = "slippage exceeded: 1446.367786 USDC is below the minimum of 1500".to_owned();
    assert_eq!(bench.observe((tx, transaction)), Observation::Reverted { reason, height: 0 });
}

#[test]
fn death_comes_exactly_after_the_last_valid_block() {
    let mut bench = Bench::new(0, "");
    let tx = bench.build(1);
    for ms in [0, 1, END_MS - 1, END_MS] {
        assert_eq!(bench.at(ms).observe(tx), Observation::NotSeen, "at {ms} ms");
    }
    let dead = Observation::Dead { height: LIFE_BLOCKS + 1 };
    assert_eq!(bench.at(END_MS + 1).observe(tx), dead);
    assert_eq!(bench.at(END_MS * 2).observe(tx), dead, "the proof stays the same");
    assert!(matches!(bench.send(tx), SubmitOutcome::Rejected(_)));
}

#[test]
fn the_last_valid_block_still_executes() {
    let mut bench = Bench::new(0, "");
    let tx = bench.build(1);
    assert_eq!(bench.at(END_MS).send(tx), SubmitOutcome::Accepted);
    let late = bench.at(END_MS * 2).observe(tx);
    assert!(matches!(late, Observation::Landed { height: LIFE_BLOCKS, .. }), "{late:?}");
}

#[test]
fn what_is_dead_stays_dead_for_a_process_whose_clock_is_behind() {
    let mut bench = Bench::new(0, "");
    let tx = bench.build(1);
    let dead = bench.at(END_MS + 1).observe(tx);
    let mut reader = bench.reader();
    assert!(matches!(reader.at(10).send(tx), SubmitOutcome::Rejected(_)));
    assert_eq!(reader.observe(tx), dead);
    assert_eq!(reader.chain.height(), LIFE_BLOCKS + 1, "heights never run back");
}

#[test]
fn a_send_that_comes_too_late_to_land_never_arrives() {
    let mut bench = Bench::new(1500, "");
    let tx = bench.build(1);
    assert_eq!(bench.at(END_MS - 1499).send(tx), SubmitOutcome::Accepted);
    assert_eq!(bench.observe(tx), Observation::NotSeen);
    assert!(matches!(bench.at(END_MS + 1).observe(tx), Observation::Dead { .. }));
    let (mut just_in_time, tx) = (Bench::new(1500, ""), tx);
    just_in_time.at(END_MS - 1500).send(tx);
    assert!(landed(&just_in_time.at(END_MS).observe(tx)));
}

#[test]
fn a_transaction_for_another_ledger_proves_nothing_here() {
    let mut bench = Bench::new(0, "");
    let (_, mut foreign) = bench.build(1);
    foreign.genesis = Timestamp::from_unix_ms(BEGAN_MS - 1);
    let tx = TxId::of(VenueId::Raydium, &foreign.sign().payload);
    assert!(matches!(bench.send((tx, foreign)), SubmitOutcome::Rejected(_)));
    for ms in [0, END_MS * 2] {
        assert!(matches!(bench.at(ms).observe((tx, foreign)), Observation::Unknowable(_)));
    }
}

/// Who touches the ledger, and how often, must not matter: landings have their own time and order.
#[test]
fn landings_do_not_depend_on_who_looks_when() {
    let run = |look_every_ms: u64| {
        let mut bench = Bench::new(300, "drop=200,lose_reply=200,land_late=300,revert=100");
        for ms in (0..END_MS * 2).step_by(50) {
            if ms % look_every_ms == 0 {
                bench.at(ms);
            }
            if ms < END_MS && ms % 250 == 0 {
                let tx = bench.at(ms).build(ms.into());
                bench.send(tx);
            }
        }
        bench.at(END_MS * 3);
        let ended = |line: &&Line| matches!(line, Line::Landed { .. } | Line::Reverted { .. });
        bench.lines.iter().filter(ended).cloned().collect::<Vec<_>>()
    };
    let landings = run(50);
    assert!(landings.len() > 100, "{} landings", landings.len());
    assert_eq!(landings, run(12_800));
}

#[test]
fn a_reader_of_the_lines_knows_what_the_writer_knows() {
    let mut bench = Bench::new(300, "drop=300,land_late=300,revert=200");
    let built = (0..60).map(|order| bench.at(u64::try_from(order).unwrap() * 100).build(order));
    let built: Vec<_> = built.collect();
    for tx in &built {
        bench.send(*tx);
    }
    let mut reader = bench.reader();
    for ms in [7_000, END_MS, END_MS * 2] {
        for tx in &built {
            assert_eq!(bench.at(ms).observe(*tx), reader.at(ms).observe(*tx));
        }
    }
}
