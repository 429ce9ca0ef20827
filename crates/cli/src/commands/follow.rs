//! An order's socket, followed to the end: resumed with the token when the connection is lost.

use std::time::Duration;

use fillstream_domain::OrderId;
use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{refusal::Refused, server::ServerArgs};
use crate::Failure;

/// Pause before the socket is opened again.
const PAUSE: Duration = Duration::from_millis(500);
/// A server that says nothing for this long, not even a ping, is gone: two of its pings, and a slow network.
const SILENCE: Duration = Duration::from_secs(75);

/// News of an order.
pub(crate) enum Heard<'a> {
    /// A message of family A.
    Message(&'a Value),
    /// The connection is gone; it is opened again, and nothing is missed.
    Lost,
}

/// End of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Confirmed,
    Failed,
}

impl End {
    /// The end that a message tells, if it tells one.
    pub(crate) fn of(message: &Value) -> Option<Self> {
        match message["status"].as_str()? {
            "confirmed" => Some(Self::Confirmed),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// Hears an order out.
///
/// # Errors
/// When the server refuses the socket or cannot be reached at first, and what `hear` comes to.
pub(crate) async fn follow(
    server: &ServerArgs,
    order: OrderId,
    mut hear: impl FnMut(Heard<'_>) -> Result<(), Failure>,
) -> Result<End, Failure> {
    let path = format!("/api/orders/status/{order}");
    let mut token: Option<String> = None;
    loop {
        let resumed = token.as_ref().map_or_else(|| path.clone(), |token| format!("{path}?after={token}"));
        match server.socket(&resumed).await? {
            Ok(mut socket) => {
                // A silent one is lost: the server pings.
                while let Ok(Some(Ok(message))) = timeout(SILENCE, socket.next()).await {
                    let Message::Text(text) = message else { continue };
                    let message: Value = serde_json::from_str(&text)?;
                    if let Some(newest) = message["token"].as_str() {
                        token = Some(newest.to_owned());
                    }
                    hear(Heard::Message(&message))?;
                    if let Some(end) = End::of(&message) {
                        return Ok(end);
                    }
                }
            }
            Err(Error::Http(refused)) if refused.status().is_client_error() => {
                let status = refused.status().as_u16();
                return Err(Refused::new(&refused.into_body().unwrap_or_default(), status).into());
            }
            Err(error) if token.is_none() => return Err(server.silent(&error)),
            Err(_) => {}
        }
        hear(Heard::Lost)?;
        tokio::time::sleep(PAUSE).await;
    }
}
