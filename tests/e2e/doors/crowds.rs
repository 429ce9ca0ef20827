//! More clients than there is room for.

use fillstream_tests::{
    http::{Answer, get, request},
    process::raise_open_files,
    socket::{Client, Heard},
};
use tokio::time::{Duration, Instant, sleep};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use super::{PATIENCE, code, sent};
use crate::{
    auth_cases::{VERIFIED, good},
    site::Site,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_still_answers_its_operators_and_says_so_to_others() {
    let site = Site::serve("api", &["--max-connections=64", "--header-timeout=30s"]);
    let mut crowd = Vec::new();
    for _ in 0..64 {
        crowd.push(sent(site.address(), b"GET / HTTP/1.1\r\nX-").await);
    }
    for path in ["/health", "/metrics"] {
        assert_eq!(get(site.address(), path).await.status, 200, "{path}");
    }
    let full = get(site.address(), "/api/v1/markets").await;
    assert_eq!(code(&full), (503, "too_many_connections".to_owned()));
    assert_eq!(full.header("retry-after"), Some("1"));
    drop(crowd);
    let deadline = Instant::now() + PATIENCE;
    while get(site.address(), "/api/v1/markets").await.status != 200 {
        assert!(Instant::now() < deadline, "there is no room though all have gone");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_the_connections_that_it_may_have() {
    let limits = ["--connections-per-address=8", "--trusted-proxy=192.0.2.1", "--header-timeout=30s"];
    let site = Site::serve("api", &limits);
    let mut crowd = Vec::new();
    for _ in 0..8 {
        crowd.push(sent(site.address(), b"GET / HTTP/1.1\r\nX-").await);
    }
    assert_eq!(code(&get(site.address(), "/api/v1/markets").await), (429, "rate_limited".to_owned()));
    drop(crowd);
    let deadline = Instant::now() + PATIENCE;
    while get(site.address(), "/api/v1/markets").await.status != 200 {
        assert!(Instant::now() < deadline, "there is no room though all have gone");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_rate_are_refused_and_say_when_to_come_back() {
    let limits = ["--requests-per-address=2", "--trusted-proxy=127.0.0.1"];
    let site = Site::serve("api", &limits);
    let from = |address: &'static str| {
        let here = site.address().to_owned();
        async move {
            request(&here, "GET", "/api/v1/markets", &[("X-Forwarded-For", address)], b"")
                .await
                .expect("an answer")
        }
    };
    let first = from("198.51.100.1").await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), Some("\"address\";q=20;w=10"));
    let mut refused = first;
    for _ in 0..60 {
        refused = from("198.51.100.1").await;
        if refused.status != 200 {
            break;
        }
    }
    assert_eq!(code(&refused), (429, "rate_limited".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("ratelimit"), Some("\"address\";r=0;t=1"));
    assert_eq!(from("198.51.100.2").await.status, 200, "another address");
}

const ANN: &str = "01990000-0000-7000-8000-0000000000a1";
const BOB: &str = "01990000-0000-7000-8000-0000000000b0";

/// Places an order that rests.
async fn place(site: &Site, token: &str) -> Answer {
    let body = r#"{"symbol":"BTC/USDT","side":"BUY","type":"LIMIT","quantity":"0.1","price":"100"}"#;
    let headers = [("Authorization", token), ("Content-Type", "application/json")];
    request(site.address(), "POST", "/api/v1/orders", &headers, body.as_bytes()).await.expect("an answer")
}

/// The 99th of a hundred times that an order took.
async fn p99(site: &Site, token: &str) -> Duration {
    let mut times = Vec::new();
    for _ in 0..100 {
        let since = Instant::now();
        assert_eq!(place(site, token).await.status, 201);
        times.push(since.elapsed());
    }
    times.sort();
    times[98]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_floods_is_refused_and_another_one_hardly_feels_it() {
    let site = Site::up(&VERIFIED[..2]);
    let (ann, bob) = (good(ANN), good(BOB));
    let flood = async || {
        let mut refused = 0_u32;
        loop {
            let answer = place(&site, &ann).await;
            if answer.status == 429 {
                assert_eq!(code(&answer).1, "rate_limited");
                assert!(answer.header("retry-after").is_some() && answer.header("ratelimit").is_some());
                refused += 1;
            }
            if refused > 20 {
                // The bucket is empty: from here on it is the flood that has to be borne.
                return;
            }
        }
    };
    tokio::join!(flood(), flood(), flood(), flood());
    // The machine has other things to do as well: one good round shows what the server can do.
    let mut seen = Vec::new();
    for _ in 0..5 {
        let quiet = p99(&site, &bob).await;
        let flooding = async {
            loop {
                tokio::join!(place(&site, &ann), place(&site, &ann), place(&site, &ann), place(&site, &ann));
            }
        };
        let flooded = tokio::select! {
            flooded = p99(&site, &bob) => flooded,
            () = flooding => unreachable!("it floods for ever"),
        };
        seen.push((quiet, flooded));
        if flooded <= quiet * 3 {
            return;
        }
        // Bob, too, has but a hundred orders a second.
        sleep(Duration::from_secs(2)).await;
    }
    panic!("with a flood an order takes more than three times as long: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancels_have_a_bucket_of_their_own_and_a_batch_costs_its_orders() {
    let site = Site::up(&["--orders-per-user=1", "--cancels-per-user=1"]);
    let order = format!(
        r#"{{"user_id":"{ANN}","symbol":"BTC/USDT","side":"BUY","type":"LIMIT","quantity":"0.1","price":"100"}}"#
    );
    let ask = async |method: &str, path: &str, body: &str| {
        let headers = [("Content-Type", "application/json"), ("X-User-Id", ANN)];
        request(site.address(), method, path, &headers, body.as_bytes()).await.expect("an answer")
    };
    let batch = |count: usize| format!(r#"{{"orders":[{}]}}"#, vec![order.as_str(); count].join(","));
    let placed = ask("POST", "/api/v1/orders/batch", &batch(999)).await;
    assert_eq!(placed.status, 200, "a whole batch fits into the burst");
    let refused = ask("POST", "/api/v1/orders/batch", &batch(100)).await;
    assert_eq!(code(&refused), (429, "rate_limited".to_owned()));
    let id = placed.json()["results"][0]["order"]["order_id"].as_str().expect("an order").to_owned();
    let cancelled = ask("DELETE", &format!("/api/v1/orders/{id}"), "").await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_one_user_and_messages_of_one_socket_have_an_end() {
    raise_open_files(20_000);
    let site = Site::up(&["--sockets-per-user=3", "--messages-per-socket=1", "--max-sockets=6000"]);
    let own = format!("/ws/orders?user_id={ANN}");
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(Client::open(site.address(), &own).await.expect("there is room"));
    }
    assert_eq!(Client::open(site.address(), &own).await.err(), Some(429));
    assert!(
        Client::open(site.address(), &format!("/ws/orders?user_id={BOB}")).await.is_ok(),
        "another user's"
    );
    sockets.pop();
    let until = Instant::now() + PATIENCE;
    while Client::open(site.address(), &own).await.is_err() {
        assert!(Instant::now() < until, "there is no room though one has gone");
        sleep(Duration::from_millis(20)).await;
    }
    let mut chatter = Client::open(site.address(), "/ws").await.expect("it opens");
    for _ in 0..12 {
        chatter.say(Message::text("{}")).await;
    }
    let (messages, end) = chatter.to_the_end().await;
    let codes: Vec<_> = messages.iter().map(|message| message["code"].as_str().unwrap_or_default()).collect();
    assert_eq!(codes.last(), Some(&"rate_limited"), "{codes:?}");
    assert!(matches!(end, Heard::Closed(1008, _)), "{end:?}");
}

/// A part of a text message, not the last one.
fn part(begin: Data, bytes: usize) -> Message {
    Message::Frame(Frame::message(vec![b' '; bytes], OpCode::Data(begin), false))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_hold_messages_back_the_one_that_holds_most_goes() {
    let site = Site::up(&["--unfinished-messages=65536"]);
    let open = async || Client::open(site.address(), "/ws").await.expect("there is room");
    let (mut largest, mut large, mut other) = (open().await, open().await, open().await);
    // Pongs in the middle of a message do not make it a shorter one.
    largest.say(part(Data::Text, 40 << 10)).await;
    for _ in 0..10 {
        largest.say(Message::Pong(vec![0; 100].into())).await;
    }
    large.say(part(Data::Text, 20 << 10)).await;
    let ask = r#"{"action":"subscribe","stream":"trades"}"#;
    other.say(Message::text(ask)).await;
    assert_eq!(other.message().await["type"], "subscribed");
    large.say(part(Data::Continue, 20 << 10)).await;
    let (_, end) = largest.to_the_end().await;
    assert!(matches!(end, Heard::Closed(1013, _)), "{end:?}");
    // Everybody else goes on, the one that was about to hold more among them.
    large.say(Message::Frame(Frame::message(ask.as_bytes(), OpCode::Data(Data::Continue), true))).await;
    assert_eq!(large.message().await["type"], "subscribed");
    other.say(Message::text(ask.replace("trades", "fills"))).await;
    assert_eq!(other.message().await["type"], "error", "nobody is named");
    let metrics = get(site.address(), "/metrics").await.body;
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(
        metrics.contains("fillstream_limits_refused_total{limit=\"unfinished_messages\"} 1"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_idle_sockets_of_one_address_leave_room_for_another() {
    raise_open_files(20_000);
    let site = Site::up(&["--sockets-per-address=5000", "--trusted-proxy=127.0.0.1"]);
    let open = async |address: &'static str| {
        Client::open_with(site.address(), "/ws/trades", &[("x-forwarded-for", address)]).await
    };
    // A short form opens fewer of them, and reaches the limit from the other side.
    let crowd = if std::env::var_os("FILLSTREAM_TEST_LONG").is_some() { 5000 } else { 1500 };
    let mut sockets = Vec::new();
    for _ in 0..crowd {
        sockets.push(open("198.51.100.1").await.expect("there is room"));
    }
    if crowd == 5000 {
        assert_eq!(open("198.51.100.1").await.err(), Some(429));
    }
    let _other = open("198.51.100.2").await.expect("another address has room");
    assert_eq!(get(site.address(), "/health").await.json()["websocket"]["connections"], crowd + 1);
}
