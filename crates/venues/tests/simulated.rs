//! The simulated venues as the executor uses them, over real files.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bench;

use std::{
    sync::Barrier,
    time::{Duration, Instant},
};

use bench::{Bench, run, sol, swap};
use fillstream_domain::{Atoms, OrderId, Slippage, Token, VenueId, parse_exact};
use fillstream_retry::Obstacles;
use fillstream_venues::{
    Audit, Executions, LedgerError, Observation, PreparedTx, QuoteError, SimulatedSettings, SubmitOutcome,
    Venue, open_simulated,
};

/// A settings' life of a transaction, and one block more.
const PAST_ITS_LIFE: Duration = Duration::from_millis(151 * 400);

fn landed(observation: &Observation) -> bool {
    matches!(observation, Observation::Landed { .. })
}

#[test]
fn a_swap_lands_with_what_was_quoted() {
    let bench = Bench::new();
    let both = run(open_simulated(bench.dir(), &bench.settings(""), &Obstacles::default())).unwrap();
    assert_eq!(both.iter().map(|venue| venue.id()).collect::<Vec<_>>(), VenueId::ALL);
    for venue in both {
        let quote = run(venue.quote(&sol(1, 1))).unwrap();
        let tx = run(venue.prepare(&sol(1, 1), quote.amount_out)).unwrap();
        assert_eq!(run(venue.observe(&tx)), Ok(Observation::NotSeen), "building moves nothing");
        assert_eq!(run(venue.submit(&tx)), SubmitOutcome::Accepted);
        let observed = run(venue.observe(&tx)).unwrap();
        assert!(matches!(observed, Observation::Landed { amount_out, .. } if amount_out == quote.amount_out));
    }
}

#[test]
fn dust_finds_no_liquidity() {
    let bench = Bench::new();
    let venue = bench.venue("");
    let error = run(venue.quote(&swap(1, 1, Token::Dust, Token::Usdc, 10_000_000_000))).unwrap_err();
    assert_eq!(error, QuoteError::InsufficientLiquidity);
    assert_eq!(error.to_string(), "Insufficient liquidity in pool");
}

#[test]
fn rush_is_quoted_and_runs_away() {
    let bench = Bench::new();
    let venue = bench.venue("");
    for attempt in 1..=3 {
        let terms = swap(1, attempt, Token::Rush, Token::Usdc, 10_000_000_000);
        let quote = run(venue.quote(&terms)).unwrap();
        let widest = Slippage::new(parse_exact("50").unwrap()).unwrap();
        let tx = run(venue.prepare(&terms, widest.least_of(quote.amount_out).unwrap())).unwrap();
        assert_eq!(run(venue.submit(&tx)), SubmitOutcome::Accepted);
        let observed = run(venue.observe(&tx)).unwrap();
        let Observation::Reverted { reason, .. } = observed else {
            panic!("attempt {attempt}: {observed:?}")
        };
        assert!(reason.starts_with("slippage exceeded"), "{reason}");
    }
    assert_eq!(bench.audit(1), Executions { sent: 3, reverted: 3, ..Executions::default() });
}

#[test]
fn too_little_brings_nothing() {
    let bench = Bench::new();
    let error = run(bench.venue("").quote(&swap(1, 1, Token::Sol, Token::Usdc, 1)));
    assert_eq!(error, Err(QuoteError::TooSmall));
}

#[test]
fn two_processes_on_one_ledger_agree() {
    let bench = Bench::new();
    let (one, two) = (bench.venue("land_late=300"), bench.venue("land_late=300"));
    for order in 0..50 {
        let tx = run(one.prepare(&sol(order, 1), Atoms::new(1))).unwrap();
        assert_eq!(run(two.observe(&tx)), Ok(Observation::NotSeen));
        assert_eq!(run(two.submit(&tx)), SubmitOutcome::Accepted);
        assert_eq!(run(one.submit(&tx)), SubmitOutcome::Accepted);
        assert_eq!(run(one.observe(&tx)), run(two.observe(&tx)));
        bench.pass(PAST_ITS_LIFE);
        let observed = run(two.observe(&tx)).unwrap();
        assert!(landed(&observed), "{observed:?}");
        assert_eq!(run(one.observe(&tx)), Ok(observed));
        assert_eq!(run(one.quote(&sol(order, 2))), run(two.quote(&sol(order, 2))));
        assert_eq!(bench.audit(order), Executions { sent: 1, landed: 1, ..Executions::default() });
    }
}

