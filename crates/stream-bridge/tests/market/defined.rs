//! Markets between their definition and their first commit.

use fillstream_domain::{
    Seq, Timestamp,
    book::{BookInput, Definition},
    subject::book_definition,
};
use fillstream_event_log::NewRecord;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::Client,
    flow::{amount, levels, outcome, symbol},
    orders::sweep,
    rig::{Rig, settings},
};

const XRP: &str = "XRP/USDT";

/// What somebody has written where a market's definition belongs.
fn written(market: &str, definition: &Definition) -> NewRecord {
    let input = BookInput::Definition(definition.clone());
    NewRecord {
        subject: book_definition(&symbol(market)),
        after: Seq::ZERO,
        event_id: Uuid::now_v7(),
        event_type: input.event_type().cloud_event_type(),
        time: "2026-01-10T07:30:15.123Z".to_owned(),
        traceparent: None,
        retries: None,
        payload: input.encode().into(),
    }
}

fn standard(market: &str) -> Definition {
    Definition::standard(symbol(market), Timestamp::from_unix_ms(0))
}

#[tokio::test]
async fn a_market_is_there_from_its_definition_on() {
    let rig = Rig::start(settings()).await;
    let path = rig.url("/ws/markets/XRP-USDT");
    assert_eq!(Client::try_connect(&path, &[]).await.err().unwrap().status, 404);
    rig.log.calm.append_now(written(XRP, &standard(XRP)));
    let mut many = Client::connect(&rig.url("/ws")).await;
    for stream in ["trades", "depth"] {
        many.subscribe(stream, Some(XRP)).await;
    }
    let mut top = Client::connect(&path).await;
    let told = top.text().await;
    assert_eq!((&told["symbol"], &told["snapshot"]), (&json!(XRP), &json!(true)));
    for field in ["best_bid", "best_ask", "bid_quantity", "ask_quantity", "spread"] {
        assert_eq!(told.get(field), Some(&Value::Null), "{field}");
    }
    assert!(told["timestamp"].as_str().is_some_and(|at| at.starts_with("2026")), "{told}");
    assert_eq!(many.text().await["bids"], json!([]));

    // Whoever was there before the first commit misses nothing of it.
    let mut outcomes = sweep(2, 1);
    outcomes.push(outcome(Vec::new(), levels(&[(50, 1)], &[])));
    let seq = rig.commit(XRP, outcomes);
    let (first, own) = (top.text().await, many.take(4).await);
    assert_eq!((&first["seq"], &first["best_bid"]), (&json!(seq), &json!("50")));
    assert!(own.iter().all(|message| message["seq"] == seq), "{own:?}");
    assert_eq!(many.places("trade_executed"), [(seq, 0), (seq, 1)]);
}

#[tokio::test]
async fn what_no_matcher_can_take_defines_no_market() {
    let rig = Rig::start(settings()).await;
    let no_tick = Definition { tick_size: amount("0"), ..standard(XRP) };
    for definition in [standard("ETH/USDT"), no_tick] {
        rig.log.calm.append_now(written(XRP, &definition));
        let refused = Client::try_connect(&rig.url("/ws/markets/XRP-USDT"), &[]).await.err().unwrap();
        assert_eq!(refused.status, 404, "{definition:?}");
    }
    // A good one behind them counts.
    rig.log.calm.append_now(written(XRP, &standard(XRP)));
    assert!(Client::try_connect(&rig.url("/ws/markets/XRP-USDT"), &[]).await.is_ok());
}
