//! One socket on one order.
//!
//! ```text
//!  greeting ──▶ history (loaded once per order) ──▶ backfill ──▶ live, behind the gate for life ──▶ close
//! ```

use std::sync::Arc;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use fillstream_domain::OrderId;
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until, timeout},
};
use tracing::debug;

use crate::{
    frame::Control,
    hub::{Condition, Hub, JoinError, Watched},
    token::{After, Family, Position},
    topic::Topic,
    wire::{End, Wire, code},
};

/// Frames that are written with one flush.
const FRAMES_AT_ONCE: usize = 64;
/// Rounds of catching up before a client counts as too slow.
const CATCH_UP_ROUNDS: u32 = 3;
/// Pause before a history is read again that could not be.
const LOAD_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// What the upgrade has found out.
pub(crate) struct Joining {
    pub(crate) hub: Arc<Hub>,
    pub(crate) order: OrderId,
    pub(crate) family: Family,
    pub(crate) after: Option<After>,
    /// Whether the order exists could not be decided in time.
    pub(crate) undecided: bool,
}

struct Socket {
    hub: Arc<Hub>,
    order: OrderId,
    family: Family,
    watched: Arc<Watched>,
    news: watch::Receiver<u64>,
    condition: watch::Receiver<Condition>,
    wire: Wire,
    /// The position of the last message sent: the resume token, the dedupe and the gap detector in one.
    gate: Position,
    ping: Interval,
    heard: Instant,
    told_lost: bool,
}

/// Serves a socket from its upgrade to its close.
pub(crate) async fn serve(joining: Joining, socket: WebSocket) {
    let Joining { hub, order, family, after, undecided } = joining;
    hub.counters.connections.add(1);
    let watched = hub.watch(order);
    let interval = hub.settings.ping_interval;
    let mut ping = interval_at(Instant::now() + interval, interval);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut socket = Socket {
        order,
        family,
        news: watched.news.subscribe(),
        condition: hub.condition(),
        wire: Wire::new(socket, hub.settings.write_timeout),
        gate: match after {
            Some(After::Position(position)) => position,
            Some(After::Foreign(_)) | None => Position::START,
        },
        ping,
        heard: Instant::now(),
        told_lost: false,
        watched: Arc::clone(&watched),
        hub: Arc::clone(&hub),
    };
    let end = socket.run(after, undecided).await;
    debug!(%order, ?end, "a socket ends");
    hub.leave(order, &watched);
    socket.wire.end(end).await;
    hub.counters.connections.sub(1);
}

