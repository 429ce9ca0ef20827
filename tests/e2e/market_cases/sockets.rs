//! The doors of the market, each against every client that is slow, silent, broken or gone.

mod churn;
mod defined;
mod frames;
mod resume;
mod silence;
mod slow;
mod stored;

use std::fs;

use fillstream_tests::http::get;
use futures_util::future::join_all;

use super::{
    ANN,
    desk::{Desk, limit, until},
    ear::{Ear, Line},
    text,
};

/// A door to the market's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// `/ws`, on which these tests subscribe to all four streams.
    Many,
    /// `/ws/orders`, Ann's.
    Orders,
    /// `/ws/trades`
    Trades,
    /// `/ws/markets/BTC-USDT`
    Market,
}

const DOORS: [Door; 4] = [Door::Many, Door::Orders, Door::Trades, Door::Market];
/// What a client of [`Door::Many`] subscribes to.
const STREAMS: [(&str, Option<&str>); 4] =
    [("orders", None), ("trades", None), ("orderbook", Some("BTC/USDT")), ("depth", Some("BTC/USDT"))];

impl Door {
    fn path(self) -> String {
        match self {
            Self::Many => format!("/ws?user_id={ANN}"),
            Self::Orders => format!("/ws/orders?user_id={ANN}"),
            Self::Trades => "/ws/trades".to_owned(),
            Self::Market => "/ws/markets/BTC-USDT".to_owned(),
        }
    }

    /// Messages that a pair of Ann's orders causes here: two orders created and filled, a trade, the top and a level that
    /// come and go.
    const fn of_a_pair(self) -> usize {
        match self {
            Self::Many => 4 + 1 + 2 + 2,
            Self::Orders => 4,
            Self::Trades => 1,
            Self::Market => 2,
        }
    }

    /// A client, in a market in which nothing has happened yet, that has heard how things stand.
    async fn listen(self, desk: &Desk) -> Ear {
        self.greeted(Ear::open(desk, &self.path()).await).await
    }

    /// A client that is going to stop reading; `line` is what is known of the channel, where it has only one.
    async fn listen_narrowly(self, desk: &Desk, line: Line) -> Ear {
        let ear = Ear::narrow(desk.address(), &self.path(), line).await;
        self.greeted(ear.unwrap_or_else(|status| panic!("{self:?}: {status}"))).await
    }

    async fn greeted(self, mut ear: Ear) -> Ear {
        match self {
            Self::Many => {
                for (stream, symbol) in STREAMS {
                    ear.subscribe(stream, symbol).await;
                }
                ear.take(1).await;
            }
            Self::Market => drop(ear.take(1).await),
            Self::Orders | Self::Trades => {}
        }
        ear
    }
}

/// A client of each door; those that nothing happens to.
async fn bystanders(desk: &Desk) -> Vec<(Door, Ear)> {
    let mut ears = Vec::new();
    for door in DOORS {
        ears.push((door, door.listen(desk).await));
    }
    ears
}

/// Ann trades so often with herself, one lot at 100 each, with one request.
async fn pairs(desk: &Desk, count: usize) {
    let orders: Vec<_> =
        (0..count).flat_map(|_| ["SELL", "BUY"].map(|side| limit(ANN, side, 1, 100))).collect();
    for placed in desk.batch(&orders).await {
        assert!(placed["problem"].is_null(), "{placed}");
    }
}

/// Each has heard all of so many further pairs, gapless, and nothing of falling behind.
async fn hear_pairs(ears: &mut [(Door, Ear)], count: usize) {
    // All at once: whoever waits for its turn would answer no ping.
    let heard = ears.iter_mut().map(async |(door, ear)| {
        ear.take(count * door.of_a_pair()).await;
        let trouble = ear.told.iter().find(|told| text(told, "type") != "subscribed");
        assert_eq!(trouble, None, "{door:?}");
    });
    join_all(heard).await;
}

/// Files and tasks that the process may have more of than before for its own: connections to its database, above all.
const SPARE: u64 = 16;

/// What the process holds.
#[derive(Debug, Clone, Copy)]
struct Usage {
    files: u64,
    connections: u64,
    subscriptions: u64,
    tasks: u64,
    /// Resident memory, bytes.
    memory: u64,
}

impl Usage {
    async fn of(desk: &Desk) -> Self {
        let proc = format!("/proc/{}", desk.0.process.pid());
        let files = fs::read_dir(format!("{proc}/fd")).expect("a process has open files").count();
        let health = get(desk.address(), "/health").await.json();
        let counted = |name: &str| health["websocket"][name].as_u64().expect("a count");
        let metrics = get(desk.address(), "/metrics").await;
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        let tasks = metrics.lines().find_map(|line| line.strip_prefix("fillstream_tasks "));
        Self {
            files: files.try_into().expect("a small number"),
            connections: counted("connections"),
            subscriptions: counted("subscriptions"),
            tasks: tasks.and_then(|tasks| tasks.parse().ok()).expect("a number of tasks"),
            memory: memory(desk, "VmRSS"),
        }
    }

    /// Nobody who came since `before` has left anything.
    const fn is_back_at(self, before: Self) -> bool {
        self.connections == before.connections
            && self.subscriptions == before.subscriptions
            && self.files <= before.files + SPARE
            && self.tasks <= before.tasks + SPARE
    }
}

/// Waits until the process holds no more than it did, memory aside; what it holds then.
async fn freed(desk: &Desk, before: Usage) -> Usage {
    let is_back = async || Some(Usage::of(desk).await).filter(|now| now.is_back_at(before));
    until("what they held is free", is_back).await
}

/// Memory of the process, bytes: what it has now (`VmRSS`), or the most that it ever had (`VmHWM`).
fn memory(desk: &Desk, which: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", desk.0.process.pid())).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(which)).expect("the kernel tells it");
    let kibibytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    kibibytes.expect("a number") << 10
}
