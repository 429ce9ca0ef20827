//! Room for new orders: below a floor they are refused at once and nothing is stored, so that what room is left is there
//! for cancels.

use axum::http::{HeaderValue, StatusCode, header};
use fillstream_http_edge::Problem;
use tokio::sync::watch;

/// Reason why there is no room for new orders; nothing while there is. Clones watch the same.
#[derive(Debug, Clone)]
pub struct Room(Option<watch::Receiver<Option<String>>>);

impl Room {
    /// There is always some, as far as is known here.
    #[must_use]
    pub const fn ample() -> Self {
        Self(None)
    }

    /// As somebody else finds out.
    #[must_use]
    pub const fn watched(shortage: watch::Receiver<Option<String>>) -> Self {
        Self(Some(shortage))
    }

    /// Refuses a new order while there is no room for it.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let shortage = self.0.as_ref().and_then(|shortage| shortage.borrow().clone());
        shortage.map_or(Ok(()), |reason| Err(store_full(&reason)))
    }
}

/// Nothing is stored, and that is known.
pub(crate) fn store_full(reason: &str) -> Problem {
    let detail =
        format!("There is no room for new orders: {reason}. Nothing is stored; cancels still go through.");
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "store_full", detail)
        .header(header::RETRY_AFTER, HeaderValue::from_static("10"))
}
