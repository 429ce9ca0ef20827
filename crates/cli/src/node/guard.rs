//! The private nats-server, watched by what it does and not only by whether it lives.

use std::time::Duration;

use fillstream_event_log::{EventLog, Link};
use fillstream_nats_server::Control;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};
use tracing::warn;

use super::room::RoomWatch;
use crate::health::{
    appends::Appends,
    restart::{Known, Restarts},
};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Looks at the server as long as it is polled, and starts it again when it lives without doing its work.
pub(crate) async fn watch(server: Control, log: &dyn EventLog, appends: &Appends, room: &RoomWatch) {
    let link = log.link();
    let mut restarts = Restarts::default();
    let (mut disconnected, mut last) = (None, None::<Instant>);
    loop {
        sleep(PERIOD).await;
        let down = *link.borrow() == Link::Down;
        disconnected = down.then(|| disconnected.unwrap_or_else(Instant::now));
        let failing = appends.failing();
        if !down && failing.is_none() {
            restarts.forget();
        }
        let known = Known {
            lives: server.is_up(),
            appends_fail: failing.map(|failing| failing.since.elapsed()),
            no_connection: disconnected.map(|since| since.elapsed()),
            // Not the floor for new orders: below it cancels go through, once the server stores again.
            has_room: room.has_space(),
        };
        let Some(cause) = restarts.due(known, last.map(|last| last.elapsed())) else { continue };
        warn!(cause = cause.words(), "nats-server is started again");
        let restarted = server.clone();
        let _ = spawn_blocking(move || restarted.restart()).await;
        restarts.note();
        (disconnected, last) = (None, Some(Instant::now()));
    }
}
