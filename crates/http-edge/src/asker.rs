//! The asker of a request: the user it names, or, with authentication, the user its token proves.
//!
//! ```text
//!                          ┌─ Open: query user_id, X-User-Id ──────────────┐
//!  headers, query ─▶ Askers┤                                               ├─▶ Asker ─ and_body ─▶ Asker
//!                          └─ Verified: Authorization: Bearer ─▶ Tokens ───┘
//!  a socket's upgrade: ?ticket= in place of the header ─▶ Tickets, once
//! ```

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use fillstream_domain::{Timestamp, UserId};

use crate::{
    FieldProblem, Problem,
    bearer::{self, bearer},
    key_source::Watched,
    limits::{Cost, Limits},
    named::{Named, named, user},
    parameters,
    tickets::{Holder, Ticket, Tickets},
    tokens::{Proof, Proven, Tokens},
};

/// Rules by which a server finds out who asks. One for the whole process: it holds the open tickets.
#[derive(Debug)]
pub struct Askers {
    /// Nothing without authentication.
    tokens: Option<Tokens>,
    tickets: Tickets,
    limits: Arc<Limits>,
    clock: fn() -> Timestamp,
}

impl Askers {
    /// Without authentication: whoever is named is believed. For loopback addresses only.
    #[must_use]
    pub fn open(clock: fn() -> Timestamp) -> Self {
        Self { tokens: None, tickets: Tickets::default(), limits: Arc::default(), clock }
    }

    /// With bearer tokens.
    #[must_use]
    pub fn verified(tokens: Tokens, clock: fn() -> Timestamp) -> Self {
        Self { tokens: Some(tokens), ..Self::open(clock) }
    }

    /// With limits on how much one user may ask.
    #[must_use]
    pub fn limited(self, limits: Arc<Limits>) -> Self {
        Self { limits, ..self }
    }

