//! The life of a swap order, folded from its events.
//!
//! ```text
//!  Pending ─▶ Routing ─▶ Building ─▶ Submitted ─▶ Confirmed
//!               ▲ │          │          │  │
//!               │ └──────────┴──▶ ┌─────┘  └────▶ Review ─▶ Confirmed | Failed
//!               └──── Waiting ◀───┘            (an operator decides)
//!  Routing, Building, Submitted ─▶ Failed
//!  Pending, Routing, Building, Waiting ─▶ Review: a record was left out that may have moved money
//! ```

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::event::{Placed, Prepared, Routed, Stage, SwapEvent};
use super::standing::{At, Standing};
use crate::{Seq, Timestamp, VenueId};

/// What clients see of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub enum Status {
    Pending,
    Routing,
    Building,
    Submitted,
    Confirmed,
    Failed,
}

impl Status {
    /// All of them, in the order of a good life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Routing, Self::Building, Self::Submitted, Self::Confirmed, Self::Failed];

    /// The name, as it stands in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Routing => "routing",
            Self::Building => "building",
            Self::Submitted => "submitted",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }

    /// Nothing follows it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Confirmed | Self::Failed => true,
            Self::Pending | Self::Routing | Self::Building | Self::Submitted => false,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Stage> for Status {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Routing => Self::Routing,
            Stage::Building => Self::Building,
            Stage::Submitted => Self::Submitted,
        }
    }
}

/// Where an order stands, with what the next step needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Placed, not taken up yet.
    Pending,
    /// Venues are being asked.
    Routing,
    /// A quote was taken, the transaction is being built.
    Building(Routed),
    /// The transaction is on record and may have been sent.
    Submitted(Prepared),
    /// The attempt failed; the next one is due later.
    Waiting {
        /// How far the failed attempt had come.
        stage: Stage,
        /// When the next one is due, by the clock of who wrote the event.
        retry_at: Timestamp,
        /// The pause that was meant.
        delay: Duration,
    },
    /// Undecidable; an operator is asked.
    Review(InDoubt),
    /// The swap landed.
    Confirmed,
    /// The order ended without a swap.
    Failed,
}

/// The transaction that nobody can tell the outcome of, as far as the record names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InDoubt {
    /// Where it went; none when no route is on record.
    pub venue: Option<VenueId>,
    /// Its id; none when the record of it could not be read.
    pub tx_id: Option<String>,
}

/// A swap order as its events tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwapOrder {
    placed: Placed,
    phase: Phase,
    attempt: u8,
    left_out: Option<Seq>,
}

/// The event cannot follow in this phase. Only a writer without a fence can cause that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow in phase {phase}")]
pub struct IllegalEvent {
    phase: &'static str,
    event: &'static str,
}

impl SwapOrder {
    /// An order begins with its placed event.
    #[must_use]
    pub const fn new(placed: Placed) -> Self {
        Self { placed, phase: Phase::Pending, attempt: 0, left_out: None }
    }

    /// What was asked for.
    #[must_use]
    pub const fn placed(&self) -> &Placed {
        &self.placed
    }

    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The attempt under way or last made; 0 before the first.
    #[must_use]
    pub const fn attempt(&self) -> u8 {
        self.attempt
    }

