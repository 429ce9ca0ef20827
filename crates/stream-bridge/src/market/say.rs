//! Messages of a market socket beside its channels' own, and the way anything is sent.

use axum::extract::ws::Utf8Bytes;
use fillstream_domain::Position;

use crate::{
    market::{
        frame::{Control, ErrorText, PlaceText, to_text},
        socket::MarketSocket,
        subscription::{Number, Subscription},
    },
    wire::{End, Unwritten, code},
};

impl MarketSocket {
    /// Sends a channel's texts; the subscription's gate moves with each that is on its way.
    pub(crate) async fn send(
        &mut self,
        number: Number,
        texts: impl IntoIterator<Item = (Position, Utf8Bytes)>,
    ) -> Result<(), End> {
        let sent = &self.hub.counters.messages_sent;
        let Some(subscription) = self.subscriptions.iter_mut().find(|one| one.number == number) else {
            return Ok(());
        };
        let gate = &mut subscription.gate;
        let written = self.wire.write(texts, |position| {
            *gate = position;
            sent.add(1);
        });
        let written = written.await;
        written.map_err(|unwritten| match unwritten {
            Unwritten::Gone => End::Gone,
            Unwritten::Stalled => End::Close(code::TOO_SLOW, self.token_of(number)),
        })
    }

    /// Sends texts that belong to no channel.
    async fn send_other(&mut self, texts: impl IntoIterator<Item = String>) -> Result<(), End> {
        let sent = &self.hub.counters.messages_sent;
        let texts = texts.into_iter().map(|text| (Position::START, text.into()));
        let written = self.wire.write(texts, |_| sent.add(1)).await;
        written.map_err(|unwritten| self.unwritten(unwritten))
    }

    /// Says something about a subscription, at the position where it stands.
    pub(crate) async fn say(
        &mut self,
        number: Number,
        kind: &'static str,
        message: &str,
        reason: Option<&'static str>,
    ) -> Result<(), End> {
        let Some(subscription) = self.subscription(number) else { return Ok(()) };
        let place = subscription.place();
        let text = to_text(&Control { reason, ..self.control(kind, Some(place), message) });
        self.send_other([text]).await
    }

    /// Says that the history cannot be told, and how it is paged over HTTP.
    pub(crate) async fn say_reset(&mut self, number: Number, reason: &'static str) -> Result<(), End> {
        let Some(subscription) = self.subscription(number) else { return Ok(()) };
        let (place, channel, gate) =
            (subscription.place(), subscription.seat.feed.channel.clone(), subscription.gate);
        let cursor = self.markets.history.cursor(&channel, gate);
        let message = "What came before is not told here; it can be read over HTTP";
        let control = self.control("reset", Some(place), message);
        let text = to_text(&Control { reason: Some(reason), cursor, ..control });
        self.send_other([text]).await
    }

    /// Says something about all subscriptions, or about the connection when there is none.
    pub(crate) async fn say_status(&mut self, message: &str, reason: &'static str) -> Result<(), End> {
        let mut places: Vec<_> = self.subscriptions.iter().map(|one| Some(one.place())).collect();
        if places.is_empty() {
            places.push(None);
        }
        let text =
            |place| to_text(&Control { reason: Some(reason), ..self.control("status", place, message) });
        let texts: Vec<String> = places.into_iter().map(text).collect();
        self.send_other(texts).await
    }

    /// The last thing said before the process goes down.
    pub(crate) async fn say_shutdown(&mut self) -> Result<(), End> {
        let message = "The server goes down; resume with the token";
        let place = if self.many { None } else { self.subscriptions.first().map(Subscription::place) };
        let tokens = self.many.then(|| self.subscriptions.iter().map(Subscription::place).collect());
        let text = to_text(&Control { tokens, ..self.control("shutdown", place, message) });
        self.send_other([text]).await
    }

    /// Answers a subscribe or unsubscribe.
    pub(crate) async fn say_answer(
        &mut self,
        kind: &'static str,
        place: PlaceText,
        message: &str,
    ) -> Result<(), End> {
        let text = to_text(&self.control(kind, Some(place), message));
        self.send_other([text]).await
    }

    /// Answers what the peer should not have said, or says what cannot be done for it.
    pub(crate) async fn say_error(
        &mut self,
        code: &'static str,
        field: Option<&'static str>,
        message: &str,
    ) -> Result<(), End> {
        let text = ErrorText { kind: "error", code, field, message, timestamp: (self.hub.clock)() };
        self.send_other([to_text(&text)]).await
    }

    pub(crate) fn unwritten(&self, unwritten: Unwritten) -> End {
        match unwritten {
            Unwritten::Gone => End::Gone,
            Unwritten::Stalled => End::Close(code::TOO_SLOW, self.any_token()),
        }
    }

    /// The token of a socket with one subscription; with more there is a token for each, in what was sent.
    pub(crate) fn any_token(&self) -> String {
        match &*self.subscriptions {
            [only] => only.token(),
            [] | [..] => String::new(),
        }
    }

    pub(crate) fn token_of(&self, number: Number) -> String {
        let found = self.subscriptions.iter().find(|one| one.number == number);
        found.map(Subscription::token).unwrap_or_default()
    }

    fn control<'a>(&self, kind: &'static str, place: Option<PlaceText>, message: &'a str) -> Control<'a> {
        let timestamp = (self.hub.clock)();
        Control { kind, place, tokens: None, message, reason: None, cursor: None, timestamp }
    }
}

impl Subscription {
    /// Place of the subscription, as it is told.
    pub(crate) fn place(&self) -> PlaceText {
        PlaceText::new(&self.seat.feed.channel, &self.seat.hub.tokens, self.gate)
    }
}
