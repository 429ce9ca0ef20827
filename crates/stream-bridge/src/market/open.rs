//! Beginning a subscription, and ending one.
//!
//! ```text
//!  seat (the channel is kept from here on) ─▶ where it stood ─▶ `after`: reached? known? not too far? ─▶ live
//!                                                                  └─ reset, live from where it stands
//! ```

use fillstream_domain::Position;
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    crowd::Listed,
    market::{
        channel::{MarketChannel, MarketStream},
        feed::{Feed, Seat},
        frame::PlaceText,
        request::{self, Refused},
        socket::{MarketSocket, Single},
        subscription::{Number, Pace, Subscription},
    },
    token::After,
    wire::{End, code},
};

/// Subscriptions of one socket: each is a place that is looked through when something is asked for.
const MAX_SUBSCRIPTIONS: usize = 256;

/// Beginning of a subscription: there, or anew for a reason.
type Beginning = Result<Position, &'static str>;

impl MarketSocket {
    /// Begins the subscription of a socket that has one.
    pub(crate) async fn open_single(&mut self, single: Single) -> Result<(), End> {
        let Single { seat, from, after } = single;
        let Some(listed) = Listed::take(&self.hub, self.user) else {
            let message = "the user has all the subscriptions that they may have";
            self.say_error("too_many_subscriptions", None, message).await?;
            return Err(End::Close(code::POLICY, message.to_owned()));
        };
        let number = self.enter(seat, from, after, listed);
        if let Some((at, frame)) = self.snapshot(number) {
            return self.send(number, [(at, frame)]).await;
        }
        let from = self.find_beginning(number, from, after).await?;
        self.begin(number, from).await
    }

