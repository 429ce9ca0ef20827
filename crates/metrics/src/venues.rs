//! Counts and durations of calls to venues.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::{Registry, Unit},
};

use crate::{Durations, observe, seconds};

/// Kind of a call to a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VenueCall {
    /// A price.
    Quote,
    /// A signed transaction.
    Prepare,
    /// To send one.
    Submit,
    /// To look at what became of one.
    Observe,
}

impl VenueCall {
    const ALL: [Self; 4] = [Self::Quote, Self::Prepare, Self::Submit, Self::Observe];

    const fn name(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::Prepare => "prepare",
            Self::Submit => "submit",
            Self::Observe => "observe",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    venue: &'static str,
    call: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    venue: &'static str,
    call: &'static str,
}

/// See the module's first line.
#[derive(Debug)]
pub struct VenueCalls {
    answered: Family<Answered, Counter>,
    durations: Durations<Call>,
}

impl VenueCalls {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let calls = Self { answered: Family::default(), durations: Family::new_with_constructor(seconds) };
        let help = "Calls of venues; failed: it could not be asked, or would not";
        registry.register("venue_calls", help, calls.answered.clone());
        let help = "From a call of a venue to its answer";
        registry.register_with_unit("venue_call_duration", help, Unit::Seconds, calls.durations.clone());
        calls
    }

    /// A venue will be asked: its figures begin at 0.
    pub fn begin(&self, venue: &'static str) {
        for call in VenueCall::ALL.map(VenueCall::name) {
            drop(self.durations.get_or_create(&Call { venue, call }));
            for outcome in ["answered", "failed"] {
                drop(self.answered.get_or_create(&Answered { venue, call, outcome }));
            }
        }
    }

    /// A venue has answered, or would or could not.
    pub fn answered(&self, venue: &'static str, call: VenueCall, answered: bool, elapsed: Duration) {
        let (call, outcome) = (call.name(), if answered { "answered" } else { "failed" });
        self.answered.get_or_create(&Answered { venue, call, outcome }).inc();
        observe(&self.durations.get_or_create(&Call { venue, call }), elapsed);
    }
}
