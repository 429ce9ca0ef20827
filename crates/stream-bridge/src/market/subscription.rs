//! A socket's place on one channel, and how it keeps up.

use fillstream_domain::{Position, Seq};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::watch;

use crate::{crowd::Listed, market::feed::Seat};

/// One subscription of a socket; its number is unique on the socket.
pub(crate) type Number = u64;

/// See the module's first line.
pub(crate) struct Subscription {
    pub(crate) number: Number,
    pub(crate) seat: Seat,
    /// The position of the last message sent: the resume token, the dedupe and the gap detector in one.
    pub(crate) gate: Position,
    pub(crate) pace: Pace,
    /// The channel's events when the client was last known to wait for more: what had come by then in one burst is not
    /// held against it.
    pub(crate) seen: Option<u64>,
    /// Hears of news; nothing while the socket waits for it.
    pub(crate) ear: Option<watch::Receiver<()>>,
    /// Counts the subscription until it is gone.
    pub(crate) _listed: Listed,
}

/// Pace of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It gets what comes, as it comes.
    Steady,
    /// It gets what it has missed before it came, up to there.
    Resuming { until: Position },
    /// It was told `fell_behind`, and is being brought up to there.
    CatchingUp { head: Position, rounds: u32 },
}

/// Next thing that a subscription is to be sent.
pub(crate) struct Next {
    pub(crate) frames: Vec<(Position, Utf8Bytes)>,
    /// Events behind the gate that count against the client.
    pub(crate) behind: u64,
    /// The channel does not keep what is behind the gate up to here.
    pub(crate) forgotten: Option<Position>,
    pub(crate) head: Position,
}

/// Done when a subscription's channel has news.
pub(crate) struct Bell {
    pub(crate) number: Number,
    news: Pin<Box<dyn Future<Output = watch::Receiver<()>> + Send>>,
}

impl Future for Bell {
    type Output = (Number, watch::Receiver<()>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let number = self.number;
        self.news.as_mut().poll(context).map(|ear| (number, ear))
    }
}

impl Subscription {
    /// A look at the channel, `max` frames at most. The socket was last free for it when the channels had been told
    /// everything up to `free_at`.
    pub(crate) fn next(&mut self, max: usize, free_at: Seq) -> Next {
        let mut ring = self.seat.feed.ring.lock();
        let seen = *self.seen.get_or_insert_with(|| ring.events_up_to(free_at));
        Next {
            behind: ring.events_behind(self.gate, seen),
            forgotten: ring.forgotten(self.gate),
            head: ring.end().unwrap_or(self.gate),
            frames: ring.frames_behind(&self.seat.feed.channel, &self.seat.hub.tokens, self.gate, max),
        }
    }

    /// What has come so far is not held against the client.
    pub(crate) fn forgive(&mut self) {
        self.seen = Some(self.seat.feed.ring.lock().events());
    }

    /// There is something behind the gate.
    pub(crate) fn lags(&self) -> bool {
        self.seat.feed.ring.lock().end().is_some_and(|end| self.gate < end)
    }

    /// Waits for news from now on; nothing when it does already.
    pub(crate) fn rest(&mut self) -> Option<Bell> {
        self.seen = None;
        let mut ear = self.ear.take()?;
        let news = async move {
            // The sender is in the seat, and the bell goes with the subscription.
            let _ = ear.changed().await;
            ear
        };
        Some(Bell { number: self.number, news: Box::pin(news) })
    }

    /// The resume token.
    pub(crate) fn token(&self) -> String {
        self.seat.feed.channel.token_in(&self.seat.hub.tokens, self.gate)
    }
}