#[test]
fn a_crowd_that_sends_the_same_bytes_executes_them_once() {
    const CROWD: usize = 4;
    const ORDERS: u128 = 500;
    let bench = Bench::new();
    let venue = bench.venue("");
    let built = (0..ORDERS).map(|order| run(venue.prepare(&sol(order, 1), Atoms::new(1))).unwrap());
    let txs: Vec<PreparedTx> = built.collect();
    let crowd: Vec<_> = (0..CROWD).map(|_| bench.venue("")).collect();
    let start = Barrier::new(CROWD);
    std::thread::scope(|scope| {
        for venue in &crowd {
            scope.spawn(|| {
                start.wait();
                for tx in &txs {
                    assert_eq!(run(venue.submit(tx)), SubmitOutcome::Accepted);
                    assert!(landed(&run(venue.observe(tx)).unwrap()));
                }
            });
        }
    });
    let audit = bench.audit_all();
    assert_eq!(audit.orders().count(), txs.len());
    for (order, executions) in audit.orders() {
        assert_eq!(executions, Executions { sent: 1, landed: 1, ..Executions::default() }, "{order}");
    }
}

/// A process that is killed while it writes leaves any number of bytes of its lines.
#[test]
fn a_line_that_was_torn_at_any_byte_never_happened() {
    let bench = Bench::new();
    let survivor = bench.venue("");
    let tx = run(survivor.prepare(&sol(1, 1), Atoms::new(1))).unwrap();
    let before = bench.file().len();
    run(bench.venue("").submit(&tx));
    let whole = bench.file();
    assert_eq!(whole[before..].iter().filter(|byte| **byte == b'\n').count(), 2, "sent and landed");
    let sent_ends = before + whole[before..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for end in (before..whole.len()).rev() {
        bench.write_file(&whole[..end]);
        assert_eq!(bench.audit(1).landed, 0, "{end}");
        let restarted = bench.venue("");
        let observed = run(restarted.observe(&tx)).unwrap();
        assert_eq!(observed == Observation::NotSeen, end < sent_ends, "{observed:?} after {end} bytes");
        assert_eq!(run(restarted.submit(&tx)), SubmitOutcome::Accepted);
        assert_eq!(bench.file(), whole, "the history is complete again after {end} bytes");
    }
    // The first process has never read any of it but knows the end.
    assert!(landed(&run(survivor.observe(&tx)).unwrap()));
}

#[test]
fn a_torn_first_line_begins_anew() {
    let bench = Bench::new();
    bench.venue("");
    let genesis = bench.file();
    for end in 0..genesis.len() {
        bench.write_file(&genesis[..end]);
        bench.venue("");
        assert_eq!(bench.file(), genesis);
    }
}

#[test]
fn heights_survive_restarts_and_never_run_back() {
    let bench = Bench::new();
    let height = || run(bench.venue("").prepare(&sol(1, 1), Atoms::new(1))).unwrap().built_at_height;
    assert_eq!(height(), 0);
    bench.pass(Duration::from_secs(40));
    assert_eq!(height(), 100);
    let venue = bench.venue("");
    let tx = run(venue.prepare(&sol(2, 1), Atoms::new(1))).unwrap();
    run(venue.submit(&tx));
    bench.set_wall(-30_000);
    assert_eq!(height(), 100);
    bench.pass(Duration::from_secs(31));
    assert_eq!(height(), 102);
}

/// Blocks are made at their interval whatever somebody does to the wall clock: to a process that is running, to one
/// that starts afterwards, and to both beside each other.
#[test]
fn a_wall_clock_that_jumps_neither_stops_the_blocks_nor_makes_them_jump() {
    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let height = |venue: &dyn Venue| run(venue.prepare(&sol(1, 1), Atoms::new(1))).unwrap().built_at_height;
    for jumps in [
        &[HOUR][..],
        &[-HOUR],
        &[DAY, -DAY],
        &[-DAY, DAY],
        &[YEAR, -YEAR],
        &[YEAR, -2 * YEAR, YEAR],
        &[-YEAR, 2 * YEAR, -YEAR, -DAY],
    ] {
        let bench = Bench::new();
        let slow = SimulatedSettings { landing_delay: Duration::from_secs(10), ..bench.settings("") };
        let venue = bench.venue_with(&slow);
        let mut expected = height(&venue);
        for jump in jumps {
            bench.set_wall(*jump);
            assert_eq!(height(&venue), expected, "no jump at {jump} of {jumps:?}");
            bench.pass(Duration::from_secs(4));
            expected += 10;
            assert_eq!(height(&venue), expected, "no standstill after {jump} of {jumps:?}");
        }
        // A process that starts now begins where the lines end, or by its clock beyond that; then both go on together.
        let order = 2 + jumps.len() as u128;
        let tx = run(venue.prepare(&sol(order, 1), Atoms::new(1))).unwrap();
        assert_eq!(run(venue.submit(&tx)), SubmitOutcome::Accepted);
        let restarted = bench.venue_with(&slow);
        let begin = [height(&venue), height(&restarted)];
        assert!(begin.iter().all(|height| *height >= expected), "{begin:?} after {expected}: {jumps:?}");
        bench.set_wall(-YEAR);
        bench.pass(Duration::from_secs(4));
        assert_eq!([height(&venue), height(&restarted)], begin.map(|height| height + 10), "{jumps:?}");
        bench.pass(Duration::from_secs(6));
        for venue in [&restarted, &venue] {
            assert!(landed(&run(venue.observe(&tx)).unwrap()), "{jumps:?}");
        }
        assert_eq!(bench.audit(order), Executions { sent: 1, landed: 1, ..Executions::default() });
    }
}

#[test]
fn settings_that_a_ledger_was_not_begun_with_are_refused() {
    let bench = Bench::new();
    bench.venue("");
    let reopen = |settings: SimulatedSettings| match run(open_simulated(
        bench.dir(),
        &settings,
        &Obstacles::default(),
    )) {
        Ok(_) => panic!("opened with {settings:?}"),
        Err(error) => error.to_string(),
    };
    let blocks = SimulatedSettings { block_interval: Duration::from_millis(20), ..bench.settings("") };
    let message = reopen(blocks);
    assert!(message.contains("was begun with block interval 400 ms, the settings say 20 ms"), "{message}");
    let message = reopen(SimulatedSettings { seed: 8, ..bench.settings("") });
    assert!(message.contains("was begun with seed 7, the settings say 8"), "{message}");
    let message = reopen(SimulatedSettings { life_blocks: 0, ..bench.settings("") });
    assert_eq!(message, "the life of a transaction must be at least 1 block");
}

#[test]
fn a_ledger_that_is_none_is_refused_with_its_line() {
    let bench = Bench::new();
    bench.venue("");
    let genesis = bench.file();
    let later = String::from_utf8(genesis.clone()).unwrap().replace(r#""version":1"#, r#""version":2"#);
    let twice = [genesis.clone(), genesis.clone()].concat();
    let garbage = [genesis, b"hello\n".to_vec()].concat();
    for (bytes, line) in [(later.into_bytes(), 1), (twice, 2), (garbage, 2), (b"{}\n".to_vec(), 1)] {
        bench.write_file(&bytes);
        let found = bench.try_venue("");
        let refused = found
            .as_ref()
            .is_err_and(|error| matches!(**error, LedgerError::Corrupt { line: found, .. } if found == line));
        assert!(refused, "line {line}: {:?}", found.err());
        assert_eq!(bench.file(), bytes, "nothing of it was changed");
    }
}

#[test]
fn a_ledger_that_vanishes_answers_nobody() {
    let bench = Bench::new();
    let venue = bench.venue("");
    let tx = run(venue.prepare(&sol(1, 1), Atoms::new(1))).unwrap();
    bench.remove_file();
    assert!(matches!(run(venue.submit(&tx)), SubmitOutcome::Unknown(_)));
    assert!(run(venue.observe(&tx)).is_err());
    assert!(matches!(run(venue.quote(&sol(1, 1))), Err(QuoteError::Unavailable(_))));
    assert!(Audit::read(bench.dir()).is_err());
    // A new ledger is another chain: what became of the transaction on the old one, nobody knows.
    bench.pass(Duration::from_millis(1));
    let restarted = bench.venue("");
    assert!(matches!(run(restarted.observe(&tx)), Ok(Observation::Unknowable(_))));
    assert!(matches!(run(restarted.submit(&tx)), SubmitOutcome::Rejected(_)));
}

/// Whether nothing is in the way of the ledgers, or what is.
fn told(bench: &Bench) -> Vec<String> {
    bench.obstacles.all().into_iter().map(|(what, told)| format!("{what}: {}", told.reason)).collect()
}

#[tokio::test]
async fn a_disk_that_cannot_be_used_is_told_and_waited_for() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path()).unwrap();
    let settings = bench.settings("");
    let both = open_simulated(bench.dir(), &settings, &bench.obstacles).await.unwrap();
    let raydium = both.iter().find(|venue| venue.id() == VenueId::Raydium).unwrap();
    let refused = raydium.quote(&sol(1, 1)).await;
    assert!(matches!(refused, Err(QuoteError::Unavailable(_))), "{refused:?}");
    let why = told(&bench);
    assert!(why.len() == 1 && why[0].contains("raydium") && why[0].contains("Is a directory"), "{why:?}");
    std::fs::remove_dir(bench.path()).unwrap();
    let healed = async {
        while !told(&bench).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let healed = tokio::time::timeout(Duration::from_secs(60), healed).await;
    assert!(healed.is_ok(), "it does not heal while nobody asks");
    raydium.open().await;
    raydium.quote(&sol(1, 1)).await.unwrap();
}

/// Another process holds the ledger and stands still: nobody but the ledger's own thread waits for it.
#[tokio::test]
async fn a_ledger_that_is_held_blocks_no_thread_of_the_runtime() {
    let bench = Bench::new();
    let settings = bench.settings("");
    let both = open_simulated(bench.dir(), &settings, &bench.obstacles).await.unwrap();
    let raydium = both.iter().find(|venue| venue.id() == VenueId::Raydium).unwrap();
    let tx = raydium.prepare(&sol(1, 1), Atoms::new(1)).await.unwrap();
    let unsent = raydium.prepare(&sol(2, 1), Atoms::new(1)).await.unwrap();
    let holder = std::fs::File::open(bench.path()).unwrap();
    holder.lock().unwrap();
    let patience = Duration::from_millis(50);
    for _ in 0..3 {
        assert!(tokio::time::timeout(patience, raydium.submit(&tx)).await.is_err(), "it is held");
        assert!(tokio::time::timeout(patience, raydium.observe(&tx)).await.is_err(), "it is held");
        assert!(tokio::time::timeout(patience, raydium.submit(&unsent)).await.is_err(), "it is held");
    }
    holder.unlock().unwrap();
    // What nobody waited for any more was not sent, but the one that the thread had begun with.
    let observed = raydium.observe(&tx).await.unwrap();
    assert!(landed(&observed), "{observed:?}");
    assert_eq!(raydium.observe(&unsent).await, Ok(Observation::NotSeen));
    let audit = Audit::read(bench.dir()).unwrap();
    assert_eq!(audit.order(sol(1, 1).order_id), Executions { sent: 1, landed: 1, ..Executions::default() });
}

#[test]
fn the_audit_sees_a_double_execution() {
    let bench = Bench::new();
    let venue = bench.venue("");
    for attempt in [1, 2] {
        let tx = run(venue.prepare(&sol(1, attempt), Atoms::new(1))).unwrap();
        run(venue.submit(&tx));
        run(venue.submit(&tx));
    }
    let audit = bench.audit_all();
    let order = sol(1, 1).order_id;
    assert_eq!(audit.order(order), Executions { sent: 2, landed: 2, ..Executions::default() });
    assert_eq!(audit.executed_twice().collect::<Vec<OrderId>>(), [order]);
}

#[test]
fn the_audit_tells_what_is_still_under_way_or_dead() {
    let bench = Bench::new();
    let slow = SimulatedSettings { landing_delay: Duration::from_millis(1500), ..bench.settings("") };
    let venue = bench.venue_with(&slow);
    let (sent, never) =
        [sol(1, 1), sol(2, 1)].map(|terms| run(venue.prepare(&terms, Atoms::new(1))).unwrap()).into();
    run(venue.submit(&sent));
    assert_eq!(bench.audit(1).under_way(), 1);
    bench.pass(PAST_ITS_LIFE);
    assert!(matches!(run(venue.observe(&never)), Ok(Observation::Dead { height: 151 })));
    assert_eq!(bench.audit(1), Executions { sent: 1, landed: 1, ..Executions::default() });
    assert_eq!(bench.audit(2), Executions { dead: 1, ..Executions::default() });
}

#[test]
fn a_run_can_be_repeated_from_its_seed() {
    const FAULTS: &str = "drop=200,lose_reply=200,land_late=200,revert=100,unknowable=100,quote_error=200";
    let story = |seed| {
        let bench = Bench::new();
        let venue = bench.venue_with(&SimulatedSettings { seed, ..bench.settings(FAULTS) });
        let mut told = Vec::new();
        for order in 0..100 {
            told.push(format!("{:?}", run(venue.quote(&sol(order, 1)))));
            let tx = run(venue.prepare(&sol(order, 1), Atoms::new(1))).unwrap();
            for _ in 0..3 {
                told.push(format!("{:?}", run(venue.submit(&tx))));
                bench.pass(Duration::from_millis(500));
                told.push(format!("{:?}", run(venue.observe(&tx))));
            }
        }
        (told, bench.file())
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7).0, story(8).0);
}

