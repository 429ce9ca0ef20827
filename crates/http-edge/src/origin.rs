//! From which web pages requests may come.

use axum::http::{HeaderMap, StatusCode, header};

use crate::Problem;

/// The origins that are allowed, for CORS and for sockets alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Any: on loopback without authentication.
    Any,
    /// These, exactly as browsers send them (`https://desk.example`).
    Listed(Vec<String>),
}

impl Origins {
    /// Whether an origin may come in.
    #[must_use]
    pub fn allow(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(listed) => listed.iter().any(|allowed| allowed == origin),
        }
    }

    /// Checks an upgrade's `Origin`, when present: CORS does not cover sockets.
    ///
    /// # Errors
    /// 403 when the origin is not listed.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        if origin.to_str().is_ok_and(|origin| self.allow(origin)) {
            return Ok(());
        }
        let detail =
            "Sockets from this origin are not allowed; the operator lists origins with --allow-origin.";
        Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail))
    }
}
