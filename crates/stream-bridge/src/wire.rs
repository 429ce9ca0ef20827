//! The socket itself: writes with a time limit, close codes, what a broken frame means.

use std::{error::Error as _, time::Duration};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;

/// Close codes (RFC 6455 section 7.4, and ours from 4400 on).
pub(crate) mod code {
    pub(crate) const DONE: u16 = 1000;
    pub(crate) const GOING_AWAY: u16 = 1001;
    pub(crate) const PROTOCOL: u16 = 1002;
    pub(crate) const NOT_UTF8: u16 = 1007;
    pub(crate) const POLICY: u16 = 1008;
    pub(crate) const TOO_BIG: u16 = 1009;
    pub(crate) const TRY_LATER: u16 = 1013;
    /// The client is too slow; the reason is the token to resume with.
    pub(crate) const TOO_SLOW: u16 = 4408;
}

/// How long a peer may take to answer our close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Why a socket ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// We close, with code and reason.
    Close(u16, String),
    /// The peer has gone.
    Gone,
}

/// A socket with its write limit.
pub(crate) struct Wire {
    socket: WebSocket,
    write_timeout: Duration,
}

impl Wire {
    pub(crate) const fn new(socket: WebSocket, write_timeout: Duration) -> Self {
        Self { socket, write_timeout }
    }

    /// Writes texts with one flush. `token` is what a client that stalls is told to resume with.
    pub(crate) async fn write(
        &mut self,
        texts: impl IntoIterator<Item = Utf8Bytes>,
        token: impl FnOnce() -> String,
    ) -> Result<(), End> {
        let socket = &mut self.socket;
        let written = timeout(self.write_timeout, async {
            for text in texts {
                socket.feed(Message::Text(text)).await?;
            }
            socket.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Close(code::TOO_SLOW, token())),
        }
    }

    pub(crate) async fn ping(&mut self) -> Result<(), End> {
        let ping = self.socket.send(Message::Ping(Default::default()));
        match timeout(self.write_timeout, ping).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// The next thing that the peer says. Safe to drop while it waits.
    pub(crate) async fn read(&mut self) -> Result<Message, End> {
        match self.socket.next().await {
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(broken(&error)),
            None => Err(End::Gone),
        }
    }

    /// Ends the socket: our close, the peer's answer for a while, then the connection goes.
    pub(crate) async fn end(mut self, end: End) {
        let End::Close(code, reason) = end else { return };
        let farewell = async {
            let frame = CloseFrame { code, reason: reason.into() };
            if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        let _ = timeout(CLOSE_PATIENCE, farewell).await;
    }
}

/// What a broken frame is answered with.
fn broken(error: &axum::Error) -> End {
    use tungstenite::{Error, error::ProtocolError};
    let Some(error) = error.source().and_then(|source| source.downcast_ref::<Error>()) else {
        return End::Gone;
    };
    let (code, reason) = match error {
        Error::Capacity(_) => (code::TOO_BIG, "the message is too big"),
        Error::Utf8(_) => (code::NOT_UTF8, "the text is not UTF-8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return End::Gone,
        Error::Protocol(_) => (code::PROTOCOL, "the frame breaks the protocol"),
        _ => return End::Gone,
    };
    End::Close(code, reason.to_owned())
}
