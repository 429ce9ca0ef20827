//! The negative control: whoever signs anew because no answer came in time swaps twice, and the verdict says so.

use std::time::{Duration, Instant};

use fillstream_domain::{Atoms, OrderId, Pair, Token};
use fillstream_retry::Obstacles;
use fillstream_tests::Scratch;
use fillstream_venues::{Observation, SimulatedSettings, SwapTerms, Venue, open_simulated};
use futures_util::future::join_all;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    stage::{ledgers_of, venues},
    verdict::executed_otherwise,
    witness::audit_when_still,
};

/// Orders; enough for faults of 20 % to strike many times.
const ORDERS: usize = 60;
/// Time that the naive executor waits for an answer: a tenth of a transaction's life.
const TIME_OUT: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(10);

#[tokio::test]
async fn an_executor_that_signs_anew_on_time_out_swaps_twice() {
    let scratch = Scratch::new("naive");
    let ledgers = ledgers_of(scratch.path());
    let faults = "drop=200,lose_reply=200,land_late=500".parse().expect("they are written as settings are");
    let settings = SimulatedSettings { faults, ..venues() };
    let open = open_simulated(&ledgers, &settings, &Obstacles::default()).await;
    let venue = open.expect("the ledgers can be begun").remove(0);

    let orders: Vec<_> = (0..ORDERS).map(|_| OrderId::new(Uuid::now_v7())).collect();
    join_all(orders.iter().map(|order| swap_naively(&*venue, *order))).await;

    let audit = audit_when_still(&ledgers).await;
    let wrong = executed_otherwise(orders.iter().map(|order| (*order, 1)), &audit);
    let twice = audit.executed_twice().count();
    println!("{twice} of {ORDERS} orders were executed more than once");
    assert!(twice > 0, "the faults struck nobody");
    assert_eq!(wrong.len(), twice, "each of them is found, and nothing else: {wrong:?}");
}

/// What much tutorial code does: send, wait a while, send another one.
async fn swap_naively(venue: &dyn Venue, order_id: OrderId) {
    let pair = Pair::new(Token::Sol, Token::Usdc).expect("two tokens are a pair");
    for attempt in 1.. {
        let terms = SwapTerms { order_id, attempt, pair, amount_in: Atoms::new(10_000_000_000) };
        let signed = venue.prepare(&terms, Atoms::new(1)).await.expect("the venue signs");
        let _ = venue.submit(&signed).await;
        let time_out = Instant::now() + TIME_OUT;
        while Instant::now() < time_out {
            if matches!(venue.observe(&signed).await, Ok(Observation::Landed { .. })) {
                return;
            }
            sleep(POLL).await;
        }
    }
}
