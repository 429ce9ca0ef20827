//! Numbers of sockets, and of subscriptions on them, of each address and of each user.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use axum::http::{Extensions, HeaderValue, StatusCode, header};
use fillstream_domain::UserId;
use fillstream_http_edge::{ClientAddress, Problem, network};
use parking_lot::Mutex;

use crate::{counters::Held, hub::Hub};

/// Their owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Address(IpAddr),
    User(UserId),
}

/// Kind of what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Socket,
    Subscription,
}

/// The counts that are not zero.
#[derive(Debug, Default)]
pub(crate) struct Crowd(Mutex<HashMap<(Whose, What), usize>>);

impl Crowd {
    /// One more, unless there are `most` already.
    fn take(&self, whose: Whose, what: What, most: Option<usize>) -> bool {
        let mut counts = self.0.lock();
        let count = counts.entry((whose, what)).or_default();
        let fits = most.is_none_or(|most| *count < most);
        if fits {
            *count += 1;
        } else if *count == 0 {
            counts.remove(&(whose, what));
        }
        fits
    }

    fn leave(&self, whose: Whose, what: What) {
        let mut counts = self.0.lock();
        if let Some(count) = counts.get_mut(&(whose, what)) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&(whose, what));
            }
        }
    }
}

/// One that is counted until it is gone.
struct Counted {
    hub: Arc<Hub>,
    whose: Whose,
    what: What,
}

impl Counted {
    fn new(hub: &Arc<Hub>, whose: Whose, what: What, most: Option<usize>) -> Option<Self> {
        hub.crowd.take(whose, what, most).then(|| Self { hub: Arc::clone(hub), whose, what })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.hub.crowd.leave(self.whose, self.what);
    }
}

/// A place among the sockets, until it is dropped.
pub(crate) struct Room {
    _connection: Held,
    _counted: [Option<Counted>; 2],
}

impl Room {
    /// A place, taken before the upgrade so that a rush cannot overfill the process.
    ///
    /// # Errors
    /// 503 when the process goes down or is full, 429 when the address or the user has all that it may have.
    pub(crate) fn take(
        hub: &Arc<Hub>,
        user: Option<UserId>,
        extensions: &Extensions,
    ) -> Result<Self, Problem> {
        let refused = |status, code, detail: &str| {
            hub.counters.refused.add(1);
            let problem = Problem::new(status, code, detail);
            problem.header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        };
        if hub.condition().borrow().stopping {
            let detail = "This server goes down; another one, or its next start, takes sockets.";
            return Err(refused(StatusCode::SERVICE_UNAVAILABLE, "going_down", detail));
        }
        let connection = Held::new(hub, |counters| &counters.connections);
        if hub.counters.connections.get() > hub.settings.max_sockets as u64 {
            let detail = "This server has all the sockets that it takes.";
            return Err(refused(StatusCode::SERVICE_UNAVAILABLE, "too_many_sockets", detail));
        }
        let address = extensions.get::<ClientAddress>().map(|ClientAddress(address)| network(*address));
        let counted = [
            (address.map(Whose::Address), hub.settings.sockets_of_address, &hub.counters.refused_of_address),
            (user.map(Whose::User), hub.settings.sockets_of_user, &hub.counters.refused_of_user),
        ];
        let counted = counted.map(|(whose, most, refusals)| {
            let Some(whose) = whose else { return Ok(None) };
            let counted = Counted::new(hub, whose, What::Socket, most);
            counted.map(Some).ok_or_else(|| refusals.add(1))
        });
        let [Ok(address), Ok(user)] = counted else {
            let detail = "This address or this user has all the sockets that it may have.";
            return Err(refused(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail));
        };
        Ok(Self { _connection: connection, _counted: [address, user] })
    }
}

/// A subscription, counted until it is dropped.
pub(crate) struct Listed {
    _held: Held,
    _counted: Option<Counted>,
}

impl Listed {
    /// One of a user's subscriptions; nothing when they have all that they may have. Those of nobody are limited by each
    /// socket alone.
    pub(crate) fn take(hub: &Arc<Hub>, user: Option<UserId>) -> Option<Self> {
        let most = hub.settings.subscriptions_of_user;
        let counted = match user {
            Some(user) => Some(Counted::new(hub, Whose::User(user), What::Subscription, most)?),
            None => None,
        };
        Some(Self { _held: Held::new(hub, |counters| &counters.subscriptions), _counted: counted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_end_where_they_are_told_to_and_nothing_is_kept() {
        let crowd = Crowd::default();
        let (one, other) = (Whose::Address([192, 0, 2, 1].into()), Whose::Address([192, 0, 2, 2].into()));
        assert!(crowd.take(one, What::Socket, Some(2)) && crowd.take(one, What::Socket, Some(2)));
        assert!(!crowd.take(one, What::Socket, Some(2)));
        assert!(crowd.take(other, What::Socket, Some(2)) && crowd.take(one, What::Subscription, Some(2)));
        assert!(!crowd.take(Whose::User(UserId::new(uuid::Uuid::nil())), What::Socket, Some(0)));
        crowd.leave(one, What::Socket);
        assert!(crowd.take(one, What::Socket, Some(2)), "room again");
        for (whose, what) in
            [(one, What::Socket), (one, What::Socket), (other, What::Socket), (one, What::Subscription)]
        {
            crowd.leave(whose, what);
        }
        assert!(crowd.0.lock().is_empty());
    }
}
