//! Clients that stop reading while a thousand messages a second come.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{DOORS, Door, STREAMS, bystanders, hear_pairs, memory, pairs};
use crate::market_cases::{
    assert_says,
    desk::Desk,
    ear::{Ear, Line},
    text,
};

/// Trades of one request.
const PAIRS: usize = 10;
/// Requests while the slow clients do not read. Four messages of a trade for its user: more than a channel keeps, so
/// that some come from the read model.
const REQUESTS: usize = 200;
/// Further clients of each door that never read again.
const STALLED: usize = 25;
/// What the process may grow by meanwhile: what channels keep, five of 8 MiB, and books, rows, buffers. Were the
/// messages kept for each client that does not read, it would be some hundred MiB.
const MOST_MEMORY: u64 = 128 << 20;
/// Nobody is closed for not reading or not answering: what it takes is what is looked at.
const PATIENT: [&str; 3] = ["--write-timeout=10m", "--ping-interval=1m", "--silence-limit=10m"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_reading_costs_little_and_gets_everything_later() {
    let desk = Desk::up(&PATIENT);
    let mut others = bystanders(&desk).await;
    let mut slow = Vec::new();
    for door in DOORS {
        slow.push((door, door.listen_narrowly(&desk, Line::fresh()).await));
    }
    let stalled = (0..STALLED).flat_map(|_| DOORS).map(|door| door.listen_narrowly(&desk, Line::fresh()));
    let stalled: Vec<_> = join_all(stalled).await;

    let before = memory(&desk, "VmRSS");
    for _ in 0..REQUESTS {
        pairs(&desk, PAIRS).await;
        hear_pairs(&mut others, PAIRS).await;
    }
    let grown = memory(&desk, "VmHWM").saturating_sub(before);
    println!("{} clients do not read: {} MiB more at most", stalled.len() + slow.len(), grown >> 20);
    assert!(grown < MOST_MEMORY, "{} MiB", grown >> 20);
    drop(stalled);

    for ((door, slow), (_, other)) in slow.iter_mut().zip(&others) {
        catch_up(*door, slow, other).await;
    }
    // All go on together, the chain unbroken.
    pairs(&desk, 1).await;
    hear_pairs(&mut others, 1).await;
    for (door, ear) in &mut slow {
        let last = ear.take(door.of_a_pair()).await;
        assert!(last.iter().all(|message| message.get("prev_seq").is_some()), "{door:?}: {last:?}");
    }
}

/// Reads until each of its streams is where the other client is.
async fn catch_up(door: Door, slow: &mut Ear, other: &Ear) {
    let streams: Vec<_> = match door {
        Door::Many => STREAMS.to_vec(),
        Door::Orders => vec![STREAMS[0]],
        Door::Trades => vec![STREAMS[1]],
        Door::Market => vec![STREAMS[2]],
    };
    let line = |ear: &Ear, (stream, symbol): (&str, Option<&str>)| -> Line {
        let name = symbol.map_or_else(|| stream.to_owned(), |symbol| format!("{stream} {symbol}"));
        ear.lines[&name].clone()
    };
    let caught_up = |slow: &Ear| told(slow, "caught_up").len() == streams.len();
    while !caught_up(slow) {
        slow.next().await;
    }
    for of in streams {
        let (heard, expected) = (line(slow, of).heard, line(other, of).heard);
        let fell_behind = told(slow, "fell_behind");
        let fell_behind: Vec<_> = fell_behind.iter().filter(|told| told["stream"] == of.0).collect();
        assert_eq!(fell_behind.len(), 1, "{door:?} {of:?}: {:?}", slow.told);
        assert_says(fell_behind[0], &json!({"stream": of.0, "reason": "too_slow"}));
        match of.1 {
            None => assert!(heard == expected, "{door:?} {of:?}: all, in order, the same bytes"),
            Some(_) => {
                let [anew, now] = [&heard, &expected].map(|heard| heard.last().expect("messages"));
                assert_says(anew, &json!({"snapshot": true, "seq": now["seq"], "index": now["index"]}));
                assert!(heard.len() < expected.len() / 2, "{door:?} {of:?}: {} messages", heard.len());
            }
        }
    }
}

fn told(ear: &Ear, kind: &str) -> Vec<Value> {
    ear.told.iter().filter(|told| text(told, "type") == kind).cloned().collect()
}
