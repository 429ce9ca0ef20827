//! Room within the limits that the server sets: the stream's own, and its account's.

use serde_json::Value;

use super::requests::Requests;
use crate::{LogError, ServerError};

/// Room that the limits leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that may still be stored.
    pub free: u64,
    /// Bytes that may be stored in all.
    pub size: u64,
}

/// The tighter of the limits of the stream and of its account; nothing when neither is limited.
pub(super) async fn limits(requests: &Requests, stream: &str) -> Result<Option<Limits>, LogError> {
    let account = ask(requests, "$JS.API.INFO".to_owned()).await?;
    let stream = ask(requests, format!("$JS.API.STREAM.INFO.{stream}")).await?;
    Ok(tightest(&account, &stream))
}

async fn ask(requests: &Requests, subject: String) -> Result<Value, LogError> {
    let message = requests.ask(subject, Vec::new().into()).await?;
    let answer: Value = serde_json::from_slice(&message.payload).map_err(LogError::unreadable)?;
    match answer.get("error") {
        None => Ok(answer),
        Some(error) => {
            let error: ServerError = serde_json::from_value(error.clone()).map_err(LogError::unreadable)?;
            Err(error.into())
        }
    }
}

/// A limit that is not set is -1, or 0 on streams.
fn tightest(account: &Value, stream: &Value) -> Option<Limits> {
    let limit = |limit: &Value, used: &Value| {
        let size = limit.as_u64().filter(|size| *size > 0)?;
        Some(Limits { free: size.saturating_sub(used.as_u64().unwrap_or_default()), size })
    };
    let of_account = limit(&account["limits"]["max_storage"], &account["storage"]);
    let of_stream = limit(&stream["config"]["max_bytes"], &stream["state"]["bytes"]);
    of_account.into_iter().chain(of_stream).min_by_key(|limits| limits.free)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tighter_limit_counts() {
        let account = |most: i64| json!({ "storage": 40, "limits": { "max_storage": most } });
        let stream = |most: i64| json!({ "config": { "max_bytes": most }, "state": { "bytes": 30 } });
        for (of_account, of_stream, expected) in [
            (-1, -1, None),
            (-1, 0, None),
            (100, -1, Some((60, 100))),
            (-1, 50, Some((20, 50))),
            (100, 50, Some((20, 50))),
            (45, 500, Some((5, 45))),
            (30, -1, Some((0, 30))),
        ] {
            let found = tightest(&account(of_account), &stream(of_stream));
            let found = found.map(|limits| (limits.free, limits.size));
            assert_eq!(found, expected, "{of_account}, {of_stream}");
        }
    }
}
