//! Sockets and the tokens by which they were opened; keys that an issuer withdraws.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fillstream_tests::socket::{Client, Heard};
use serde_json::{Value, json};

use super::{SECRET, bearer, ticket};
use crate::site::Site;

const ANN: &str = "01990000-0000-7000-8000-0000000000a1";

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_secs()).expect("long after")
}

/// A token that ends so many seconds from now, the leeway of clocks included.
fn ends_in(seconds: i64) -> String {
    let claims = json!({ "sub": ANN, "exp": now() - 30 + seconds });
    bearer(SECRET, &json!({ "alg": "HS256" }), &claims)
}

/// What a socket hears up to its end, and that end.
async fn heard(mut socket: Client) -> (Vec<Value>, Heard) {
    socket.to_the_end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_with_the_token_by_which_it_was_opened_and_a_fresh_one_goes_on() {
    let secret = format!("--jwt-secret={SECRET}");
    let slow = ["--quote-delay=20s", "--quote-timeout=30s"];
    let site = Site::up(&[&[secret.as_str()], &slow[..]].concat());
    let good = ends_in(3600);
    let order = super::place(&site, &good, &[]).await;
    let ending = ends_in(4);
    let ticket = ticket(&site, &ending).await;
    let mut sockets = Vec::new();
    for path in [
        format!("/api/orders/status/{order}?"),
        format!("/api/orders/execute?orderId={order}&"),
        "/ws/orders?".to_owned(),
        "/ws/markets/BTC-USDT?".to_owned(),
    ] {
        let socket = Client::open_with(site.address(), &path, &[("authorization", &ending)]).await;
        sockets.push((path, socket.expect("the token still holds")));
    }
    let path = "/ws/trades?".to_owned();
    let by_ticket = Client::open(site.address(), &format!("{path}ticket={ticket}")).await;
    sockets.push((path, by_ticket.expect("the ticket holds")));
    let mut longer =
        Client::open_with(site.address(), "/ws/orders", &[("authorization", &good)]).await.expect("it holds");
    for (path, socket) in sockets {
        let (messages, end) = heard(socket).await;
        let last = messages.last().unwrap_or_else(|| panic!("{path}: nothing was said"));
        assert_eq!(
            (&last["type"], &last["reason"]),
            (&json!("status"), &json!("token_expired")),
            "{path}: {last}"
        );
        let token = last["token"].as_str().unwrap_or_else(|| panic!("{path}: no token in {last}"));
        assert_eq!(end, Heard::Closed(4401, token.to_owned()), "{path}");
        let refused =
            Client::open_with(site.address(), &format!("{path}after={token}"), &[("authorization", &ending)])
                .await;
        assert_eq!(refused.err(), Some(401), "{path}: the token has ended");
        let resumed =
            Client::open_with(site.address(), &format!("{path}after={token}"), &[("authorization", &good)])
                .await;
        assert!(resumed.is_ok(), "{path}: a fresh one goes on");
    }
    assert_eq!(longer.hear_within(Duration::from_millis(50)).await, Heard::Silence, "its token still holds");
}
