//! Messages of a socket: about the connection itself, and frames, which move its gate.

use axum::extract::ws::Utf8Bytes;
use fillstream_domain::Position;

use crate::{
    frame::Control,
    socket::Socket,
    wire::{End, Unwritten, code},
};

impl Socket {
    /// Answers what the peer should not have said, or says what cannot be done for it.
    pub(crate) async fn say_error(&mut self, code: &'static str, message: &str) -> Result<(), End> {
        let text = Control { code: Some(code), ..self.control("error", message, None) }.text();
        self.send([(self.gate, text.into())]).await
    }

    /// Sends a message about the connection itself.
    pub(crate) async fn say(
        &mut self,
        kind: &'static str,
        message: &str,
        reason: Option<&str>,
    ) -> Result<(), End> {
        let control = match kind {
            "connection" => self.control(kind, message, reason),
            _ => Control {
                seq: Some(self.gate.seq),
                index: Some(self.gate.index),
                token: Some(self.token()),
                ..self.control(kind, message, reason)
            },
        };
        self.send([(self.gate, control.text().into())]).await
    }

    /// Sends texts; the gate moves with each that is on its way.
    pub(crate) async fn send(
        &mut self,
        texts: impl IntoIterator<Item = (Position, Utf8Bytes)>,
    ) -> Result<(), End> {
        let (gate, sent) = (&mut self.gate, &self.hub.counters.messages_sent);
        let written = self.wire.write(texts, |position| {
            *gate = position;
            sent.add(1);
        });
        written.await.map_err(|unwritten| self.unwritten(unwritten))
    }

    pub(crate) fn unwritten(&self, unwritten: Unwritten) -> End {
        match unwritten {
            Unwritten::Gone => End::Gone,
            Unwritten::Stalled => End::Close(code::TOO_SLOW, self.token()),
        }
    }

    pub(crate) fn token(&self) -> String {
        self.channel.token_in(&self.hub.tokens, self.gate)
    }

    fn control<'a>(&self, kind: &'static str, message: &'a str, reason: Option<&'a str>) -> Control<'a> {
        Control {
            kind,
            order_id: self.channel.order,
            progress: self.seat.topic.lock().progress_at(self.channel.family, self.gate),
            message,
            reason,
            code: None,
            timestamp: (self.hub.clock)(),
            seq: None,
            index: None,
            token: None,
        }
    }
}
