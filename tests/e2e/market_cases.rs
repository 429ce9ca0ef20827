//! The market as those who trade on it meet it: orders over HTTP, what became of them on the sockets.

mod changes;
mod crowd;
mod depth;
mod desk;
mod ear;
mod expiry;
mod killed;
mod messages;
mod operators;
mod orders;
mod outages;
mod paging;
mod past;
mod refusals;
mod requests;
mod sockets;
mod sweeps;
mod tokens;

use serde_json::Value;

/// Two users and a stranger.
const ANN: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01";
const BOB: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d02";
const EVE: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d03";

/// Every field that is expected is there, with this value and type.
fn assert_says(message: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("fields are expected") {
        assert_eq!(message.get(name), Some(value), "{name} of {message}");
    }
}

/// A text field; a message without it says nothing.
fn text<'a>(message: &'a Value, name: &str) -> &'a str {
    message[name].as_str().unwrap_or_else(|| panic!("{name} of {message} is no text"))
}

/// A decimal field in hundred-millionths.
fn amount(value: &Value) -> u128 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no decimal string"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 8, "{text}");
    let digits = format!("{whole}{fraction:0<8}");
    digits.parse().unwrap_or_else(|_| panic!("{text} is no decimal"))
}

/// `(seq, index)` of a message.
fn place(message: &Value) -> (u64, u64) {
    let number = |name: &str| message[name].as_u64().unwrap_or_else(|| panic!("{name} of {message}"));
    (number("seq"), number("index"))
}
