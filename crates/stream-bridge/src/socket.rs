//! One socket on one order; an event stream is one whose wire only speaks.
//!
//! ```text
//!  greeting ──▶ history (loaded once per order) ──▶ backfill ──▶ live, behind the gate for life ──▶ close
//!                └──────────────────── meanwhile: attend ────────────────────┘
//! ```
//! Whatever a socket waits for, it attends to its peer, to pings and to the process's condition meanwhile.

use fillstream_domain::Position;
use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::extract::ws::Message;
use fillstream_http_edge::{Lease, Pace};
use fillstream_retry::chain;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tracing::debug;

use crate::{
    condition::Condition,
    counters::Held,
    crowd::Room,
    history::JoinError,
    hub::{Hub, Seat},
    pulse::{Beat, Pulse},
    token::{After, Channel, Family},
    wire::{End, Wire, code},
};

/// Pause before the log is asked again that could not answer.
pub(crate) const LOG_PAUSE: Duration = Duration::from_millis(100);

/// Message when the client's token has ended.
pub(crate) const TOKEN_ENDED: &str = "The token has ended; another one goes on from here with ?after=";
/// Message to a client that speaks more often than it may.
pub(crate) const SPOKE_TOO_OFTEN: &str = "more messages than a client may send";

/// Findings of the upgrade.
pub(crate) struct Joining {
    pub(crate) hub: Arc<Hub>,
    pub(crate) channel: Channel,
    pub(crate) after: Option<After>,
    /// Whether the order exists could not be decided in time.
    pub(crate) undecided: bool,
    /// How long the client's token proves who it is.
    pub(crate) lease: Lease,
    /// Counts the connection until it is gone.
    pub(crate) connection: Arc<Room>,
}

/// The parts of a socket that all of its stages use.
pub(crate) struct Socket {
    pub(crate) hub: Arc<Hub>,
    pub(crate) channel: Channel,
    pub(crate) seat: Seat,
    /// The position of the last message sent: the resume token, the dedupe and the gap detector in one.
    pub(crate) gate: Position,
    pub(crate) wire: Wire,
    condition: watch::Receiver<Condition>,
    told_lost: bool,
    pulse: Pulse,
    pace: Pace,
    _connection: Arc<Room>,
}

/// Serves a socket from its upgrade to its close.
pub(crate) fn serve(joining: Joining, wire: Wire) -> impl Future<Output = ()> {
    let (after, undecided) = (joining.after, joining.undecided);
    let mut socket = Socket::new(joining, wire);
    async move {
        let mut ended = socket.run(after, undecided).await;
        while let Err(End::Anew) = ended {
            ended = socket.run_anew().await;
        }
        let Err(end) = ended;
        debug!(order_id = %socket.channel.order, ?end, "a socket ends");
        drop(socket.seat);
        socket.hub.counters.closed.note(&end);
        socket.wire.end(end).await;
    }
}

impl Socket {
    fn new(joining: Joining, wire: Wire) -> Self {
        let Joining { hub, channel, after, lease, connection, .. } = joining;
        let settings = hub.settings;
        let mut condition = hub.condition();
        // What has happened before is news to this socket.
        condition.mark_changed();
        Self {
            channel,
            seat: hub.watch(channel.order),
            gate: match after {
                Some(after) => after.position().unwrap_or(Position::START),
                None => Position::START,
            },
            condition,
            told_lost: false,
            pulse: Pulse::new(settings.ping_interval, wire.silence_limit(settings.silence_limit), lease),
            pace: Pace::new(settings.messages),
            wire,
            hub,
            _connection: connection,
        }
    }

    async fn run(&mut self, after: Option<After>, undecided: bool) -> Result<Infallible, End> {
        // Large while it runs, gone for the rest of the socket's life.
        Box::pin(self.open(after, undecided)).await?;
        self.stay().await
    }

    /// The stream has lost its end: the order as the stream tells it now.
    async fn run_anew(&mut self) -> Result<Infallible, End> {
        self.seat = self.hub.watch(self.channel.order);
        self.gate = Position::START;
        Box::pin(async {
            let from = self.load(Some(After::Foreign("other_history"))).await?;
            self.begin(from).await
        })
        .await?;
        self.stay().await
    }

    async fn stay(&mut self) -> Result<Infallible, End> {
        let _subscription = Held::new(&self.hub, |counters| &counters.subscriptions);
        self.follow().await
    }

    async fn open(&mut self, after: Option<After>, undecided: bool) -> Result<(), End> {
        self.greet().await?;
        if undecided {
            self.say_error(
                "stream_unreachable",
                "Whether the order exists cannot be found out at the moment",
            )
            .await?;
            return Err(End::Close(code::TRY_LATER, self.token()));
        }
        let from = self.load(after).await?;
        self.begin(from).await
    }

    /// Family A is greeted at once, so that no connection is ever silent.
    async fn greet(&mut self) -> Result<(), End> {
        match self.channel.family {
            Family::Status => Ok(()),
            Family::Progress => {
                self.say("connection", "Connected to order status stream", None).await?;
                self.say("subscribed", "Subscribed to order status stream", None).await
            }
        }
    }

