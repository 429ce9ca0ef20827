//! Tickets: one of them opens one socket, soon. Browsers cannot set headers on a socket, and a token in an address
//! would stay in logs and histories; a ticket that is found there is spent already.
//!
//! They live in the memory of the process that gave them out, which is the one whose sockets they open. Their life is
//! measured by its running clock: setting the other one kills none and revives none.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use fillstream_domain::{Timestamp, UserId};
use parking_lot::Mutex;
use ring::rand::{SecureRandom, SystemRandom};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Askers, Problem,
    bearer::invalid_token,
    described::{Operation, Routes},
    tokens::Proof,
};

/// From the answer to the upgrade: a round trip and a hesitant network, no more.
pub const TICKET_LIFE: Duration = Duration::from_secs(30);
/// Open tickets of the process: 1,000 new sockets per second for all of a ticket's life, in about 5 MB.
pub const MAX_TICKETS: usize = 30_000;
/// Random bytes of a ticket: nobody guesses one of 2^256 within its life.
const TICKET_BYTES: usize = 32;

/// What `POST /api/ws-ticket` answers.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Ticket {
    /// Opens one socket: `?ticket=`.
    ticket: String,
    /// Of no use from then on.
    expires_at: Timestamp,
}

/// Whom a ticket stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) user: UserId,
    /// The token by which the ticket was asked for; nothing without one.
    pub(crate) by: Option<Proof>,
}

/// The tickets that are not used yet.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<OpenTickets>);

#[derive(Default)]
struct OpenTickets {
    users: HashMap<[u8; TICKET_BYTES], Holder>,
    /// In the order of their ends. Used ones stand here until then.
    ends: VecDeque<(Instant, [u8; TICKET_BYTES])>,
}

impl Tickets {
    /// A new ticket, at the moment `now` by the running clock, `today` by the other one, which people read.
    ///
    /// # Errors
    /// 503 when too many are open, or the operating system has no random bytes.
    pub(crate) fn issue(&self, holder: Holder, now: Instant, today: Timestamp) -> Result<Ticket, Problem> {
        let mut ticket = [0; TICKET_BYTES];
        SystemRandom::new().fill(&mut ticket).map_err(|_| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no_tickets",
                "No ticket can be made at the moment.",
            )
        })?;
        let mut open = self.0.lock();
        open.forget_expired(now);
        // Used ones count until their end: they take room as well.
        if open.ends.len() >= MAX_TICKETS {
            let detail = "This server has given out all the tickets that it keeps open.";
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_tickets", detail);
            return Err(problem.header(header::RETRY_AFTER, HeaderValue::from_static("1")));
        }
        open.users.insert(ticket, holder);
        open.ends.push_back((now + TICKET_LIFE, ticket));
        Ok(Ticket { ticket: BASE64_URL_SAFE_NO_PAD.encode(ticket), expires_at: today.after(TICKET_LIFE) })
    }

    /// Whose ticket it is. It is of no use any more afterwards.
    ///
    /// # Errors
    /// 401 when it is unknown, used or expired; which of them is nobody's business.
    pub(crate) fn spend(&self, ticket: &str, now: Instant) -> Result<Holder, Problem> {
        let invalid = || invalid_token("The ticket is unknown, used or expired.");
        let ticket = BASE64_URL_SAFE_NO_PAD.decode(ticket).map_err(|_| invalid())?;
        let ticket: [u8; TICKET_BYTES] = ticket.try_into().map_err(|_| invalid())?;
        let mut open = self.0.lock();
        open.forget_expired(now);
        open.users.remove(&ticket).ok_or_else(invalid)
    }
}

impl OpenTickets {
    fn forget_expired(&mut self, now: Instant) {
        while let Some((end, ticket)) = self.ends.front()
            && *end <= now
        {
            self.users.remove(ticket);
            self.ends.pop_front();
        }
    }
}

impl std::fmt::Debug for Tickets {
    /// How many, never which.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tickets({})", self.0.lock().users.len())
    }
}

