//! A stream that was put back: an older copy of it, as after a power loss or a restored backup.

use fillstream_domain::Seq;
use serde_json::json;

use crate::{
    client::Client,
    orders::sweep,
    rig::{BTC, Rig, settings},
};

#[tokio::test]
async fn subscriptions_are_reset_and_go_on() {
    let rig = Rig::start(settings()).await;
    let mut many = Client::connect(&rig.url("/ws")).await;
    many.subscribe("trades", None).await;
    many.subscribe("depth", Some(BTC)).await;
    let mut single = Client::connect(&rig.url("/ws/trades")).await;
    let lost = rig.commit(BTC, sweep(2, 1));
    many.until_type("depth_update").await;
    single.until_type("trade_executed").await;
    single.until_type("trade_executed").await;
    rig.caught_up().await;
    let token = single.tokens["trades"].clone();

    rig.log.calm.put_back(Seq::new(lost - 1));
    for _ in 0..2 {
        let reset = many.until_type("reset").await;
        assert_eq!(reset["reason"], "other_history", "{reset}");
    }
    assert_eq!(
        many.until_type("depth_snapshot").await["bids"],
        json!([]),
        "the book as the stream has it now"
    );
    assert_eq!(single.until_type("reset").await["reason"], "other_history");

    // Under the number of what was lost.
    let again = rig.commit(BTC, sweep(1, 1));
    assert_eq!(again, lost);
    for client in [&mut many, &mut single] {
        assert_eq!(client.until_type("trade_executed").await["seq"], json!(again));
    }
    rig.caught_up().await;

    // A token of the lost history is not taken for one of this, though its sequence is there.
    let mut late = Client::connect(&rig.url(&format!("/ws/trades?after={token}"))).await;
    let reset = late.text().await;
    assert_eq!((&reset["type"], &reset["reason"]), (&json!("reset"), &json!("other_history")));
    // One of this history is.
    let token = single.tokens["trades"].clone();
    let mut resumed = Client::connect(&rig.url(&format!("/ws/trades?after={token}"))).await;
    let next = rig.commit(BTC, sweep(1, 1));
    let told = resumed.text().await;
    assert_eq!(
        (&told["type"], &told["seq"], &told["prev_seq"]),
        (&json!("trade_executed"), &json!(next), &json!(again))
    );
}

/// A process that begins, and finds rows that are of another history than the stream, waits until they are rebuilt.
#[tokio::test]
async fn a_start_waits_for_rows_that_are_the_stream_s() {
    let rig = Rig::start(settings()).await;
    let last = rig.commit(BTC, sweep(2, 1));
    rig.caught_up().await;
    let mut twin = Rig::without_tail(&rig.log.calm, settings(), None);
    // Its rows are read before the stream is put back.
    assert_eq!(twin.stored.read_up_to().await, last);
    rig.log.calm.put_back(Seq::new(last - 1));
    twin.stored.stay_as_it_is(true);
    twin.run_tail();
    rig.commit(BTC, sweep(1, 1));
    crate::rig::until("it says what it waits for", || !twin.hub.obstacles().all().is_empty()).await;
    let book = || twin.hub.book(&BTC.parse().unwrap(), 1);
    assert_eq!(book(), None);
    twin.stored.stay_as_it_is(false);
    crate::rig::until("the book is told", || book().is_some()).await;
    twin.caught_up().await;
    crate::rig::until("nothing stands in its way", || twin.hub.obstacles().all().is_empty()).await;
}
