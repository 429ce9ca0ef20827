//! Requests of clients of `/ws`.

use fillstream_domain::{UserId, book::Symbol};
use serde_json::{Map, Value, json};

use crate::market::channel::{MarketChannel, MarketStream};

/// Bytes of the longest token or sequence, with room: requests wait while another one is answered.
const MAX_AFTER: usize = 128;

/// A request that can be served, as far as its text tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Subscribe { channel: MarketChannel, after: Option<String> },
    Unsubscribe { channel: MarketChannel },
}

/// A request that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Stable.
    pub(crate) code: &'static str,
    /// The field that it is about; nothing when it is the whole message.
    pub(crate) field: Option<&'static str>,
    /// What it must be.
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(code: &'static str, field: &'static str, message: impl Into<String>) -> Self {
        Self { code, field: Some(field), message: message.into() }
    }
}

/// Schema of what [`parse`] reads.
pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["action", "stream"],
        "properties": {
            "action": { "enum": ["subscribe", "unsubscribe"] },
            "stream": { "enum": MarketStream::ALL.map(MarketStream::name) },
            "symbol": {
                "type": ["string", "null"], "examples": ["BTC/USDT"],
                "description": "Of one market; required on orderbook and depth.",
            },
            "after": {
                "type": ["string", "integer", "null"],
                "description": "On subscribe to orders, fills or trades: resume behind this token or sequence.",
            },
        },
    })
}

/// Reads a client's text. `user` is who asks.
///
/// # Errors
/// When it is no request, or one that this user cannot make.
pub(crate) fn parse(text: &str, user: Option<UserId>) -> Result<Request, Refused> {
    let not_json = |_| Refused {
        code: "malformed_request",
        field: None,
        message: "must be a JSON object with action and stream".to_owned(),
    };
    let text: Map<String, Value> = serde_json::from_str(text).map_err(not_json)?;
    let field = |name| text.get(name).unwrap_or(&Value::Null);
    let subscribe = match field("action").as_str() {
        Some("subscribe") => true,
        Some("unsubscribe") => false,
        Some(_) | None => {
            let must = "action must be \"subscribe\" or \"unsubscribe\"";
            return Err(Refused::new("unknown_action", "action", must));
        }
    };
    let channel = channel(stream(field("stream"))?, symbol(field("symbol"))?, user)?;
    if !subscribe {
        return Ok(Request::Unsubscribe { channel });
    }
    let after = match field("after") {
        Value::Null => None,
        Value::String(after) if after.len() <= MAX_AFTER => Some(after.clone()),
        Value::Number(seq) if seq.is_u64() => Some(seq.to_string()),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(bad_after());
        }
    };
    Ok(Request::Subscribe { channel, after })
}

/// The refusal of what is neither a token nor a sequence.
pub(crate) fn bad_after() -> Refused {
    Refused::new("malformed_request", "after", "after must be a token that a message carried, or a sequence")
}

fn stream(named: &Value) -> Result<MarketStream, Refused> {
    let found = MarketStream::ALL.into_iter().find(|stream| named.as_str() == Some(stream.name()));
    found.ok_or_else(|| {
        let must = "stream must be \"orders\", \"fills\", \"trades\", \"orderbook\" or \"depth\"";
        Refused::new("unknown_stream", "stream", must)
    })
}

fn symbol(named: &Value) -> Result<Option<Symbol>, Refused> {
    let malformed = || Refused::new("malformed_request", "symbol", "symbol must be written like BTC/USDT");
    match named {
        Value::Null => Ok(None),
        Value::String(symbol) => symbol.parse().map(Some).map_err(|_| malformed()),
        Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(malformed()),
    }
}

