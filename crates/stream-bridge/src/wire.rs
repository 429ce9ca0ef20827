//! The connection itself, WebSocket or event stream: writes with a time limit, close codes, what a broken frame means.

use std::{error::Error as _, io, sync::Arc, time::Duration};

use fillstream_domain::Position;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use fillstream_http_edge::Unfinished;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::timeout;

use crate::sse::Outlet;

/// Close codes (RFC 6455 section 7.4, and ours from 4400 on).
pub(crate) mod code {
    pub(crate) const DONE: u16 = 1000;
    pub(crate) const GOING_AWAY: u16 = 1001;
    pub(crate) const PROTOCOL: u16 = 1002;
    pub(crate) const NOT_TEXT: u16 = 1003;
    pub(crate) const NOT_UTF8: u16 = 1007;
    pub(crate) const POLICY: u16 = 1008;
    pub(crate) const TOO_BIG: u16 = 1009;
    pub(crate) const TRY_LATER: u16 = 1013;
    /// The client's token has ended; the reason is the token to resume with.
    pub(crate) const TOKEN_ENDED: u16 = 4401;
    /// The client is too slow; the reason is the token to resume with.
    pub(crate) const TOO_SLOW: u16 = 4408;
}

/// Time that a peer may take to answer our close, or to take ours.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Reasons why a socket ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// We close, with code and reason.
    Close(u16, String),
    /// The peer has closed or has gone.
    Gone,
    /// The stream has lost its end: the connection stays, all that it tells begins anew.
    Anew,
}

/// Reasons why a write did not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// The peer has gone.
    Gone,
    /// The peer does not read.
    Stalled,
}

/// Longer than anybody waits: a peer that cannot speak is not expected to.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A socket, and where what its client has sent of an unfinished message is counted.
pub(crate) struct Conversation {
    pub(crate) socket: WebSocket,
    pub(crate) unfinished: Option<Arc<Unfinished>>,
}

/// Peer at the other end.
#[expect(clippy::large_enum_variant, reason = "almost all are sockets, and each would pay for a box")]
pub(crate) enum Peer {
    /// Hears and speaks.
    Socket(Conversation),
    /// Only hears: server-sent events.
    Events(Outlet),
}

impl From<Conversation> for Peer {
    fn from(conversation: Conversation) -> Self {
        Self::Socket(conversation)
    }
}

impl From<Outlet> for Peer {
    fn from(outlet: Outlet) -> Self {
        Self::Events(outlet)
    }
}

/// A connection with its write limit.
pub(crate) struct Wire {
    peer: Peer,
    write_timeout: Duration,
}

impl Wire {
    pub(crate) fn new(peer: impl Into<Peer>, write_timeout: Duration) -> Self {
        Self { peer: peer.into(), write_timeout }
    }

    /// Time that this peer may say nothing, where one that can speak may for `limit`.
    pub(crate) const fn silence_limit(&self, limit: Duration) -> Duration {
        match &self.peer {
            Peer::Socket(_) => limit,
            Peer::Events(_) => FOREVER,
        }
    }

    /// Writes texts with one flush. `taken` hears the position of each that will come before anything written
    /// later, a close included.
    pub(crate) async fn write(
        &mut self,
        texts: impl IntoIterator<Item = (Position, Utf8Bytes)>,
        mut taken: impl FnMut(Position),
    ) -> Result<(), Unwritten> {
        let limit = self.write_timeout;
        match &mut self.peer {
            Peer::Socket(Conversation { socket, .. }) => {
                let written = timeout(limit, async {
                    for (position, text) in texts {
                        socket.feed(Message::Text(text)).await?;
                        taken(position);
                    }
                    socket.flush().await
                });
                outcome(written.await)
            }
            Peer::Events(outlet) => outcome(timeout(limit, outlet.write(texts, taken)).await),
        }
    }

    pub(crate) async fn ping(&mut self) -> Result<(), Unwritten> {
        let limit = self.write_timeout;
        match &mut self.peer {
            Peer::Socket(Conversation { socket, .. }) => {
                outcome(timeout(limit, socket.send(Message::Ping(Default::default()))).await)
            }
            Peer::Events(outlet) => outcome(timeout(limit, outlet.comment()).await),
        }
    }

    /// The next thing that the peer says. Safe to drop while it waits.
    pub(crate) async fn read(&mut self) -> Result<Message, End> {
        match &mut self.peer {
            Peer::Socket(Conversation { socket, unfinished }) => match socket.next().await {
                Some(Ok(message)) => {
                    if let Some(unfinished) = unfinished {
                        match &message {
                            Message::Text(_) | Message::Binary(_) | Message::Close(_) => {
                                unfinished.complete()
                            }
                            Message::Ping(payload) | Message::Pong(payload) => {
                                unfinished.control(payload.len() as u64);
                            }
                        }
                    }
                    Ok(message)
                }
                Some(Err(error)) => Err(broken(&error)),
                None => Err(End::Gone),
            },
            Peer::Events(outlet) => {
                outlet.closed().await;
                Err(End::Gone)
            }
        }
    }

    /// Next message, if the peer has sent it already.
    pub(crate) fn read_now(&mut self) -> Option<Result<Message, End>> {
        self.read().now_or_never()
    }

    /// Ends the connection: our close or the answer to the peer's, the peer's answer for a while, then it goes. An
    /// event stream has no close: it is over with the last event.
    pub(crate) async fn end(&mut self, end: End) {
        let Peer::Socket(Conversation { socket, .. }) = &mut self.peer else { return };
        let farewell = async {
            if let End::Close(code, reason) = end {
                let frame = CloseFrame { code, reason: reason.into() };
                if socket.send(Message::Close(Some(frame))).await.is_err() {
                    return;
                }
            }
            // Reading on writes what is owed to the peer's close.
            while let Some(Ok(_)) = socket.next().await {}
        };
        let _ = timeout(CLOSE_PATIENCE, farewell).await;
    }
}

fn outcome<E>(written: Result<Result<(), E>, tokio::time::error::Elapsed>) -> Result<(), Unwritten> {
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Unwritten::Gone),
        Err(_) => Err(Unwritten::Stalled),
    }
}

/// Answer to a broken frame.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's enum, whose variants depend on its features"
)]
fn broken(error: &axum::Error) -> End {
    use tungstenite::{Error, error::ProtocolError};
    let Some(error) = error.source().and_then(|source| source.downcast_ref::<Error>()) else {
        return End::Gone;
    };
    let (code, reason) = match error {
        Error::Capacity(_) => (code::TOO_BIG, "the message is too big"),
        Error::Utf8(_) => (code::NOT_UTF8, "the text is not UTF-8"),
        Error::Io(error) if error.kind() == io::ErrorKind::OutOfMemory => {
            (code::TRY_LATER, "all sockets together hold too much of unfinished messages, and this one most")
        }
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return End::Gone,
        Error::Protocol(_) => (code::PROTOCOL, "the frame breaks the protocol"),
        _ => return End::Gone,
    };
    End::Close(code, reason.to_owned())
}
