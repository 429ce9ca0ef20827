//! Faults of how orders ended: none, if the rules hold.

use std::{collections::BTreeMap, fmt};

use fillstream_domain::{
    OrderId, Token,
    swap::{Status, SwapEvent, SwapOrder},
};
use fillstream_venues::{Audit, Executions};

/// All orders of a stream.
pub(super) type Lives = BTreeMap<OrderId, Life>;

/// An order's life so far, as the stream tells it.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) order: SwapOrder,
    /// Terminal events.
    ends: u32,
    /// Transactions on record.
    prepared: u32,
    /// It was put before an operator.
    reviewed: bool,
}

impl Life {
    pub(super) const fn new(order: SwapOrder) -> Self {
        Self { order, ends: 0, prepared: 0, reviewed: false }
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.ends > 0
    }

    pub(super) fn take(&mut self, order: SwapOrder, event: &SwapEvent) {
        self.order = order;
        match event {
            SwapEvent::Confirmed(_) | SwapEvent::Failed(_) => self.ends += 1,
            SwapEvent::Prepared(_) => self.prepared += 1,
            SwapEvent::ReviewNeeded(_) => self.reviewed = true,
            SwapEvent::Placed(_)
            | SwapEvent::RoutingStarted(_)
            | SwapEvent::Routed(_)
            | SwapEvent::RetryScheduled(_) => {}
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (placed, status, attempt) = (self.order.placed(), self.order.status(), self.order.attempt());
        write!(f, "{} {status} in attempt {attempt}", placed.token_in)
    }
}

/// All that is wrong, by order.
pub(super) fn faults(lives: &Lives, audit: &Audit) -> Vec<(OrderId, String)> {
    let expected = lives.iter().map(|(order, life)| (*order, u32::from(confirmed(life))));
    let mut found = executed_otherwise(expected, audit);
    for (order, life) in lives {
        let executions = audit.order(*order);
        let broken = rules(life, executions).into_iter().filter(|(holds, _)| !holds);
        found.extend(broken.map(|(_, rule)| (*order, format!("not true: {rule}; {life}, {executions:?}"))));
    }
    found
}

/// The orders that the venues executed more or less often than expected, whoever sent the transactions.
pub(super) fn executed_otherwise(
    expected: impl IntoIterator<Item = (OrderId, u32)>,
    audit: &Audit,
) -> Vec<(OrderId, String)> {
    let expected: BTreeMap<_, _> = expected.into_iter().collect();
    let strangers = audit.orders().map(|(order, _)| order).filter(|order| !expected.contains_key(order));
    let strangers = strangers.map(|order| (order, "executed, but never placed".to_owned()));
    let counted = expected.iter().map(|(order, times)| (*order, *times, audit.order(*order).landed));
    let wrong = counted.filter(|(_, times, landed)| landed != times);
    let wrong = wrong
        .map(|(order, times, landed)| (order, format!("executed {landed} times, where {times} is right")));
    strangers.chain(wrong).collect()
}

fn confirmed(life: &Life) -> bool {
    life.order.status() == Status::Confirmed
}

/// The rules beyond the number of executions, each with whether it holds.
fn rules(life: &Life, executions: Executions) -> [(bool, &'static str); 6] {
    let Executions { sent, landed, reverted, dead, .. } = executions;
    let attempt = u32::from(life.order.attempt());
    let happy = life.order.placed().token_in == Token::Sol;
    let on_the_venue = life.order.placed().token_in != Token::Dust;
    let decided = !life.reviewed;
    [
        (life.ends == 1, "it ends once"),
        (
            !decided || sent == landed + reverted && sent == life.prepared,
            "every transaction on record is sent, no other is",
        ),
        (dead == 0, "crashes cost no transaction its life"),
        (!happy || !decided || reverted > 0 || confirmed(life) && attempt == 1, "crashes cost no attempt"),
        (!on_the_venue || !decided || attempt == landed + reverted, "an attempt is a transaction of its own"),
        (confirmed(life) || !decided || attempt == 3, "it fails after the last attempt only"),
    ]
}
