//! Amends, cancels and expiries, as their user learns of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fillstream_domain::Timestamp;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    ANN, BOB, assert_says,
    desk::{Desk, ORDERS, limit, with},
    ear::Ear,
    text,
};

async fn change(desk: &Desk, method: &str, order: &str, user: &str, body: Option<Value>) -> (u16, Value) {
    let answer = desk.ask(method, &format!("{ORDERS}/{order}?user_id={user}"), body.as_ref()).await;
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amends_and_cancels_answer_with_the_matcher_s_outcome() {
    let desk = Desk::up(&[]);
    let [one, two] = [desk.limit(ANN, "SELL", 10, 100).await, desk.limit(ANN, "SELL", 10, 100).await];
    desk.limit(BOB, "BUY", 4, 100).await;
    let post_only = with(limit(BOB, "BUY", 1, 90), &json!({"post_only": true}));
    let shy = text(&desk.place(&post_only).await, "order_id").to_owned();
    let ended = desk.limit(BOB, "BUY", 5, 95).await;
    assert_eq!(change(&desk, "DELETE", &ended, BOB, None).await.0, 200);

    let body = |quantity: Option<&str>, price: Option<&str>| {
        let fields = [("quantity", quantity), ("price", price)].into_iter();
        let given = fields.filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
        Some(Value::Object(given.collect()))
    };
    for (case, order, user, asked, status, says) in [
        (
            "less keeps the place",
            &one,
            ANN,
            body(Some("6"), None),
            200,
            json!({"quantity": "6", "filled_quantity": "4", "remaining_quantity": "2", "status": "OPEN"}),
        ),
        (
            "what already is",
            &one,
            ANN,
            body(Some("6.0"), Some("100")),
            200,
            json!({"quantity": "6", "price": "100"}),
        ),
        ("below what is filled", &one, ANN, body(Some("3"), None), 409, json!({"code": "below_filled"})),
        ("off tick", &one, ANN, body(None, Some("100.001")), 422, json!({"code": "invalid_fields"})),
        ("zero", &one, ANN, body(Some("0"), None), 422, json!({"code": "invalid_fields"})),
        ("nothing", &one, ANN, body(None, None), 422, json!({"status": 422})),
        ("another's", &one, BOB, body(Some("5"), None), 404, json!({"code": "unknown_order"})),
        ("into a cross, post-only", &shy, BOB, body(None, Some("100")), 409, json!({"code": "would_take"})),
        ("ended", &ended, BOB, body(Some("6"), None), 409, json!({"code": "order_ended"})),
        ("nobody's", &ANN.to_owned(), ANN, body(Some("6"), None), 404, json!({"code": "unknown_order"})),
        (
            "a new price",
            &two,
            ANN,
            body(Some("12"), Some("99.99")),
            200,
            json!({"quantity": "12", "price": "99.99", "status": "OPEN"}),
        ),
    ] {
        let (found, answer) = change(&desk, "PATCH", order, user, asked).await;
        assert_eq!(found, status, "{case}: {answer}");
        assert_says(&answer, &says);
    }
    let stays = desk.order(BOB, &shy).await;
    assert_says(&stays, &json!({"status": "OPEN", "price": "90"}));
    // The one with the new price is first now; then the one that kept its place.
    let mut trades = Ear::open(&desk, "/ws/trades?after=0").await;
    desk.limit(BOB, "BUY", 13, 100).await;
    let makers: Vec<_> = trades
        .take(3)
        .await
        .iter()
        .map(|trade| (trade["maker_order_id"].clone(), trade["quantity"].clone()))
        .collect();
    assert_eq!(makers, [(json!(one), json!("4")), (json!(two), json!("12")), (json!(one), json!("1"))]);
    endings(&desk, &one, &two, &shy).await;
}

/// Orders end once, and say how.
async fn endings(desk: &Desk, one: &str, two: &str, shy: &str) {
    let exactly = change(desk, "PATCH", one, ANN, Some(json!({"quantity": "5"}))).await;
    assert_eq!(exactly.0, 200, "to what is filled: {}", exactly.1);
    assert_says(&exactly.1, &json!({"status": "FILLED", "quantity": "5", "remaining_quantity": "0"}));
    for (case, order, user, status, code) in [
        ("another's", shy, ANN, 404, "unknown_order"),
        ("filled by its amend", one, ANN, 409, "order_ended"),
        ("filled", two, ANN, 409, "order_ended"),
        ("nobody's", BOB, BOB, 404, "unknown_order"),
        ("no id", "one", BOB, 400, "malformed_request"),
    ] {
        let (found, answer) = change(desk, "DELETE", order, user, None).await;
        assert_eq!((found, answer["code"].as_str()), (status, Some(code)), "{case}: {answer}");
    }
    let (status, answer) = change(desk, "DELETE", shy, BOB, None).await;
    assert_eq!(status, 200, "{answer}");
    assert_says(&answer, &json!({"status": "CANCELLED", "remaining_quantity": "0", "order_id": shy}));
    assert_eq!(change(desk, "DELETE", shy, BOB, None).await.0, 409, "a second time");
}

/// Whoever changes an order at the same time: each change that was confirmed was told, and the order ended once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_the_same_time_are_told_one_by_one() {
    let desk = Desk::up(&[]);
    let mut ear = Ear::open(&desk, &format!("/ws/orders?user_id={ANN}")).await;
    let order = desk.limit(ANN, "SELL", 50, 100).await;
    let amends = (1..=12)
        .map(|n| change(&desk, "PATCH", &order, ANN, Some(json!({"quantity": (60 + n).to_string()}))));
    let amends = join_all(amends).await;
    let cancels = join_all((0..5).map(|_| change(&desk, "DELETE", &order, ANN, None))).await;
    for (status, answer) in amends.iter().chain(&cancels) {
        assert!(*status == 200 || *status == 409, "{status}: {answer}");
    }
    let amended = amends.iter().filter(|(status, _)| *status == 200).count();
    assert!(amended > 0);
    assert_eq!(cancels.iter().filter(|(status, _)| *status == 200).count(), 1, "{cancels:?}");
    let told = ear.take(amended + 2).await;
    let actions: Vec<_> = told.iter().map(|update| text(update, "action")).collect();
    assert!(actions[0] == "created" && actions[amended + 1] == "cancelled", "{actions:?}");
    assert!(actions[1..=amended].iter().all(|action| *action == "amended"), "{actions:?}");
    let mut quantities: Vec<_> =
        told[1..=amended].iter().map(|update| text(update, "quantity").to_owned()).collect();
    let mut confirmed: Vec<_> = amends
        .iter()
        .filter(|(status, _)| *status == 200)
        .map(|(_, answer)| text(answer, "quantity").to_owned())
        .collect();
    quantities.sort();
    confirmed.sort();
    assert_eq!(quantities, confirmed, "each answer is that of its own amend");
}

