//! Places of pages. Each may cost a thousand rows, and the rows have few connections: some of those stay for what is small.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use fillstream_http_edge::Problem;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// Time that a page waits for its place: pages are read in milliseconds, unless something is wrong.
pub const PAGE_PATIENCE: Duration = Duration::from_secs(2);

/// See the module's first line.
#[derive(Debug)]
pub struct Pages {
    places: Semaphore,
    patience: Duration,
}

impl Pages {
    /// So many pages are read at once; one more waits as long as `patience`: [`PAGE_PATIENCE`], less in tests.
    #[must_use]
    pub fn new(at_once: usize, patience: Duration) -> Self {
        Self { places: Semaphore::new(at_once), patience }
    }

    /// A place, until it is dropped.
    ///
    /// # Errors
    /// 503 when there is none in time.
    pub(super) async fn place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        timeout(self.patience, self.places.acquire()).await.ok().and_then(Result::ok).ok_or_else(|| {
            let detail = "This server reads as many pages at once as it takes.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_readers", detail)
                .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        })
    }
}