    /// Waits for the history, and for all that the client has seen of it. The outcome is where the backfill begins,
    /// or why it has to begin anew.
    async fn load(&mut self, after: Option<After>) -> Result<Result<Position, &'static str>, End> {
        let hub = Arc::clone(&self.hub);
        let order = self.channel.order;
        let watched = self.seat.watched();
        let loading = async {
            loop {
                let error = match hub.load(order, &watched).await {
                    Ok(()) => match after {
                        None => return Ok(Ok(Position::START)),
                        Some(after) => match hub.resumes(after).await {
                            Ok(from) => return Ok(from),
                            Err(error) => error,
                        },
                    },
                    Err(JoinError::Log(error)) => error,
                    Err(JoinError::Unknown) => {
                        return Err(End::Close(code::POLICY, "there is no such order".to_owned()));
                    }
                };
                debug!(order_id = %order, error = %chain(&error), "the history cannot be read yet");
                sleep(LOG_PAUSE).await;
            }
        };
        self.wait_for_log(loading).await?
    }

    /// Reset when the backfill has to begin anew, then the backfill, then the last entry once more on family A.
    async fn begin(&mut self, from: Result<Position, &'static str>) -> Result<(), End> {
        let after = match from {
            Ok(after) => after,
            Err(reason) => {
                self.gate = Position::START;
                self.say("reset", "The history starts anew", Some(reason)).await?;
                Position::START
            }
        };
        let family = self.channel.family;
        let (end, backfill, replayed) = {
            let topic = self.seat.topic.lock();
            let end = topic.end(family);
            let fresh = end > after && matches!(family, Family::Progress);
            (end, topic.backfill(family, after), fresh.then(|| topic.replayed()).flatten())
        };
        let texts = std::iter::once(backfill).chain(replayed);
        self.send(texts.map(|text| (end, text.into()))).await
    }

    /// Live: everything behind the gate, as it comes.
    async fn follow(&mut self) -> Result<Infallible, End> {
        let mut news = self.seat.news.subscribe();
        let mut close_at = None;
        loop {
            news.mark_unchanged();
            self.send_news().await?;
            if close_at.is_none() && self.has_ended() {
                close_at = Some(Instant::now() + self.hub.settings.linger);
            }
            // The sender is in the seat, so there is always more to wait for.
            let _ = match close_at {
                None => self.attend(news.changed()).await?,
                Some(at) => match self.attend(timeout_at(at, news.changed())).await? {
                    Ok(changed) => changed,
                    Err(_) => return Err(End::Close(code::DONE, "the order has ended".to_owned())),
                },
            };
        }
    }

    fn has_ended(&self) -> bool {
        let topic = self.seat.topic.lock();
        topic.status().is_some_and(|status| status.is_terminal())
            && self.gate >= topic.end(self.channel.family)
    }

    /// Sees to the peer, to pings and to the process's condition until `until` is done.
    pub(crate) async fn attend<T>(&mut self, until: impl Future<Output = T>) -> Result<T, End> {
        tokio::pin!(until);
        loop {
            // In random order, so that none of these keeps the others waiting.
            tokio::select! {
                done = &mut until => return Ok(done),
                _ = self.condition.changed() => self.condition_changed().await?,
                said = self.wire.read() => self.heard(said?).await?,
                beat = self.pulse.beat() => self.beat(beat).await?,
            }
        }
    }

    /// Waits for something out of the log: says so when that takes long, gives up in the end.
    pub(crate) async fn wait_for_log<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        tokio::pin!(work);
        let started = Instant::now();
        let tell_at = started + self.hub.settings.unreachable_after;
        if let Ok(done) = self.attend(timeout_at(tell_at, &mut work)).await? {
            return Ok(done);
        }
        self.say("status", "The history is being read", Some("waiting_for_history")).await?;
        let give_up_at = started + self.hub.settings.load_limit;
        let done = self.attend(timeout_at(give_up_at, work)).await?;
        done.map_err(|_| End::Close(code::TRY_LATER, self.token()))
    }

    async fn beat(&mut self, beat: Beat) -> Result<(), End> {
        match beat {
            Beat::Ping => self.wire.ping().await.map_err(|unwritten| self.unwritten(unwritten)),
            // It may have spoken while something was being written.
            Beat::Silent => match self.wire.read_now() {
                Some(said) => self.heard(said?).await,
                None => Err(End::Close(code::POLICY, "nothing was heard for too long".to_owned())),
            },
            Beat::TokenEnded => {
                self.hub.counters.tokens_ended.add(1);
                self.say("status", TOKEN_ENDED, Some("token_expired")).await?;
                Err(End::Close(code::TOKEN_ENDED, self.token()))
            }
        }
    }

    async fn heard(&mut self, message: Message) -> Result<(), End> {
        self.pulse.heard();
        if !matches!(message, Message::Pong(_) | Message::Close(_)) && !self.pace.take() {
            self.hub.counters.spoke_too_often.add(1);
            self.say_error("rate_limited", SPOKE_TOO_OFTEN).await?;
            return Err(End::Close(code::POLICY, SPOKE_TOO_OFTEN.to_owned()));
        }
        match message {
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
            Message::Text(_) | Message::Binary(_) => {
                self.say_error("unexpected_message", "This stream only speaks; what is sent to it is ignored")
                    .await
            }
        }
    }

    async fn condition_changed(&mut self) -> Result<(), End> {
        let condition = *self.condition.borrow_and_update();
        if condition.stopping {
            self.say("shutdown", "The server goes down; resume with the token", None).await?;
            return Err(End::Close(code::GOING_AWAY, self.token()));
        }
        if !self.seat.is_of(condition) {
            return Err(End::Anew);
        }
        if condition.stream_lost == self.told_lost {
            return Ok(());
        }
        self.told_lost = condition.stream_lost;
        let (message, reason) = match condition.stream_lost {
            true => ("The stream cannot be reached; waiting for it", "stream_unreachable"),
            false => ("The stream is reachable again", "stream_reachable"),
        };
        self.say("status", message, Some(reason)).await
    }
}
