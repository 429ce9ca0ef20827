//! The market's sockets over a read model in PostgreSQL.

use fillstream_read_store::test_postgres::TestPostgres;
use serde_json::{Value, json};

use super::{DOORS, Door, STREAMS, bystanders, hear_pairs, pairs};
use crate::market_cases::{
    assert_says,
    desk::Desk,
    ear::{Ear, Line},
    text,
};

/// Requests, and trades of each.
const REQUESTS: usize = 20;
const PAIRS: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_postgresql_whoever_comes_back_is_caught_up_from_the_rows() {
    let cluster = match TestPostgres::start().await {
        Ok(cluster) => cluster,
        Err(why) => return fillstream_tests::tools::skipped(&format!("no PostgreSQL here: {why}")),
    };
    let url = cluster.database().await.expect("a database can be made");
    let mut desk = Desk::up(&[&format!("--database-url={url}")]);
    let mut heard = bystanders(&desk).await;
    for _ in 0..REQUESTS {
        pairs(&desk, PAIRS).await;
        hear_pairs(&mut heard, PAIRS).await;
    }
    // What the process has in memory of its channels is gone.
    desk.0.kill_and_restart();
    desk.0.process.until_ready();
    let mut back = Vec::new();
    for (door, before) in &heard {
        back.push((*door, come_back(&desk, *door, before).await));
    }
    pairs(&desk, 1).await;
    hear_pairs(&mut back, 1).await;
    assert_eq!(back.len(), DOORS.len());
}

/// Goes on in the middle of what was heard, and hears the same rest, byte by byte.
async fn come_back(desk: &Desk, door: Door, before: &Ear) -> Ear {
    if door == Door::Many {
        let mut ear = Ear::open(desk, &door.path()).await;
        for (stream, symbol) in STREAMS {
            let Some(line) = before.lines.get(stream) else {
                ear.subscribe(stream, symbol).await;
                assert_says(&ear.next().await, &json!({"snapshot": true, "symbol": symbol}));
                continue;
            };
            let middle = &line.heard[line.heard.len() / 2];
            let request = json!({"action": "subscribe", "stream": stream, "after": middle["token"]});
            assert_says(&ear.ask(&request).await, &json!({"type": "subscribed"}));
            rest(&mut ear, &line.heard).await;
        }
        ear.told.retain(|told| text(told, "type") != "subscribed");
        return ear;
    }
    let all = &before.line().heard;
    let middle = &all[all.len() / 2];
    let mark = if door.path().contains('?') { '&' } else { '?' };
    let path = format!("{}{mark}after={}", door.path(), text(middle, "token"));
    let line = if door == Door::Market { Line::fresh() } else { Line::standing(middle) };
    let mut ear = Ear::resume(desk.address(), &path, line).await.expect("a socket");
    if door == Door::Market {
        let anew = ear.next().await;
        assert_says(&anew, &json!({"snapshot": true, "best_bid": null, "best_ask": null}));
    } else {
        rest(&mut ear, all).await;
    }
    ear
}

/// The second half follows.
async fn rest(ear: &mut Ear, all: &[Value]) {
    let behind = &all[all.len() / 2 + 1..];
    assert_eq!(ear.take(behind.len()).await, behind);
}
