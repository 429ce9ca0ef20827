//! Refusals: with which status, naming which field, and without a trace in the stream.

use fillstream_tests::{
    http::{Answer, exchange, get, request},
    stream,
};

use super::{ANN, BOB, EXECUTE, GOOD, assert_problem};
use crate::site::Site;

const JSON: (&str, &str) = ("Content-Type", "application/json");
/// Largest body (CONTRACT.md).
const MAX_BODY: usize = 64 << 10;

/// Beside what no JSON number can be.
#[rustfmt::skip]
const WRONG_AMOUNTS: &[&str] = &[
    "0", "-1", "-0", "0.0e5", "\"abc\"", "\"\"", "\" 10\"", "\"+10\"", "\"1,5\"", "\"0x10\"",
    "\"NaN\"", "\"10\\u0000\"", "1e400", "1e-400", "1e99999999999", "0.1234567890123456789012345",
    "0.0000000001", "1000000001", "1000000000.1", "null", "true", "{}", "[]", "[10]",
    "{\"amount\":10}", "\"١٠\"", "\"1_000\"",
];
#[rustfmt::skip]
const WRONG_SLIPPAGES: &[&str] = &[
    "0", "-0.5", "50.000000001", "100", "\"abc\"", "\"0,5\"", "1e400", "null", "false", "{}", "[]",
    "\"\"",
];

