//! GET of orders, markets, books and trades.

use axum::http::{Method, StatusCode};
use fillstream_domain::{
    Position, Seq, Timestamp,
    book::{BookStatus, Side, trade_id},
};
use fillstream_http_api::BookAt;
use fillstream_projections::market::{BookOrderPatch, BookOrderRow, LevelBook, TradeRow};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::desk::{ANN, BOB, Desk, PAGES, amount, order, symbol, user};

#[tokio::test]
async fn an_order_is_its_owners_alone() {
    let desk = Desk::open();
    let (_, placed) = desk.placed(&order("{}")).await;
    let path = format!("/api/v1/orders/{}", placed.order_id);
    let unknown = "/api/v1/orders/0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";
    for (path, headers, status) in [
        (path.as_str(), &[("x-user-id", ANN)][..], 200),
        (&path, &[], 200),
        (&path, &[("x-user-id", BOB)], 404),
        (&path, &[("x-user-id", "ann")], 400),
        (unknown, &[], 404),
        ("/api/v1/orders/", &[], 400),
        ("/api/v1/orders/*", &[], 400),
        ("/api/v1/orders/..%2Fx", &[], 400),
        ("/api/v1/orders/%00", &[], 400),
        ("/api/v1/orders/a.b", &[], 400),
    ] {
        assert_eq!(
            desk.send(Method::GET, path, headers, "").await.status.as_u16(),
            status,
            "{path} {headers:?}"
        );
    }
}

