//! Health of the process as gauges, as of the last look.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Part {
    part: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Role {
    role: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Market {
    market: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Place {
    place: &'static str,
}

type Figures<L> = Family<L, Gauge<u64, AtomicU64>>;
type Seconds<L> = Family<L, Gauge<f64, AtomicU64>>;

/// See the module's first line.
#[derive(Debug)]
pub struct Gauges {
    ready: Figures<Role>,
    position: Figures<Part>,
    lag: Seconds<Part>,
    market_position: Figures<Market>,
    market_waiting: Seconds<Market>,
    free: Figures<Place>,
    floor: Figures<Place>,
}

impl Gauges {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let gauges = Self {
            ready: Family::default(),
            position: Family::default(),
            lag: Family::default(),
            market_position: Family::default(),
            market_waiting: Family::default(),
            free: Family::default(),
            floor: Family::default(),
        };
        registry.register("ready", "1 while /ready?role= is 200 for the role", gauges.ready.clone());
        let help = "Last sequence that a part has taken in";
        registry.register("position", help, gauges.position.clone());
        let help = "Age of the oldest event that a part lacks; 0 when it lacks none";
        registry.register_with_unit("view_lag", help, Unit::Seconds, gauges.lag.clone());
        let help = "Last input that a market has applied";
        registry.register("market_position", help, gauges.market_position.clone());
        let help =
            "Age of a market's oldest input without an outcome, by the stream's leader; 0 when there is none";
        let waiting = gauges.market_waiting.clone();
        registry.register_with_unit("market_oldest_input_without_outcome", help, Unit::Seconds, waiting);
        let help = "Room left: of a disk, or of the account's and the stream's limits";
        registry.register_with_unit("room_free", help, Unit::Bytes, gauges.free.clone());
        let help = "Room below which new orders are refused";
        registry.register_with_unit("room_floor", help, Unit::Bytes, gauges.floor.clone());
        gauges
    }

    /// Sets the readiness of a role.
    pub fn ready(&self, role: &'static str, ready: bool) {
        self.ready.get_or_create(&Role { role }).set(u64::from(ready));
    }

    /// Sets the lag of a part, and the age in seconds of the oldest event that it lacks, where that is known.
    pub fn part(&self, part: &'static str, position: u64, lag_seconds: Option<f64>) {
        self.position.get_or_create(&Part { part }).set(position);
        if let Some(lag) = lag_seconds {
            self.lag.get_or_create(&Part { part }).set(lag);
        }
    }

    /// Sets the lag of a market, and the age in seconds of its oldest input without an outcome, where that is known.
    pub fn market(&self, market: &str, position: u64, waiting_seconds: Option<f64>) {
        let market = Market { market: market.to_owned() };
        self.market_position.get_or_create(&market).set(position);
        if let Some(waiting) = waiting_seconds {
            self.market_waiting.get_or_create(&market).set(waiting);
        }
    }

    /// Room in bytes, and the floor below which new orders are refused, where there is one.
    pub fn room(&self, place: &'static str, free_bytes: u64, floor_bytes: Option<u64>) {
        self.free.get_or_create(&Place { place }).set(free_bytes);
        if let Some(floor) = floor_bytes {
            self.floor.get_or_create(&Place { place }).set(floor);
        }
    }
}
