//! The door to the market's sockets: what is refused is refused before the upgrade, with a status that says why.

use std::sync::Arc;

use axum::{
    extract::ws::WebSocketUpgrade,
    http::{Extensions, HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use fillstream_domain::book::Symbol;
use fillstream_http_edge::{Asker, Askers, Origins, Problem};
use tokio::time::timeout;

use crate::{
    crowd::Room,
    hub::Hub,
    market::{
        channel::MarketChannel,
        socket::{self, Joining, Single},
    },
    upgrade::{after, limited, unfinished},
    wire::Conversation,
};

/// Parts of a request for a socket of the market.
pub struct AskedMarket<'a> {
    /// The path, percent-encoded as it came.
    pub path: &'a str,
    /// The query string.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The connection, as the listening port knows it.
    pub extensions: &'a Extensions,
}

/// The socket that a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted<'a> {
    Orders,
    Trades,
    /// The rest of the path.
    Market(&'a str),
    Many,
}

fn wanted(path: &str) -> Option<Wanted<'_>> {
    match path {
        "/ws" => Some(Wanted::Many),
        "/ws/orders" => Some(Wanted::Orders),
        "/ws/trades" => Some(Wanted::Trades),
        "/ws/markets" => Some(Wanted::Market("")),
        _ => path.strip_prefix("/ws/markets/").map(Wanted::Market),
    }
}

/// True when a path is one of the market's sockets.
#[must_use]
pub fn is_market_path(path: &str) -> bool {
    wanted(path).is_some()
}

/// Answers a request for a socket of the market.
pub async fn upgrade_market(
    hub: &Arc<Hub>,
    askers: &Askers,
    origins: &Origins,
    asked: &AskedMarket<'_>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let unfinished = unfinished(asked.extensions);
    match admit(hub, askers, origins, asked).await {
        Ok(joining) => limited(hub, upgrade)
            .on_upgrade(move |socket| socket::serve(joining, Conversation { socket, unfinished })),
        Err(problem) => problem.into_response(),
    }
}

async fn admit(
    hub: &Arc<Hub>,
    askers: &Askers,
    origins: &Origins,
    asked: &AskedMarket<'_>,
) -> Result<Joining, Problem> {
    origins.check(asked.headers)?;
    let (Some(wanted), Some(markets)) = (wanted(asked.path), &hub.markets) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "There is no such socket here."));
    };
    let (asker, channel) = who_asks(askers, wanted, asked).await?;
    let user = asker.user();
    let read = |channel: &MarketChannel| after(asked.query, |text| channel.after(hub.incarnation(), text));
    let after = channel.as_ref().map(read).transpose()?.flatten();
    let connection = Room::take(hub, user, asked.extensions)?;
    let lease = askers.lease(asker);
    let find = async {
        hub.books_begin().await;
        match &channel {
            None => Ok(None),
            Some(channel) => markets.seat(hub, channel).await.map(Some).ok_or_else(unknown_market),
        }
    };
    let (seat, undecided) = match timeout(hub.settings.unreachable_after, find).await {
        Ok(found) => (found?, false),
        Err(_) => (None, true),
    };
    let single = seat.map(|seat| {
        let from = seat.feed.ring.lock().end();
        Single { seat, from, after }
    });
    let (hub, markets) = (Arc::clone(hub), Arc::clone(markets));
    Ok(Joining { hub, markets, user, single, undecided, lease, connection })
}

/// Finds out who asks, on a private socket somebody, and for which channel, if for one.
async fn who_asks(
    askers: &Askers,
    wanted: Wanted<'_>,
    asked: &AskedMarket<'_>,
) -> Result<(Asker, Option<MarketChannel>), Problem> {
    let guest = async || askers.socket_guest(asked.headers, asked.query).await;
    Ok(match wanted {
        Wanted::Orders => {
            let asker = askers.socket(asked.headers, asked.query).await?;
            (asker, Some(MarketChannel::Orders(asker.known()?, None)))
        }
        Wanted::Trades => (guest().await?, Some(MarketChannel::Trades(None))),
        Wanted::Market(market) => (guest().await?, Some(MarketChannel::Orderbook(symbol(market)?))),
        Wanted::Many => (guest().await?, None),
    })
}

/// The market that the rest of a path names.
fn symbol(text: &str) -> Result<Symbol, Problem> {
    if text.is_empty() {
        return Err(Problem::malformed("path:symbol", "must name a market, such as BTC-USDT"));
    }
    // A symbol has no other character that needs encoding.
    let text = text.replace("%2F", "/").replace("%2f", "/");
    text.parse().map_err(|_| unknown_market())
}

fn unknown_market() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_market", "There is no such market.")
}
