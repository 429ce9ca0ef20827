//! POST /api/v1/orders/batch

use axum::http::{Method, StatusCode};
use fillstream_domain::Seq;
use fillstream_event_log::EventLog;
use serde_json::json;

use crate::desk::{ANN, BOB, Desk, order};

const BATCH: &str = "/api/v1/orders/batch";

fn batch<'a>(orders: impl IntoIterator<Item = &'a str>) -> String {
    format!(r#"{{"orders":[{}]}}"#, orders.into_iter().collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn each_order_has_its_answer_at_its_place() {
    let desk = Desk::open();
    let before = desk.last_seq().await;
    let (first, other) =
        (order(r#"{"client_order_id":"a"}"#), order(r#"{"client_order_id":"a","quantity":3}"#));
    let body = batch([
        first.as_str(),
        &order(r#"{"quantity":0}"#),
        &first,
        &other,
        &order(&format!(r#"{{"user_id":"{BOB}"}}"#)),
        "7",
        &order(r#"{"symbol":"ETH/USDT"}"#),
        &order(r#"{"x":1}"#),
    ]);
    let told = desk.ask(Method::POST, BATCH, &body).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    let results = told.body["results"].as_array().unwrap();
    let shown: Vec<_> = results
        .iter()
        .map(|result| match &result["problem"]["code"] {
            code if code.is_string() => (code.clone(), result["problem"]["status"].clone()),
            _ => (result["order"]["status"].clone(), result["replayed"].clone()),
        })
        .collect();
    let expected = [
        (json!("OPEN"), json!(null)),
        (json!("invalid_fields"), json!(422)),
        (json!("OPEN"), json!(true)),
        (json!("key_reused"), json!(422)),
        (json!("invalid_fields"), json!(422)),
        (json!("malformed_request"), json!(400)),
        (json!("OPEN"), json!(null)),
        (json!("invalid_fields"), json!(422)),
    ];
    assert_eq!(shown, expected);
    assert_eq!(results[0]["order"], results[2]["order"]);
    assert_eq!(results[1]["problem"]["errors"][0]["pointer"], "/quantity");
    assert_eq!(desk.last_seq().await, before + 2);
}

#[tokio::test]
async fn a_thousand_orders_stand_in_the_stream_in_their_order() {
    let desk = Desk::open();
    let before = desk.last_seq().await;
    let orders: Vec<_> = (1..=1000).map(|n| order(&format!(r#"{{"quantity":{n}}}"#))).collect();
    let told = desk.ask(Method::POST, BATCH, &batch(orders.iter().map(String::as_str))).await;
    let results = told.body["results"].as_array().unwrap();
    let seqs: Vec<_> = results.iter().map(|result| result["order"]["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (before + 1..=before + 1000).collect::<Vec<_>>());
    let quantities: Vec<_> =
        results.iter().map(|result| result["order"]["quantity"].as_str().unwrap()).collect();
    assert_eq!(quantities, (1..=1000).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn users_are_named_for_all_or_for_each() {
    let desk = Desk::open();
    let of = |user: &str| order(&format!(r#"{{"user_id":"{user}"}}"#));
    let for_all = format!(r#"{{"user_id":"{ANN}","orders":[{}]}}"#, order("{}"));
    for (body, expected) in [
        (for_all, Ok(vec![Some(ANN)])),
        (batch([of(ANN).as_str(), &of(BOB)]), Ok(vec![Some(ANN), Some(BOB)])),
        (batch([of(ANN).as_str(), &order("{}")]), Ok(vec![Some(ANN), None])),
        (batch([order("{}").as_str(), &order("{}")]), Err(400)),
        (batch([]), Err(400)),
        (format!(r#"{{"user_id":"ann","orders":[{}]}}"#, order("{}")), Err(400)),
    ] {
        let told = desk.send(Method::POST, BATCH, &[], &body).await;
        let users = match told.body["results"].as_array() {
            Some(results) => Ok(results.iter().map(|result| result["order"]["user_id"].as_str()).collect()),
            None => Err(told.status.as_u16()),
        };
        assert_eq!(users, expected, "{body}");
    }
}

#[tokio::test]
async fn a_batch_that_is_none_is_refused_as_a_whole() {
    let desk = Desk::open();
    let before = desk.last_seq().await;
    let good = order("{}");
    let too_many = batch(vec!["{}"; 1001]);
    let keyed = [("x-user-id", ANN), ("idempotency-key", "k")];
    for (headers, body, status, pointer) in [
        (&keyed[..1], "[]".to_owned(), 400, ""),
        (&keyed[..1], "{}".to_owned(), 422, "/orders"),
        (&keyed[..1], r#"{"orders":{}}"#.to_owned(), 422, "/orders"),
        (&keyed[..1], too_many, 422, "/orders"),
        (&keyed[..1], format!(r#"{{"orders":[{good}],"mode":"fast"}}"#), 422, "/mode"),
        (&keyed[..], batch([good.as_str()]), 422, "header:Idempotency-Key"),
    ] {
        let told = desk.send(Method::POST, BATCH, headers, &body).await;
        assert_eq!((told.status.as_u16(), told.pointers()), (status, vec![pointer]), "{}", told.body);
    }
    let spaces = " ".repeat(1 << 20);
    let large = desk.ask(Method::POST, BATCH, &format!(r#"{{"orders":[{good}]{spaces}}}"#)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(desk.last_seq().await, before);
    // More than one order may hold.
    let fits =
        desk.ask(Method::POST, BATCH, &format!(r#"{{"orders":[{good}]{}}}"#, " ".repeat(100 << 10))).await;
    assert_eq!(fits.status, StatusCode::OK);
    assert_eq!(desk.log.info().await.unwrap().last_seq, Seq::new(before + 1));
}
