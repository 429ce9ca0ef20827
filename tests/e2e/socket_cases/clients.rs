//! Many clients, late ones, talkative ones, and those of pages that have no business here.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use fillstream_tests::{
    http::{get, place},
    socket::Heard,
};
use futures_util::{SinkExt, StreamExt, future::join_all};
use serde_json::Value;
use tokio::{
    join,
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::Request},
};

use super::{BOTH, Family, chain};
use crate::site::Site;

#[tokio::test]
async fn what_a_client_says_is_answered_and_ignored() {
    let site = Site::serve("api,bridge", &[]);
    let order = place(site.address(), "SOL", "USDC").await;
    for family in BOTH {
        let mut client = family.open(&site, &order, None).await;
        while client.message().await["type"] != "backfill" {}
        for said in [
            Message::text("hello"),
            Message::text("{"),
            Message::text(r#"{"action":"subscribe","stream":"trades"}"#),
            Message::text(""),
            Message::text("x".repeat(1 << 20)),
            Message::binary(vec![0, 255]),
        ] {
            client.say(said).await;
            let error = client.message().await;
            assert_eq!(error["type"], "error", "{error}");
            for name in ["code", "message", "orderId", "timestamp"] {
                assert!(error[name].as_str().is_some_and(|text| !text.is_empty()), "{name} of {error}");
            }
            assert!(family == Family::B || error["progress"].is_u64(), "{error}");
        }
        client.say(Message::Ping("still there?".into())).await;
        assert_eq!(client.hear_within(Duration::from_millis(200)).await, Heard::Silence, "{family:?}");
    }
}

#[tokio::test]
async fn what_is_too_long_is_not_read() {
    let site = Site::serve("api,bridge", &[]);
    let order = place(site.address(), "SOL", "USDC").await;
    for family in BOTH {
        let url = format!("ws://{}{}", site.address(), family.path(&order, None));
        let (mut socket, _) = connect_async(url).await.expect("the socket opens");
        // The server need not take it all before it closes: the end of the writing may fail.
        let _ = socket.send(Message::text("x".repeat((1 << 20) + 1))).await;
        let mut heard = pin!(socket.filter_map(async |message| match message {
            Ok(Message::Close(frame)) => Some(frame.map(|frame| u16::from(frame.code))),
            Ok(_) => None,
            Err(_) => Some(None),
        }));
        assert_eq!(heard.next().await, Some(Some(1009)), "{family:?}");
    }
}

#[tokio::test]
async fn twenty_orders_with_three_clients_each_are_gapless() {
    let site = Site::up(&["--quote-delay=60ms"]);
    let orders =
        join_all((0..20).map(|number| place(site.address(), ["SOL", "RUSH", "DUST"][number % 3], "USDC")));
    let orders = orders.await;
    let site = &site;
    let clients = orders.iter().enumerate().flat_map(|(number, order)| {
        let late = Duration::from_millis(15 * (number as u64 % 7));
        [(Family::A, Duration::ZERO), (Family::A, late), (Family::B, late)].map(|(family, late)| async move {
            sleep(late).await;
            let messages = family.all(site, order, None).await;
            (family, order, chain(&messages).entries)
        })
    });
    for (family, order, entries) in join_all(clients).await {
        assert_eq!(entries, family.held(site, order).await, "{family:?} of {order}");
    }
}

/// The texts of a connection, byte by byte, each live one under its position. Says when it has the third.
async fn texts(site: &Site, path: &str, third: &Notify) -> BTreeMap<(u64, u64), String> {
    let (mut socket, _) =
        connect_async(format!("ws://{}{path}", site.address())).await.expect("the socket opens");
    let mut live = BTreeMap::new();
    while let Some(Ok(Message::Text(text))) = socket.next().await {
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        if message.get("prev_seq").is_some() && message["replayed"] != true {
            let at = (message["seq"].as_u64().expect("a seq"), message["index"].as_u64().expect("an index"));
            live.insert(at, text.to_string());
            if live.len() == 3 {
                third.notify_one();
            }
        }
    }
    live
}

#[tokio::test]
async fn clients_who_come_at_different_times_see_the_same_bytes() {
    let site = Site::up(&["--quote-delay=60ms", "--build-delay=60ms", "--submit-delay=60ms"]);
    for family in BOTH {
        let order = place(site.address(), "RUSH", "USDC").await;
        let path = family.path(&order, None);
        let under_way = Notify::new();
        let (early, late) = join!(texts(&site, &path, &under_way), async {
            under_way.notified().await;
            texts(&site, &path, &Notify::new()).await
        });
        assert!(late.len() > 2 && early.len() > late.len(), "{} and {} messages", early.len(), late.len());
        let common: BTreeMap<_, _> = early.into_iter().filter(|(at, _)| late.contains_key(at)).collect();
        assert_eq!(common, late, "{family:?}");
    }
}

/// The status with which an upgrade is refused.
async fn refusal(request: Request<()>) -> Option<u16> {
    match connect_async(request).await {
        Ok(_) => None,
        Err(Error::Http(answer)) => Some(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn only_pages_from_listed_origins_may_open_sockets() {
    let listed = Site::serve("api,bridge", &["--allow-origin=https://desk.example"]);
    let own = Site::serve("api,bridge", &[]);
    let any = Site::serve("api,bridge", &["--allow-origin=*"]);
    for (site, origin, refused) in [
        (&listed, Some("https://desk.example"), None),
        (&listed, None, None),
        (&listed, Some("https://desk.example.evil"), Some(403)),
        (&listed, Some("http://desk.example"), Some(403)),
        (&listed, Some("null"), Some(403)),
        (&listed, Some(""), Some(403)),
        (&own, Some("http://localhost:5173"), None),
        (&own, Some("http://127.0.0.1:8080"), None),
        (&own, Some("https://anywhere.example"), Some(403)),
        (&own, Some("null"), Some(403)),
        (&any, Some("https://anywhere.example"), None),
        (&any, Some("null"), None),
    ] {
        let order = place(site.address(), "SOL", "USDC").await;
        for family in BOTH {
            let url = format!("ws://{}{}", site.address(), family.path(&order, None));
            let mut request = url.into_client_request().expect("a good address");
            if let Some(origin) = origin {
                request.headers_mut().insert("origin", origin.parse().expect("a header"));
            }
            assert_eq!(refusal(request).await, refused, "{family:?} from {origin:?}");
        }
    }
}

#[tokio::test]
async fn who_must_not_ask_is_refused_before_the_upgrade() {
    let site = Site::serve("api,bridge", &[]);
    let order = place(site.address(), "SOL", "USDC").await;
    let (ann, bob) = ("0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01", "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d02");
    for family in BOTH {
        let path = family.path(&order, None);
        let with = |user: &str| format!("{path}{}user_id={user}", if path.contains('?') { '&' } else { '?' });
        for (case, path, header, expected) in [
            ("a token that nobody checks", path.clone(), Some(("authorization", "Bearer x")), Some(401)),
            ("no user", with(""), None, Some(400)),
            ("no user's id", with("me"), None, Some(400)),
            ("no user's id in the header", path.clone(), Some(("x-user-id", "me")), Some(400)),
            ("two users", with(ann), Some(("x-user-id", bob)), Some(422)),
            ("the same user twice", with(ann), Some(("x-user-id", ann)), None),
            ("any user", with(bob), None, None),
        ] {
            let mut request =
                format!("ws://{}{path}", site.address()).into_client_request().expect("an address");
            if let Some((name, value)) = header {
                request.headers_mut().insert(name, value.parse().expect("a header"));
            }
            assert_eq!(refusal(request).await, expected, "{family:?}: {case}");
        }
    }
}

#[tokio::test]
async fn open_sockets_are_counted() {
    let site = Site::serve("api,bridge", &[]);
    let order = place(site.address(), "SOL", "USDC").await;
    let mut open = Vec::new();
    for family in [Family::A, Family::B, Family::B] {
        open.push(family.open(&site, &order, None).await);
    }
    for expected in [3, 0] {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let counted = get(site.address(), "/health").await.json()["websocket"].clone();
            if counted["connections"] == expected && counted["subscriptions"] == expected {
                // Greeting and backfill: three messages on A, one on B.
                assert_eq!(counted["messages_sent"], 5, "{counted}");
                break;
            }
            assert!(Instant::now() < deadline, "{expected} are open, but {counted} are counted");
            sleep(Duration::from_millis(10)).await;
        }
        open.clear();
    }
}