fn channel(
    stream: MarketStream,
    symbol: Option<Symbol>,
    user: Option<UserId>,
) -> Result<MarketChannel, Refused> {
    let required = || {
        let must = format!("symbol is required on {}, such as BTC/USDT", stream.name());
        Refused::new("symbol_required", "symbol", must)
    };
    let own = || {
        let must = format!("stream {} is a user's own: connect with user_id, or with a token", stream.name());
        Refused::new("user_required", "stream", must)
    };
    match stream {
        MarketStream::Orders => Ok(MarketChannel::Orders(user.ok_or_else(own)?, symbol)),
        MarketStream::Fills => Ok(MarketChannel::Fills(user.ok_or_else(own)?, symbol)),
        MarketStream::Trades => Ok(MarketChannel::Trades(symbol)),
        MarketStream::Orderbook => symbol.map(MarketChannel::Orderbook).ok_or_else(required),
        MarketStream::Depth => symbol.map(MarketChannel::Depth).ok_or_else(required),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> UserId {
        UserId::new(uuid::Uuid::from_u128(1))
    }

    #[test]
    fn requests_are_read() {
        let btc: Symbol = "BTC/USDT".parse().unwrap();
        let check = |text: &str, channel: MarketChannel, after: Option<&str>| {
            let after = after.map(str::to_owned);
            let subscribe = format!(r#"{{"action":"subscribe",{text}}}"#);
            let expected = Request::Subscribe { channel: channel.clone(), after };
            assert_eq!(parse(&subscribe, Some(user())), Ok(expected), "{text}");
            let unsubscribe = format!(r#"{{{text},"action":"unsubscribe"}}"#);
            assert_eq!(parse(&unsubscribe, Some(user())), Ok(Request::Unsubscribe { channel }), "{text}");
        };
        check(r#""stream":"orders""#, MarketChannel::Orders(user(), None), None);
        check(
            r#""stream":"orders","symbol":"BTC-USDT""#,
            MarketChannel::Orders(user(), Some(btc.clone())),
            None,
        );
        check(r#""stream":"fills""#, MarketChannel::Fills(user(), None), None);
        check(r#""stream":"trades","symbol":null,"after":null"#, MarketChannel::Trades(None), None);
        check(
            r#""stream":"trades","symbol":"BTC/USDT","after":"x""#,
            MarketChannel::Trades(Some(btc.clone())),
            Some("x"),
        );
        check(
            r#""stream":"orderbook","symbol":"BTC/USDT","after":17,"more":1"#,
            MarketChannel::Orderbook(btc.clone()),
            Some("17"),
        );
        check(r#""stream":"depth","symbol":"BTC/USDT""#, MarketChannel::Depth(btc), None);
    }

    #[test]
    fn refusals_name_the_field() {
        let check = |text: &str, code: &str, field: Option<&str>| {
            let refused = parse(text, None).expect_err(text);
            assert_eq!((refused.code, refused.field), (code, field), "{text}");
        };
        for text in ["{", "", "1", "[]", "null", "\"subscribe\""] {
            check(text, "malformed_request", None);
        }
        check("{}", "unknown_action", Some("action"));
        check(r#"{"action":"listen","stream":"trades"}"#, "unknown_action", Some("action"));
        check(r#"{"action":1,"stream":"trades"}"#, "unknown_action", Some("action"));
        check(r#"{"action":"subscribe"}"#, "unknown_stream", Some("stream"));
        check(r#"{"action":"subscribe","stream":"candles"}"#, "unknown_stream", Some("stream"));
        check(r#"{"action":"unsubscribe","stream":["trades"]}"#, "unknown_stream", Some("stream"));
        for stream in ["orderbook", "depth"] {
            let text = format!(r#"{{"action":"subscribe","stream":"{stream}"}}"#);
            check(&text, "symbol_required", Some("symbol"));
        }
        check(r#"{"action":"subscribe","stream":"orders"}"#, "user_required", Some("stream"));
        check(r#"{"action":"subscribe","stream":"fills"}"#, "user_required", Some("stream"));
        for symbol in ["\"btc\"", "7", "\"\"", "{}"] {
            let text = format!(r#"{{"action":"subscribe","stream":"trades","symbol":{symbol}}}"#);
            check(&text, "malformed_request", Some("symbol"));
        }
        let long = format!("\"{}\"", "0".repeat(MAX_AFTER + 1));
        for after in ["-1", "1.5", "true", "[]", &long] {
            let text = format!(r#"{{"action":"subscribe","stream":"trades","after":{after}}}"#);
            check(&text, "malformed_request", Some("after"));
        }
    }
}
