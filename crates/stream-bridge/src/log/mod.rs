//! The live log: the stream's messages as they are stored, for operators and the page that shows them.
//!
//! ```text
//!  browse (pages of a pattern) ──▶ Feed (one place in the stream) ──▶ chunks ──▶ client
//!                                    ▲ the hub's tail has moved
//! ```
//! The one tail of the process tells only that there is more; what is shown is read by pages from where the client is.
//! So a slow client costs nothing while it does not read, has everything later, and none needs a consumer. A commit
//! that one message could not hold is shown as what it is: several messages, each with its own sequence.

mod asked;
mod described;
mod feed;
mod newest;
mod page;
mod shown;

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use fillstream_event_log::Browse;
use fillstream_http_edge::{Askers, Origins, Problem, described::Routes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::asked::Asked;
use crate::{crowd::Room, hub::Hub, sse::wants_events};

/// State that the handlers work with.
struct View {
    hub: Arc<Hub>,
    messages: Arc<dyn Browse>,
    askers: Arc<Askers>,
    origins: Origins,
    readers: Arc<Semaphore>,
}

/// A reader's place.
struct Seat {
    /// Counted until the connection is gone, however slow it is to go.
    connection: Room,
    /// One of the bounded number of readers, for as long as something is read: a client that does not take what is read
    /// for it keeps nobody else out.
    reading: OwnedSemaphorePermit,
}

/// `GET /api/log`: server-sent events for who accepts them, else pages.
pub fn log_router(hub: Arc<Hub>, messages: Arc<dyn Browse>, askers: Arc<Askers>, origins: Origins) -> Routes {
    let readers = Arc::new(Semaphore::new(hub.settings.log_readers));
    let view = Arc::new(View { hub, messages, askers, origins, readers });
    Routes::new().on(Method::GET, "/api/log", log, described::log()).with_state(view)
}

/// `GET /api/log?subject=orders.>&after=SEQ&limit=N`
async fn log(
    State(view): State<Arc<View>>,
    RawQuery(query): RawQuery,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asker = view.askers.guest(&headers, query.as_deref()).await?;
    if asker.is_verified() {
        let detail = "The log shows everybody's orders. With authentication on it is not served over HTTP; operators \
                      read the stream with the nats CLI.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "log_is_for_operators", detail));
    }
    if !wants_events(&headers) {
        let asked = Asked::read(query.as_deref(), None)?;
        let _seat = view.seat(&extensions)?;
        return page::answer(&view, &asked).await;
    }
    view.origins.check(&headers)?;
    let asked = Asked::read(query.as_deref(), headers.get("last-event-id"))?;
    let seat = view.seat(&extensions)?;
    Ok(feed::answer(view, asked, seat))
}

impl View {
    /// A place among the readers, or why there is none.
    fn seat(&self, extensions: &Extensions) -> Result<Seat, Problem> {
        let connection = Room::take(&self.hub, None, extensions)?;
        match Arc::clone(&self.readers).try_acquire_owned() {
            Ok(reading) => Ok(Seat { connection, reading }),
            Err(_) => {
                self.hub.counters.refused.add(1);
                let detail = "This server has all the readers of the log that it takes.";
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_readers", detail);
                Err(problem.header(header::RETRY_AFTER, HeaderValue::from_static("1")))
            }
        }
    }
}
