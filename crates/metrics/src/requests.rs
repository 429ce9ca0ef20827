//! Counts and durations of HTTP requests, by answer.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::{Registry, Unit},
};

use crate::{Durations, observe, seconds};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
}

/// See the module's first line.
#[derive(Debug)]
pub struct Requests {
    answered: Family<Answered, Counter>,
    durations: Durations<Route>,
}

impl Requests {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let requests = Self { answered: Family::default(), durations: Family::new_with_constructor(seconds) };
        let help = "Requests by route and status; 101 is a socket that was opened";
        registry.register("http_requests", help, requests.answered.clone());
        let help = "From a request's head to its answer's head, by route";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, requests.durations.clone());
        requests
    }

    /// A request was answered. `route` is the pattern of the path, never the path itself.
    pub fn answered(&self, method: &'static str, route: &str, status: u16, elapsed: Duration) {
        let route = route.to_owned();
        self.answered.get_or_create(&Answered { method, route: route.clone(), status }).inc();
        observe(&self.durations.get_or_create(&Route { method, route }), elapsed);
    }
}
