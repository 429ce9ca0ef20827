//! A stream that loses its end with a transaction in it: no other one is signed, and an operator decides.

use std::time::Duration;

use fillstream_domain::{
    OrderId, RecordId, RecordRef, Seq, VenueId,
    parked::Cause,
    swap::{Status, SwapEvent},
};
use fillstream_event_log::{EventLog, SnapshotStore};
use fillstream_executor::{Settings, Signed, Transaction};
use tokio::time::sleep;

use crate::{
    table::{LONG, calm, events, process, until, until_status},
    world::{Process, World, on_one_thread, order, settings},
};

/// Knowledge of the transaction when the stream loses it.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// It is in the hands of the executor.
    InHand,
    /// The executor has seen the swap end.
    Ended,
    /// It was another executor's, and was heard of.
    Heard,
    /// It is in the checkpoint of an executor that has gone.
    InCheckpoint,
    /// Others say so to an executor that knows nothing.
    Told,
}

async fn until_signed(world: &World, id: OrderId) {
    let signed =
        async || events(world, id).await.iter().any(|(_, event)| matches!(event, SwapEvent::Prepared(_)));
    until("a transaction is on record", signed).await;
}

async fn checkpoint_tells(world: &World) -> bool {
    let object = world.snapshots.get("executor/unended").await.unwrap().unwrap_or_default();
    String::from_utf8_lossy(&object).contains("tx_id")
}

/// Under review, and nothing else is signed however long one waits.
async fn assert_reviewed(world: &World, id: OrderId, case: &str) {
    let under_review = async || {
        let open = fillstream_parked::list(&world.log).await.unwrap();
        open.iter().any(|open| open.entry.cause == Cause::Review && open.entry.order_id == Some(id))
    };
    until(case, under_review).await;
    sleep(LONG).await;
    let events = events(world, id).await;
    let Some((_, SwapEvent::ReviewNeeded(review))) = events.last() else {
        unreachable!("{case}: {events:?}")
    };
    assert!(review.tx_id.starts_with(&id.to_string()), "{case}: {review:?}");
    assert!(!events.iter().any(|(_, event)| matches!(event, SwapEvent::Prepared(_))), "{case}: {events:?}");
    assert!(world.chain.executions(id) <= 1, "{case}: executed twice");
}

#[test]
fn a_lost_transaction_is_for_an_operator() {
    for known in [Known::InHand, Known::Ended, Known::Heard, Known::InCheckpoint, Known::Told] {
        for placed_again in [false, true] {
            on_one_thread(async {
                let case = format!("{known:?}, placed again: {placed_again}");
                let world = calm();
                world.place(order(1));
                let placed = world.log.info().await.unwrap().last_seq;
                let often = Settings { checkpoint_every: Duration::from_millis(5), ..settings() };
                let first = world.process(&[VenueId::Raydium], often);
                until_signed(&world, order(1)).await;
                let _executor: Process = match known {
                    Known::InHand => first,
                    Known::Ended => {
                        until_status(&world, order(1), Status::Confirmed).await;
                        first
                    }
                    Known::Heard => {
                        let second = process(&world, &[VenueId::Raydium]);
                        until_status(&world, order(1), Status::Confirmed).await;
                        first.kill();
                        second
                    }
                    Known::Told => {
                        until_status(&world, order(1), Status::Confirmed).await;
                        first.kill();
                        world.snapshots.delete("executor/unended").await.unwrap();
                        world.log.put_back(if placed_again { Seq::ZERO } else { placed });
                        let second = process(&world, &[VenueId::Raydium]);
                        let transaction =
                            Transaction { venue: VenueId::Raydium, tx_id: format!("{}/1/1", order(1)) };
                        let record = RecordRef { seq: Seq::new(9), id: RecordId::foreign(0, "", b"") };
                        second.executor.recall(order(1), Signed { record, transaction }).await;
                        second
                    }
                    Known::InCheckpoint => {
                        until("it is in the checkpoint", async || checkpoint_tells(&world).await).await;
                        first.kill();
                        process(&world, &[VenueId::Raydium])
                    }
                };
                match known {
                    Known::InHand | Known::Ended | Known::Heard | Known::InCheckpoint => {
                        world.log.put_back(if placed_again { Seq::ZERO } else { placed });
                    }
                    Known::Told => {}
                }
                if placed_again {
                    world.place(order(1));
                }
                assert_reviewed(&world, order(1), &case).await;
            });
        }
    }
}

/// Of an order that the stream has lost as a whole nothing is left to be done.
#[test]
fn an_order_that_the_stream_has_lost_is_forgotten() {
    on_one_thread(async {
        let world = calm();
        world.place(order(1));
        let executor = process(&world, &[]);
        until("it is taken up", async || !events(&world, order(1)).await.is_empty()).await;
        world.log.put_back(Seq::ZERO);
        until("it is forgotten", async || executor.executor.unended().count == 0).await;
        sleep(LONG).await;
        assert_eq!(executor.executor.unended().count, 0);
    });
}
