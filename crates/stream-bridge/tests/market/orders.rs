//! Updates of orders and trades, to whom they belong.

use fillstream_domain::book::Side::{Buy, Sell};
use serde_json::json;

use crate::{
    client::Client,
    flow::{Lot, cancelled, created, levels, lot, outcome, trade, user},
    rig::{BTC, ETH, Rig, settings, until},
};

pub(crate) fn orders_of(rig: &Rig, number: u128) -> String {
    rig.url(&format!("/ws/orders?user_id={}", user(number)))
}

/// One order that sweeps so many makers of other users; the outcome of the taker.
pub(crate) fn sweep(makers: u128, taker_user: u128) -> Vec<fillstream_domain::book::Outcome> {
    let maker = |n: u128| lot(100 + n, 1000 + n, Sell, 100, 1);
    let taker = lot(99, taker_user, Buy, 100, u64::try_from(makers).unwrap());
    let mut changes = vec![created(taker)];
    for n in 0..makers {
        changes.push(trade(maker(n).filled(1), taker.filled(u64::try_from(n + 1).unwrap()), 1));
    }
    vec![outcome(changes, levels(&[], &[(100, 0)]))]
}

#[tokio::test]
async fn an_order_is_placed_and_matched() {
    let rig = Rig::start(settings()).await;
    let mut a = Client::connect(&orders_of(&rig, 1)).await;
    let mut b = Client::connect(&orders_of(&rig, 2)).await;
    let mut trades = Client::connect(&rig.url("/ws/trades")).await;
    let maker = lot(10, 1, Sell, 100, 3);
    let placed = rig.commit(BTC, vec![outcome(vec![created(maker)], levels(&[], &[(100, 3)]))]);
    let told = a.text().await;
    let (at, token) = (&told["timestamp"], &told["token"]);
    assert_eq!(at, "2026-01-09T23:06:40.123Z");
    assert_eq!(token.as_str().map(str::len), Some(55));
    for (field, value) in [
        ("type", json!("order_update")),
        ("action", json!("created")),
        ("status", json!("OPEN")),
        ("symbol", json!(BTC)),
        ("side", json!("SELL")),
        ("quantity", json!("3")),
        ("filled_quantity", json!("0")),
        ("price", json!("100")),
        ("user_id", json!(user(1))),
        ("seq", json!(placed)),
        ("index", json!(0)),
        ("last", json!(true)),
        ("prev_seq", json!(0)),
        ("prev_index", json!(0)),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    let taker = lot(20, 2, Buy, 100, 1);
    let traded = trade(maker.filled(1), taker.filled(1), 1);
    let seq = rig.commit(BTC, vec![outcome(vec![created(taker), traded], levels(&[], &[(100, 2)]))]);
    let update = a.text().await;
    assert_eq!((&update["action"], &update["status"]), (&json!("partially_filled"), &json!("OPEN")));
    assert_eq!((&update["filled_quantity"], &update["prev_seq"]), (&json!("1"), &json!(placed)));
    let both = b.take(2).await;
    let said: Vec<_> =
        both.iter().map(|one| (one["action"].as_str().unwrap(), one["index"].as_u64().unwrap())).collect();
    assert_eq!(said, [("created", 0), ("filled", 1)]);
    let told = trades.text().await;
    for (field, value) in [
        ("type", json!("trade_executed")),
        ("price", json!("100")),
        ("quantity", json!("1")),
        ("buyer_id", json!(user(2))),
        ("seller_id", json!(user(1))),
        ("buyer_fee", json!("0.1")),
        ("seller_fee", json!("0.05")),
        ("executed_at", json!("2026-01-09T23:06:40.123Z")),
        ("seq", json!(seq)),
        ("index", json!(0)),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_hear_of_their_own_orders_alone() {
    const ROUNDS: u128 = 300;
    let rig = Rig::start(settings()).await;
    let mut clients =
        [Client::connect(&orders_of(&rig, 1)).await, Client::connect(&orders_of(&rig, 2)).await];
    for n in 0..ROUNDS {
        let mine = |user: u128| -> Lot { lot(1000 + 10 * n + user, user, Buy, 50, 1) };
        let changes = (1..=3).flat_map(|user| [created(mine(user)), cancelled(mine(user))]).collect();
        let market = if n % 2 == 0 { BTC } else { ETH };
        rig.commit(market, vec![outcome(changes, levels(&[], &[]))]);
    }
    for (client, number) in clients.iter_mut().zip(1..) {
        while client.places("order_update").len() < 600 {
            client.text().await;
        }
        let whose = client.all("order_update").iter().all(|told| told["user_id"] == json!(user(number)));
        assert!(whose, "user {number} was told of others");
        let mut places = client.places("order_update");
        let count = places.len();
        places.dedup();
        assert_eq!((places.len(), count), (600, 600));
    }
}

#[tokio::test]
async fn a_sweep_of_fifty_makers_is_told_once_and_resumed_in_its_middle() {
    let rig = Rig::start(settings()).await;
    let mut trades = Client::connect(&rig.url("/ws/trades")).await;
    let mut taker = Client::connect(&orders_of(&rig, 7)).await;
    let seq = rig.commit(BTC, sweep(50, 7));
    let told = trades.take(50).await;
    let expected: Vec<_> = (0..50).map(|index| (seq, index)).collect();
    assert_eq!(trades.places("trade_executed"), expected);
    assert_eq!(told.iter().filter(|one| one["last"] == true).count(), 1);
    taker.take(51).await;
    assert_eq!(taker.places("order_update"), (0..=50).map(|index| (seq, index)).collect::<Vec<_>>());

    rig.commit(BTC, sweep(2, 7));
    let middle = told[24]["token"].as_str().unwrap();
    // From memory; and from another process, which has it from the store.
    let twin = rig.twin().await;
    for rig in [&rig, &twin] {
        let mut again = Client::connect(&rig.url(&format!("/ws/trades?after={middle}"))).await;
        let rest = again.take(27).await;
        assert_eq!((&rest[0]["prev_seq"], &rest[0]["prev_index"]), (&json!(seq), &json!(24)));
        let expected: Vec<_> =
            (25..50).map(|index| (seq, index)).chain([(seq + 1, 0), (seq + 1, 1)]).collect();
        assert_eq!(again.places("trade_executed"), expected);
    }
    let token = taker.all("order_update")[10]["token"].as_str().unwrap().to_owned();
    let mut again = Client::connect(&format!("{}&after={token}", orders_of(&rig, 7))).await;
    again.take(40 + 3).await;
    assert_eq!(again.places("order_update").first(), Some(&(seq, 11)));
}

#[tokio::test]
async fn a_users_channel_goes_with_its_last_socket() {
    let rig = Rig::start(settings()).await;
    let mine = |n: u128| outcome(vec![created(lot(n, 1, Buy, 50, 1))], levels(&[], &[]));
    let first = rig.commit(BTC, vec![mine(1)]);
    for _ in 0..2 {
        let mut client = Client::connect(&orders_of(&rig, 1)).await;
        let before = rig.commit(BTC, vec![mine(2)]);
        let told = client.text().await;
        assert_eq!(told["seq"], json!(before), "what came before it is not told");
        assert_eq!(told["prev_seq"], json!(before - 1), "and still the chain names it");
        drop(client);
        until("it is gone", || rig.hub.counters().connections.get() == 0).await;
        assert_eq!(rig.hub.counters().subscriptions.get(), 0);
    }
    assert_eq!(first, 3);
}
