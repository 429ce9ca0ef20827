//! Tickets and tokens: who may come in by which, and where a client goes on.

use fillstream_tests::{http::request, socket::Client};
use serde_json::{Value, json};

use super::{DOORS, Door, STREAMS, bystanders, hear_pairs, pairs};
use crate::{
    auth_cases::{VERIFIED, good},
    market_cases::{
        ANN, BOB, assert_says,
        desk::Desk,
        ear::{Ear, Line},
        text,
    },
    site::Site,
};

/// Where a door is, nobody named.
const fn path(door: Door) -> &'static str {
    match door {
        Door::Many => "/ws",
        Door::Orders => "/ws/orders",
        Door::Trades => "/ws/trades",
        Door::Market => "/ws/markets/BTC-USDT",
    }
}

async fn ticket(site: &Site, user: &str) -> String {
    let headers = [("Authorization", &*good(user))];
    let answer = request(site.address(), "POST", "/api/ws-ticket", &headers, b"").await.expect("an answer");
    text(&answer.json(), "ticket").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_opens_each_door_once() {
    let site = Site::up(&VERIFIED[..2]);
    let open = async |path: &str| Client::open(site.address(), path).await;
    for door in DOORS {
        let path = path(door);
        let bearer = good(ANN);
        let by_token = Client::open_with(site.address(), path, &[("authorization", &bearer)]).await;
        assert!(by_token.is_ok(), "{door:?}: a bearer token");
        let own = format!("{path}?ticket={}", ticket(&site, ANN).await);
        let mut client = open(&own).await.unwrap_or_else(|status| panic!("{door:?}: {status}"));
        if door == Door::Many {
            client.say(json!({"action": "subscribe", "stream": "orders"}).to_string().into()).await;
            assert_says(&client.message().await, &json!({"type": "subscribed", "stream": "orders"}));
        }
        let used_for_another = format!("{path}?user_id={BOB}&ticket={}", ticket(&site, ANN).await);
        for (case, path, status) in [
            ("used", own, 401),
            ("unknown", format!("{path}?ticket={}", "A".repeat(43)), 401),
            ("no ticket", format!("{path}?ticket=me"), 401),
            ("empty", format!("{path}?ticket="), 401),
            ("another user named", used_for_another.clone(), 403),
            ("and spent by that", used_for_another.replace(BOB, ANN), 401),
            ("a name alone", format!("{path}?user_id={ANN}"), 401),
        ] {
            assert_eq!(open(&path).await.err(), Some(status), "{door:?}: {case}");
        }
        let nobody = if door == Door::Orders { Some(401) } else { None };
        assert_eq!(open(path).await.err(), nobody, "{door:?}: nobody");
    }
}

/// Tokens of a message that is not the last one, by stream: of this stream of events, and of another one.
async fn heard(desk: &Desk) -> Vec<(Door, Ear)> {
    let mut ears = bystanders(desk).await;
    for _ in 0..3 {
        pairs(desk, 1).await;
        hear_pairs(&mut ears, 1).await;
    }
    ears
}

fn middle(ears: &[(Door, Ear)], stream: &str) -> Value {
    let (_, many) = ears.iter().find(|(door, _)| *door == Door::Many).expect("it is a door");
    many.lines[stream].heard[1].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_lets_its_own_channel_go_on_and_no_other() {
    let (desk, elsewhere) = (Desk::up(&[]), Desk::up(&[]));
    let (ears, foreign) = (heard(&desk).await, heard(&elsewhere).await);
    drop(elsewhere);
    for (stream, symbol) in STREAMS {
        let name = symbol.map_or_else(|| stream.to_owned(), |symbol| format!("{stream} {symbol}"));
        let at = middle(&ears, &name);
        let own = text(&at, "token");
        let other = middle(&ears, if stream == "trades" { "orders" } else { "trades" });
        let mut forged = own.to_owned().into_bytes();
        forged[20] ^= 1;
        let forged = String::from_utf8(forged).expect("text");
        let ahead = json!(at["seq"].as_u64().expect("a position") + 1_000_000);
        let book = symbol.is_some();
        for (case, after, reset) in [
            ("its own", at["token"].clone(), None),
            ("another channel's", other["token"].clone(), Some("other_channel")),
            ("of another stream", middle(&foreign, &name)["token"].clone(), Some("other_stream")),
            ("ahead", ahead, Some("ahead_of_stream")),
        ] {
            let mut ear = Ear::open(&desk, &Door::Many.path()).await;
            let asked = json!({"action": "subscribe", "stream": stream, "symbol": symbol, "after": after});
            let subscribed = ear.ask(&asked).await;
            assert_says(&subscribed, &json!({"type": "subscribed", "stream": stream}));
            let next = ear.next().await;
            match reset {
                // Books tell how they stand, whatever their client knew.
                _ if book => assert_says(&next, &json!({"snapshot": true, "symbol": symbol})),
                Some(reason) => {
                    assert_says(&next, &json!({"type": "reset", "stream": stream, "reason": reason}))
                }
                None => {
                    assert_eq!(
                        (&subscribed["seq"], &subscribed["index"]),
                        (&at["seq"], &at["index"]),
                        "{case}"
                    );
                    let all = &ears[0].1.lines[&name].heard;
                    assert_eq!(next, all[2], "{stream}, {case}");
                    assert_eq!(ear.take(all.len() - 3).await, all[3..], "{stream}, {case}");
                }
            }
        }
        for after in [json!(forged), json!(&own[1..]), json!(""), json!("yesterday"), json!(-1), json!([own])]
        {
            let mut ear = Ear::open(&desk, &Door::Many.path()).await;
            let asked = json!({"action": "subscribe", "stream": stream, "symbol": symbol, "after": after});
            let refused = ear.ask(&asked).await;
            assert_says(&refused, &json!({"type": "error", "field": "after", "code": "malformed_request"}));
            // The connection stays, without the subscription.
            ear.subscribe(stream, symbol).await;
        }
        at_the_single_door(&desk, stream, &forged, &middle(&foreign, &name)).await;
    }
}

/// The same refusals and resets where a door has one stream.
async fn at_the_single_door(desk: &Desk, stream: &str, forged: &str, foreign: &Value) {
    let door = match stream {
        "orders" => Door::Orders,
        "trades" => Door::Trades,
        "orderbook" => Door::Market,
        // Its only door has been tried.
        _ => return,
    };
    let mark = if door.path().contains('?') { '&' } else { '?' };
    let after = |after: &str| format!("{}{mark}after={after}", door.path());
    for wrong in [forged, &forged[1..], "", "yesterday", "-1", "1.5", "%00", "%ff"] {
        let opened = Client::open(desk.address(), &after(wrong)).await;
        assert_eq!(opened.err(), Some(400), "{door:?}: after={wrong}");
    }
    let path = after(text(foreign, "token"));
    let mut ear = Ear::resume(desk.address(), &path, Line::default()).await.expect("a socket");
    let first = ear.next().await;
    match door {
        Door::Market => assert_says(&first, &json!({"snapshot": true})),
        Door::Many | Door::Orders | Door::Trades => {
            assert_says(&first, &json!({"type": "reset", "stream": stream, "reason": "other_stream"}));
        }
    }
}
