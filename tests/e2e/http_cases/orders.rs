//! Reading orders.

use fillstream_tests::{
    http::{Answer, get, place, post, request},
    socket::{Client, Heard},
};
use futures_util::future::join_all;
use serde_json::Value;

use super::{EXECUTE, NOBODY_S, assert_problem};
use crate::site::Site;

/// `2026-01-10T07:30:15.123Z`
fn is_timestamp(value: &Value) -> bool {
    let shape = |text: &str| {
        text.chars().map(|char| if char.is_ascii_digit() { '9' } else { char }).collect::<String>()
            == "9999-99-99T99:99:99.999Z"
    };
    value.as_str().is_some_and(shape)
}

/// A decimal as a string, without an exponent, a sign or zeros behind.
fn is_decimal(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "1"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits(whole) && digits(fraction) && !fraction.ends_with('0')
    })
}

#[tokio::test]
async fn an_order_is_there_right_after_its_201() {
    let site = Site::up(&["--quote-delay=1s"]);
    let read = async || {
        for _ in 0..25 {
            let order = place(site.address(), "SOL", "USDC").await;
            let answer = get(site.address(), &format!("/api/orders/{order}")).await;
            assert_eq!(answer.status, 200, "{order}: {}", String::from_utf8_lossy(&answer.body));
            assert_eq!(answer.json()["orderId"], *order);
        }
    };
    join_all((0..20).map(|_| read())).await;
}

/// Watches an order on family B's socket to its end: the backfill of a second, later connection, its logs without
/// the index, which GET leaves out.
async fn backfill_at_the_end(site: &Site, order: &str) -> Value {
    let path = format!("{EXECUTE}?orderId={order}");
    let mut first = Client::open(site.address(), &path).await.expect("the socket opens");
    let (_, end) = first.to_the_end().await;
    assert!(matches!(end, Heard::Closed(1000, _)), "{end:?}");
    let mut second = Client::open(site.address(), &path).await.expect("the socket opens");
    let mut backfill = second.message().await;
    for log in backfill["logs"].as_array_mut().expect("logs") {
        assert_eq!(log.as_object_mut().and_then(|log| log.remove("index")), Some(0.into()));
    }
    backfill
}

