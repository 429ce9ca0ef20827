//! The one table of legal lives: which event may follow where.

use serde::{Deserialize, Serialize};

use super::event::SwapEvent;

/// A phase by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum At {
    Pending,
    Routing,
    Building,
    Submitted,
    Waiting,
    Review,
    Confirmed,
    Failed,
}

impl At {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Routing => "routing",
            Self::Building => "building",
            Self::Submitted => "submitted",
            Self::Waiting => "waiting",
            Self::Review => "review",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }
}

/// Where an order stands, without what its events hold: for who follows many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub(super) at: At,
    pub(super) attempt: u8,
}

impl Standing {
    /// An order right after its placed event.
    pub const PLACED: Self = Self { at: At::Pending, attempt: 0 };

    /// Where the order stands after its next event: a line for each legal pair, then the illegal ones by event. Nothing
    /// when the pair is illegal.
    #[must_use]
    pub const fn after(self, event: &SwapEvent) -> Option<Self> {
        use SwapEvent as E;
        let Self { at, attempt } = self;
        let next = match (at, event) {
            (At::Pending | At::Waiting, E::RoutingStarted(event))
                if event.attempt > 0 && event.attempt - 1 == attempt =>
            {
                return Some(Self { at: At::Routing, attempt: event.attempt });
            }
            (At::Routing, E::Routed(_)) => At::Building,
            (At::Building, E::Prepared(_)) => At::Submitted,
            (At::Submitted, E::Confirmed(_)) => At::Confirmed,
            (At::Routing | At::Building | At::Submitted, E::RetryScheduled(_)) => At::Waiting,
            (At::Routing | At::Building | At::Submitted, E::Failed(_)) => At::Failed,
            (At::Pending | At::Routing | At::Building | At::Submitted | At::Waiting, E::ReviewNeeded(_)) => {
                At::Review
            }
            // An operator's word ends it either way.
            (At::Review, E::Confirmed(_)) => At::Confirmed,
            (At::Review, E::Failed(_)) => At::Failed,
            // An order is placed once, by its first event.
            (_, E::Placed(_)) => return None,
            // A new attempt needs the former one's proved end, and the next number.
            (_, E::RoutingStarted(_) | E::Routed(_)) => return None,
            // A second signature while the first may land is the double execution this system exists to prevent.
            (_, E::Prepared(_)) => return None,
            (_, E::RetryScheduled(_) | E::ReviewNeeded(_)) => return None,
            // Nothing follows an end, a second end neither.
            (_, E::Confirmed(_) | E::Failed(_)) => return None,
        };
        Some(Self { at: next, attempt })
    }

    /// Where an event by itself says that its order stands; nothing for a placed event, which no order is placed by twice.
    pub(super) const fn told_by(event: &SwapEvent) -> Option<Self> {
        let (at, attempt) = match event {
            SwapEvent::Placed(_) => return None,
            SwapEvent::RoutingStarted(event) => (At::Routing, event.attempt),
            SwapEvent::Routed(event) => (At::Building, event.attempt),
            SwapEvent::Prepared(event) => (At::Submitted, event.attempt),
            SwapEvent::RetryScheduled(event) => (At::Waiting, event.attempt),
            SwapEvent::ReviewNeeded(event) => (At::Review, event.attempt),
            SwapEvent::Confirmed(event) => (At::Confirmed, event.attempt),
            SwapEvent::Failed(event) => (At::Failed, event.attempt),
        };
        Some(Self { at, attempt })
    }

    /// True when it has ended.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        match self.at {
            At::Confirmed | At::Failed => true,
            At::Pending | At::Routing | At::Building | At::Submitted | At::Waiting | At::Review => false,
        }
    }
}
