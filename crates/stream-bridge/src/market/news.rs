//! Sending what is behind a subscription's gate, to a client that keeps up and to one that does not.
//!
//! ```text
//!  steady ── behind > queue, or forgotten ──▶ fell_behind ──▶ orders, trades: (store, where forgotten) frames up to the
//!    ▲                                            │           head of that moment, caught_up; at most CATCH_UP_ROUNDS
//!    │                                            │           times, then 4408
//!    └──────────────── caught_up ◀────────────────┴─────────▶ books: the book anew
//! ```
//! A client is not behind by what came in one burst while its socket waited for news: that is sent first, and what comes
//! meanwhile counts. What comes on one channel while the client holds up the sending of another counts as well.

use fillstream_domain::Position;
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use tracing::error;

use crate::{
    market::{
        channel::MarketStream,
        frame,
        socket::MarketSocket,
        stored::patient,
        subscription::{Next, Number, Pace},
    },
    wire::{End, code},
};

/// Frames that are written with one flush.
const FRAMES_AT_ONCE: usize = 64;
/// Messages that are read from the store at once.
const STORED_AT_ONCE: usize = 500;
/// Rounds of catching up before a client counts as too slow.
const CATCH_UP_ROUNDS: u32 = 3;

/// Action that a look at the pace calls for.
enum Step {
    /// Send what the channel keeps.
    Frames,
    /// Send the book anew.
    Anew,
}

impl MarketSocket {
    /// Sends some of what is behind the gate. Comes to be called again while there is more, else when there is news.
    pub(crate) async fn send_news(&mut self, number: Number) -> Result<(), End> {
        let free_at = self.free_at;
        let Some(subscription) = self.subscription(number) else { return Ok(()) };
        let next = subscription.next(FRAMES_AT_ONCE, free_at);
        if let Step::Anew = self.judge(number, &next).await? {
            self.send_snapshot(number).await?;
            self.say(number, "caught_up", "Up to date again", None).await?;
            self.ready.push_back(number);
            return Ok(());
        }
        if let Some(up_to) = next.forgotten {
            // Rare and large: it should not weigh on every socket.
            Box::pin(self.send_stored(number, up_to)).await?;
            self.ready.push_back(number);
            return Ok(());
        }
        self.send(number, next.frames).await?;
        let Some(subscription) = self.subscription(number) else { return Ok(()) };
        // What came while it was written to counts against the client, and so it may not rest before that is sent.
        if subscription.pace != Pace::Steady || subscription.lags() {
            self.ready.push_back(number);
        } else if let Some(bell) = subscription.rest() {
            self.bells.push(bell);
        }
        Ok(())
    }

    /// Tells a client that it is too far behind, and that it has caught up.
    async fn judge(&mut self, number: Number, next: &Next) -> Result<Step, End> {
        let too_far = next.forgotten.is_some() || next.behind > self.hub.settings.queue_events as u64;
        let Some(subscription) = self.subscription(number) else { return Ok(Step::Frames) };
        let (pace, gate) = (subscription.pace, subscription.gate);
        let is_book = match subscription.seat.feed.channel.stream() {
            MarketStream::Orders | MarketStream::Fills | MarketStream::Trades => false,
            MarketStream::Orderbook | MarketStream::Depth => true,
        };
        match pace {
            Pace::Steady if too_far => {
                let head = next.head;
                subscription.pace = if is_book { Pace::Steady } else { Pace::CatchingUp { head, rounds: 0 } };
                self.hub.counters.fell_behind.add(1);
                let what = if is_book { "the book follows as it stands" } else { "they follow" };
                let message = format!("{} events behind; {what}", next.behind);
                self.say(number, "fell_behind", &message, Some("too_slow")).await?;
                Ok(if is_book { Step::Anew } else { Step::Frames })
            }
            Pace::Resuming { until } if gate >= until => {
                // Nor does what came meanwhile count against it.
                subscription.pace = Pace::Steady;
                subscription.forgive();
                Ok(Step::Frames)
            }
            Pace::CatchingUp { head, rounds } if gate >= head && too_far => {
                let rounds = rounds + 1;
                subscription.pace = Pace::CatchingUp { head: next.head, rounds };
                match rounds >= CATCH_UP_ROUNDS {
                    true => Err(End::Close(code::TOO_SLOW, subscription.token())),
                    false => Ok(Step::Frames),
                }
            }
            Pace::CatchingUp { head, .. } if gate >= head => {
                subscription.pace = Pace::Steady;
                self.say(number, "caught_up", "Up to date again", None).await?;
                Ok(Step::Frames)
            }
            Pace::Steady | Pace::Resuming { .. } | Pace::CatchingUp { .. } => Ok(Step::Frames),
        }
    }

    /// Sends some of what the channel does not keep any more, up to there.
    async fn send_stored(&mut self, number: Number, up_to: Position) -> Result<(), End> {
        let (markets, tokens) = (Arc::clone(&self.markets), Arc::clone(&self.hub.tokens));
        let Some(subscription) = self.subscription(number) else { return Ok(()) };
        let (channel, after) = (subscription.seat.feed.channel.clone(), subscription.gate);
        let read = async {
            let history = markets.stored(up_to.seq).await;
            patient(|| history.page(&channel, after, up_to, STORED_AT_ONCE)).await
        };
        let page = self.wait_for_history(number, read).await?;
        let complete = page.len() < STORED_AT_ONCE;
        let mut previous = after;
        let mut frames: Vec<(Position, Utf8Bytes)> = Vec::with_capacity(page.len());
        for told in &page {
            if let Some(tag) = told.tag {
                tokens.learn(told.at.seq, tag);
            }
            frames.push((told.at, frame::live(&channel, &tokens, told, previous).into()));
            previous = told.at;
        }
        self.send(number, frames).await?;
        if complete && previous < up_to {
            return self.lose(number, up_to).await;
        }
        Ok(())
    }

    /// The store does not have what the channel had: its client is told, rather than left with a hole.
    async fn lose(&mut self, number: Number, up_to: Position) -> Result<(), End> {
        error!(?up_to, "the store lacks messages that were told");
        if let Some(subscription) = self.subscription(number) {
            subscription.gate = up_to;
        }
        self.say_reset(number, "history_lost").await
    }
}