    /// Asker over HTTP. With authentication it is always somebody, without perhaps nobody.
    ///
    /// # Errors
    /// 401 for a token that is missing or does not hold, and for any `Authorization` that nobody would check; 400 for
    /// a user that is no UUID; 403 (without authentication 422) when another user is named; 429 for one who asks too
    /// often.
    pub async fn asker(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Asker, Problem> {
        self.find(headers, query, None, Needed::Always).await
    }

    /// Asker of what is public: nobody, also with authentication, when the request names nobody and proves
    /// nothing. What it does prove or name is checked as by [`asker`](Self::asker).
    ///
    /// # Errors
    /// As [`asker`](Self::asker).
    pub async fn guest(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Asker, Problem> {
        self.find(headers, query, None, Needed::IfNamed).await
    }

    /// Asker of a socket: as [`asker`](Self::asker), or by `?ticket=`, which is spent by this.
    ///
    /// # Errors
    /// As [`asker`](Self::asker); 401 for a ticket that is unknown, used or expired.
    pub async fn socket(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Asker, Problem> {
        let ticket = self.spend(headers, query)?;
        self.find(headers, query, ticket, Needed::Always).await
    }

    /// Asker of a public socket: as [`guest`](Self::guest), or by `?ticket=`, which is spent by this.
    ///
    /// # Errors
    /// As [`socket`](Self::socket).
    pub async fn socket_guest(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Asker, Problem> {
        let ticket = self.spend(headers, query)?;
        self.find(headers, query, ticket, Needed::IfNamed).await
    }

    /// True when askers have to prove who they are. Where they do, what is public names nobody.
    #[must_use]
    pub const fn verify(&self) -> bool {
        self.tokens.is_some()
    }

    /// Takes what something costs out of the user's bucket.
    ///
    /// # Errors
    /// 429 when there is too little in it; nothing was taken then.
    pub fn charge(&self, user: Option<UserId>, cost: Cost) -> Result<(), Problem> {
        self.limits.charge(user, cost)
    }

    /// Life of what proves the asker.
    #[must_use]
    pub fn lease(&self, asker: Asker) -> Lease {
        let (Some(proof), Some(tokens)) = (asker.by, &self.tokens) else { return Lease::default() };
        let left = proof.ends.unix_ms().saturating_sub((self.clock)().unix_ms());
        // An end that no clock reaches is none.
        let ends = Instant::now().checked_add(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
        Lease { ends, key: tokens.watch(proof) }
    }

    /// A ticket for one socket of this asker. It opens one that ends with the token by which it was asked for.
    ///
    /// # Errors
    /// 400 when nobody is named; 503 when too many are open.
    pub fn ticket(&self, asker: Asker) -> Result<Ticket, Problem> {
        let holder = Holder { user: asker.known()?, by: asker.by };
        self.tickets.issue(holder, Instant::now(), (self.clock)())
    }

    async fn find(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        ticket: Option<Holder>,
        needed: Needed,
    ) -> Result<Asker, Problem> {
        let proven = match (&self.tokens, ticket) {
            (_, Some(holder)) => Some(holder),
            (None, None) if headers.contains_key(header::AUTHORIZATION) => return Err(nobody_would_check()),
            (None, None) => None,
            (Some(tokens), None) => match bearer(headers)? {
                Some(token) => {
                    let Proven { user, by } = tokens.proven(token).await?;
                    Some(Holder { user, by: Some(by) })
                }
                None => None,
            },
        };
        let named = named(headers, query)?;
        let verified = self.tokens.is_some();
        if verified && proven.is_none() && (needed == Needed::Always || !named.is_empty()) {
            return Err(bearer::required());
        }
        let (user, by) = (proven.map(|holder| holder.user), proven.and_then(|holder| holder.by));
        let asker = named.into_iter().try_fold(Asker { user, verified, by }, Asker::and)?;
        if asker.user.is_some() {
            self.limits.charge(asker.user, Cost::Request)?;
        }
        Ok(asker)
    }

    /// The user of the request's ticket, if it has one.
    fn spend(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Option<Holder>, Problem> {
        let mut tickets = parameters(query, "ticket");
        let Some(ticket) = tickets.next() else { return Ok(None) };
        if tickets.next().is_some() || headers.contains_key(header::AUTHORIZATION) {
            return Err(bearer::ambiguous());
        }
        let holder = self.tickets.spend(&ticket, Instant::now())?;
        match (holder.by, &self.tokens) {
            (Some(proof), Some(tokens)) if tokens.watch(proof).is_withdrawn() => {
                Err(bearer::invalid_token("The key of the ticket's token was withdrawn."))
            }
            (_, _) => Ok(Some(holder)),
        }
    }
}

/// Life of what proves an asker: until its token ends, or the token's key is withdrawn. Without a
/// token for ever.
#[derive(Debug, Clone, Default)]
pub struct Lease {
    ends: Option<Instant>,
    key: Watched,
}

impl Lease {
    /// End of the token; nothing without one.
    #[must_use]
    pub const fn ends(&self) -> Option<Instant> {
        self.ends
    }

    /// True once the issuer has withdrawn the key, as far as its key set was read since.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.key.is_withdrawn()
    }
}

/// Demand for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    Always,
    /// When a user is named: a name alone proves nothing.
    IfNamed,
}

fn nobody_would_check() -> Problem {
    let detail = "This server runs without authentication and does not read Authorization; leave it out.";
    Problem::new(StatusCode::UNAUTHORIZED, "authentication_not_configured", detail)
        .field("header:Authorization", "must be absent")
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("None"))
}

/// The asker, as far as [`Askers`] found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    user: Option<UserId>,
    verified: bool,
    /// The token that proves it.
    by: Option<Proof>,
}

impl Asker {
    /// The user; nobody when none is named.
    #[must_use]
    pub const fn user(self) -> Option<UserId> {
        self.user
    }

    /// The user, for what nobody cannot ask for.
    ///
    /// # Errors
    /// 400 when nobody is named.
    pub fn known(self) -> Result<UserId, Problem> {
        self.user.ok_or_else(|| Problem::malformed("query:user_id", "must name a user, a hyphenated UUID"))
    }

    /// The asker when the body's `user_id` is taken into account, too.
    ///
    /// # Errors
    /// 400 when it is no UUID; 403 (without authentication 422) when it is another user.
    pub fn and_body(self, user_id: Option<&str>) -> Result<Self, Problem> {
        match user_id {
            Some(text) => self.and(("/user_id", user("/user_id", text)?)),
            None => Ok(self),
        }
    }

    /// True when a swap order of this owner is shown: with authentication to its owner alone, without to anybody.
    #[must_use]
    pub fn may_see(self, owner: Option<UserId>) -> bool {
        !self.verified || owner.is_some() && owner == self.user
    }

    /// The owner has to be known before an order is shown.
    #[must_use]
    pub const fn is_verified(self) -> bool {
        self.verified
    }

    fn and(self, (pointer, named): Named) -> Result<Self, Problem> {
        match self.user {
            None => Ok(Self { user: Some(named), ..self }),
            Some(user) if user == named => Ok(self),
            Some(_) if self.verified => {
                let detail = "The token is another user's than the one that is named.";
                let problem = Problem::new(StatusCode::FORBIDDEN, "another_user", detail);
                Err(problem.field(pointer, "must be the token's subject, or absent"))
            }
            Some(_) => {
                let detail = "must name the same user everywhere".to_owned();
                Err(Problem::invalid(vec![FieldProblem { pointer: pointer.to_owned(), detail }]))
            }
        }
    }
}
