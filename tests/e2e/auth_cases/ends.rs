//! Sockets and the tokens by which they were opened; keys that an issuer withdraws.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use fillstream_tests::{
    Scratch,
    socket::{Client, Heard},
};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
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

/// An issuer's key.
struct Signer {
    pair: Ed25519KeyPair,
    kid: &'static str,
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("random bytes");
        Self { pair: Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("a key"), kid }
    }

    fn jwk(&self) -> Value {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": x })
    }

    fn token(&self) -> String {
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({ "alg": "EdDSA", "kid": self.kid }));
        let message = format!("{header}.{}", part(json!({ "sub": ANN, "exp": now() + 3600 })));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()));
        format!("Bearer {message}.{signature}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_with_the_key_that_its_token_was_signed_with() {
    let scratch = Scratch::new("keys");
    let set = scratch.path().join("keys.json");
    let publish = |signers: &[&Signer]| {
        let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
        // At once: half a set is none.
        let next = set.with_extension("next");
        fs::write(&next, json!({ "keys": keys }).to_string()).expect("a file can be written");
        fs::rename(next, &set).expect("it takes the other's place");
    };
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    publish(&[&old, &new]);
    let keys = format!("--jwks={}", set.display());
    let site = Site::up(&[
        &keys,
        "--jwks-refresh=1s",
        "--ping-interval=1s",
        "--quote-delay=60s",
        "--quote-timeout=90s",
    ]);
    let (withdrawn, good) = (old.token(), new.token());
    let order = super::place(&site, &good, &[]).await;
    let ticket = ticket(&site, &withdrawn).await;
    let open = async |path: &str, token: &str| {
        Client::open_with(site.address(), path, &[("authorization", token)]).await
    };
    let mut sockets = Vec::new();
    for path in [format!("/api/orders/status/{order}"), "/ws/orders".to_owned()] {
        sockets.push((path.clone(), open(&path, &withdrawn).await.expect("the key is known")));
    }
    let mut stays = open("/ws/orders", &good).await.expect("the key is known");
    publish(&[&new]);
    for (path, socket) in sockets {
        let (messages, end) = heard(socket).await;
        let last = messages.last().unwrap_or_else(|| panic!("{path}: nothing was said"));
        assert_eq!(last["reason"], "token_expired", "{path}: {last}");
        let token = last["token"].as_str().unwrap_or_else(|| panic!("{path}: no token in {last}"));
        assert_eq!(end, Heard::Closed(4401, token.to_owned()), "{path}");
        assert_eq!(open(&path, &withdrawn).await.err(), Some(401), "{path}");
        assert!(open(&format!("{path}?after={token}"), &good).await.is_ok(), "{path}: another key goes on");
    }
    assert_eq!(Client::open(site.address(), &format!("/ws/trades?ticket={ticket}")).await.err(), Some(401));
    assert_eq!(stays.hear_within(Duration::from_secs(3)).await, Heard::Silence, "its key is still there");
}
