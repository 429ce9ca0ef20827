//! One socket of the market: one subscription for life, or what its client subscribes to.
//!
//! ```text
//!  requests ─▶ answer (subscribe: open, unsubscribe)      ┐
//!  bells    ─▶ ready subscriptions ─▶ news, a batch each  ├─ one after the other; meanwhile: attend
//!  peer, pings, the process's condition ──────────────────┘
//! ```
//! Whatever a socket waits for, it attends to its peer, to pings and to the process's condition meanwhile.

use std::{collections::VecDeque, convert::Infallible, future::ready, sync::Arc};

use axum::extract::ws::Message;
use fillstream_domain::{Position, Seq, UserId};
use fillstream_http_edge::{Lease, Pace};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::sync::watch;
use tracing::debug;

use crate::{
    condition::Condition,
    crowd::Room,
    hub::Hub,
    market::{
        channel::MarketChannel,
        feed::Seat,
        registry::Markets,
        request::{self, Refused, Request},
        subscription::{Bell, Number, Subscription},
    },
    pulse::{Beat, Pulse},
    socket::{SPOKE_TOO_OFTEN, TOKEN_ENDED},
    token::After,
    wire::{Conversation, End, Wire, code},
};

/// Requests of a client that wait while another one is answered; beyond, its messages are left in the connection.
const MAX_REQUESTS: usize = 64;

/// Findings of the upgrade.
pub(crate) struct Joining {
    pub(crate) hub: Arc<Hub>,
    pub(crate) markets: Arc<Markets>,
    /// User who asks.
    pub(crate) user: Option<UserId>,
    /// The one subscription of a socket that has one; it was begun before the upgrade was answered.
    pub(crate) single: Option<Single>,
    /// The tail could not be set up in time.
    pub(crate) undecided: bool,
    /// How long the client's token proves who it is.
    pub(crate) lease: Lease,
    /// Counts the connection until it is gone.
    pub(crate) connection: Room,
}

/// A subscription that begins with its socket.
pub(crate) struct Single {
    pub(crate) seat: Seat,
    /// Place of the channel when the seat was taken; nothing while that has to be read.
    pub(crate) from: Option<Position>,
    pub(crate) after: Option<After>,
}

/// See the module's first line.
pub(crate) struct MarketSocket {
    pub(crate) hub: Arc<Hub>,
    pub(crate) markets: Arc<Markets>,
    pub(crate) user: Option<UserId>,
    /// The client subscribes to what it wants.
    pub(crate) many: bool,
    pub(crate) wire: Wire,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) next_number: Number,
    /// Subscriptions that wait for news.
    pub(crate) bells: FuturesUnordered<Bell>,
    /// Subscriptions that may have something to send.
    pub(crate) ready: VecDeque<Number>,
    /// The channels had been told everything up to this sequence when the socket had nothing to do last.
    pub(crate) free_at: Seq,
    requests: VecDeque<Result<Request, Refused>>,
    condition: watch::Receiver<Condition>,
    told_lost: bool,
    /// The history that its subscriptions are being begun anew in.
    pub(crate) renewing: Option<u64>,
    pulse: Pulse,
    pace: Pace,
    _connection: Room,
}

/// Serves a socket from its upgrade to its close.
pub(crate) fn serve(mut joining: Joining, socket: Conversation) -> impl Future<Output = ()> {
    let (single, undecided) = (joining.single.take(), joining.undecided);
    let mut socket = MarketSocket::new(joining, single.is_none(), socket);
    async move {
        let mut ended = socket.run(single, undecided).await;
        while let Err(End::Anew) = ended {
            ended = socket.run_anew().await;
        }
        let Err(end) = ended;
        debug!(?end, "a socket of the market ends");
        socket.subscriptions.clear();
        socket.hub.counters.closed.note(&end);
        socket.wire.end(end).await;
    }
}

impl MarketSocket {
    fn new(joining: Joining, many: bool, socket: Conversation) -> Self {
        let Joining { hub, markets, user, lease, connection, .. } = joining;
        let settings = hub.settings;
        let mut condition = hub.condition();
        // What has happened before is news to this socket.
        condition.mark_changed();
        Self {
            free_at: markets.told(),
            markets,
            user,
            many,
            wire: Wire::new(socket, settings.write_timeout),
            subscriptions: Vec::new(),
            next_number: 0,
            bells: FuturesUnordered::new(),
            ready: VecDeque::new(),
            requests: VecDeque::new(),
            condition,
            told_lost: false,
            renewing: None,
            pulse: Pulse::new(settings.ping_interval, settings.silence_limit, lease),
            pace: Pace::new(settings.messages),
            hub,
            _connection: connection,
        }
    }

    async fn run(&mut self, single: Option<Single>, undecided: bool) -> Result<Infallible, End> {
        if undecided {
            let message = "What there is cannot be found out at the moment";
            self.say_error("stream_unreachable", None, message).await?;
            return Err(End::Close(code::TRY_LATER, String::new()));
        }
        if let Some(single) = single {
            // Large while it runs, gone for the rest of the socket's life.
            Box::pin(self.open_single(single)).await?;
        }
        self.serve_all().await
    }