fn soon(milliseconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let at = now + Duration::from_millis(milliseconds);
    Timestamp::from_unix_ms(at.as_millis().try_into().expect("before the sun burns out")).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_expires_by_itself() {
    let desk = Desk::up(&[]);
    let mut ear = Ear::open(&desk, &format!("/ws/orders?user_id={ANN}")).await;
    let mut book = Ear::open(&desk, "/ws/markets/BTC-USDT").await;
    let expires_at = soon(400);
    let gtd = json!({"time_in_force": "GTD", "expires_at": expires_at});
    let order = desk.place(&with(limit(ANN, "SELL", 3, 100), &gtd)).await;
    assert_says(&order, &gtd);
    desk.limit(BOB, "BUY", 1, 100).await;
    // Nobody asks for anything further: the market's own clock ends it.
    let told = ear.take(3).await;
    let actions: Vec<_> = told.iter().map(|update| text(update, "action")).collect();
    assert_eq!(actions, ["created", "partially_filled", "cancelled"]);
    assert_says(&told[2], &json!({"status": "CANCELLED", "filled_quantity": "1", "reason": "expired"}));
    assert!(text(&told[2], "timestamp") >= expires_at.as_str(), "not before its time: {}", told[2]);
    let tops = book.take(4).await;
    assert_eq!(tops.last().map(|top| &top["best_ask"]), Some(&Value::Null));
    let id = text(&order, "order_id");
    let shown = desk.until_status(ANN, id, "CANCELLED").await;
    assert_says(&shown, &json!({"filled_quantity": "1", "remaining_quantity": "0"}));
    assert_eq!(change(&desk, "DELETE", id, ANN, None).await.0, 409);
    let late = desk.post(&with(limit(ANN, "SELL", 3, 100), &gtd)).await;
    assert_eq!(late.status, 422, "in the past");
}
