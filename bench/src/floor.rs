//! The least that an order can take from POST to its trade: publish → consumer → fenced publish → consumer, on the log
//! alone, at the same pace.

use std::{collections::HashMap, fmt::Write, time::Duration};

use fillstream_domain::subject::{book_inputs, market_commits};
use fillstream_event_log::{After, EventLog, JetStreamLog};
use fillstream_nats_server::SyncMode;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::{
    events::{book_placed, record, symbol},
    pace::{LANES, Lane},
    world::World,
};

/// Bytes of a commit for each input, about.
const COMMIT_BYTES: usize = 900;

/// Each lane has so many turns; how long each message took until the second consumer had it.
pub(crate) async fn floor(sync: SyncMode, turns: usize) -> Vec<Duration> {
    let world = World::new(sync);
    let log = world.log().await;
    let committer = tokio::spawn(commit(log.clone(), turns * LANES));
    let listener = tokio::spawn(listen(log.clone(), turns * LANES));
    let start = Instant::now() + Duration::from_millis(500);
    let lanes = (0..LANES).map(|number| {
        let log = log.clone();
        tokio::spawn(async move {
            let mut lane = Lane::new(number, start);
            let mut sent = Vec::new();
            for turn in 0..turns {
                let from = lane.turn().await;
                let input = book_placed((turn * LANES + number + 1) as u128);
                sent.push((log.append(input).await.expect("the log takes it").get(), from));
            }
            sent
        })
    });
    let sent = join_all(lanes).await;
    let heard = listener.await.expect("the listener hears all of them");
    committer.await.expect("the committer commits all of them");
    let sent = sent.into_iter().flat_map(|lane| lane.expect("a lane ends"));
    sent.map(|(seq, from)| heard[&seq] - from).collect()
}

/// A matcher that does nothing: one fenced commit for all that has come.
async fn commit(log: JetStreamLog, messages: usize) {
    let (symbol, filler) = (symbol(), "x".repeat(COMMIT_BYTES));
    let mut tail =
        log.follow(After::START, Some(&book_inputs(&symbol))).await.expect("the stream can be followed");
    let (mut done, mut last) = (0, 0);
    while done < messages {
        let inputs = tail.next(1000).await.expect("the tail goes on");
        let mut payload = String::new();
        for input in &inputs {
            writeln!(payload, "{} {filler}", input.seq).expect("a String takes everything");
        }
        last =
            log.append(record(market_commits(&symbol), last, payload)).await.expect("the fence holds").get();
        done += inputs.len();
    }
}

/// Time at which the commit of each input was heard.
async fn listen(log: JetStreamLog, messages: usize) -> HashMap<u64, Instant> {
    let mut tail =
        log.follow(After::START, Some(&market_commits(&symbol()))).await.expect("the stream can be followed");
    let mut heard = HashMap::new();
    while heard.len() < messages {
        for commit in tail.next(1000).await.expect("the tail goes on") {
            let text = String::from_utf8_lossy(&commit.payload).into_owned();
            let inputs = text.lines().filter_map(|line| line.split_once(' ')?.0.parse().ok());
            heard.extend(inputs.map(|seq: u64| (seq, Instant::now())));
        }
    }
    heard
}
