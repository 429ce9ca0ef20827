#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects; anything else is its failure"
)]

use std::time::Duration;

use fillstream_domain::{
    OrderId, UserId,
    swap::{Field, Request},
};

use super::*;

const NOW: Timestamp = Timestamp::from_unix_ms(1_768_030_215_123);
/// The pause was waited for.
const OVER: Pause = Pause::Left(Duration::ZERO);
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(30) };

fn order() -> SwapOrder {
    let request = Request {
        token_in: Field::Text("SOL"),
        token_out: Field::Text("USDC"),
        amount: Field::Number("10"),
        slippage: Field::Missing,
    };
    let id: OrderId = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e".parse().unwrap();
    SwapOrder::new(request.judge().unwrap().place(id, None::<UserId>, None, NOW))
}

fn offer(venue: VenueId, out: Result<u128, &str>) -> Offer {
    Offer { venue, amount_out: out.map(Atoms::new).map_err(str::to_owned) }
}

/// Drives an order through attempts that end as the looks say; returns it with the last event.
fn drive(looks: &[Look]) -> (SwapOrder, Vec<SwapEvent>) {
    let mut order = order();
    let mut events = Vec::new();
    let mut looks = looks.iter();
    loop {
        let event = match next(&order, NOW, OVER) {
            Step::Begin(event) => event,
            Step::AskQuotes => {
                let offers =
                    [offer(VenueId::Raydium, Ok(1_450_000_000)), offer(VenueId::Meteora, Ok(1_449_000_000))];
                after_quotes(&order, &offers, &BACKOFF, NOW)
            }
            Step::Build(routed) => {
                let built = Built {
                    tx_id: format!("tx-{}", order.attempt()),
                    payload: String::new(),
                    built_at_height: 1,
                    last_valid_height: 150,
                };
                after_build(&order, &routed, Ok(built), &BACKOFF, NOW)
            }
            Step::Deliver(prepared) => match looks.next() {
                Some(look) => match after_look(&order, &prepared, look.clone(), &BACKOFF, NOW) {
                    Some(event) => event,
                    None => continue,
                },
                None => return (order, events),
            },
            Step::CallOperator(event) => event,
            Step::Wait(_) | Step::AskOperator(_) | Step::Ended => return (order, events),
        };
        order.apply(event.clone()).unwrap();
        events.push(event);
    }
}

fn kinds(events: &[SwapEvent]) -> Vec<&'static str> {
    events.iter().map(|event| event.event_type().name.trim_start_matches("swap.")).collect()
}

#[test]
fn only_a_proved_end_unlocks_the_next_attempt() {
    const ONE: [&str; 3] = ["routing_started", "routed", "prepared"];
    let attempts = |count: usize, end: &[&'static str]| {
        let mut all = ONE.to_vec();
        for _ in 1..count {
            all.push("retry_scheduled");
            all.extend(ONE);
        }
        all.extend(end);
        all
    };
    let reverted = || Look::Reverted("slippage exceeded".to_owned());
    for (looks, expected) in [
        (vec![Look::Landed(Atoms::new(1_450_000_000))], attempts(1, &["confirmed"])),
        (vec![Look::Open, Look::Open, Look::Open], attempts(1, &[])),
        (vec![Look::Open, Look::Dead, Look::Landed(Atoms::new(1))], attempts(2, &["confirmed"])),
        (vec![reverted(), reverted(), reverted()], attempts(3, &["failed"])),
        (vec![reverted(), Look::Dead, Look::Open], attempts(3, &[])),
        (vec![Look::Unknowable("no history".to_owned()), Look::Dead], attempts(1, &["review_needed"])),
        (vec![Look::Landed(Atoms::new(u128::MAX))], attempts(1, &["review_needed"])),
    ] {
        let (_, events) = drive(&looks);
        assert_eq!(kinds(&events), expected, "{looks:?}");
    }
}

#[test]
fn the_better_quote_wins_and_a_silent_venue_does_not_fail_the_order() {
    use VenueId::{Meteora, Raydium};
    let mut order = order();
    let Step::Begin(begin) = next(&order, NOW, Pause::AsRecorded) else {
        unreachable!("a placed order begins")
    };
    order.apply(begin).unwrap();
    for (raydium, meteora, winner) in [
        (Ok(1450), Ok(1449), Some(Raydium)),
        (Ok(1449), Ok(1450), Some(Meteora)),
        (Ok(1450), Ok(1450), Some(Raydium)),
        (Err("late"), Ok(1), Some(Meteora)),
        (Ok(1), Err("late"), Some(Raydium)),
        (Ok(0), Ok(1), Some(Meteora)),
        (Err("late"), Err("late"), None),
    ] {
        let offers = [offer(Raydium, raydium), offer(Meteora, meteora)];
        match after_quotes(&order, &offers, &BACKOFF, NOW) {
            SwapEvent::Routed(event) => {
                assert_eq!(Some(event.venue), winner);
                assert_eq!(event.quotes.len() + event.no_quotes.len(), 2, "both answers are on record");
            }
            SwapEvent::RetryScheduled(event) => {
                assert_eq!((winner, event.reason.as_str(), event.stage), (None, "late", Stage::Routing));
            }
            other => unreachable!("quotes lead to a route or a retry, not {other:?}"),
        }
    }
}

