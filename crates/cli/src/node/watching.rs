//! Watchers over a process from the moment at which its log is open.

use std::{path::PathBuf, sync::Arc};

use fillstream_event_log::JetStreamLog;
use fillstream_metrics::Metrics;
use fillstream_retry::Obstacles;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Role, Start, guard,
    room::{Place, RoomWatch},
};
use crate::health::appends::{Appends, Failing};
use crate::settings::sqlite_file;

/// Clones watch the same.
#[derive(Clone)]
pub(crate) struct Watching {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) appends: Arc<Appends>,
    pub(crate) room: RoomWatch,
    /// Trouble that stands in the way of the api.
    pub(crate) api: Obstacles,
    no_room: watch::Receiver<Option<String>>,
}

impl Watching {
    /// Begins to hear of appends and to look at the room, until told to stop.
    pub(crate) async fn start(start: &Start, log: &JetStreamLog, stop: &CancellationToken) -> Self {
        let metrics = Arc::new(Metrics::new());
        let appends = Appends::new(Arc::clone(&metrics));
        log.observe(Arc::clone(&appends) as _);
        let room = RoomWatch::start(start.operations.free_space_floor, disks(start), log.clone(), stop).await;
        let (proving, proved) = (Arc::clone(&appends), log.clone());
        let prove = async move { proving.prove(&proved).await };
        tokio::spawn(stop.clone().run_until_cancelled_owned(prove));
        if let Some(private) = &start.private_nats {
            let server = private.control.clone();
            let restarts = server.clone();
            let about = "Times that the private nats-server was ready again after it had ended";
            metrics.counter("nats_server_restarts", about, move || restarts.restarts());
            let (log, appends, room) = (log.clone(), Arc::clone(&appends), room.clone());
            let watch = async move { guard::watch(server, &log, &appends, &room).await };
            tokio::spawn(stop.clone().run_until_cancelled_owned(watch));
        }
        let (told, no_room) = watch::channel(room.shortage());
        let (of_appends, of_room) = (Arc::clone(&appends), room.clone());
        let both = async move { tell_no_room(&of_appends, &of_room, &told).await };
        tokio::spawn(stop.clone().run_until_cancelled_owned(both));
        Self { metrics, appends, room, api: Obstacles::default(), no_room }
    }

    /// Reason why new orders are refused: what room there is lies below the floor, or the last append found none at all.
    pub(crate) fn no_room(&self) -> Option<String> {
        self.no_room.borrow().clone()
    }

    /// As [`no_room`](Self::no_room), and every change of it.
    pub(crate) fn watch_no_room(&self) -> watch::Receiver<Option<String>> {
        self.no_room.clone()
    }
}

async fn tell_no_room(appends: &Appends, room: &RoomWatch, told: &watch::Sender<Option<String>>) {
    let (mut failing, mut shortage) = (appends.watch(), room.watch_shortage());
    loop {
        let full = failing.borrow_and_update().as_ref().and_then(Failing::full);
        let now = shortage.borrow_and_update().clone().or(full);
        told.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
        let changed = tokio::select! {
            changed = failing.changed() => changed,
            changed = shortage.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Places on disks of its own that this process writes to.
fn disks(start: &Start) -> Vec<(Place, PathBuf)> {
    let stream = start.private_nats.as_ref().map(|private| (Place::Stream, private.store.clone()));
    let rows = sqlite_file(&start.database_url);
    let rows = rows.filter(|_| start.needs_rows()).map(|file| (Place::Rows, file));
    let ledger = start.has(Role::Executor).then(|| (Place::Ledger, start.venue_ledger.clone()));
    [stream, rows, ledger].into_iter().flatten().collect()
}