#[tokio::test]
async fn an_order_is_shown_alike_everywhere() {
    let site = Site::up(&[]);
    for (pair, attempts, known) in [
        (("SOL", "USDC"), 1, &["txHash", "executedPrice", "amountOut", "dexUsed", "selectedDex"][..]),
        (("USDC", "BTC"), 1, &["txHash", "executedPrice", "amountOut", "dexUsed"]),
        (("DUST", "USDC"), 3, &["failureReason"]),
        (("RUSH", "USDC"), 3, &["failureReason", "txHash", "raydiumQuote", "meteoraQuote"]),
    ] {
        let body =
            format!(r#"{{"tokenIn":"{}","tokenOut":"{}","amount":"3.50","slippage":1.0}}"#, pair.0, pair.1);
        let placed = post(site.address(), EXECUTE, &[], &body).await;
        assert_is_201(&site, &placed);
        let order = placed.json()["orderId"].as_str().expect("an id").to_owned();
        let backfill = backfill_at_the_end(&site, &order).await;
        let answer = get(site.address(), &format!("/api/orders/{order}")).await;
        let status_path = get(site.address(), &format!("/api/orders/status/{order}")).await;
        assert_eq!(status_path.json(), answer.json(), "both paths show the same");
        let shown = answer.json();
        assert_eq!(shown["logs"], backfill["logs"], "GET and family B's backfill show the same history");
        assert_eq!(shown["status"], backfill["status"]);
        assert_eq!(shown["createdAt"], shown["logs"][0]["timestamp"]);
        assert_eq!(shown["logs"][0]["seq"], placed.json()["seq"]);
        assert_well_formed(&shown);
        for (field, value) in [
            ("orderId", order.as_str()),
            ("tokenIn", pair.0),
            ("tokenOut", pair.1),
            ("amount", "3.5"),
            ("slippage", "1"),
        ] {
            assert_eq!(shown[field], value, "{field} of {shown:#}");
        }
        assert_eq!((&shown["attempt"], &shown["maxAttempts"]), (&Value::from(attempts), &Value::from(3)));
        for field in known {
            assert!(shown[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {shown:#}");
        }
        let upper = get(site.address(), &format!("/api/orders/{}", order.to_uppercase())).await;
        assert_eq!(upper.json(), shown, "an id in upper case is the same id");
    }
}

fn assert_well_formed(order: &Value) {
    for field in ["createdAt", "updatedAt"] {
        assert!(is_timestamp(&order[field]), "{field} of {order:#}");
    }
    let logs = order["logs"].as_array().expect("logs");
    assert!(logs.iter().all(|log| is_timestamp(&log["timestamp"])), "{order:#}");
    for field in ["executedPrice", "amountOut", "raydiumQuote", "meteoraQuote"] {
        assert!(order.get(field).is_none_or(is_decimal), "{field} of {order:#}");
    }
    assert!(order.get("needsReview").is_none(), "{order:#}");
}

fn assert_is_201(site: &Site, answer: &Answer) {
    assert_eq!(answer.status, 201);
    let body = answer.json();
    let order = body["orderId"].as_str().expect("an id");
    assert_eq!(order.as_bytes()[14], b'7', "{order} is minted");
    assert_eq!(body["status"], "pending");
    assert!(body["seq"].as_u64().is_some_and(|seq| seq > 0), "{body}");
    assert_eq!(body["wsUrl"], format!("ws://{}/api/orders/status/{order}", site.address()));
    assert_eq!(answer.header("location"), Some(format!("/api/orders/{order}").as_str()));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn what_is_no_id_is_refused() {
    let site = Site::serve("api,bridge", &[]);
    let long = "a".repeat(300);
    let ids = [
        "",
        "..%2Fx",
        "*",
        "%3E",
        "a.b",
        "%00",
        "%ff",
        "%",
        "%2e%2e",
        &long,
        "0198c0de7a5e7c3a9f003f2a1b4c5d6e",
        "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6",
        "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6g",
        "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6%65%65",
    ];
    for id in ids {
        for folder in ["/api/orders/", "/api/orders/status/"] {
            let answer = get(site.address(), &format!("{folder}{id}")).await;
            assert_problem(id, &answer, 400, "malformed_request", &["path:orderId"]);
            if !id.is_empty() {
                let answer = get(site.address(), &format!("{folder}{id}/logs")).await;
                assert!([400, 404].contains(&answer.status), "{id}: {}", answer.status);
            }
        }
        for (path, case) in
            [(format!("/api/orders/status/{id}"), "A"), (format!("{EXECUTE}?orderId={id}"), "B")]
        {
            let refused = Client::open(site.address(), &path).await.err();
            assert_eq!(refused, Some(400), "{case}: {id}");
        }
    }
    assert_eq!(get(site.address(), "/api/orders/>").await.status, 400);
    assert_eq!(Client::open(site.address(), EXECUTE).await.err(), Some(400), "B without an id");
}

#[tokio::test]
async fn what_nobody_placed_is_not_found() {
    let site = Site::serve("api,bridge", &[]);
    for id in [NOBODY_S.to_owned(), NOBODY_S.to_uppercase(), uuid::Uuid::nil().to_string()] {
        for folder in ["/api/orders/", "/api/orders/status/"] {
            assert_problem(
                &id,
                &get(site.address(), &format!("{folder}{id}")).await,
                404,
                "unknown_order",
                &[],
            );
        }
        assert_eq!(Client::progress(site.address(), &id, "").await.err(), Some(404), "A: {id}");
        let path = format!("{EXECUTE}?orderId={id}");
        assert_eq!(Client::open(site.address(), &path).await.err(), Some(404), "B: {id}");
    }
    let path = format!("/api/orders/{NOBODY_S}");
    let answer = request(site.address(), "GET", &path, &[("Authorization", "x")], b"").await;
    let answer = answer.expect("an answer");
    assert_problem("authorization", &answer, 401, "authentication_not_configured", &["header:Authorization"]);
}

#[tokio::test]
async fn logs_are_paged_without_gap_or_repetition() {
    let site = Site::up(&[]);
    let order = place(site.address(), "RUSH", "USDC").await;
    let mut client = Client::progress(site.address(), &order, "").await.expect("the socket opens");
    client.to_the_end().await;
    let all = get(site.address(), &format!("/api/orders/{order}/logs")).await.json();
    assert_eq!(all["logs"].as_array().map(Vec::len), Some(19), "{all:#}");
    for limit in [1, 2, 3, 7, 18, 19, 1000] {
        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/orders/{order}/logs?limit={limit}{cursor}");
            let page = get(site.address(), &path).await.json();
            let logs = page["logs"].as_array().cloned().unwrap_or_default();
            assert!(!logs.is_empty(), "{path}");
            pages.splice(0..0, logs);
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(Value::from(pages), all["logs"], "by {limit}");
    }
    for (query, pointer) in [
        ("limit=0", "query:limit"),
        ("limit=1001", "query:limit"),
        ("limit=x", "query:limit"),
        ("limit=", "query:limit"),
        ("cursor=x", "query:cursor"),
        ("cursor=-1", "query:cursor"),
        ("cursor=%ff", "query:cursor"),
    ] {
        let answer = get(site.address(), &format!("/api/orders/{order}/logs?{query}")).await;
        assert_problem(query, &answer, 400, "malformed_request", &[pointer]);
    }
}
