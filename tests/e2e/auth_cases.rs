//! Authentication as two users and a stranger meet it.

mod ends;
mod trades;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use fillstream_tests::{
    Scratch, free_port,
    http::{Answer, get, request},
    socket::{Client, Heard, PATIENCE},
};
use ring::hmac;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::site::{Site, quiet, run};

pub(crate) const SECRET: &str = "correct horse battery staple 321";
const ANN: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01";
const BOB: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d02";
const NOBODY_S: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d03";
const EXECUTE: &str = "/api/orders/execute";
const TICKET: &str = "/api/ws-ticket";
const ORDER: &str = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");
/// The settings of an issuer; and everything is printed, also what libraries say.
pub(crate) const VERIFIED: [&str; 3] = [
    "--jwt-secret=correct horse battery staple 321",
    "--jwt-audience=fillstream",
    "--log=trace,async_nats=off",
];

/// `Bearer …`, signed as `header` says it is, or not at all.
pub(crate) fn bearer(secret: &str, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes());
    let signature = if header["alg"] == "none" { String::new() } else { BASE64_URL_SAFE_NO_PAD.encode(tag) };
    format!("Bearer {message}.{signature}")
}

pub(crate) fn claims(user: &str, audience: &str, lives_for: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    json!({"sub": user, "aud": audience, "exp": i64::try_from(now).expect("before the sun burns out") + lives_for})
}

pub(crate) fn good(user: &str) -> String {
    bearer(SECRET, &json!({"alg": "HS256"}), &claims(user, "fillstream", 600))
}

async fn ask(site: &Site, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    request(site.address(), method, path, headers, body.as_bytes()).await.expect("an answer")
}

async fn place(site: &Site, token: &str, more: &[(&str, &str)]) -> String {
    let headers = [&[JSON, ("Authorization", token)], more].concat();
    let answer = ask(site, "POST", EXECUTE, &headers, ORDER).await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["orderId"].as_str().expect("an id").to_owned()
}

async fn ticket(site: &Site, token: &str) -> String {
    let answer = ask(site, "POST", TICKET, &[("Authorization", token)], "").await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    assert!(answer.json()["expires_at"].as_str().is_some_and(|text| text.ends_with('Z')));
    answer.json()["ticket"].as_str().expect("a ticket").to_owned()
}

fn socket_paths(order: &str) -> [String; 2] {
    [format!("/api/orders/status/{order}?"), format!("{EXECUTE}?orderId={order}&")]
}