    /// What clients see.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.phase {
            Phase::Pending => Status::Pending,
            Phase::Routing => Status::Routing,
            Phase::Building(_) => Status::Building,
            Phase::Submitted(_) | Phase::Review(_) => Status::Submitted,
            Phase::Waiting { stage, .. } => Status::from(*stage),
            Phase::Confirmed => Status::Confirmed,
            Phase::Failed => Status::Failed,
        }
    }

    /// The last record that was left out though it may tell of a transaction, while nothing recorded since has settled
    /// what became of that. No transaction may be signed until then.
    #[must_use]
    pub const fn left_out(&self) -> Option<Seq> {
        self.left_out
    }

    /// Passes a record by, at an operator's word: `event` is what it tells, as far as it can be read. What cannot be read,
    /// or tells of a transaction, leaves a doubt ([`left_out`](Self::left_out)), which the next event settles: who wrote
    /// that knew the record.
    pub fn leave_out(&mut self, seq: Seq, event: Option<&SwapEvent>) {
        let may_have_moved_money = event.is_none_or(SwapEvent::may_tell_of_money);
        let is_open = match &self.phase {
            Phase::Pending
            | Phase::Routing
            | Phase::Building(_)
            | Phase::Submitted(_)
            | Phase::Waiting { .. } => true,
            Phase::Review(_) | Phase::Confirmed | Phase::Failed => false,
        };
        if may_have_moved_money && is_open {
            self.left_out = Some(seq);
        }
    }

    /// Takes the next event in, if it is legal by the table of [`Standing::after`].
    ///
    /// # Errors
    /// When it cannot follow; the order is unchanged then.
    pub fn apply(&mut self, event: SwapEvent) -> Result<(), IllegalEvent> {
        let standing = self.standing();
        // Behind a record that was left out the writer's word counts: it had read what is not known here.
        let told = || self.left_out.and_then(|_| Standing::told_by(&event));
        let next = standing.after(&event).or_else(told);
        let next = next.ok_or_else(|| IllegalEvent::new(standing, &event))?;
        self.phase = match event {
            SwapEvent::Placed(_) => return Err(IllegalEvent::new(standing, &event)),
            SwapEvent::RoutingStarted(_) => Phase::Routing,
            SwapEvent::Routed(event) => Phase::Building(event),
            SwapEvent::Prepared(event) => Phase::Submitted(event),
            SwapEvent::RetryScheduled(event) => {
                let delay = Duration::from_millis(event.delay_ms);
                Phase::Waiting { stage: event.stage, retry_at: event.retry_at, delay }
            }
            SwapEvent::ReviewNeeded(_) => Phase::Review(self.in_doubt()),
            SwapEvent::Confirmed(_) => Phase::Confirmed,
            SwapEvent::Failed(_) => Phase::Failed,
        };
        self.attempt = self.attempt.max(next.attempt);
        self.left_out = None;
        Ok(())
    }

    /// Where it stands, by name.
    const fn standing(&self) -> Standing {
        let at = match &self.phase {
            Phase::Pending => At::Pending,
            Phase::Routing => At::Routing,
            Phase::Building(_) => At::Building,
            Phase::Submitted(_) => At::Submitted,
            Phase::Waiting { .. } => At::Waiting,
            Phase::Review(_) => At::Review,
            Phase::Confirmed => At::Confirmed,
            Phase::Failed => At::Failed,
        };
        Standing { at, attempt: self.attempt }
    }

    /// What may have been sent and is not known to have ended.
    fn in_doubt(&self) -> InDoubt {
        match &self.phase {
            Phase::Building(routed) => InDoubt { venue: Some(routed.venue), tx_id: None },
            Phase::Submitted(prepared) => {
                InDoubt { venue: Some(prepared.venue), tx_id: Some(prepared.tx_id.clone()) }
            }
            Phase::Review(known) => known.clone(),
            Phase::Pending | Phase::Routing | Phase::Waiting { .. } | Phase::Confirmed | Phase::Failed => {
                InDoubt { venue: None, tx_id: None }
            }
        }
    }
}