/// GOOD with one member replaced or added.
fn with(name: &str, value: &str) -> String {
    match name {
        "amount" => GOOD.replace("10", value),
        "tokenIn" => GOOD.replace("\"SOL\"", value),
        "tokenOut" => GOOD.replace("\"USDC\"", value),
        _ => GOOD.replace('}', &format!(r#","{name}":{value}}}"#)),
    }
}

/// GOOD with a member that nobody knows, `bytes` long.
fn padded(bytes: usize) -> String {
    with("note", &format!("\"{}\"", "x".repeat(bytes - with("note", "\"\"").len())))
}

async fn send(site: &Site, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
    request(site.address(), "POST", EXECUTE, headers, body.as_ref()).await.expect("an answer")
}

#[tokio::test]
async fn nothing_that_is_refused_is_stored() {
    let site = Site::serve("api", &[]);
    let log = site.log().await;
    bodies(&site).await;
    amounts_and_slippages(&site).await;
    fields(&site).await;
    authorization(&site).await;
    askers(&site).await;
    keys(&site).await;
    sizes_and_types(&site).await;
    assert_eq!(stream::last_seq(&log).await, 0, "something was stored");
}

async fn bodies(site: &Site) {
    let deep = "[".repeat(30_000);
    let list = r#"["SOL","USDC",10,0.5,null,null]"#;
    for (case, body) in [
        ("no body", &b""[..]),
        ("not JSON", b"{"),
        ("NaN", with("amount", "NaN").as_bytes()),
        ("Infinity", with("amount", "Infinity").as_bytes()),
        ("digits grouped", with("amount", "1_000").as_bytes()),
        ("leading zeros", with("amount", "010").as_bytes()),
        ("half a fraction", with("amount", "10.").as_bytes()),
        ("hexadecimal", with("amount", "0x10").as_bytes()),
        ("a string", b"\"order\""),
        ("a number", b"10"),
        ("null", b"null"),
        ("a list", b"[]"),
        ("the fields as a list", list.as_bytes()),
        ("a list that never ends", deep.as_bytes()),
        ("two objects", format!("{GOOD}{GOOD}").as_bytes()),
        ("a field twice", with("amount", "10,\"amount\":11").as_bytes()),
        ("a byte order mark", format!("\u{feff}{GOOD}").as_bytes()),
        ("not UTF-8 where it is read", &broken(&with("tokenIn", "\"S?L\""))),
        ("not UTF-8 where it is ignored", &broken(&with("note", "\"?\""))),
        ("UTF-16", &GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()),
    ] {
        assert_problem(case, &send(site, &[JSON], body).await, 400, "malformed_request", &[""]);
    }
}

/// The text with a byte that is no UTF-8 for each question mark.
fn broken(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect()
}

async fn amounts_and_slippages(site: &Site) {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (field, values) in [("amount", WRONG_AMOUNTS), ("slippage", WRONG_SLIPPAGES), ("amount", &[&deep])] {
        for value in values {
            let answer = send(site, &[JSON], with(field, value)).await;
            let case = format!("{field} {value:.40}");
            assert_problem(&case, &answer, 422, "invalid_fields", &[&format!("/{field}")]);
        }
    }
}

async fn fields(site: &Site) {
    let usdc = r#"{"tokenIn":"USDC","tokenOut":"SOL","amount":1e-7}"#;
    let all_wrong = r#"{"tokenIn":7,"amount":[],"slippage":"x","clientOrderId":""}"#;
    for (case, body, pointers) in [
        ("no amount", GOOD.replace("amount", "amounts"), &["/amount"][..]),
        ("finer than USDC", usdc.to_owned(), &["/amount"]),
        ("an unknown token", with("tokenIn", "\"DOGE\""), &["/tokenIn"]),
        ("a token in lower case", with("tokenIn", "\"sol\""), &["/tokenIn"]),
        ("half a surrogate", with("tokenIn", "\"\\ud800\""), &["/tokenIn"]),
        ("no token", with("tokenOut", "null"), &["/tokenOut"]),
        ("an unknown pair", with("tokenOut", "\"BTC\""), &["/tokenOut"]),
        ("the same token", with("tokenOut", "\"SOL\""), &["/tokenOut"]),
        ("an empty object", "{}".to_owned(), &["/tokenIn", "/tokenOut", "/amount"]),
        (
            "everything wrong",
            all_wrong.to_owned(),
            &["/tokenIn", "/tokenOut", "/amount", "/slippage", "/clientOrderId"],
        ),
    ] {
        assert_problem(case, &send(site, &[JSON], body).await, 422, "invalid_fields", pointers);
    }
}

async fn authorization(site: &Site) {
    let authorization = ("Authorization", "Bearer e30.e30.x");
    for (case, headers, body) in [
        ("with JSON", &[JSON, authorization][..], GOOD),
        ("before the type is judged", &[authorization], GOOD),
        ("before the body is read", &[JSON, authorization], "{"),
    ] {
        let answer = send(site, headers, body).await;
        assert_problem(case, &answer, 401, "authentication_not_configured", &["header:Authorization"]);
        assert!(answer.header("www-authenticate").is_some(), "{case}");
    }
}

async fn askers(site: &Site) {
    for user in ["", "me", "*", "0198c0de7a5e7c3a9f003f2a1b4c5d6e", "{0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d}"] {
        let answer = send(site, &[JSON, ("X-User-Id", user)], GOOD).await;
        assert_problem(user, &answer, 400, "malformed_request", &["header:X-User-Id"]);
        let body = with("user_id", &format!("\"{user}\""));
        assert_problem(user, &send(site, &[JSON], body).await, 400, "malformed_request", &["/user_id"]);
    }
    for value in ["7", "true", "[]"] {
        let answer = send(site, &[JSON], with("user_id", value)).await;
        assert_problem(value, &answer, 400, "malformed_request", &["/user_id"]);
    }
    for query in ["user_id=", "user_id", "user_id=me", "user_id=%ff", "user_id=%", "user%5Fid=x"] {
        let path = format!("{EXECUTE}?{query}");
        let answer = request(site.address(), "POST", &path, &[JSON], GOOD.as_bytes()).await;
        let answer = answer.expect("an answer");
        assert_problem(query, &answer, 400, "malformed_request", &["query:user_id"]);
    }
    let ann_and_bob = format!("{EXECUTE}?user_id={ANN}&user_id={BOB}");
    for (path, header, body, pointer) in [
        (ann_and_bob.as_str(), &[][..], GOOD.to_owned(), "query:user_id"),
        (EXECUTE, &[("X-User-Id", ANN), ("X-User-Id", BOB)], GOOD.to_owned(), "header:X-User-Id"),
        (EXECUTE, &[("X-User-Id", ANN)], with("user_id", &format!("\"{BOB}\"")), "/user_id"),
    ] {
        let headers = [&[JSON], header].concat();
        let answer =
            request(site.address(), "POST", path, &headers, body.as_bytes()).await.expect("an answer");
        assert_problem(pointer, &answer, 422, "invalid_fields", &[pointer]);
    }
}

async fn keys(site: &Site) {
    for value in ["7", "true", "[]", "\"\"", "\"two words\""] {
        let answer = send(site, &[JSON], with("clientOrderId", value)).await;
        assert_problem(value, &answer, 422, "invalid_fields", &["/clientOrderId"]);
    }
    let long = "k".repeat(256);
    for key in ["", "\"\"", "two words", "\"two words\"", "caf\u{e9}", "\"a\"; p=1", &long] {
        let answer = send(site, &[JSON, ("Idempotency-Key", key)], GOOD).await;
        assert_problem(key, &answer, 422, "invalid_fields", &["header:Idempotency-Key"]);
    }
    let twice = [JSON, ("Idempotency-Key", "one"), ("Idempotency-Key", "two")];
    assert_problem(
        "two keys",
        &send(site, &twice, GOOD).await,
        422,
        "invalid_fields",
        &["header:Idempotency-Key"],
    );
    let answer = send(site, &[JSON, ("Idempotency-Key", "one")], with("clientOrderId", "\"two\"")).await;
    assert_problem("keys that differ", &answer, 422, "invalid_fields", &["/clientOrderId"]);
}

async fn sizes_and_types(site: &Site) {
    for bytes in [MAX_BODY + 1, 2 * MAX_BODY] {
        let answer = send(site, &[JSON], padded(bytes)).await;
        assert_problem("too large", &answer, 413, "body_too_large", &[]);
        let answer = exchange(site.address(), &chunked(&padded(bytes))).await.expect("an answer");
        assert_problem("too large, in chunks", &answer, 413, "body_too_large", &[]);
    }
    for (case, headers) in [
        ("none", &[][..]),
        ("text", &[("Content-Type", "text/plain")]),
        ("a form", &[("Content-Type", "application/x-www-form-urlencoded")]),
        ("almost", &[("Content-Type", "application/jsonx")]),
        ("empty", &[("Content-Type", "")]),
    ] {
        let answer = send(site, headers, GOOD).await;
        assert_problem(case, &answer, 415, "unsupported_media_type", &["header:Content-Type"]);
    }
}

fn chunked(body: &str) -> Vec<u8> {
    let mut bytes = format!(
        "POST {EXECUTE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    for chunk in body.as_bytes().chunks(1000) {
        bytes.push_str(&format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)));
    }
    bytes.push_str("0\r\n\r\n");
    bytes.into_bytes()
}

