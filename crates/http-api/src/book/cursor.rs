//! Cursors of lists: opaque to clients, and of no use to another list.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fillstream_domain::{Position, Seq};
use fillstream_http_edge::{Problem, parameter};

/// Entries of a page when the request does not say.
const DEFAULT_LIMIT: u32 = 100;
/// Entries of a page at most: some 500 KB.
const MAX_LIMIT: u32 = 1000;

/// End of a page of orders: the page with this cursor holds those placed before the sequence.
#[must_use]
pub fn orders_cursor(placed_seq: Seq) -> String {
    URL_SAFE_NO_PAD.encode(format!("orders/{placed_seq}"))
}

/// End of a page of a market's trades: the page with this cursor holds those before the place.
#[must_use]
pub fn trades_cursor(Position { seq, index }: Position) -> String {
    URL_SAFE_NO_PAD.encode(format!("trades/{seq}/{index}"))
}

pub(super) fn orders_before(query: Option<&str>) -> Result<Option<Seq>, Problem> {
    cursor(query, |text| text.strip_prefix("orders/")?.parse().ok())
}

pub(super) fn trades_before(query: Option<&str>) -> Result<Option<Position>, Problem> {
    cursor(query, |text| {
        let (seq, index) = text.strip_prefix("trades/")?.split_once('/')?;
        Some(Position::new(seq.parse().ok()?, index.parse().ok()?))
    })
}

fn cursor<T>(query: Option<&str>, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    let Some(given) = parameter(query, "cursor") else { return Ok(None) };
    let text = URL_SAFE_NO_PAD.decode(given).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let place = text.and_then(|text| read(&text));
    place
        .map(Some)
        .ok_or_else(|| Problem::malformed("query:cursor", "must be the cursor of an earlier answer"))
}

/// Entries that the client wants on a page.
pub(super) fn limit(query: Option<&str>) -> Result<u32, Problem> {
    number(query, "limit", DEFAULT_LIMIT, MAX_LIMIT)
}

/// A number from 1 to `max`.
pub(super) fn number(query: Option<&str>, name: &str, default: u32, max: u32) -> Result<u32, Problem> {
    let Some(text) = parameter(query, name) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| {
        Problem::malformed(format!("query:{name}"), format!("must be a whole number from 1 to {max}"))
    })
}

/// Cuts what was read one entry further than the page goes; answers whether there is more behind it.
pub(super) fn cut<T>(entries: &mut Vec<T>, limit: u32) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > limit;
    entries.truncate(limit);
    more
}