/// `POST /api/ws-ticket`: belongs to the process that serves the sockets.
pub fn ticket_router(askers: Arc<Askers>) -> Routes {
    let operation = Operation::new("issueTicket", "sockets", "A ticket that opens one socket, within 30 s")
        .about("For browsers, which cannot set headers on a socket: connect with `?ticket=`.")
        .asks_who()
        .answers::<Ticket>(201, "The ticket.")
        .answer_header(201, "Cache-Control", "`no-store`: it is worth a token for its life.")
        .problems(503, &["no_tickets", "too_many_tickets"]);
    Routes::new().on(Method::POST, "/api/ws-ticket", issue, operation).with_state(askers)
}

async fn issue(
    State(askers): State<Arc<Askers>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asker = askers.asker(&headers, query.as_deref()).await?;
    let ticket = askers.ticket(asker)?;
    // It is worth a token for its life: no cache keeps it.
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::CREATED, no_store, Json(ticket)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";

    fn holder() -> Holder {
        Holder { user: USER.parse().unwrap(), by: None }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    /// A ticket at the moment `now`, on a day that nobody looks at.
    fn issue(tickets: &Tickets, now: Instant) -> Result<Ticket, Problem> {
        tickets.issue(holder(), now, at(0))
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn code<T>(outcome: Result<T, Problem>) -> Result<T, &'static str> {
        outcome.map_err(|problem| problem.code())
    }

    #[test]
    fn a_ticket_lives_for_half_a_minute() {
        for (later, expected) in [
            (0, Ok(holder())),
            (29_999, Ok(holder())),
            (30_000, Err("invalid_token")),
            (3_600_000, Err("invalid_token")),
        ] {
            let (tickets, now) = (Tickets::default(), Instant::now());
            let ticket = tickets.issue(holder(), now, at(1000)).unwrap();
            assert_eq!(ticket.expires_at, at(31_000));
            let spent = code(tickets.spend(&ticket.ticket, now + ms(later)));
            assert_eq!(spent, expected, "{later} ms later");
            assert_eq!(code(tickets.spend(&ticket.ticket, now + ms(later))), Err("invalid_token"));
        }
    }

    #[test]
    fn a_wall_clock_that_jumps_changes_no_ticket_s_life() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let early = tickets.issue(holder(), now, at(10_000_000)).unwrap();
        // Set back by two hours, then forward by as many.
        let late = tickets.issue(holder(), now + ms(1), at(2_800_000)).unwrap();
        let again = tickets.issue(holder(), now + ms(2), at(10_000_000)).unwrap();
        assert_eq!(code(tickets.spend(&late.ticket, now + ms(30_000))), Ok(holder()));
        assert_eq!(code(tickets.spend(&early.ticket, now + ms(30_000))), Err("invalid_token"));
        assert_eq!(code(tickets.spend(&again.ticket, now + ms(30_002))), Err("invalid_token"));
    }

    #[test]
    fn there_is_an_end_to_open_tickets_and_room_again() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let issue = |later: u64| issue(&tickets, now + ms(later));
        let first = issue(0).unwrap();
        for _ in 1..MAX_TICKETS {
            issue(10).unwrap();
        }
        assert_eq!(code(issue(20).map(|_| ())), Err("too_many_tickets"));
        let spent = code(tickets.spend(&first.ticket, now + ms(20)));
        assert_eq!(spent, Ok(holder()), "the open ones are as good as before");
        assert!(issue(30_000).is_ok(), "the first one's time is over");
        assert_eq!(code(issue(30_000).map(|_| ())), Err("too_many_tickets"));
        assert!(issue(30_010).is_ok());
        let open = tickets.0.lock();
        assert_eq!((open.users.len(), open.ends.len()), (2, 2), "nothing else is kept");
    }

    #[test]
    fn tickets_are_not_shown() {
        let tickets = Tickets::default();
        let ticket = issue(&tickets, Instant::now()).unwrap();
        let shown = format!("{tickets:?}");
        assert!(!shown.contains(&ticket.ticket) && shown == "Tickets(1)", "{shown}");
    }
}