#[tokio::test]
async fn what_is_only_unusual_is_taken() {
    let site = Site::serve("api", &[]);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (case, body, amount, slippage) in [
        ("exactly 64 KiB", padded(MAX_BODY), "10", "0.5"),
        ("unknown fields", with("note", "{\"a\":[1,{}],\"b\":null}"), "10", "0.5"),
        ("an unknown field twice", with("note", "1,\"note\":2"), "10", "0.5"),
        ("an unknown field, deep", with("note", &deep), "10", "0.5"),
        ("spaces around it", format!(" \r\n\t{GOOD}\n"), "10", "0.5"),
        ("an exponent", with("amount", "1e-7"), "0.0000001", "0.5"),
        ("an exponent in a string", with("amount", "\"1E+3\""), "1000", "0.5"),
        ("zeros behind", with("amount", "10.50000000000000000000000000000000"), "10.5", "0.5"),
        ("an escaped digit", with("amount", "\"\\u0031\""), "1", "0.5"),
        ("more digits than a float has", with("amount", "123456789.123456789"), "123456789.123456789", "0.5"),
        ("the least", with("amount", "0.000000001"), "0.000000001", "0.5"),
        ("the most", with("amount", "1000000000"), "1000000000", "0.5"),
        ("the most slippage", with("slippage", "50"), "10", "50"),
        ("slippage as text", with("slippage", "\"0.10\""), "10", "0.1"),
        ("no key", with("clientOrderId", "null"), "10", "0.5"),
        ("nobody", with("user_id", "null"), "10", "0.5"),
    ] {
        let answer = send(&site, &[JSON], body).await;
        assert_eq!(answer.status, 201, "{case}: {}", String::from_utf8_lossy(&answer.body));
        let path = format!("/api/orders/{}", answer.json()["orderId"].as_str().unwrap_or_default());
        let shown = get(site.address(), &path).await.json();
        assert_eq!(
            (shown["amount"].as_str(), shown["slippage"].as_str()),
            (Some(amount), Some(slippage)),
            "{case}"
        );
    }
    for kind in ["application/json; charset=utf-8", "application/json;charset=\"utf-8\"", "Application/JSON"]
    {
        assert_eq!(send(&site, &[("Content-Type", kind)], GOOD).await.status, 201, "{kind}");
    }
    let answer = exchange(site.address(), &chunked(&padded(MAX_BODY))).await.expect("an answer");
    assert_eq!(answer.status, 201, "64 KiB in chunks");
}