#[test]
fn quotes_fail_per_attempt_and_stay_failed() {
    let bench = Bench::new();
    let failing = |venue: &dyn Venue| {
        (0..200).filter(|attempt| run(venue.quote(&sol(1, *attempt))).is_err()).collect::<Vec<u8>>()
    };
    let found = failing(&bench.venue("quote_error=500"));
    assert!((50..150).contains(&found.len()), "{} of 200", found.len());
    assert_eq!(failing(&bench.venue("quote_error=500")), found, "a restart changes no fate");
}

#[test]
fn what_is_unknowable_stays_so_though_it_has_landed() {
    let bench = Bench::new();
    let venue = bench.venue("unknowable=1000");
    let tx = run(venue.prepare(&sol(1, 1), Atoms::new(1))).unwrap();
    run(venue.submit(&tx));
    for _ in 0..2 {
        assert!(matches!(run(venue.observe(&tx)), Ok(Observation::Unknowable(_))));
        bench.pass(PAST_ITS_LIFE);
    }
    assert_eq!(bench.audit(1).landed, 1);
}

#[test]
fn forged_bytes_are_refused() {
    let bench = Bench::new();
    let venue = bench.venue("");
    let tx = run(venue.prepare(&sol(1, 1), Atoms::new(1))).unwrap();
    let other = run(venue.prepare(&sol(2, 1), Atoms::new(1))).unwrap();
    for forged in [
        PreparedTx { payload: other.payload.clone(), ..tx.clone() },
        PreparedTx { tx_id: other.tx_id.clone(), ..tx.clone() },
        PreparedTx { payload: b"{}".to_vec(), ..tx.clone() },
        PreparedTx { tx_id: tx.tx_id.replace("raydium", "meteora"), ..tx },
    ] {
        assert!(matches!(run(venue.submit(&forged)), SubmitOutcome::Rejected(_)), "{forged:?}");
        assert!(matches!(run(venue.observe(&forged)), Ok(Observation::Unknowable(_))), "{forged:?}");
    }
    assert_eq!(bench.audit_all().orders().count(), 0);
}

#[test]
fn delays_are_waited_for_and_late_quotes_are_late() {
    const DELAY: Duration = Duration::from_millis(30);
    let bench = Bench::new();
    let slow = SimulatedSettings {
        quote_delay: DELAY,
        build_delay: DELAY,
        submit_delay: DELAY,
        ..bench.settings("quote_late=1000")
    };
    let venue = bench.venue_with(&slow);
    let timed = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    timed.block_on(async {
        let started = Instant::now();
        let tx = venue.prepare(&sol(1, 1), Atoms::new(1)).await.unwrap();
        venue.submit(&tx).await;
        assert!(started.elapsed() >= 2 * DELAY, "{:?}", started.elapsed());
        let quote = tokio::time::timeout(2 * DELAY, venue.quote(&sol(1, 1))).await;
        assert!(quote.is_err(), "{quote:?} came in time");
    });
}
