//! Answers to an append that came to nothing. What is known to be stored nowhere is never called uncertain.

use axum::http::{HeaderValue, StatusCode, header};
use fillstream_event_log::AppendError;
use fillstream_http_edge::Problem;
use fillstream_retry::chain;

use crate::room::store_full;

/// The stream cannot be asked.
pub(crate) fn unreachable() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stream_unreachable", "The stream cannot be reached.")
        .header(header::RETRY_AFTER, HeaderValue::from_static("2"))
}

/// The problem for an append that was not fenced off: `may_be_stored` is what is told when nobody knows.
pub(crate) fn not_appended(error: &AppendError, may_be_stored: &str) -> Problem {
    let unavailable = |code, detail: String, seconds| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .header(header::RETRY_AFTER, HeaderValue::from_static(seconds))
    };
    match error {
        AppendError::Unknown => unavailable("stream_unreachable", may_be_stored.to_owned(), "2"),
        AppendError::Closed => {
            unavailable("going_down", "The server is going down. Nothing is stored.".to_owned(), "2")
        }
        AppendError::Full(_) => store_full(&chain(error).to_string()),
        AppendError::Refused(_) => {
            let detail = format!("The stream refuses the request, nothing is stored: {}.", chain(error));
            unavailable("append_refused", detail, "10")
        }
        AppendError::Fenced { .. } => {
            let detail = "Somebody else was faster. Nothing is stored.".to_owned();
            unavailable("append_refused", detail, "1")
        }
    }
}

#[cfg(test)]
mod tests {
    use fillstream_domain::Seq;
    use fillstream_event_log::ServerError;

    use super::*;

    #[test]
    fn only_what_nobody_knows_is_told_as_unknown() {
        for (error, status, code, words) in [
            (AppendError::Unknown, 503, "stream_unreachable", "perhaps"),
            (AppendError::Full(ServerError::new(10077, "no space left")), 507, "store_full", "no space left"),
            (AppendError::Closed, 503, "going_down", "Nothing is stored"),
            (AppendError::invalid("a subject too long"), 503, "append_refused", "nothing is stored"),
            (AppendError::Fenced { last: Seq::FIRST }, 503, "append_refused", "Nothing is stored"),
        ] {
            let problem = serde_json::to_value(not_appended(&error, "perhaps")).expect("JSON");
            assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{error:?}");
            let detail = problem["detail"].as_str().expect("a sentence");
            assert!(detail.contains(words), "{detail}");
            assert_eq!(detail.contains("perhaps"), error == AppendError::Unknown, "{detail}");
        }
    }
}
