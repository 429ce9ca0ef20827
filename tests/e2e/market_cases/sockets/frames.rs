//! Clients that do not keep to the protocol, or say what nobody asked for: each at every door, while others listen.

use fillstream_tests::{
    raw::{Raw, declared, frame},
    socket::Heard,
};
use futures_util::future::join_all;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{DOORS, Door, Usage, bystanders, freed, hear_pairs, pairs};
use crate::market_cases::{assert_says, desk::Desk, text};

/// Largest message from a client, bytes.
const MAX: usize = 1 << 20;

/// What breaks the protocol, and the code of the close that answers it.
fn broken() -> Vec<(&'static str, Vec<u8>, u16)> {
    let fragments = [frame(0x01, &vec![b'a'; MAX]), frame(0x80, b"a")].concat();
    vec![
        ("a message over 1 MiB", frame(0x81, &vec![b' '; MAX + 1]), 1009),
        ("fragments over 1 MiB together", fragments, 1009),
        ("a declared length of 1 MiB and a byte", declared(MAX as u64 + 1), 1009),
        ("a declared length of 2^63 - 1", declared((1 << 63) - 1), 1009),
        ("a declared length of 2^63", declared(1 << 63), 1009),
        ("text that is not UTF-8", frame(0x81, &[b'"', 0xff, 0xfe, b'"']), 1007),
        ("fragments that are not UTF-8", [frame(0x01, b"{\xc3"), frame(0x80, b"}")].concat(), 1007),
        ("a frame without a mask", vec![0x81, 2, b'{', b'}'], 1002),
        ("a fragmented ping", frame(0x09, b""), 1002),
        ("a fragmented close", frame(0x08, &1000_u16.to_be_bytes()), 1002),
        ("a long ping", frame(0x89, &[0; 126]), 1002),
        ("a reserved bit", frame(0xc1, b"{}"), 1002),
        ("an unknown opcode", frame(0x83, b"{}"), 1002),
        ("a continuation of nothing", frame(0x80, b"{}"), 1002),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_break_of_the_protocol_has_its_code_at_every_door() {
    let desk = Desk::up(&[]);
    let mut others = bystanders(&desk).await;
    let before = Usage::of(&desk).await;
    for door in DOORS {
        let path = door.path();
        let ended = broken().into_iter().map(async |(case, bytes, code)| {
            let raw = Raw::open(desk.address(), &path).await.expect("a socket");
            assert_eq!(raw.ending(&bytes).await, Some(code), "{door:?}: {case}");
        });
        join_all(ended).await;
        // Nothing else is disturbed.
        pairs(&desk, 1).await;
        hear_pairs(&mut others, 1).await;
    }
    freed(&desk, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_asked_for_is_answered_and_the_connection_stays() {
    let desk = Desk::up(&[]);
    let mut others = bystanders(&desk).await;
    let mut talkers = bystanders(&desk).await;
    for (door, ear) in &mut talkers {
        let code = if *door == Door::Many { "malformed_request" } else { "unexpected_message" };
        for said in ["hello", "", "{", "null", &"x".repeat(MAX)] {
            ear.say(Message::text(said)).await;
            assert_says(&ear.next().await, &json!({"type": "error", "code": code}));
        }
        ear.say(Message::Ping("still there?".into())).await;
        ear.say(Message::binary(vec![0, 255])).await;
        match (*door, ear.hear().await) {
            // Requests are texts: whoever asks otherwise would wait for an answer in vain.
            (Door::Many, Heard::Closed(1003, _)) => {}
            (Door::Orders | Door::Trades | Door::Market, Heard::Message(error)) => {
                assert_eq!(text(&error, "code"), "unexpected_message");
            }
            (door, other) => panic!("{door:?}: {other:?}"),
        }
        ear.told.clear();
    }
    talkers.retain(|(door, _)| *door != Door::Many);
    pairs(&desk, 1).await;
    hear_pairs(&mut talkers, 1).await;
    hear_pairs(&mut others, 1).await;
}
