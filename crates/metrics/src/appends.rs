//! Counts of appends to the stream, by kind and outcome.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::{Durations, observe, seconds};

/// Upper bounds in records, up to the server's limit of a batch.
const GROUPS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];

/// Kind of an appended record, by its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// An event of a swap order.
    Swap,
    /// A request of a book order, a market's definition or its clock.
    Book,
    /// A matcher's commit.
    Commit,
    /// An entry about a record that could not be handled.
    Parked,
    /// Anything else: a probe.
    Other,
}

impl EventKind {
    const ALL: [Self; 5] = [Self::Swap, Self::Book, Self::Commit, Self::Parked, Self::Other];

    const fn name(self) -> &'static str {
        match self {
            Self::Swap => "swap",
            Self::Book => "book",
            Self::Commit => "commit",
            Self::Parked => "parked",
            Self::Other => "other",
        }
    }
}

/// Outcome of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AppendOutcome {
    /// The stream has it.
    Stored,
    /// Another writer was first: a lost fence.
    Fenced,
    /// The stream, its account or its disk has no room.
    Full,
    /// The server will never take it.
    Refused,
    /// It may be stored or not.
    Unknown,
    /// The process goes down.
    Closed,
}

impl AppendOutcome {
    const ALL: [Self; 6] =
        [Self::Stored, Self::Fenced, Self::Full, Self::Refused, Self::Unknown, Self::Closed];

    const fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Fenced => "fenced",
            Self::Full => "full",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Closed => "closed",
        }
    }
}

/// Outcome of a swap's attempt, or what an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// The swap was executed.
    Confirmed,
    /// The attempt failed and another one follows.
    Retried,
    /// The order failed for good.
    Failed,
    /// Nobody can tell what became of it: an operator decides.
    Review,
}

impl Attempt {
    const ALL: [Self; 4] = [Self::Confirmed, Self::Retried, Self::Failed, Self::Review];

    const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Review => "review",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// See the module's first line.
#[derive(Debug)]
pub struct Appends {
    ended: Family<Ended, Counter>,
    durations: Durations<Kind>,
    attempts: Family<Outcome, Counter>,
    groups: Histogram,
}

impl Appends {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let appends = Self {
            ended: Family::default(),
            durations: Family::new_with_constructor(seconds),
            attempts: Family::default(),
            groups: Histogram::new(GROUPS),
        };
        let help = "Appends to the stream by what was appended and what came of it; fenced is a lost fence";
        registry.register("appends", help, appends.ended.clone());
        let help = "From the wish to append to the stream's word, waiting for the group included";
        registry.register_with_unit("append_duration", help, Unit::Seconds, appends.durations.clone());
        let help = "Attempts of swap orders by how they ended";
        registry.register("swap_attempts", help, appends.attempts.clone());
        let help = "Records that were sent to the stream together";
        registry.register("append_group_records", help, appends.groups.clone());
        // From 0: the first lost fence is an increase, too.
        for kind in EventKind::ALL.map(EventKind::name) {
            drop(appends.durations.get_or_create(&Kind { kind }));
            for outcome in AppendOutcome::ALL.map(AppendOutcome::name) {
                drop(appends.ended.get_or_create(&Ended { kind, outcome }));
            }
        }
        for outcome in Attempt::ALL.map(Attempt::name) {
            drop(appends.attempts.get_or_create(&Outcome { outcome }));
        }
        appends
    }

    /// An append has ended.
    pub fn ended(&self, kind: EventKind, outcome: AppendOutcome, elapsed: Duration) {
        let kind = kind.name();
        self.ended.get_or_create(&Ended { kind, outcome: outcome.name() }).inc();
        observe(&self.durations.get_or_create(&Kind { kind }), elapsed);
    }

    /// So many records go to the stream together.
    pub fn grouped(&self, records: usize) {
        self.groups.observe(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
    }

    /// An attempt of a swap has ended, on record.
    pub fn attempt(&self, attempt: Attempt) {
        self.attempts.get_or_create(&Outcome { outcome: attempt.name() }).inc();
    }
}