/// An order that waits for its second attempt, and the event that says so.
fn waiting() -> (SwapOrder, RetryScheduled) {
    let (_, events) = drive(&[Look::Dead]);
    let Some(SwapEvent::RetryScheduled(retry)) = events.get(3) else { unreachable!("{events:?}") };
    let mut waiting = order();
    for event in &events[..4] {
        waiting.apply(event.clone()).unwrap();
    }
    (waiting, retry.clone())
}

#[test]
fn a_retry_waits_for_the_rest_of_its_pause_and_never_longer_than_that() {
    const HOUR: i64 = 3_600_000;
    let (waiting, retry) = waiting();
    let delay = Duration::from_millis(retry.delay_ms);
    assert_eq!(retry.retry_at, retry.at.after(delay));
    let at = |ms: i64| Timestamp::from_unix_ms(retry.at.unix_ms() + ms);
    let begins =
        |step: Step| matches!(step, Step::Begin(SwapEvent::RoutingStarted(event)) if event.attempt == 2);
    let delay_ms = i64::try_from(retry.delay_ms).unwrap();
    // What the clock of who hears of it shows, since the event was written; what is left then.
    for (shown, left) in [
        (0, delay_ms),
        (1, delay_ms - 1),
        (delay_ms - 1, 1),
        (delay_ms, 0),
        (delay_ms + 1, 0),
        (HOUR, 0),
        (24 * HOUR, 0),
        (365 * 24 * HOUR, 0),
        (-1, delay_ms),
        (-HOUR, delay_ms),
        (-24 * HOUR, delay_ms),
        (-365 * 24 * HOUR, delay_ms),
    ] {
        let step = next(&waiting, at(shown), Pause::AsRecorded);
        if left == 0 {
            assert!(begins(step), "{shown} ms after the event");
        } else {
            let left = Duration::from_millis(u64::try_from(left).unwrap());
            assert_eq!(step, Step::Wait(left), "{shown} ms after the event");
        }
        assert!(begins(next(&waiting, at(shown), OVER)), "waited for, {shown} ms after the event");
        let left = Duration::from_millis(3);
        assert_eq!(
            next(&waiting, at(shown), Pause::Left(left)),
            Step::Wait(left),
            "whatever the clock shows"
        );
    }
}

#[test]
fn no_transaction_is_signed_behind_a_record_that_was_left_out() {
    let seq = Seq::new(7);
    let stages = [&[][..], &[Look::Dead], &[Look::Open]].map(|looks| drive(looks).0);
    let (waiting, _) = waiting();
    for mut order in stages.into_iter().chain([order(), waiting]) {
        order.leave_out(seq, None);
        let Step::CallOperator(event) = next(&order, NOW, OVER) else {
            panic!("{:?}: {:?}", order.phase(), next(&order, NOW, OVER))
        };
        order.apply(event).unwrap();
        assert!(matches!(next(&order, NOW, OVER), Step::AskOperator(_)));
        resolve(&order, Verdict::Dead, NOW).unwrap();
    }
}

#[test]
fn an_operator_ends_what_nobody_can_tell() {
    let unknowable = [Look::Unknowable("no history".to_owned())];
    let landed = |text: &str, named: Option<&Transaction>| Verdict::Landed {
        amount_out: Amount::new(fillstream_domain::parse_exact(text).unwrap()).unwrap(),
        named: named.cloned(),
    };
    let other = Transaction { venue: VenueId::Meteora, tx_id: "other".to_owned() };
    let (under_review, _) = drive(&unknowable);
    let mut unnamed = order();
    unnamed.leave_out(Seq::new(7), None);
    let Step::CallOperator(event) = next(&unnamed, NOW, Pause::AsRecorded) else { unreachable!("left out") };
    unnamed.apply(event).unwrap();
    for (order, verdict, end) in [
        (&under_review, landed("1449.5", None), Ok(("confirmed", Some("tx-1")))),
        (&under_review, landed("1449.5", Some(&other)), Ok(("confirmed", Some("other")))),
        (&under_review, Verdict::Dead, Ok(("failed", None))),
        (&under_review, landed("0.0000001", None), Err(VerdictError::Amount)),
        (&under_review, landed("0", None), Err(VerdictError::Amount)),
        (&unnamed, landed("1449.5", None), Err(VerdictError::Unnamed)),
        (&unnamed, landed("1449.5", Some(&other)), Ok(("confirmed", Some("other")))),
        (&unnamed, Verdict::Dead, Ok(("failed", None))),
        (&drive(&[Look::Open]).0, Verdict::Dead, Err(VerdictError::NotUnderReview)),
    ] {
        let event = resolve(order, verdict.clone(), NOW);
        let told = event.as_ref().map(|event| {
            let tx_id = match event {
                SwapEvent::Confirmed(event) => Some(event.tx_id.as_str()),
                _ => None,
            };
            (kinds(std::slice::from_ref(event))[0], tx_id)
        });
        assert_eq!(told, end.as_ref().map(|end| *end), "{verdict:?}");
        if let Ok(event) = event {
            let mut order = order.clone();
            order.apply(event).unwrap();
            assert_eq!(next(&order, NOW, Pause::AsRecorded), Step::Ended);
        }
    }
}
