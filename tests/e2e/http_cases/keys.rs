//! Idempotency: the same request again is the same order, whoever repeats it, however it was cut off.

use std::collections::BTreeSet;

use fillstream_tests::{
    http::{Answer, get, post, request},
    stream,
};
use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{ANN, BOB, EXECUTE, GOOD, assert_problem};
use crate::site::Site;

const REPLAYED: &str = "idempotent-replayed";

/// GOOD with a client's order id.
fn named(key: &str) -> String {
    GOOD.replace('}', &format!(r#","clientOrderId":"{key}"}}"#))
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["orderId"].as_str().expect("a 201 names its order").to_owned()
}

/// The second answer is the first one again, and says so.
fn assert_again(case: &str, first: &Answer, again: &Answer) {
    assert_eq!(again.status, 201, "{case}: {}", String::from_utf8_lossy(&again.body));
    assert_eq!(again.body, first.body, "{case}");
    assert_eq!(again.header("location"), first.header("location"), "{case}");
    assert_eq!(again.header(REPLAYED), Some("true"), "{case}");
}

async fn keyed(site: &Site, key: &str, body: &str) -> Answer {
    post(site.address(), EXECUTE, &[("Idempotency-Key", key)], body).await
}

#[tokio::test]
async fn the_same_key_is_the_same_order() {
    let mut site = Site::up(&[]);
    let first = keyed(&site, "k-1", GOOD).await;
    assert_eq!(first.header(REPLAYED), None, "the first one repeats nothing");
    let order = id(&first);
    assert!(order.as_bytes()[14] == b'5', "{order} is derived from the key");
    assert_again("twice in a row", &first, &keyed(&site, "k-1", GOOD).await);
    assert_again("quoted", &first, &keyed(&site, "\"k-1\"", GOOD).await);
    assert_again(
        "as the client's order id",
        &first,
        &post(site.address(), EXECUTE, &[], &named("k-1")).await,
    );
    assert_again("as both", &first, &keyed(&site, "\"k-1\"", &named("k-1")).await);
    for amount in ["\"10\"", "10.0", "1e1", "\"1E+1\"", "10.000000000000", "100e-1"] {
        assert_again(amount, &first, &keyed(&site, "k-1", &GOOD.replace("10", amount)).await);
    }
    let slippage = GOOD.replace('}', r#","slippage":"0.50","unknown":[1]}"#);
    assert_again("the default spelt out", &first, &keyed(&site, "k-1", &slippage).await);

    let at_once = join_all((0..50).map(|_| keyed(&site, "k-50", GOOD))).await;
    let fresh: Vec<_> = at_once.iter().filter(|answer| answer.header(REPLAYED).is_none()).collect();
    assert_eq!(fresh.len(), 1, "one of 50 placed the order");
    for answer in &at_once {
        assert_eq!(answer.body, fresh[0].body);
    }

    let log = site.log().await;
    site.kill_and_restart();
    assert_again("after kill -9 and a restart", &first, &keyed(&site, "k-1", GOOD).await);
    assert_again("after kill -9, of 50", fresh[0], &keyed(&site, "k-50", GOOD).await);
    drop(log);
    assert_eq!(stream::fold(&stream::all(&site.log().await).await).len(), 2, "orders in the stream");
}

#[tokio::test]
async fn the_same_key_with_another_order_is_refused() {
    let site = Site::serve("api", &[]);
    let log = site.log().await;
    id(&keyed(&site, "k-1", GOOD).await);
    for (case, body) in [
        ("another amount", GOOD.replace("10", "10.000000001")),
        ("another pair", GOOD.replace("USDC", "USDT")),
        ("another slippage", GOOD.replace('}', r#","slippage":1}"#)),
    ] {
        let answer = keyed(&site, "k-1", &body).await;
        assert_problem(case, &answer, 422, "key_reused", &["header:Idempotency-Key"]);
    }
    assert_eq!(stream::last_seq(&log).await, 1, "something was stored");
}

#[tokio::test]
async fn a_key_belongs_to_its_user() {
    let site = Site::serve("api", &[]);
    let place = async |path: &str, headers: &[(&str, &str)], body: &str| {
        let headers = [&[("Content-Type", "application/json"), ("Idempotency-Key", "k")], headers].concat();
        request(site.address(), "POST", path, &headers, body.as_bytes()).await.expect("an answer")
    };
    let (query, in_body) =
        (format!("{EXECUTE}?user_id={ANN}"), GOOD.replace('}', &format!(r#","user_id":"{ANN}"}}"#)));
    let first = place(EXECUTE, &[("X-User-Id", ANN)], GOOD).await;
    for (case, again) in [
        ("by query", place(&query, &[], GOOD).await),
        ("by body", place(EXECUTE, &[], &in_body).await),
        ("by all of them", place(&query, &[("X-User-Id", &ANN.to_uppercase())], &in_body).await),
    ] {
        assert_again(case, &first, &again);
    }
    let others = [
        ("another user", place(EXECUTE, &[("X-User-Id", BOB)], GOOD).await),
        ("nobody", place(EXECUTE, &[], GOOD).await),
    ];
    let mut orders = BTreeSet::from([id(&first)]);
    for (case, answer) in &others {
        assert_eq!(answer.header(REPLAYED), None, "{case}");
        assert!(orders.insert(id(answer)), "{case} got somebody else's order");
    }
}

#[tokio::test]
async fn any_visible_ascii_is_a_key() {
    let site = Site::serve("api", &[]);
    let (longest, letters) =
        ("k".repeat(255), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    let mut orders = BTreeSet::new();
    for key in [
        "k",
        "K",
        "\"",
        "*",
        ">",
        "a.b",
        "../x",
        "%00",
        "a,b",
        "{}",
        "'",
        "~!@#$^&()-_=+[]|;:<?",
        letters,
        &longest,
    ] {
        let first = keyed(&site, key, GOOD).await;
        assert!(orders.insert(id(&first)), "{key} finds the order of another key");
        assert_again(key, &first, &keyed(&site, &format!("\"{key}\""), GOOD).await);
        assert_eq!(get(site.address(), &format!("/api/orders/{}", id(&first))).await.status, 200, "{key}");
    }
}

/// Sends all of a request but the last `kept_back` bytes, reads `read` bytes of the answer, and is gone.
async fn cut(address: &str, request: &[u8], kept_back: usize, read: usize) {
    let mut connection = TcpStream::connect(address).await.expect("the server listens");
    connection.write_all(&request[..request.len() - kept_back]).await.expect("the server reads");
    let mut answer = vec![0; read];
    if read > 0 {
        connection.read_exact(&mut answer).await.expect("the answer is that long");
    }
}

#[tokio::test]
async fn a_client_that_was_cut_off_and_asks_again_has_one_order() {
    let site = Site::serve("api", &[]);
    let request = |key: &str| {
        format!(
            "POST {EXECUTE} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n\
             Content-Length: {}\r\n\r\n{GOOD}",
            site.address(),
            GOOD.len()
        )
    };
    let answer_bytes = 300;
    let cuts = [(1, 0), (GOOD.len(), 0), (GOOD.len() + 20, 0)].into_iter();
    let cuts: Vec<_> = cuts.chain((0..answer_bytes).step_by(10).map(|read| (0, read))).collect();
    let retried = join_all(cuts.iter().map(async |(kept_back, read)| {
        let key = format!("cut-{kept_back}-{read}");
        cut(site.address(), request(&key).as_bytes(), *kept_back, *read).await;
        let answer = keyed(&site, &key, GOOD).await;
        if *read > 0 {
            assert_eq!(answer.header(REPLAYED), Some("true"), "{key} had been answered");
        }
        assert_eq!(keyed(&site, &key, GOOD).await.body, answer.body, "{key}");
        id(&answer)
    }));
    let orders: BTreeSet<_> = retried.await.into_iter().collect();
    let stored = stream::fold(&stream::all(&site.log().await).await);
    let stored: BTreeSet<_> = stored.keys().map(ToString::to_string).collect();
    assert_eq!(stored, orders, "one order for each key, and none besides");
    assert_eq!(orders.len(), cuts.len());
}