impl Socket {
    async fn run(&mut self, after: Option<After>, undecided: bool) -> End {
        match self.live(after, undecided).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn live(&mut self, after: Option<After>, undecided: bool) -> Result<std::convert::Infallible, End> {
        self.greet().await?;
        if undecided {
            self.say_error(
                "stream_unreachable",
                "Whether the order exists cannot be found out at the moment",
            )
            .await?;
            return Err(End::Close(code::TRY_LATER, self.token()));
        }
        self.load().await?;
        self.hub.counters.subscriptions.add(1);
        let ended = match self.begin(after).await {
            Ok(()) => self.follow().await,
            Err(end) => Err(end),
        };
        self.hub.counters.subscriptions.sub(1);
        ended
    }

    /// Family A is greeted at once, so that no connection is ever silent.
    async fn greet(&mut self) -> Result<(), End> {
        match self.family {
            Family::Status => Ok(()),
            Family::Progress => {
                let connection = self.control("connection", "Connected to order status stream", None).text();
                let subscribed =
                    self.positioned("subscribed", "Subscribed to order status stream", None).text();
                self.send([connection.into(), subscribed.into()]).await
            }
        }
    }

    /// Waits for the history. Says so when that takes long, gives up in the end.
    async fn load(&mut self) -> Result<(), End> {
        let (hub, watched, order) = (Arc::clone(&self.hub), Arc::clone(&self.watched), self.order);
        let loading = async {
            loop {
                match hub.load(order, &watched).await {
                    Ok(()) => return Ok(()),
                    Err(JoinError::Unknown) => {
                        return Err(End::Close(code::POLICY, "there is no such order".into()));
                    }
                    Err(JoinError::Log(error)) => {
                        debug!(%order, %error, "the history cannot be read yet");
                        sleep(LOAD_PAUSE).await;
                    }
                }
            }
        };
        tokio::pin!(loading);
        let started = Instant::now();
        let mut told = false;
        loop {
            let tell_at = started + self.hub.settings.unreachable_after;
            let give_up = started + self.hub.settings.load_limit;
            tokio::select! {
                biased;
                loaded = &mut loading => return loaded,
                () = sleep_until(tell_at), if !told => {
                    told = true;
                    let text = self.positioned("status", "The history is being read", Some("waiting_for_history")).text();
                    self.send([text.into()]).await?;
                }
                () = sleep_until(give_up) => return Err(End::Close(code::TRY_LATER, self.token())),
                said = self.wire.read() => self.heard_from(said?).await?,
                changed = self.condition.changed() => self.condition_changed(changed.is_ok()).await?,
            }
        }
    }

    /// Reset when the token was not ours, then the backfill, then the last entry once more on family A.
    async fn begin(&mut self, after: Option<After>) -> Result<(), End> {
        let hub = Arc::clone(&self.hub);
        let after = match after {
            None => Position::START,
            Some(After::Position(position)) if is_ahead(&hub, position).await => {
                self.reset("ahead_of_stream").await?
            }
            Some(After::Position(position)) => position,
            Some(After::Foreign(reason)) => self.reset(reason).await?,
        };
        let (position, backfill, replayed) = {
            let topic = self.watched.topic.lock();
            let (position, backfill) = topic.backfill(self.family, after);
            let fresh = position > after;
            let replayed = match self.family {
                Family::Progress if fresh => topic.replayed(position),
                Family::Progress | Family::Status => None,
            };
            (position, backfill, replayed)
        };
        self.gate = position.max(self.own(after));
        self.send(std::iter::once(backfill.into()).chain(replayed.map(Utf8Bytes::from))).await
    }

    /// A position as this family counts: a bare sequence stands for all of its event.
    fn own(&self, after: Position) -> Position {
        match self.family {
            Family::Progress => after,
            Family::Status => Position { index: 0, ..after },
        }
    }

    async fn reset(&mut self, reason: &str) -> Result<Position, End> {
        self.gate = Position::START;
        let text = self.positioned("reset", "The history starts anew", Some(reason)).text();
        self.send([text.into()]).await?;
        Ok(Position::START)
    }

    /// Live: everything behind the gate, as it comes.
    async fn follow(&mut self) -> Result<std::convert::Infallible, End> {
        let mut close_at = None;
        loop {
            self.news.borrow_and_update();
            self.send_news().await?;
            if close_at.is_none() && self.has_ended() {
                close_at = Some(Instant::now() + self.hub.settings.linger);
            }
            tokio::select! {
                biased;
                _ = self.news.changed() => {}
                changed = self.condition.changed() => self.condition_changed(changed.is_ok()).await?,
                said = self.wire.read() => self.heard_from(said?).await?,
                _ = self.ping.tick() => self.check_peer().await?,
                () = sleep_until(close_at.unwrap_or_else(Instant::now)), if close_at.is_some() => {
                    return Err(End::Close(code::DONE, "the order has ended".to_owned()));
                }
            }
        }
    }

    fn has_ended(&self) -> bool {
        let topic = self.watched.topic.lock();
        topic.status().is_some_and(|status| status.is_terminal()) && self.gate >= topic.end(self.family)
    }

    /// Sends what is behind the gate. A client that is too far behind is told so, and told when it has caught up.
    async fn send_news(&mut self) -> Result<(), End> {
        let mut rounds = 0;
        let mut target = None;
        loop {
            let (behind, forgotten, frames) = {
                let mut topic = self.watched.topic.lock();
                let behind = topic.events_behind(self.family, self.gate);
                let frames = topic.frames_after(self.family, self.gate, FRAMES_AT_ONCE);
                (behind, topic.has_forgotten(self.gate), frames)
            };
            let too_far = behind > self.hub.settings.queue_events || forgotten;
            match target {
                None if too_far => {
                    self.tell_behind(behind).await?;
                    target = Some(self.head());
                }
                Some(head) if self.gate >= head && too_far => {
                    rounds += 1;
                    if rounds >= CATCH_UP_ROUNDS {
                        return Err(End::Close(code::TOO_SLOW, self.token()));
                    }
                    target = Some(self.head());
                }
                Some(head) if self.gate >= head => {
                    let text = self.positioned("caught_up", "Up to date again", None).text();
                    self.send([text.into()]).await?;
                    target = None;
                }
                None | Some(_) => {}
            }
            if forgotten {
                self.send_from_log().await?;
                continue;
            }
            let Some((position, _)) = frames.last() else { return Ok(()) };
            let (position, count) = (*position, frames.len());
            self.send(frames.into_iter().map(|(_, frame)| frame)).await?;
            self.gate = position;
            if target.is_none() && count < FRAMES_AT_ONCE {
                return Ok(());
            }
        }
    }

    fn head(&self) -> Position {
        self.watched.topic.lock().end(self.family)
    }

    async fn tell_behind(&mut self, events: usize) -> Result<(), End> {
        self.hub.counters.fell_behind.add(1);
        let message = format!("{events} events behind; they follow");
        let text = self.positioned("fell_behind", &message, Some("too_slow")).text();
        self.send([text.into()]).await
    }

    /// What the topic does not keep any more is folded from the log again, for this socket alone.
    async fn send_from_log(&mut self) -> Result<(), End> {
        let mut past = Topic::new(self.order, self.hub.log.incarnation());
        let hub = Arc::clone(&self.hub);
        let mut history = hub.pages(self.order);
        loop {
            let page = match timeout(self.hub.settings.load_limit, history.next()).await {
                Ok(Ok(Some(page))) => page,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(_)) | Err(_) => return Err(End::Close(code::TRY_LATER, self.token())),
            };
            past.extend(&page);
            while let frames = past.frames_after(self.family, self.gate, FRAMES_AT_ONCE)
                && let Some((position, _)) = frames.last()
            {
                let position = *position;
                self.send(frames.into_iter().map(|(_, frame)| frame)).await?;
                self.gate = position;
            }
        }
    }

