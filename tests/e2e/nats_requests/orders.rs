//! Orders placed over NATS are orders like any other.

use fillstream_tests::{
    http::{get, post, request},
    stream,
};
use serde_json::{Value, json};

use super::{ANN, BOB, EXECUTE, GOOD, ask, client, status};
use crate::site::Site;

#[tokio::test]
async fn a_swap_order_is_the_same_by_both_ways() {
    let site = Site::serve("api", &[]);
    let mut nats = client(&site, 1).await;
    let key = [("Idempotency-Key", "over-nats-1"), ("X-User-Id", ANN)];
    let placed = ask(&mut nats, EXECUTE, &key, GOOD).await;
    assert_eq!(
        (status(&placed), placed.header("Nats-Service-Error-Code")),
        (201, None),
        "{:?}",
        placed.json()
    );
    let id = placed.json()["orderId"].as_str().expect("an id").to_owned();
    assert_eq!(placed.header("Location"), Some(&*format!("/api/orders/{id}")));
    assert_eq!(placed.json()["wsUrl"], format!("ws://{}/api/orders/status/{id}", site.address()));

    let again = ask(&mut nats, EXECUTE, &key, GOOD).await;
    assert_eq!((again.header("Idempotent-Replayed"), &again.payload), (Some("true"), &placed.payload));
    let over_http = post(site.address(), "/api/orders/execute", &key, GOOD).await;
    assert_eq!((over_http.header("idempotent-replayed"), &over_http.body), (Some("true"), &placed.payload));
    let read = ask(&mut nats, "fillstream.orders.get", &[], &json!({ "orderId": id }).to_string()).await;
    let over_http = get(site.address(), &format!("/api/orders/{id}")).await;
    assert_eq!((status(&read), &read.payload), (200, &over_http.body));

    // Placed over HTTP, repeated over NATS.
    let key = [("Idempotency-Key", "over-http-1")];
    let placed = post(site.address(), "/api/orders/execute", &key, GOOD).await;
    let again = ask(&mut nats, EXECUTE, &key, GOOD).await;
    assert_eq!((status(&again), &again.payload), (201, &placed.body));
    assert_eq!(stream::fold(&stream::all(&site.log().await).await).len(), 2);
}

#[tokio::test]
async fn a_book_order_lives_its_life_over_nats() {
    let site = Site::up(&[]);
    let mut nats = client(&site, 1).await;
    let order = |user: &str, side: &str, quantity: &str| json!({"user_id": user, "symbol": "BTC/USDT", "side": side, "type": "LIMIT", "quantity": quantity, "price": "100"});
    let placed = ask(&mut nats, "fillstream.book.place", &[], &order(ANN, "SELL", "2").to_string()).await;
    assert_eq!((status(&placed), &placed.json()["status"]), (201, &"OPEN".into()), "{:?}", placed.json());
    let id = placed.json()["order_id"].as_str().expect("an id").to_owned();
    let own = json!({ "order_id": id, "user_id": ANN });
    let mut amend = own.clone();
    amend["quantity"] = "1.50".into();
    let amended = ask(&mut nats, "fillstream.book.amend", &[], &amend.to_string()).await;
    assert_eq!((status(&amended), &amended.json()["quantity"]), (200, &"1.5".into()));
    let batch = json!({ "orders": [order(BOB, "BUY", "0.5"), order(BOB, "HOLD", "1")] });
    let batch =
        ask(&mut nats, "fillstream.book.batch", &[("X-User-Id", BOB)], &batch.to_string()).await.json();
    assert_eq!(
        (&batch["results"][0]["order"]["status"], &batch["results"][1]["problem"]["status"]),
        (&"OPEN".into(), &422.into())
    );
    let cancelled = ask(&mut nats, "fillstream.book.cancel", &[], &own.to_string()).await;
    assert_eq!(
        (status(&cancelled), &cancelled.json()["status"], &cancelled.json()["filled_quantity"]),
        (200, &"CANCELLED".into(), &"0.5".into())
    );
    let same = async |subject: &str, payload: Value, path: &str| {
        let mut nats = client(&site, 1).await;
        let told = ask(&mut nats, subject, &[], &payload.to_string()).await;
        let over_http = get(site.address(), path).await;
        assert_eq!((status(&told), told.json()), (over_http.status, over_http.json()), "{subject} {payload}");
    };
    same("fillstream.book.get", own, &format!("/api/v1/orders/{id}?user_id={ANN}")).await;
    let list = json!({ "user_id": BOB, "symbol": "BTC/USDT", "limit": 1 });
    same("fillstream.book.list", list, &format!("/api/v1/orders?user_id={BOB}&symbol=BTC-USDT&limit=1"))
        .await;
    same("fillstream.markets.list", json!({}), "/api/v1/markets").await;
    same("fillstream.markets.show", json!({ "symbol": "BTC/USDT" }), "/api/v1/markets/BTC-USDT").await;
    let book = json!({ "symbol": "BTC/USDT", "depth": 3 });
    same("fillstream.markets.book", book, "/api/v1/markets/BTC-USDT/book?depth=3").await;
    same("fillstream.markets.trades", json!({ "symbol": "BTC-USDT" }), "/api/v1/markets/BTC-USDT/trades")
        .await;
    let again =
        request(site.address(), "DELETE", &format!("/api/v1/orders/{id}?user_id={ANN}"), &[], b"").await;
    assert_eq!(again.expect("an answer").status, 409);
}
