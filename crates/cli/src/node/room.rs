//! Room, looked at every second: on the disks of this machine, and within the limits of the stream and its account.

use std::{path::PathBuf, time::Duration};

use bytesize::ByteSize;
use fillstream_event_log::{JetStreamLog, Limits};
use fillstream_retry::Retry;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::health::room::{Floor, Room, disk};

/// Between two looks: at ten thousand orders a second a disk loses some ten megabytes meanwhile.
const PERIOD: Duration = Duration::from_secs(1);
/// With less a nats-server that is started again fails again.
const LEAST_SPACE: u64 = 1 << 20;
/// Looks at the disks to one question to the server.
const LOOKS_PER_QUESTION: u32 = 5;

/// Place where something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The disk of the private nats-server.
    Stream,
    /// The disk of a SQLite file.
    Rows,
    /// The disk of the simulated venues' ledger.
    Ledger,
    /// What the stream's own limit and its account's leave.
    Limits,
}

impl Place {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Rows => "rows",
            Self::Ledger => "ledger",
            Self::Limits => "limits",
        }
    }

    /// Without room here no order can be stored.
    const fn holds_orders(self) -> bool {
        match self {
            Self::Stream | Self::Limits => true,
            Self::Rows | Self::Ledger => false,
        }
    }
}

/// Findings of the last look.
#[derive(Debug, Clone)]
pub(crate) struct RoomWatch {
    floor: Floor,
    found: watch::Receiver<Vec<(Place, Room)>>,
    shortage: watch::Receiver<Option<String>>,
}

impl RoomWatch {
    /// Starts to look, after a first look at the disks, until told to stop.
    pub(crate) async fn start(
        floor: Floor,
        disks: Vec<(Place, PathBuf)>,
        log: JetStreamLog,
        stop: &CancellationToken,
    ) -> Self {
        let (found, looked) = watch::channel(Vec::new());
        let (told, shortage) = watch::channel(None);
        let failing = Retry::new("room: the server's limits are not known", PERIOD, PERIOD);
        let mut looker = Looker { floor, disks, log, limits: None, failing };
        looker.look(&found, &told);
        let looks = async move {
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for turn in 0_u32.. {
                ticks.tick().await;
                if turn.is_multiple_of(LOOKS_PER_QUESTION) {
                    looker.ask().await;
                }
                looker.look(&found, &told);
            }
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(looks));
        Self { floor, found: looked, shortage }
    }

    /// Reason why new orders are refused; nothing while there is room.
    pub(crate) fn shortage(&self) -> Option<String> {
        self.shortage.borrow().clone()
    }

    /// As [`shortage`](Self::shortage), and every change of it.
    pub(crate) fn watch_shortage(&self) -> watch::Receiver<Option<String>> {
        self.shortage.clone()
    }

    /// Something can be written where the stream lies, whatever the floor is.
    pub(crate) fn has_space(&self) -> bool {
        self.found.borrow().iter().all(|(place, room)| !place.holds_orders() || room.free >= LEAST_SPACE)
    }

    /// Each place with its floor in bytes.
    pub(crate) fn places(&self) -> Vec<(Place, Room, Option<u64>)> {
        let floor = |place: Place, room: Room| place.holds_orders().then(|| self.floor.of(room.size));
        self.found.borrow().iter().map(|(place, room)| (*place, *room, floor(*place, *room))).collect()
    }
}

struct Looker {
    floor: Floor,
    disks: Vec<(Place, PathBuf)>,
    log: JetStreamLog,
    limits: Option<Room>,
    failing: Retry,
}

impl Looker {
    fn look(&self, found: &watch::Sender<Vec<(Place, Room)>>, told: &watch::Sender<Option<String>>) {
        let disks = self.disks.iter().filter_map(|(place, path)| Some((*place, disk(path).ok()?)));
        let rooms: Vec<_> = disks.chain(self.limits.map(|room| (Place::Limits, room))).collect();
        let short = rooms.iter().find(|(place, room)| place.holds_orders() && self.floor.is_short(*room));
        let shortage = short.map(|(place, room)| self.words(*place, *room));
        told.send_if_modified(|before| {
            // The figure in the words changes with every look; who waits wants to know whether there is room.
            match (before.is_some(), &shortage) {
                (false, Some(reason)) => warn!(reason, "append: new orders are refused, there is no room"),
                (true, None) => info!("append: new orders are taken again, there is room"),
                (false, None) | (true, Some(_)) => {}
            }
            std::mem::replace(before, shortage.clone()) != shortage
        });
        found.send_replace(rooms);
    }

    /// The server's own limits; what they were before, when it does not answer.
    async fn ask(&mut self) {
        match self.log.limits().await {
            Ok(limits) => {
                self.failing.done();
                self.limits = limits.map(|Limits { free, size }| Room { free, size });
            }
            Err(error) => {
                self.failing.note(&error);
            }
        }
    }

    fn words(&self, place: Place, room: Room) -> String {
        let (free, floor) = (ByteSize::b(room.free), ByteSize::b(self.floor.of(room.size)));
        // Clients read this: where things lie on this machine is none of their business.
        let of = match place {
            Place::Stream | Place::Rows | Place::Ledger => format!("the disk of the {} has", place.name()),
            Place::Limits => "the limits of the stream and its account leave".to_owned(),
        };
        format!("{of} {free} free, less than the floor of {floor}")
    }
}
