//! Orders over HTTP: keys, batches, what is refused.

use std::collections::BTreeSet;

use fillstream_tests::http::Answer;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    ANN, BOB, assert_says,
    desk::{Desk, ORDERS, limit, until, with},
    text,
};

fn keyed(key: &str, quantity: &Value) -> Value {
    with(limit(ANN, "BUY", 1, 50), &json!({"client_order_id": key, "quantity": quantity}))
}

/// The second answer is the first one again, and says so.
fn assert_again(case: &str, first: &Answer, again: &Answer) {
    assert_eq!(again.status, 201, "{case}: {}", String::from_utf8_lossy(&again.body));
    assert_eq!(again.body, first.body, "{case}");
    assert_eq!(again.header("location"), first.header("location"), "{case}");
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{case}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_is_the_same_order() {
    let mut desk = Desk::up(&[]);
    let first = desk.post(&keyed("k-1", &json!("2"))).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    let order = text(&first.json(), "order_id").to_owned();
    for quantity in [json!(2), json!("2.0"), json!(2.0), json!("2e0")] {
        assert_again(&quantity.to_string(), &first, &desk.post(&keyed("k-1", &quantity)).await);
    }
    // What has become of it meanwhile changes no answer.
    let path = format!("{ORDERS}/{order}?user_id={ANN}");
    assert_eq!(desk.ask("DELETE", &path, None).await.json()["status"], "CANCELLED");
    assert_again("after its end", &first, &desk.post(&keyed("k-1", &json!(2))).await);

    let other = desk.post(&keyed("k-1", &json!(3))).await;
    assert_eq!(
        (other.status, other.json()["code"].as_str()),
        (422, Some("key_reused")),
        "{:?}",
        other.json()
    );
    let others = [
        with(keyed("k-1", &json!(2)), &json!({"user_id": BOB})),
        with(keyed("k-1", &json!(2)), &json!({"symbol": "ETH/USDT"})),
    ];
    for body in others {
        assert_ne!(desk.place(&body).await["order_id"], *order, "the key of another user or market: {body}");
    }

    let fifty = keyed("k-50", &json!(1));
    let at_once = join_all((0..50).map(|_| desk.post(&fifty))).await;
    let fresh: Vec<_> =
        at_once.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).collect();
    assert_eq!(fresh.len(), 1, "one of 50 placed the order");
    assert!(at_once.iter().all(|answer| answer.body == fresh[0].body));

    desk.0.kill_and_restart();
    assert_again("after kill -9", &first, &desk.post(&keyed("k-1", &json!(2))).await);
    assert_again("after kill -9, of 50", fresh[0], &desk.post(&fifty).await);
    assert_eq!(desk.pages(&format!("{ORDERS}?user_id={ANN}"), "orders").await.len(), 3);
    desk.verify();
}

/// 1,000 orders, each 50th of which is wrong in its own way.
fn batch() -> Vec<Value> {
    let wrong = [
        json!({"price": "50.005"}),
        json!({"quantity": 0}),
        json!({"symbol": "NOPE/NOPE"}),
        json!({"quantity": "0.01"}),
        json!({"colour": "red"}),
        json!({"side": "HOLD"}),
        json!({"price": null}),
        json!({"time_in_force": "GTD", "expires_at": "2020-01-01T00:00:00.000Z"}),
        json!({"type": "MARKET"}),
        json!({"quantity": "1e400"}),
    ];
    let order = |n: usize| {
        let order = with(limit(ANN, "BUY", 1, 50), &json!({"client_order_id": format!("b-{n}")}));
        if n % 50 == 49 { with(order, &wrong[n / 50 % wrong.len()]) } else { order }
    };
    (0..1000).map(order).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_places_the_good_ones_and_names_what_is_wrong_with_the_others() {
    let desk = Desk::up(&[]);
    let orders = batch();
    let results = desk.batch(&orders).await;
    assert_eq!(results.len(), 1000);
    let mut ids = BTreeSet::new();
    for (n, result) in results.iter().enumerate() {
        if n % 50 == 49 {
            let problem = &result["problem"];
            assert_says(problem, &json!({"status": 422}));
            let pointer = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
            assert!(pointer.starts_with('/'), "{n}: {result}");
        } else {
            assert_says(&result["order"], &json!({"status": "OPEN", "client_order_id": format!("b-{n}")}));
            assert!(ids.insert(text(&result["order"], "order_id")), "{n} twice");
        }
    }
    // All of them again, in time for some to stand in the book: the same answers, and no new order.
    let again = desk.batch(&orders).await;
    for (first, again) in results.iter().zip(&again) {
        assert_eq!(
            (&first["order"], &first["problem"]["errors"]),
            (&again["order"], &again["problem"]["errors"])
        );
    }
    let own = format!("{ORDERS}?user_id={ANN}&limit=300");
    let listed = until("all orders are listed", async || {
        Some(desk.pages(&own, "orders").await).filter(|orders| orders.len() >= ids.len())
    });
    let listed = listed.await;
    let listed: Vec<_> = listed.iter().rev().map(|order| text(order, "client_order_id")).collect();
    let placed: Vec<_> =
        results.iter().filter_map(|result| result["order"]["client_order_id"].as_str()).collect();
    let misplaced = listed.iter().zip(&placed).find(|(listed, placed)| listed != placed);
    assert_eq!((listed.len(), misplaced), (placed.len(), None), "they stand in the stream as in the request");

    let path = "/api/v1/orders/batch";
    let too_many = json!({"orders": vec![limit(ANN, "BUY", 1, 50); 1001]});
    assert_eq!(desk.ask("POST", path, Some(&too_many)).await.status, 422);
    let too_large = json!({"orders": [{"symbol": "x".repeat(1 << 20)}]});
    assert_eq!(desk.ask("POST", path, Some(&too_large)).await.status, 413);
    assert_eq!(desk.ask("POST", path, Some(&json!({"orders": [{"symbol": "BTC/USDT"}]}))).await.status, 400);
}
