//! A channel as the process keeps it, and a socket's place on it.

use fillstream_domain::{Position, Seq};
use std::{
    ops::Deref,
    sync::{Arc, atomic::AtomicUsize},
};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    hub::Hub,
    market::{
        book::MarketBook,
        channel::MarketChannel,
        registry::Markets,
        ring::{Ring, Told},
    },
};

/// A channel that is kept up to date by the tail.
pub(crate) struct Feed {
    pub(crate) channel: MarketChannel,
    pub(crate) ring: Mutex<Ring>,
    /// Changes whenever the ring has something new.
    pub(crate) news: watch::Sender<()>,
    /// The tail was here when the channel was begun: what is at or before it is not in the ring.
    pub(crate) since: Seq,
    /// The position of the channel's last message at or before `since`, once it is known. Held by the one that reads
    /// it; the others wait.
    pub(crate) beginning: tokio::sync::Mutex<Option<Position>>,
    /// Sockets on it. Changes only under the registry's lock, so that the last one to leave is known.
    pub(crate) sockets: AtomicUsize,
}

impl Feed {
    /// A channel from `since` on; `before` is where it stood then, if that is known.
    pub(crate) fn new(channel: MarketChannel, since: Seq, before: Option<Position>) -> Arc<Self> {
        Arc::new(Self {
            channel,
            ring: Mutex::new(Ring::new(before)),
            news: watch::Sender::new(()),
            since,
            beginning: tokio::sync::Mutex::new(before),
            sockets: AtomicUsize::new(0),
        })
    }

    /// The tail has these for the channel.
    pub(crate) fn tell(&self, told: impl IntoIterator<Item = Told>) {
        let mut ring = self.ring.lock();
        let mut any = false;
        for told in told {
            ring.push(told);
            any = true;
        }
        drop(ring);
        if any {
            self.news.send_replace(());
        }
    }
}

/// A socket's place on a channel: the channel is kept for as long as somebody holds one.
pub(crate) struct Seat {
    pub(crate) hub: Arc<Hub>,
    pub(crate) markets: Arc<Markets>,
    pub(crate) feed: Arc<Feed>,
    /// The book, when the channel is one of a book.
    pub(crate) book: Option<Arc<MarketBook>>,
    /// History that it is of: see [`Condition::history`](crate::condition::Condition::history).
    pub(crate) history: u64,
}

impl Deref for Seat {
    type Target = Feed;

    fn deref(&self) -> &Feed {
        &self.feed
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.markets.leave(&self.feed);
    }
}
