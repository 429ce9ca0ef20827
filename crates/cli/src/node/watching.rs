//! What watches over a process from the moment at which its log is open.

use std::{path::PathBuf, sync::Arc};

use fillstream_event_log::JetStreamLog;
use fillstream_metrics::Metrics;
use tokio_util::sync::CancellationToken;

use super::{
    Role, Start, guard,
    room::{Place, RoomWatch},
};
use crate::health::appends::Appends;
use crate::settings::sqlite_file;

/// Clones watch the same.
#[derive(Clone)]
pub(crate) struct Watching {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) appends: Arc<Appends>,
    pub(crate) room: RoomWatch,
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
        Self { metrics, appends, room }
    }
}

/// What this process writes to on disks of its own.
fn disks(start: &Start) -> Vec<(Place, PathBuf)> {
    let stream = start.private_nats.as_ref().map(|private| (Place::Stream, private.store.clone()));
    let rows = sqlite_file(&start.database_url);
    let rows = rows.filter(|_| start.needs_rows()).map(|file| (Place::Rows, file));
    let ledger = start.has(Role::Executor).then(|| (Place::Ledger, start.venue_ledger.clone()));
    [stream, rows, ledger].into_iter().flatten().collect()
}
