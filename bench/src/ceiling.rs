//! Ceiling: the rate at which the log alone takes messages, which no part on top of it can exceed.

use std::time::Instant;

use fillstream_event_log::{EventLog, NewRecord};
use fillstream_nats_server::SyncMode;
use futures_util::future::join_all;

use crate::{figures::rate, world::World};

/// Writers that wait for their acknowledgements.
const WRITERS: usize = 2048;

/// Messages per second, each on a subject of its own, fenced; made from their number, from 1.
pub(crate) async fn bare_log(sync: SyncMode, messages: usize, make: fn(u128) -> NewRecord) -> f64 {
    let world = World::new(sync);
    let log = world.log().await;
    let started = Instant::now();
    let writers = (0..WRITERS).map(|writer| {
        let log = log.clone();
        tokio::spawn(async move {
            for number in (writer..messages).step_by(WRITERS) {
                log.append(make(number as u128 + 1)).await.expect("the log takes it");
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("a writer ends");
    }
    rate(messages, started.elapsed())
}
