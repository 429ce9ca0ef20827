//! Sending what is behind the gate, to a client that keeps up and to one that does not.
//!
//! ```text
//!  behind ≤ queue ──▶ frames ──▶ done
//!  behind > queue ──▶ fell_behind ──▶ (log, where forgotten) ──▶ frames up to the head of that moment ─┐
//!                       ▲      caught_up ◀── behind ≤ queue? ◀─────────────────────────────────────────┘
//!                       └── another round ◀── no, at most CATCH_UP_ROUNDS times, then 4408
//! ```

use fillstream_domain::Position;
use std::{future::ready, sync::Arc};

use axum::extract::ws::Utf8Bytes;
use fillstream_event_log::{Consistency, Record};
use tokio::time::sleep;
use tracing::debug;

use crate::{
    history::Pages,
    socket::{LOG_PAUSE, Socket},
    topic::Topic,
    wire::{End, code},
};

/// Frames that are written with one flush.
const FRAMES_AT_ONCE: usize = 64;
/// Rounds of catching up before a client counts as too slow.
const CATCH_UP_ROUNDS: u32 = 3;

/// Next thing that a socket is to be sent.
struct Next {
    frames: Vec<(Position, Utf8Bytes)>,
    /// Events behind the gate.
    behind: u64,
    /// The next ones are in the log only.
    forgotten: bool,
    head: Position,
}

/// A client that is being brought up to date.
struct CatchingUp {
    head: Position,
    rounds: u32,
}

impl Socket {
    /// Sends what is behind the gate. A client that is too far behind is told so, and told when it has caught up.
    pub(crate) async fn send_news(&mut self) -> Result<(), End> {
        let mut catching_up = None;
        loop {
            let Next { frames, behind, forgotten, head } = self.next();
            let too_far = forgotten || behind > self.hub.settings.queue_events as u64;
            self.judge(&mut catching_up, too_far, behind, head).await?;
            if forgotten {
                // Rare and large: it should not weigh on every socket.
                Box::pin(self.send_from_log()).await?;
                continue;
            }
            let more = frames.len() == FRAMES_AT_ONCE || catching_up.is_some();
            self.send(frames).await?;
            if !more {
                return Ok(());
            }
            self.attend(ready(())).await?;
        }
    }

    fn next(&self) -> Next {
        let family = self.channel.family;
        let mut topic = self.seat.topic.lock();
        Next {
            behind: topic.events_behind(family, self.gate),
            forgotten: topic.has_forgotten(family, self.gate),
            head: topic.end(family),
            frames: topic.frames_behind(family, self.gate, FRAMES_AT_ONCE),
        }
    }

    async fn judge(
        &mut self,
        catching_up: &mut Option<CatchingUp>,
        too_far: bool,
        behind: u64,
        head: Position,
    ) -> Result<(), End> {
        match catching_up {
            None if too_far => {
                *catching_up = Some(CatchingUp { head, rounds: 0 });
                self.hub.counters.fell_behind.add(1);
                let message = format!("{behind} events behind; they follow");
                self.say("fell_behind", &message, Some("too_slow")).await
            }
            Some(round) if self.gate >= round.head && too_far => {
                *round = CatchingUp { head, rounds: round.rounds + 1 };
                match round.rounds >= CATCH_UP_ROUNDS {
                    true => Err(End::Close(code::TOO_SLOW, self.token())),
                    false => Ok(()),
                }
            }
            Some(round) if self.gate >= round.head => {
                *catching_up = None;
                self.say("caught_up", "Up to date again", None).await
            }
            None | Some(_) => Ok(()),
        }
    }

    /// What the topic does not keep any more is folded from the log again, for this socket alone.
    async fn send_from_log(&mut self) -> Result<(), End> {
        let (hub, family) = (Arc::clone(&self.hub), self.channel.family);
        let mut past = Topic::new(self.channel.order, Arc::clone(&hub.tokens));
        let mut pages = hub.pages(self.channel.order, Consistency::Any);
        while let Some(page) = self.wait_for_log(patient(&mut pages)).await? {
            past.extend(&page);
            loop {
                if !self.seat.topic.lock().has_forgotten(family, self.gate) {
                    return Ok(());
                }
                let frames = past.frames_behind(family, self.gate, FRAMES_AT_ONCE);
                if frames.is_empty() {
                    break;
                }
                self.send(frames).await?;
                self.attend(ready(())).await?;
            }
        }
        // A replica that is far behind; whoever asks again needs not ask at once.
        self.attend(sleep(LOG_PAUSE)).await
    }
}

/// The next page, as soon as the log can be asked.
async fn patient(pages: &mut Pages<'_>) -> Option<Vec<Record>> {
    loop {
        match pages.next().await {
            Ok(page) => return page,
            Err(error) => debug!(error = %fillstream_retry::chain(&error), "the history cannot be read yet"),
        }
        sleep(LOG_PAUSE).await;
    }
}
