//! Clients from which nothing comes any more: they answer no ping, vanish without a word, or never read again.

use std::time::Duration;

use fillstream_tests::{raw::Raw, socket::Heard};
use futures_util::future::join_all;
use serde_json::json;

use super::{DOORS, Door, STREAMS, Usage, bystanders, freed, hear_pairs, pairs};
use crate::market_cases::{
    assert_says,
    desk::Desk,
    ear::{Ear, Line},
};

/// Longer than anybody whose machine is busy takes to answer a ping.
const IMPATIENT: [&str; 2] = ["--ping-interval=300ms", "--silence-limit=3s"];
/// A client that does not read is given up soon; that it does not answer is no matter.
const STALLS_SHORT: [&str; 3] = ["--write-timeout=500ms", "--ping-interval=1m", "--silence-limit=10m"];
/// Clients of each door that read and say nothing, and as many that do not read either.
const SILENT: usize = 6;
/// Trades of one request.
const PAIRS: usize = 10;
/// Longest wait for a connection to be closed, far above the silence limit.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_no_ping_is_closed_and_freed() {
    let desk = Desk::up(&IMPATIENT);
    let mut others = bystanders(&desk).await;
    let before = Usage::of(&desk).await;
    let silent = async {
        let open = async |door: Door| Raw::open(desk.address(), &door.path()).await.expect("a socket");
        let of_each = || join_all((0..SILENT).flat_map(|_| DOORS).map(open));
        let (hearing, vanished) = tokio::join!(of_each(), of_each());
        // Some read all and say nothing. The others are gone, as far as anybody can tell: their machines have no time
        // left to say so.
        let told = join_all(hearing.into_iter().map(|raw| raw.ending(b""))).await;
        assert_eq!(told, [Some(1008); SILENT * DOORS.len()]);
        freed(&desk, before).await;
        assert!(join_all(vanished.iter().map(|raw| raw.is_cut(PATIENCE))).await.into_iter().all(|cut| cut));
        pairs(&desk, 1).await;
    };
    // Those who answer stay.
    tokio::join!(silent, hear_pairs(&mut others, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_reads_again_is_given_up_and_can_go_on_later() {
    let desk = Desk::up(&STALLS_SHORT);
    let mut others = bystanders(&desk).await;
    let mut told = 0;
    for door in DOORS {
        let before = Usage::of(&desk).await;
        let line = others.iter().find(|(other, _)| *other == door).map(|(_, ear)| ear.line().clone());
        let mut slow = door.listen_narrowly(&desk, line.unwrap_or_else(Line::fresh)).await;
        while Usage::of(&desk).await.subscriptions > before.subscriptions {
            pairs(&desk, PAIRS).await;
            hear_pairs(&mut others, PAIRS).await;
        }
        let token = loop {
            match slow.hear().await {
                Heard::Message(_) => {}
                Heard::Closed(4408, token) => {
                    told += 1;
                    break token;
                }
                // It came back too late to be told: what it has says where it stands.
                Heard::Broken => break slow.line().token.clone().unwrap_or_default(),
                other => panic!("{door:?}: {other:?}"),
            }
        };
        let other = others.iter().find(|(other, _)| *other == door).map(|(_, ear)| ear);
        goes_on(&desk, door, slow, &token, other.expect("there is one at each door")).await;
        freed(&desk, before).await;
    }
    assert!(told > 0, "nobody was told why");
}

/// Comes back with the token that it was closed with, and has what the other one has.
async fn goes_on(desk: &Desk, door: Door, slow: Ear, token: &str, other: &Ear) {
    match door {
        Door::Orders | Door::Trades => {
            let mark = if door.path().contains('?') { '&' } else { '?' };
            assert_eq!(Some(token), slow.line().token.as_deref(), "{door:?}: where it stands");
            let path = format!("{}{mark}after={token}", door.path());
            let mut again = Ear::resume(desk.address(), &path, slow.line().clone()).await.expect("a socket");
            let missed = other.line().heard.len() - slow.line().heard.len();
            again.take(missed).await;
            assert!(again.line().heard == other.line().heard, "{door:?}: nothing twice, nothing missing");
        }
        Door::Many => {
            let of_a_stream = |line: &Line| line.token.as_deref() == Some(token);
            assert!(
                slow.lines.values().any(of_a_stream),
                "{token}: where the stream stands that could not be sent"
            );
            let mut again = Ear::open(desk, &door.path()).await;
            again.lines.clone_from(&slow.lines);
            for (stream, symbol) in STREAMS {
                let after = symbol.is_none().then(|| slow.lines[stream].token.clone());
                let request =
                    json!({"action": "subscribe", "stream": stream, "symbol": symbol, "after": after});
                assert_says(&again.ask(&request).await, &json!({"type": "subscribed"}));
            }
            let is_there = |ear: &Ear| {
                ["orders", "trades"]
                    .iter()
                    .all(|name| ear.lines[*name].heard.len() >= other.lines[*name].heard.len())
            };
            while !is_there(&again) {
                again.next().await;
            }
            for stream in ["orders", "trades"] {
                let [heard, expected] = [&again, other].map(|ear| &ear.lines[stream].heard);
                assert!(heard == expected, "{stream}: nothing twice, nothing missing");
            }
        }
        Door::Market => {
            let mut again = Ear::open(desk, &format!("{}?after={token}", door.path())).await;
            let now = other.line().heard.last().expect("messages");
            let anew = again.next().await;
            assert_says(&anew, &json!({"snapshot": true, "seq": now["seq"], "index": now["index"]}));
        }
    }
}
