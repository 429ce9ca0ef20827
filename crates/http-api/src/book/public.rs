//! Markets, books and trades: what everybody may see.

use axum::{
    Json,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fillstream_domain::{
    Amount, Position, Seq,
    book::{Definition, Levels, Symbol},
};
use fillstream_http_edge::{Problem, parameter};
use fillstream_projections::market::{CHECKSUM_LEVELS, Message, Parties, TradeExecuted, TradeShown};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    BookApi, BookAt, PastError,
    cursor::{cut, limit, number, trades_before, trades_cursor},
    store_unreachable, unreachable,
    written::PATIENCE,
};

/// Levels of each side when the request does not say.
const DEFAULT_DEPTH: u32 = 100;
/// Levels of each side at most: some 60 KB.
const MAX_DEPTH: u32 = 1000;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Markets")]
pub(super) struct MarketList {
    markets: Vec<Definition>,
}

/// `GET /api/v1/markets`
pub(super) async fn get_markets(
    State(api): State<BookApi>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<MarketList>, Problem> {
    api.askers.guest(&headers, query.as_deref()).await?;
    let definitions = api.markets.definitions(None).await?;
    Ok(Json(MarketList { markets: definitions.values().cloned().collect() }))
}

/// `GET /api/v1/markets/…`: a symbol may take two segments, and what is wanted of it stands behind.
pub(super) async fn get_market(
    State(api): State<BookApi>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = query.as_deref();
    api.askers.guest(&headers, query).await?;
    let Path(path) = path.map_err(|_| unknown_market("that is no UTF-8"))?;
    let (symbol, wanted) = Wanted::parse(&path);
    let symbol = symbol.parse::<Symbol>().map_err(|_| unknown_market(symbol))?;
    let definitions = api.markets.definitions(Some(&symbol)).await?;
    let definition = definitions.get(&symbol).ok_or_else(|| unknown_market(symbol.as_str()))?;
    match wanted {
        Wanted::Definition => Ok(Json(definition).into_response()),
        Wanted::Book => Ok(Json(book(&api, symbol, query).await?).into_response()),
        Wanted::Trades => Ok(Json(trades(&api, &symbol, query).await?).into_response()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Definition,
    Book,
    Trades,
}

impl Wanted {
    /// Takes a path apart. No quote is called book or trades: symbols are upper-case.
    fn parse(path: &str) -> (&str, Self) {
        match path.rsplit_once('/') {
            Some((symbol, "book")) => (symbol, Self::Book),
            Some((symbol, "trades")) => (symbol, Self::Trades),
            Some(_) | None => (path, Self::Definition),
        }
    }
}

fn unknown_market(text: &str) -> Problem {
    let detail = format!("There is no market {text}; GET /api/v1/markets lists them.");
    Problem::new(StatusCode::NOT_FOUND, "unknown_market", detail)
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Book")]
pub(super) struct BookAnswer {
    symbol: Symbol,
    seq: Seq,
    index: u32,
    #[schemars(with = "Vec<[Amount; 2]>")]
    bids: Vec<(Amount, Amount)>,
    #[schemars(with = "Vec<[Amount; 2]>")]
    asks: Vec<(Amount, Amount)>,
    /// Of the best levels, however many are shown.
    checksum: u32,
}

async fn book(api: &BookApi, symbol: Symbol, query: Option<&str>) -> Result<BookAnswer, Problem> {
    let depth = number(query, "depth", DEFAULT_DEPTH, MAX_DEPTH)?;
    let depth = usize::try_from(depth).unwrap_or(usize::MAX);
    let BookAt { position, book } = match parameter(query, "at") {
        Some(at) => past_book(api, &symbol, &at).await?,
        None => {
            let levels = depth.max(CHECKSUM_LEVELS);
            let book = api.stored.book(&symbol, levels, api.written.last(), PATIENCE).await;
            book.map_err(store_unreachable)?.unwrap_or_default()
        }
    };
    let checksum = book.checksum();
    let Levels { bids, asks } = book.depth(depth);
    Ok(BookAnswer { symbol, seq: position.seq, index: position.index, bids, asks, checksum })
}

async fn past_book(api: &BookApi, symbol: &Symbol, at: &str) -> Result<BookAt, Problem> {
    let at = at.parse().map_err(|_| Problem::malformed("query:at", "must be a sequence of the stream"))?;
    let past = api.past.as_ref().ok_or_else(|| {
        let detail = "This server does not show books as they were.";
        Problem::new(StatusCode::NOT_IMPLEMENTED, "past_books_not_shown", detail)
    })?;
    past.book(symbol, at).await.map_err(|error| match error {
        PastError::Ahead { newest } => {
            let detail = format!("The stream's newest position is {newest}.");
            Problem::new(StatusCode::CONFLICT, "ahead_of_stream", detail)
                .field("query:at", format!("must be at most {newest}"))
        }
        PastError::Unreachable => unreachable(),
        PastError::Busy => {
            let detail = "This server reads as many past books at once as it takes.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_readers", detail)
                .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        }
    })
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Trades {
    /// The latest first.
    pub(super) trades: Vec<Message<TradeShown>>,
    /// Where the next page begins; null on the last one.
    pub(super) cursor: Option<String>,
}

/// What the public sees of a trade. Where users prove who they are, nobody else learns who traded.
async fn trades(api: &BookApi, symbol: &Symbol, query: Option<&str>) -> Result<Trades, Problem> {
    let limit = limit(query)?;
    let before = trades_before(query)?;
    let _place = api.pages.place().await?;
    let rows = api.stored.trades(symbol, before, limit + 1).await;
    let mut rows = rows.map_err(store_unreachable)?;
    let more = cut(&mut rows, limit);
    let cursor = rows.last().filter(|_| more).map(|row| trades_cursor(Position::new(row.seq, row.index)));
    let parties = if api.askers.verify() { Parties::Unnamed } else { Parties::Named };
    let trades =
        rows.into_iter().map(|row| Message::<TradeExecuted>::from(row).map(|trade| trade.shown(parties)));
    Ok(Trades { trades: trades.collect(), cursor })
}