impl IllegalEvent {
    fn new(standing: Standing, event: &SwapEvent) -> Self {
        Self { phase: standing.at.name(), event: event.event_type().name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";

    fn event(kind: &str, attempt: u8) -> SwapEvent {
        let fields = match kind {
            "placed" => {
                r#""token_in":"SOL","token_out":"USDC","amount_in":"1","slippage":"1","fingerprint":"f""#
            }
            "routed" => r#""quotes":[],"venue":"raydium","min_amount_out":"1""#,
            "prepared" => {
                r#""venue":"raydium","tx_id":"t","payload":"","built_at_height":1,"last_valid_height":2"#
            }
            "retry_scheduled" => {
                r#""stage":"submitted","reason":"r","delay_ms":1,"retry_at":"2026-01-10T07:30:15.123Z""#
            }
            "review_needed" => r#""tx_id":"t","reason":"r""#,
            "confirmed" => {
                r#""venue":"raydium","tx_id":"t","amount_out":"1","executed_price":"1","decided_by":"executor""#
            }
            "failed" => r#""stage":"submitted","reason":"r","decided_by":"operator""#,
            _ => r#""x":0"#,
        };
        let text = format!(
            r#"{{"type":"swap.{kind}","version":1,"order_id":"{ID}","attempt":{attempt},"max_attempts":3,"at":"2026-01-10T07:30:15.123Z",{fields}}}"#
        );
        SwapEvent::decode(text.as_bytes()).unwrap()
    }

    fn fold(life: &[&str]) -> SwapOrder {
        let SwapEvent::Placed(placed) = event("placed", 0) else { unreachable!("placed decodes to placed") };
        let mut order = SwapOrder::new(placed);
        for kind in life {
            let attempt = order.attempt() + u8::from(*kind == "routing_started");
            order.apply(event(kind, attempt)).unwrap();
        }
        order
    }

    #[test]
    fn every_pair_is_either_legal_or_refused() {
        const EVENTS: [&str; 8] = [
            "placed",
            "routing_started",
            "routed",
            "prepared",
            "retry_scheduled",
            "review_needed",
            "confirmed",
            "failed",
        ];
        for (life, legal) in [
            (&[][..], &["routing_started", "review_needed"][..]),
            (&["routing_started"], &["routed", "retry_scheduled", "review_needed", "failed"]),
            (&["routing_started", "routed"], &["prepared", "retry_scheduled", "review_needed", "failed"]),
            (
                &["routing_started", "routed", "prepared"],
                &["retry_scheduled", "review_needed", "confirmed", "failed"],
            ),
            (&["routing_started", "retry_scheduled"], &["routing_started", "review_needed"]),
            (&["routing_started", "routed", "prepared", "review_needed"], &["confirmed", "failed"]),
            (&["routing_started", "routed", "prepared", "confirmed"], &[]),
            (&["routing_started", "failed"], &[]),
        ] {
            for kind in EVENTS {
                let mut order = fold(life);
                let before = order.clone();
                let attempt = order.attempt() + u8::from(kind == "routing_started");
                let applied = order.apply(event(kind, attempt)).is_ok();
                assert_eq!(applied, legal.contains(&kind), "{kind} after {life:?}");
                assert!(applied || order == before, "a refused event changes nothing");
            }
        }
    }

    const AT: Seq = Seq::new(7);

    #[test]
    fn a_record_that_is_left_out_leaves_a_doubt_when_it_may_have_moved_money() {
        for (life, left_out, doubt) in [
            (&[][..], None, true),
            (&["routing_started", "routed"], None, true),
            (&["routing_started", "routed"], Some("prepared"), true),
            (&["routing_started", "routed", "prepared"], Some("prepared"), true),
            (&["routing_started"], Some("confirmed"), true),
            (&["routing_started"], Some("failed"), true),
            (&["routing_started", "routed"], Some("routed"), false),
            (&["routing_started", "routed"], Some("routing_started"), false),
            (&["routing_started", "routed", "prepared"], Some("placed"), false),
            (&["routing_started"], Some("retry_scheduled"), false),
            (&["routing_started", "routed", "prepared", "review_needed"], None, false),
            (&["routing_started", "routed", "prepared", "confirmed"], None, false),
            (&["routing_started", "failed"], Some("prepared"), false),
        ] {
            let mut order = fold(life);
            let before = order.clone();
            order.leave_out(AT, left_out.map(|kind| event(kind, 1)).as_ref());
            assert_eq!(order.left_out(), doubt.then_some(AT), "{left_out:?} left out after {life:?}");
            assert_eq!(order.phase(), before.phase(), "{left_out:?} left out after {life:?}");
        }
    }

    #[test]
    fn what_was_recorded_behind_a_record_that_is_left_out_counts_as_its_writer_says() {
        for (next, attempt, status) in [
            ("routing_started", 2, Status::Routing),
            ("routed", 1, Status::Building),
            ("prepared", 1, Status::Submitted),
            ("retry_scheduled", 1, Status::Submitted),
            ("review_needed", 1, Status::Submitted),
            ("confirmed", 1, Status::Confirmed),
            ("failed", 1, Status::Failed),
        ] {
            let mut order = fold(&["routing_started", "routed"]);
            order.leave_out(AT, None);
            order.apply(event(next, attempt)).unwrap_or_else(|error| panic!("{next}: {error}"));
            assert_eq!(
                (order.status(), order.attempt(), order.left_out()),
                (status, attempt, None),
                "{next}"
            );
        }
        let mut order = fold(&[]);
        order.leave_out(AT, None);
        assert!(order.apply(event("placed", 0)).is_err());
        assert_eq!(order.left_out(), Some(AT));
    }

    #[test]
    fn review_names_the_transaction_as_far_as_the_record_does() {
        for (life, venue, tx_id) in [
            (&[][..], None, None),
            (&["routing_started", "routed"], Some(VenueId::Raydium), None),
            (&["routing_started", "routed", "prepared"], Some(VenueId::Raydium), Some("t".to_owned())),
        ] {
            let mut order = fold(life);
            order.apply(event("review_needed", 1)).unwrap();
            assert_eq!(order.phase(), &Phase::Review(InDoubt { venue, tx_id }), "{life:?}");
        }
    }

    #[test]
    fn attempts_are_numbered_without_gap() {
        let mut order = fold(&["routing_started", "retry_scheduled"]);
        assert!(order.apply(event("routing_started", 3)).is_err());
        assert!(order.apply(event("routing_started", 1)).is_err());
        assert!(order.apply(event("routing_started", 2)).is_ok());
    }

    #[test]
    fn a_retry_keeps_the_status_until_the_next_attempt_begins() {
        let mut order = fold(&["routing_started", "routed", "prepared", "retry_scheduled"]);
        assert_eq!(order.status(), Status::Submitted);
        order.apply(event("routing_started", 2)).unwrap();
        assert_eq!(order.status(), Status::Routing);
    }
}