    /// Answers a request to subscribe. Whoever has the subscription already keeps it.
    pub(crate) async fn subscribe(
        &mut self,
        channel: &MarketChannel,
        after: Option<String>,
    ) -> Result<Result<(), Refused>, End> {
        let incarnation = self.hub.incarnation();
        let after = match after.map(|text| channel.after(incarnation, &text)).transpose() {
            Ok(after) => after,
            Err(_) => return Ok(Err(request::bad_after())),
        };
        if let Some(place) = self.on(channel) {
            let number = self.subscriptions[place].number;
            return self.say_subscribed(number).await.map(Ok);
        }
        if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            let message = format!("a socket has {MAX_SUBSCRIPTIONS} subscriptions at most");
            return Ok(Err(Refused { code: "too_many_subscriptions", field: None, message }));
        }
        let Some(listed) = Listed::take(&self.hub, self.user) else {
            let message = "the user has all the subscriptions that they may have".to_owned();
            return Ok(Err(Refused { code: "too_many_subscriptions", field: None, message }));
        };
        let seat = match self.find_seat(channel).await? {
            Ok(seat) => seat,
            Err(refused) => return Ok(Err(refused)),
        };
        let from = seat.feed.ring.lock().end();
        let number = self.enter(seat, from, after, listed);
        if matches!(channel.stream(), MarketStream::Orderbook | MarketStream::Depth) {
            return self.say_subscribed(number).await.map(Ok);
        }
        let from = self.find_beginning(number, from, after).await?;
        self.say_subscribed(number).await?;
        self.begin(number, from).await.map(Ok)
    }

    /// A place on the channel, if there is such a market and that can be found out in time.
    async fn find_seat(&mut self, channel: &MarketChannel) -> Result<Result<Seat, Refused>, End> {
        let (hub, markets) = (Arc::clone(&self.hub), Arc::clone(&self.markets));
        let find = timeout(hub.settings.unreachable_after, markets.seat(&hub, channel));
        Ok(match self.attend(find).await? {
            Ok(Some(seat)) => Ok(seat),
            Ok(None) => Err(Refused::new("unknown_market", "symbol", "there is no such market")),
            Err(_) => {
                let message = "What there is cannot be found out at the moment".to_owned();
                Err(Refused { code: "stream_unreachable", field: None, message })
            }
        })
    }

    /// Answers a request to unsubscribe: nothing of the channel follows the answer.
    pub(crate) async fn unsubscribe(&mut self, channel: &MarketChannel) -> Result<Result<(), Refused>, End> {
        let place = match self.on(channel) {
            Some(at) => {
                let left = self.subscriptions.swap_remove(at);
                let bells = std::mem::take(&mut self.bells).into_iter();
                self.bells = bells.filter(|bell| bell.number != left.number).collect();
                left.place()
            }
            None => PlaceText::without_position(channel),
        };
        self.say_answer("unsubscribed", place, "Nothing follows any more").await.map(Ok)
    }

    /// Takes a subscription in, at the best position that can be named for it so far.
    fn enter(&mut self, seat: Seat, from: Option<Position>, after: Option<After>, listed: Listed) -> Number {
        let number = self.next_number;
        self.next_number += 1;
        let stands = || from.unwrap_or(Position::after_all_of(seat.feed.since));
        let gate = after.and_then(After::position).unwrap_or_else(stands);
        let ear: watch::Receiver<()> = seat.feed.news.subscribe();
        self.subscriptions.push(Subscription {
            number,
            gate,
            pace: Pace::Steady,
            seen: None,
            ear: Some(ear),
            _listed: listed,
            seat,
        });
        self.ready.push_back(number);
        number
    }

    /// The book as it stands: what a subscription to a book begins with, and begins anew with.
    fn snapshot(&mut self, number: Number) -> Option<(Position, Utf8Bytes)> {
        let (now, tokens) = ((self.hub.clock)(), Arc::clone(&self.hub.tokens));
        let subscription = self.subscription(number)?;
        let book = subscription.seat.book.as_ref()?;
        Some(book.snapshot(&subscription.seat.feed.channel, &tokens, now))
    }

    /// Sends the book anew, if the subscription is to one.
    pub(crate) async fn send_snapshot(&mut self, number: Number) -> Result<(), End> {
        match self.snapshot(number) {
            Some(snapshot) => self.send(number, [snapshot]).await,
            None => Ok(()),
        }
    }

    /// Says that the subscription is there, from where it is complete; a book follows as it stands there.
    async fn say_subscribed(&mut self, number: Number) -> Result<(), End> {
        let snapshot = self.snapshot(number);
        let Some(subscription) = self.subscription(number) else { return Ok(()) };
        if let Some((at, _)) = &snapshot {
            (subscription.gate, subscription.pace) = (*at, Pace::Steady);
        }
        let place = subscription.place();
        self.say_answer("subscribed", place, "Everything behind this position follows").await?;
        self.send(number, snapshot).await
    }

    /// Goes on behind the position, or says that it cannot and goes on from where the channel stands.
    async fn begin(&mut self, number: Number, from: Beginning) -> Result<(), End> {
        let Some(subscription) = self.subscription(number) else { return Ok(()) };
        let head = subscription.seat.feed.ring.lock().end();
        match from {
            Ok(_) => {
                subscription.pace = Pace::Resuming { until: head.unwrap_or(subscription.gate) };
                Ok(())
            }
            Err(reason) => self.say_reset(number, reason).await,
        }
    }

    /// Finds the beginning of the subscription; its gate is there afterwards.
    async fn find_beginning(
        &mut self,
        number: Number,
        from: Option<Position>,
        after: Option<After>,
    ) -> Result<Beginning, End> {
        let Some(feed) = self.feed(number) else { return Ok(Ok(Position::START)) };
        let (hub, markets) = (Arc::clone(&self.hub), Arc::clone(&self.markets));
        let find = async {
            let beginning = markets.beginning(&feed).await;
            let stands = from.unwrap_or(beginning);
            match after {
                None => (Ok(stands), stands),
                Some(after) => match markets.resumable(&hub, &feed, after).await {
                    Ok(after) => (Ok(after), after),
                    Err(reason) => (Err(reason), stands),
                },
            }
        };
        let (from, gate) = self.wait_for_history(number, find).await?;
        if let Some(subscription) = self.subscription(number) {
            subscription.gate = gate;
        }
        Ok(from)
    }

    /// Begins all subscriptions anew, whose channels were of a history that the stream has lost.
    pub(crate) async fn renew(&mut self) -> Result<(), End> {
        self.renewing = Some(self.hub.condition().borrow().history);
        self.say_status("The stream has lost its end; what it holds now is read", "waiting_for_history")
            .await?;
        let hub = Arc::clone(&self.hub);
        self.attend_to_renewal(hub.books_begin()).await?;
        self.bells.clear();
        self.ready.clear();
        for number in self.subscriptions.iter().map(|one| one.number).collect::<Vec<_>>() {
            let Some(channel) = self.feed(number).map(|feed| feed.channel.clone()) else { continue };
            let markets = Arc::clone(&self.markets);
            let Some(seat) = self.attend_to_renewal(markets.seat(&hub, &channel)).await? else {
                self.drop_subscription(number).await?;
                continue;
            };
            if let Some(subscription) = self.subscription(number) {
                subscription.ear = Some(seat.feed.news.subscribe());
                (subscription.seat, subscription.seen, subscription.pace) = (seat, None, Pace::Steady);
            }
            let beginning = self.find_beginning(number, None, Some(After::Foreign("other_history"))).await?;
            self.begin(number, beginning).await?;
            self.send_snapshot(number).await?;
            self.ready.push_back(number);
        }
        self.renewing = None;
        Ok(())
    }

    /// The stream as it is now has no such market.
    async fn drop_subscription(&mut self, number: Number) -> Result<(), End> {
        self.say_reset(number, "other_history").await?;
        self.subscriptions.retain(|one| one.number != number);
        if self.many {
            return self.say_error("unknown_market", None, "There is no such market any more").await;
        }
        Err(End::Close(code::POLICY, "there is no such market any more".to_owned()))
    }

    /// As [`attend`](Self::attend), for as long as a history may take: subscriptions are known to be out of date.
    async fn attend_to_renewal<T>(&mut self, until: impl Future<Output = T>) -> Result<T, End> {
        let give_up_at = Instant::now() + self.hub.settings.load_limit;
        let done = self.attend(timeout_at(give_up_at, until)).await?;
        done.map_err(|_| End::Close(code::TRY_LATER, self.any_token()))
    }

    /// The channel of a subscription.
    pub(crate) fn feed(&mut self, number: Number) -> Option<Arc<Feed>> {
        self.subscription(number).map(|subscription| Arc::clone(&subscription.seat.feed))
    }

    /// Waits for something out of the log or the store: says so when that takes long, gives up in the end.
    pub(crate) async fn wait_for_history<T>(
        &mut self,
        number: Number,
        work: impl Future<Output = T>,
    ) -> Result<T, End> {
        tokio::pin!(work);
        let started = Instant::now();
        let tell_at = started + self.hub.settings.unreachable_after;
        if let Ok(done) = self.attend(timeout_at(tell_at, &mut work)).await? {
            return Ok(done);
        }
        self.say(number, "status", "What came before is being read", Some("waiting_for_history")).await?;
        let give_up_at = started + self.hub.settings.load_limit;
        let done = self.attend(timeout_at(give_up_at, work)).await?;
        done.map_err(|_| End::Close(code::TRY_LATER, self.token_of(number)))
    }
}