async fn upgrade(site: &Site, path: &str, headers: &[(&'static str, &str)]) -> Result<Client, u16> {
    Client::open_with(site.address(), path, headers).await
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// For this user the order is there, by every way; for the other it is as if it had never been placed.
async fn belongs_to(site: &Site, order: &str, owner: &str, other: &str) {
    for (path, accept) in [
        ("/api/orders/ID", "*/*"),
        ("/api/orders/status/ID", "*/*"),
        ("/api/orders/ID/logs", "*/*"),
        ("/api/orders/ID/events", "*/*"),
        ("/api/orders/ID/events", "text/event-stream"),
    ] {
        let [theirs, nobody_s] = [order, NOBODY_S].map(|id| path.replace("ID", id));
        let as_user = async |path: &str, user: &str| {
            ask(site, "GET", path, &[("Authorization", user), ("Accept", accept)], "").await
        };
        assert_eq!(as_user(&theirs, owner).await.status, 200, "{path}");
        let told = as_user(&theirs, other).await;
        assert_eq!(code(&told), (404, "unknown_order".to_owned()), "{path}");
        let of_nobody = as_user(&nobody_s, other).await;
        let text = |answer: &Answer| String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(text(&told).replace(order, NOBODY_S), text(&of_nobody), "{path}");
    }
    for path in socket_paths(order) {
        // First when the order is read from the stream, then while its owner keeps it in memory.
        let others = async || {
            assert_eq!(upgrade(site, &path, &[("authorization", other)]).await.err(), Some(404), "{path}");
            let spent = format!("{path}ticket={}", ticket(site, other).await);
            assert_eq!(upgrade(site, &spent, &[]).await.err(), Some(404), "{path}");
        };
        others().await;
        let mut client = upgrade(site, &path, &[("authorization", owner)]).await.expect("the owner's socket");
        others().await;
        let (messages, end) = client.to_the_end().await;
        assert!(matches!(end, Heard::Closed(1000, _)), "{end:?} after {messages:?}");
        assert!(messages.iter().any(|message| message["status"] == "confirmed"), "{messages:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_never_see_each_other_s_orders() {
    let mut site = Site::up(&VERIFIED[..2]);
    let (ann, bob) = (good(ANN), good(BOB));
    let same_key = [("Idempotency-Key", "one")];
    let (ann_s, bob_s) = (place(&site, &ann, &same_key).await, place(&site, &bob, &same_key).await);
    assert_ne!(ann_s, bob_s, "a key means another order for another user");
    assert_eq!(place(&site, &ann, &same_key).await, ann_s);
    belongs_to(&site, &ann_s, &ann, &bob).await;
    belongs_to(&site, &bob_s, &bob, &ann).await;
    // Once more from the stream: nothing is in memory any more.
    site.kill_and_restart();
    belongs_to(&site, &ann_s, &ann, &bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_hold_opens_nothing() {
    let site = Site::up(&VERIFIED);
    let ann = good(ANN);
    let order = place(&site, &ann, &[]).await;
    let hs256 = json!({"alg": "HS256"});
    let other_secret = SECRET.replace('3', "4");
    for (case, token, said) in [
        ("none", String::new(), "authentication_required"),
        ("expired", bearer(SECRET, &hs256, &claims(ANN, "fillstream", -60)), "invalid_token"),
        ("forged", bearer(&other_secret, &hs256, &claims(ANN, "fillstream", 600)), "invalid_token"),
        (
            "alg none",
            bearer(SECRET, &json!({"alg": "none"}), &claims(ANN, "fillstream", 600)),
            "invalid_token",
        ),
        ("wrong audience", bearer(SECRET, &hs256, &claims(ANN, "elsewhere", 600)), "invalid_token"),
        ("no user", bearer(SECRET, &hs256, &claims("ann", "fillstream", 600)), "invalid_token"),
    ] {
        let headers: Vec<_> =
            Some(("authorization", token.as_str())).filter(|_| !token.is_empty()).into_iter().collect();
        let refused = (401, said.to_owned());
        for path in [format!("/api/orders/{order}"), format!("/api/orders/{order}/logs?user_id={ANN}")] {
            let answer = ask(&site, "GET", &path, &headers, "").await;
            assert_eq!(code(&answer), refused, "{case}: {path}");
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Bearer"), "{case}: {challenge:?}");
            assert_eq!(
                challenge.contains("error=\"invalid_token\""),
                case != "none",
                "{case}: {challenge:?}"
            );
        }
        let with_json = [&[JSON][..], &headers].concat();
        assert_eq!(code(&ask(&site, "POST", EXECUTE, &with_json, ORDER).await), refused, "{case}");
        assert_eq!(code(&ask(&site, "POST", TICKET, &headers, "").await), refused, "{case}");
        for path in socket_paths(&order) {
            assert_eq!(upgrade(&site, &path, &headers).await.err(), Some(401), "{case}: {path}");
        }
    }
    for (case, path, body) in [
        ("query", format!("{EXECUTE}?user_id={BOB}"), ORDER.to_owned()),
        ("body", EXECUTE.to_owned(), ORDER.replace('{', &format!(r#"{{"user_id":"{BOB}","#))),
    ] {
        let answer = ask(&site, "POST", &path, &[JSON, ("Authorization", &ann)], &body).await;
        assert_eq!(code(&answer), (403, "another_user".to_owned()), "{case}");
    }
    let said = site.process.said();
    assert!(said.contains("order placed") && !said.contains(&ann[7..]), "a token was printed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_one_socket_and_is_never_printed() {
    let site = Site::up(&VERIFIED);
    let ann = good(ANN);
    let order = place(&site, &ann, &[]).await;
    let mut tickets = Vec::new();
    for path in socket_paths(&order) {
        let ticket = ticket(&site, &ann).await;
        let path = format!("{path}ticket={ticket}");
        let mut client = upgrade(&site, &path, &[]).await.expect("a ticket opens a socket");
        let (messages, end) = client.to_the_end().await;
        assert!(matches!(end, Heard::Closed(1000, _)), "{end:?} after {messages:?}");
        assert_eq!(upgrade(&site, &path, &[]).await.err(), Some(401), "a ticket that is used");
        tickets.push(ticket);
    }
    let unknown = format!("{}ticket={}", socket_paths(&order)[0], "A".repeat(43));
    assert_eq!(upgrade(&site, &unknown, &[]).await.err(), Some(401));
    // Where it does not belong it says nothing, and nobody repeats it.
    let left = ticket(&site, &ann).await;
    for path in [format!("/api/orders/{order}?ticket={left}"), format!("/nowhere?ticket={left}")] {
        let answer = get(site.address(), &path).await;
        assert!([401, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!String::from_utf8_lossy(&answer.body).contains(&left), "{path}");
    }
    tickets.push(left);
    let ended = || site.process.said().matches("a socket ends").count();
    let deadline = Instant::now() + PATIENCE;
    while ended() < 2 {
        assert!(Instant::now() < deadline, "both sockets' ends are printed");
        sleep(Duration::from_millis(5)).await;
    }
    let said = site.process.said();
    assert!(tickets.iter().all(|ticket| !said.contains(ticket)), "a ticket was printed");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_authentication_a_ticket_stands_for_the_name() {
    let site = Site::up(&[]);
    let answer = ask(&site, "POST", EXECUTE, &[JSON, ("X-User-Id", ANN)], ORDER).await;
    let order = answer.json()["orderId"].as_str().expect("an id").to_owned();
    assert_eq!(ask(&site, "POST", TICKET, &[], "").await.status, 400);
    for user in [ANN, BOB] {
        let answer = ask(&site, "POST", TICKET, &[("X-User-Id", user)], "").await;
        assert_eq!(answer.status, 201);
        let path =
            format!("{}ticket={}", socket_paths(&order)[0], answer.json()["ticket"].as_str().expect("one"));
        assert!(upgrade(&site, &path, &[]).await.is_ok(), "swap orders are anybody's: {user}");
        assert_eq!(upgrade(&site, &path, &[]).await.err(), Some(401));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_come_in_when_they_are_listed() {
    let site = Site::up(&[&VERIFIED[..2], &["--allow-origin=https://desk.example"]].concat());
    let ann = good(ANN);
    let order = place(&site, &ann, &[]).await;
    for (origin, allowed) in [("https://desk.example", true), ("https://elsewhere.example", false)] {
        let path = format!("/api/orders/{order}");
        let answer = ask(&site, "GET", &path, &[("Authorization", &ann), ("Origin", origin)], "").await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin).filter(|_| allowed));
        let wanted = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "GET"),
            ("Access-Control-Request-Headers", "authorization"),
        ];
        let preflight = ask(&site, "OPTIONS", &path, &wanted, "").await;
        assert_eq!(preflight.header("access-control-allow-origin"), Some(origin).filter(|_| allowed));
        let path = &socket_paths(&order)[0];
        let opened = upgrade(&site, path, &[("authorization", &ann), ("origin", origin)]).await;
        assert_eq!(opened.err(), if allowed { None } else { Some(403) }, "{origin}");
    }
}

#[test]
fn half_an_authentication_is_refused_at_the_start() {
    let scratch = Scratch::new("auth");
    let (data, port) =
        (format!("--data={}", scratch.path().display()), format!("--nats-port={}", free_port()));
    let secret = VERIFIED[0];
    let keys = scratch.path().join("keys.json");
    std::fs::write(&keys, r#"{"keys":[]}"#).expect("a file can be written");
    let keys = format!("--jwks={}", keys.display());
    let (everywhere, loopback) = ("--listen=0.0.0.0:3000", format!("--listen=127.0.0.1:{}", free_port()));
    // Judged after the address: that it comes as far shows that the address is taken.
    let later = "--silence-limit=1s";
    for (more, told) in [
        (vec![everywhere], "only loopback addresses are accepted without authentication"),
        (vec![everywhere, later], "only loopback addresses"),
        (vec![everywhere, secret, later], "--silence-limit"),
        (vec![everywhere, &keys, later], "--silence-limit"),
        (vec![&loopback, secret, &keys], "--jwt-secret and --jwks are both given"),
        (vec![&loopback, "--jwt-secret=too short"], "at least 32"),
        (vec![&loopback, "--jwt-secret="], "at least 32"),
        (vec![&loopback, "--jwt-audience=fillstream"], "need --jwt-secret or --jwks"),
        (vec![&loopback, &keys], "has no public key"),
        (vec![&loopback, "--jwks=/does/not/exist"], "cannot read the key set /does/not/exist"),
    ] {
        let output = run(&mut quiet(&[&["up", data.as_str(), port.as_str()], more.as_slice()].concat()));
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!output.status.success() && said.contains(told), "{more:?}: {said}");
        assert!(!said.contains(" serves ") && !said.contains("panicked"), "{more:?}: {said}");
        assert!(!said.contains(SECRET) && !said.contains("too short"), "a secret was printed: {said}");
    }
    let help = run(quiet(&["up", "--help"]).env("FILLSTREAM_JWT_SECRET", SECRET)).stdout;
    let help = String::from_utf8_lossy(&help);
    assert!(help.contains("--jwt-audience") && !help.contains(SECRET), "{help}");
}
