//! Reading a request's body: bounded, JSON, numbers by their text.

use std::{borrow::Cow, error::Error};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use fillstream_domain::{Token, swap::Field};
use fillstream_http_edge::{BodyTooLate, Problem};
use http_body_util::LengthLimitError;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json, value::RawValue};

/// Largest body of an order (CONTRACT.md).
pub(crate) const MAX_BODY: usize = 64 << 10;

/// Reads the whole body, when it is JSON and has at most `max` bytes.
pub(crate) async fn read(headers: &HeaderMap, body: Body, max: usize) -> Result<Bytes, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let is_json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if !is_json {
        let detail = "The body must be JSON, and Content-Type must say so: application/json.";
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail);
        return Err(problem.field("header:Content-Type", "must be application/json"));
    }
    to_bytes(body, max).await.map_err(|error| {
        let too_large = causes(&error).any(<dyn Error>::is::<LengthLimitError>);
        if too_large {
            let detail = format!("The body must have at most {max} bytes.");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
        } else if causes(&error).any(<dyn Error>::is::<BodyTooLate>) {
            let detail = "The body did not come in time. Nothing is stored.";
            Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail)
        } else {
            Problem::malformed("", "the body ended early")
        }
    })
}

/// An error and what it came of.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// The fields of a swap order's body, each as it was written. Unknown ones are ignored: old clients send more.
#[derive(Debug, Deserialize)]
pub(crate) struct ExecuteBody<'a> {
    #[serde(borrow, rename = "tokenIn")]
    pub(crate) token_in: Option<&'a RawValue>,
    #[serde(borrow, rename = "tokenOut")]
    pub(crate) token_out: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) amount: Option<&'a RawValue>,
    /// null is a slippage that was given, and a wrong one: the default is for those who leave it out.
    #[serde(borrow, default, deserialize_with = "as_written")]
    pub(crate) slippage: Option<&'a RawValue>,
    #[serde(borrow, rename = "clientOrderId")]
    pub(crate) client_order_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) user_id: Option<&'a RawValue>,
}

fn as_written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Schema of what [`ExecuteBody`] reads.
pub(crate) fn execute_schema() -> Value {
    let token = json!({ "enum": Token::ALL.map(Token::ticker) });
    json!({
        "type": "object",
        "required": ["tokenIn", "tokenOut", "amount"],
        "properties": {
            "tokenIn": token,
            "tokenOut": token,
            "amount": decimal("Of tokenIn; more than 0, at most 1,000,000,000, no finer than the token's decimals."),
            "slippage": decimal("In percent, more than 0 and at most 50; 0.5 when absent."),
            "clientOrderId": client_order_id(),
            "user_id": { "type": "string", "format": "uuid" },
        },
    })
}

/// A number that is read from its text, or a string that holds one.
pub(crate) fn decimal(about: &str) -> Value {
    let text = json!({ "type": "string", "pattern": r"^\d{1,18}(\.\d{1,9})?$" });
    json!({ "description": about, "anyOf": [{ "type": "number" }, text] })
}

/// The client's own name for an order.
pub(crate) fn client_order_id() -> Value {
    let about = "The client's own name: the same name and body is the same order, however often it is sent.";
    json!({ "type": "string", "pattern": "^[!-~]{1,255}$", "description": about })
}

impl<'a> ExecuteBody<'a> {
    /// Reads the fields; what they hold is judged later.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        // serde_json passes over ignored strings unread, and would take a list for the fields in their order.
        let object = str::from_utf8(body).ok().filter(|text| text.trim_ascii_start().starts_with('{'));
        let object = object.ok_or_else(|| Problem::malformed("", "must be a JSON object in UTF-8"))?;
        serde_json::from_str(object)
            .map_err(|error| Problem::malformed("", format!("must be a JSON object: {error}")))
    }
}

/// A field, its string unescaped, its number as it was written.
pub(crate) enum Scalar<'a> {
    Missing,
    Text(Cow<'a, str>),
    Number(&'a str),
    Other,
}

impl<'a> Scalar<'a> {
    pub(crate) fn of(raw: Option<&'a RawValue>) -> Self {
        let Some(text) = raw.map(RawValue::get) else { return Self::Missing };
        match text.as_bytes().first() {
            Some(b'"') => match serde_json::from_str::<String>(text) {
                Ok(unescaped) => Self::Text(Cow::Owned(unescaped)),
                Err(_) => Self::Other,
            },
            Some(b'-' | b'0'..=b'9') => Self::Number(text),
            Some(_) | None => Self::Other,
        }
    }

    pub(crate) fn field(&self) -> Field<'_> {
        match self {
            Self::Missing => Field::Missing,
            Self::Text(text) => Field::Text(text),
            Self::Number(text) => Field::Number(text),
            Self::Other => Field::Other,
        }
    }
}