    /// The stream has lost its end: all subscriptions begin anew.
    async fn run_anew(&mut self) -> Result<Infallible, End> {
        Box::pin(self.renew()).await?;
        self.serve_all().await
    }

    async fn serve_all(&mut self) -> Result<Infallible, End> {
        loop {
            if let Some(request) = self.requests.front().cloned() {
                let next_number = self.next_number;
                let answered = Box::pin(self.answer(request)).await;
                if let Err(End::Anew) = answered {
                    // It is asked again: what it has begun is not known to the client.
                    self.subscriptions.retain(|one| one.number < next_number);
                }
                answered?;
                self.requests.pop_front();
            } else if let Some(number) = self.ready.pop_front() {
                self.send_news(number).await?;
                self.attend(ready(())).await?;
                self.hear_bells();
            } else {
                self.wait().await?;
            }
        }
    }

    /// Until there is something to do.
    async fn wait(&mut self) -> Result<(), End> {
        while self.requests.is_empty() && self.ready.is_empty() {
            // In random order, so that none of these keeps the others waiting.
            tokio::select! {
                Some((number, ear)) = self.bells.next() => self.rung(number, ear),
                _ = self.condition.changed() => self.condition_changed().await?,
                said = self.wire.read() => self.heard(said?).await?,
                beat = self.pulse.beat() => self.beat(beat).await?,
            }
        }
        self.free_at = self.markets.told();
        Ok(())
    }

    /// Takes in the news that are there already, so that a channel with much to send does not keep the others waiting.
    fn hear_bells(&mut self) {
        while let Some(Some((number, ear))) = self.bells.next().now_or_never() {
            self.rung(number, ear);
        }
    }

    /// A subscription's channel has news.
    fn rung(&mut self, number: Number, ear: watch::Receiver<()>) {
        if let Some(subscription) = self.subscription(number) {
            subscription.ear = Some(ear);
            self.ready.push_back(number);
        }
    }

    /// Sees to the peer, to pings and to the process's condition until `until` is done.
    pub(crate) async fn attend<T>(&mut self, until: impl Future<Output = T>) -> Result<T, End> {
        tokio::pin!(until);
        loop {
            tokio::select! {
                done = &mut until => return Ok(done),
                _ = self.condition.changed() => self.condition_changed().await?,
                said = self.wire.read(), if self.requests.len() < MAX_REQUESTS => self.heard(said?).await?,
                beat = self.pulse.beat() => self.beat(beat).await?,
            }
        }
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
                self.say_status(TOKEN_ENDED, "token_expired").await?;
                Err(End::Close(code::TOKEN_ENDED, self.any_token()))
            }
        }
    }

    async fn heard(&mut self, message: Message) -> Result<(), End> {
        self.pulse.heard();
        if !matches!(message, Message::Pong(_) | Message::Close(_)) && !self.pace.take() {
            self.hub.counters.spoke_too_often.add(1);
            self.say_error("rate_limited", None, SPOKE_TOO_OFTEN).await?;
            return Err(End::Close(code::POLICY, SPOKE_TOO_OFTEN.to_owned()));
        }
        match message {
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
            Message::Text(text) if self.many => {
                self.requests.push_back(request::parse(&text, self.user));
                Ok(())
            }
            Message::Binary(_) if self.many => {
                Err(End::Close(code::NOT_TEXT, "requests are JSON in text frames".to_owned()))
            }
            Message::Text(_) | Message::Binary(_) => {
                let message = "This stream only speaks; what is sent to it is ignored";
                self.say_error("unexpected_message", None, message).await
            }
        }
    }

    async fn answer(&mut self, request: Result<Request, Refused>) -> Result<(), End> {
        let answered = match request {
            Ok(Request::Subscribe { channel, after }) => self.subscribe(&channel, after).await?,
            Ok(Request::Unsubscribe { channel }) => self.unsubscribe(&channel).await?,
            Err(refused) => Err(refused),
        };
        match answered {
            Ok(()) => Ok(()),
            Err(refused) => self.say_error(refused.code, refused.field, &refused.message).await,
        }
    }

    /// The subscription with this number; nothing when the client has left it.
    pub(crate) fn subscription(&mut self, number: Number) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|one| one.number == number)
    }

    /// The subscription to this channel.
    pub(crate) fn on(&self, channel: &MarketChannel) -> Option<usize> {
        self.subscriptions.iter().position(|one| one.seat.feed.channel == *channel)
    }

    async fn condition_changed(&mut self) -> Result<(), End> {
        let condition = *self.condition.borrow_and_update();
        if condition.stopping {
            self.say_shutdown().await?;
            return Err(End::Close(code::GOING_AWAY, self.any_token()));
        }
        let is_old = |one: &Subscription| one.seat.history != condition.history;
        let begins_anew = match self.renewing {
            Some(history) => history != condition.history,
            None => self.subscriptions.iter().any(is_old),
        };
        if begins_anew {
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
        self.say_status(message, reason).await
    }
}