    async fn check_peer(&mut self) -> Result<(), End> {
        if self.heard.elapsed() >= self.hub.settings.silence_limit {
            return Err(End::Close(code::POLICY, "nothing was heard for too long".to_owned()));
        }
        self.wire.ping().await
    }

    async fn heard_from(&mut self, message: Message) -> Result<(), End> {
        self.heard = Instant::now();
        match message {
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
            Message::Text(_) | Message::Binary(_) => {
                self.say_error("unexpected_message", "This stream only speaks; what is sent to it is ignored")
                    .await
            }
        }
    }

    async fn condition_changed(&mut self, known: bool) -> Result<(), End> {
        let condition = *self.condition.borrow_and_update();
        if condition.stopping || !known {
            let text =
                self.positioned("shutdown", "The server goes down; resume with the token", None).text();
            self.send([text.into()]).await?;
            return Err(End::Close(code::GOING_AWAY, self.token()));
        }
        if condition.stream_lost == self.told_lost {
            return Ok(());
        }
        self.told_lost = condition.stream_lost;
        let (message, reason) = match condition.stream_lost {
            true => ("The stream cannot be reached; waiting for it", "stream_unreachable"),
            false => ("The stream is reachable again", "stream_reachable"),
        };
        let text = self.positioned("status", message, Some(reason)).text();
        self.send([text.into()]).await
    }

    async fn say_error(&mut self, code: &'static str, message: &str) -> Result<(), End> {
        let text = Control { code: Some(code), ..self.control("error", message, None) }.text();
        self.send([text.into()]).await
    }

    async fn send(&mut self, texts: impl IntoIterator<Item = Utf8Bytes>) -> Result<(), End> {
        let mut sent = 0;
        let channel = self.watched.topic.lock().channel(self.family);
        let (incarnation, gate) = (self.hub.log.incarnation(), self.gate);
        let texts = texts.into_iter().inspect(|_| sent += 1);
        let written = self.wire.write(texts, || channel.token(incarnation, gate)).await;
        self.hub.counters.messages_sent.add(sent);
        written
    }

    fn token(&self) -> String {
        self.watched.topic.lock().channel(self.family).token(self.hub.log.incarnation(), self.gate)
    }

    fn control<'a>(&self, kind: &'static str, message: &'a str, reason: Option<&'a str>) -> Control<'a> {
        Control {
            kind,
            order_id: self.order,
            progress: self.watched.topic.lock().progress_at(self.family, self.gate),
            message,
            reason,
            code: None,
            timestamp: (self.hub.clock)(),
            seq: None,
            index: None,
            token: None,
        }
    }

    fn positioned<'a>(&self, kind: &'static str, message: &'a str, reason: Option<&'a str>) -> Control<'a> {
        let (seq, index) = (Some(self.gate.seq), Some(self.gate.index));
        Control { seq, index, token: Some(self.token()), ..self.control(kind, message, reason) }
    }
}

/// The stream does not reach that far: the position is of an older copy of it, or made up.
async fn is_ahead(hub: &Hub, position: Position) -> bool {
    if position.seq <= hub.position() {
        return false;
    }
    let asked = timeout(hub.settings.unreachable_after, hub.log.info()).await;
    matches!(asked, Ok(Ok(info)) if position.seq > info.last_seq)
}