#[tokio::test]
async fn the_read_store_knows_best_and_is_not_needed() {
    let desk = Desk::open();
    let (seq, placed) = desk.placed(&order("{}")).await;
    let path = format!("/api/v1/orders/{}", placed.order_id);
    let mut row = BookOrderRow::new(Seq::new(seq), &placed);
    (row.status, row.filled_quantity, row.filled_quote) = (BookStatus::Filled, amount("2"), amount("199"));
    desk.store.orders.lock().push(row);
    let told = desk.get(&path).await;
    assert_eq!((told.text("/status"), told.text("/average_price")), ("FILLED", "99.5"));
    *desk.store.broken.lock() = true;
    assert_eq!(desk.get(&path).await.text("/status"), "OPEN");
    assert_eq!(desk.get("/api/v1/orders").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_list_waits_for_what_was_placed_before_it() {
    let desk = Desk::open();
    *desk.store.checkpoint.lock() = Some(0);
    let (seq, placed) = desk.placed(&order("{}")).await;
    let (list, ()) = tokio::join!(desk.get("/api/v1/orders"), async {
        tokio::task::yield_now().await;
        desk.store.orders.lock().push(BookOrderRow::new(Seq::new(seq), &placed));
        *desk.store.checkpoint.lock() = Some(seq);
    });
    assert_eq!(list.text("/orders/0/order_id"), placed.order_id.to_string());
    // A projector that stands still keeps nobody waiting for long.
    *desk.store.checkpoint.lock() = Some(seq - 1);
    assert_eq!(desk.get("/api/v1/orders").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_order_that_no_replica_knows_yet_is_found() {
    let desk = Desk::open();
    let (_, placed) = desk.placed(&order("{}")).await;
    desk.log.set_replica_lag(1);
    let told = desk.get(&format!("/api/v1/orders/{}", placed.order_id)).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
}

#[tokio::test]
async fn what_the_matcher_has_just_said_counts_before_the_read_store_has_it() {
    for stored in [true, false] {
        let desk = Desk::open();
        let (seq, placed) = desk.placed(&order("{}")).await;
        let row = BookOrderRow::new(Seq::new(seq), &placed);
        if stored {
            desk.store.orders.lock().push(row.clone());
        }
        let patch = BookOrderPatch {
            order_id: row.order_id,
            status: BookStatus::Cancelled,
            price: row.price,
            quantity: row.quantity,
            filled_quantity: amount("0"),
            filled_quote: amount("0"),
            fee: amount("0"),
            updated_at: placed.at,
            last_seq: Seq::new(seq).next(),
            last_index: 0,
        };
        desk.matcher.latest.lock().push(patch);
        let path = format!("/api/v1/orders/{}", row.order_id);
        assert_eq!(desk.get(&path).await.text("/status"), "CANCELLED");
        assert_eq!(desk.ask(Method::DELETE, &path, "").await.status, StatusCode::CONFLICT);
        let open = desk.get("/api/v1/orders?status=OPEN").await;
        assert_eq!(seqs(&open.body), [0_u64; 0]);
        assert_eq!(seqs(&desk.get("/api/v1/orders").await.body), vec![seq + 1; usize::from(stored)]);
    }
}

/// Orders 1 to 25 of Ann's and one of Bob's, in the store.
async fn with_orders() -> Desk {
    let desk = Desk::open();
    let (_, placed) = desk.placed(&order("{}")).await;
    let row = |n: u64| {
        let mut row = BookOrderRow::new(Seq::new(n), &placed);
        row.order_id = fillstream_domain::OrderId::new(Uuid::from_u128(n.into()));
        row.symbol = symbol(if n.is_multiple_of(2) { "BTC/USDT" } else { "ETH/USDT" });
        row.status = if n.is_multiple_of(3) { BookStatus::Cancelled } else { BookStatus::Open };
        row.user_id = user(if n == 26 { BOB } else { ANN });
        row
    };
    desk.store.orders.lock().extend((1..=26).map(row));
    desk
}

fn seqs(body: &Value) -> Vec<u64> {
    let orders = body["orders"].as_array().expect("a list");
    orders.iter().map(|order| order["seq"].as_u64().expect("a sequence")).collect()
}

#[tokio::test]
async fn own_orders_are_listed_newest_first() {
    let desk = with_orders().await;
    for (query, expected) in [
        ("", (1..=25).rev().collect::<Vec<u64>>()),
        ("?limit=3", vec![25, 24, 23]),
        ("?symbol=ETH/USDT&limit=3", vec![25, 23, 21]),
        ("?symbol=ETH-USDT&status=CANCELLED", vec![21, 15, 9, 3]),
        ("?symbol=ETH%2FUSDT&status=FILLED", vec![]),
        ("?symbol=SOL/USDC", vec![]),
    ] {
        assert_eq!(seqs(&desk.get(&format!("/api/v1/orders{query}")).await.body), expected, "{query}");
    }
}

#[tokio::test]
async fn pages_skip_nothing_while_orders_are_added() {
    let desk = with_orders().await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    let mut added = desk.store.orders.lock()[0].clone();
    loop {
        let page = desk.get(&format!("/api/v1/orders?limit=10{cursor}")).await;
        seen.extend(seqs(&page.body));
        added.placed_seq = added.placed_seq.plus(100);
        desk.store.orders.lock().push(added.clone());
        match page.body["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<u64>>());
}

#[tokio::test]
async fn bad_parameters_are_named() {
    let desk = with_orders().await;
    let page = desk.get("/api/v1/orders?limit=1").await;
    let orders_cursor = page.text("/cursor");
    let foreign = format!("/api/v1/markets/BTC-USDT/trades?cursor={orders_cursor}");
    for (path, pointer) in [
        ("/api/v1/orders?limit=0", "query:limit"),
        ("/api/v1/orders?limit=1001", "query:limit"),
        ("/api/v1/orders?limit=x", "query:limit"),
        ("/api/v1/orders?cursor=", "query:cursor"),
        ("/api/v1/orders?cursor=7", "query:cursor"),
        ("/api/v1/orders?symbol=btc", "query:symbol"),
        ("/api/v1/orders?status=open", "query:status"),
        (foreign.as_str(), "query:cursor"),
        ("/api/v1/markets/BTC-USDT/trades?limit=-1", "query:limit"),
        ("/api/v1/markets/BTC-USDT/book?depth=0", "query:depth"),
        ("/api/v1/markets/BTC-USDT/book?depth=1001", "query:depth"),
        ("/api/v1/markets/BTC-USDT/book?at=now", "query:at"),
        ("/api/v1/markets/", "path:symbol"),
    ] {
        let told = desk.get(path).await;
        assert_eq!((told.status.as_u16(), told.pointers()), (400, vec![pointer]), "{path}");
    }
    let nobody = desk.send(Method::GET, "/api/v1/orders", &[], "").await;
    assert_eq!(nobody.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn markets_are_shown_however_they_are_written() {
    let desk = Desk::open();
    let list = desk.send(Method::GET, "/api/v1/markets", &[], "").await;
    let symbols: Vec<_> =
        list.body["markets"].as_array().unwrap().iter().map(|market| &market["symbol"]).collect();
    assert_eq!(symbols, ["BTC/USDT", "ETH/USDT", "SOL/USDC"]);
    for (path, status) in [
        ("BTC/USDT", 200),
        ("BTC-USDT", 200),
        ("BTC%2FUSDT", 200),
        ("BTC%2fUSDT/book", 200),
        ("BTC/USDT/book", 200),
        ("BTC-USDT/trades", 200),
        ("NOPE/NOPE", 404),
        ("NOPE", 404),
        ("btc-usdt", 404),
        ("BTC/USDT/BOOK", 404),
        ("BTC/USDT/book/x", 404),
        ("book", 404),
        ("*/book", 404),
        ("%FF%FE", 404),
    ] {
        let told = desk.send(Method::GET, &format!("/api/v1/markets/{path}"), &[], "").await;
        assert_eq!(told.status.as_u16(), status, "{path}: {}", told.body);
    }
    let market = desk.get("/api/v1/markets/BTC/USDT").await;
    for (field, value) in [
        ("/tick_size", "0.01"),
        ("/lot_size", "0.00000001"),
        ("/min_notional", "1"),
        ("/max_price", "10000000"),
        ("/max_quantity", "1000000"),
        ("/maker_fee", "0.0005"),
        ("/taker_fee", "0.001"),
    ] {
        assert_eq!(market.text(field), value, "{field}");
    }
}

#[tokio::test]
async fn a_book_is_shown_best_first_with_its_checksum() {
    let desk = Desk::open();
    let empty = desk.get("/api/v1/markets/BTC-USDT/book").await;
    let nothing = json!({"symbol":"BTC/USDT","seq":0,"index":0,"bids":[],"asks":[],"checksum":0});
    assert_eq!(empty.body, nothing);
    let mut book = LevelBook::default();
    for n in 1..=12 {
        book.set(Side::Buy, amount(&n.to_string()), amount("1.5"));
        book.set(Side::Sell, amount(&(100 + n).to_string()), amount("2"));
    }
    let checksum = book.checksum();
    *desk.store.book.lock() = Some(BookAt { position: Position::new(Seq::new(7), 3), book });
    for (query, levels) in [("", 12), ("?depth=1", 1), ("?depth=1000", 12)] {
        let told = desk.get(&format!("/api/v1/markets/BTC/USDT/book{query}")).await;
        assert_eq!((told.number("/seq"), told.number("/index")), (7, 3));
        assert_eq!(told.number("/checksum"), u64::from(checksum), "{query}");
        assert_eq!(told.body["bids"].as_array().map(Vec::len), Some(levels), "{query}");
        assert_eq!(told.body["bids"][0], json!(["12", "1.5"]));
        assert_eq!(told.body["asks"][0], json!(["101", "2"]));
    }
}

#[tokio::test]
async fn a_past_book_is_asked_for_by_sequence() {
    let desk = Desk::open();
    assert_eq!(desk.get("/api/v1/markets/BTC/USDT/book?at=7").await.number("/seq"), 7);
    let ahead = desk.get("/api/v1/markets/BTC/USDT/book?at=11").await;
    assert_eq!((ahead.status.as_u16(), ahead.text("/code")), (409, "ahead_of_stream"));
    assert!(ahead.text("/detail").contains("10"), "{}", ahead.body);
}

#[tokio::test]
async fn trades_are_listed_latest_first() {
    let desk = Desk::open();
    let trade = |seq: u64, index: u32| TradeRow {
        seq: Seq::new(seq),
        index,
        last: index == 1,
        trade_id: trade_id(&symbol("BTC/USDT"), Seq::new(seq), index),
        symbol: symbol("BTC/USDT"),
        price: amount("100"),
        quantity: amount("0.5"),
        buyer_id: user(ANN),
        seller_id: user(BOB),
        buyer_fee: amount("0.05"),
        seller_fee: amount("0.025"),
        maker_order_id: fillstream_domain::OrderId::new(Uuid::from_u128(1)),
        taker_order_id: fillstream_domain::OrderId::new(Uuid::from_u128(2)),
        executed_at: Timestamp::from_unix_ms(0),
    };
    desk.store.trades.lock().extend([trade(5, 0), trade(5, 1), trade(9, 0), trade(9, 1)]);
    let (mut places, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = desk.get(&format!("/api/v1/markets/BTC/USDT/trades?limit=3{cursor}")).await;
        for trade in page.body["trades"].as_array().unwrap() {
            assert_eq!((&trade["buyer_id"], &trade["seller_fee"]), (&json!(ANN), &json!("0.025")));
            places.push((trade["seq"].as_u64().unwrap(), trade["index"].as_u64().unwrap()));
        }
        match page.body["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(places, [(9, 1), (9, 0), (5, 1), (5, 0)]);
}

#[tokio::test]
async fn more_pages_than_the_rows_can_give_at_once_are_refused_and_what_is_small_goes_on() {
    let desk = Desk::open();
    let (_, placed) = desk.placed(&order("{}")).await;
    let trades = "/api/v1/markets/BTC-USDT/trades";
    let held = desk.store.gate.write().await;
    let reading = async || join_all([(); PAGES].map(|()| desk.get(trades))).await;
    let others = async {
        for path in [trades, "/api/v1/trades", "/api/v1/orders"] {
            let told = desk.get(path).await;
            assert_eq!((told.status.as_u16(), told.text("/code")), (503, "too_many_readers"), "{path}");
            assert_eq!(told.header("retry-after"), Some("1"));
        }
        assert_eq!(desk.get(&format!("/api/v1/orders/{}", placed.order_id)).await.status, StatusCode::OK);
        assert_eq!(desk.get("/api/v1/markets/BTC-USDT/book").await.status, StatusCode::OK);
        drop(held);
    };
    let (read, ()) = tokio::join!(reading(), others);
    assert!(read.iter().all(|told| told.status == StatusCode::OK));
    assert_eq!(desk.get(trades).await.status, StatusCode::OK, "there is room again");
}
