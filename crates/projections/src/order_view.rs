//! A swap order as GET shows it, folded from its events.

use fillstream_domain::{
    Amount, OrderId, Seq, Slippage, Timestamp, Token, UserId,
    swap::{Placed, Status, SwapEvent},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::channel::{Details, Entry, entries};

/// One entry of `logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct LogLine {
    pub timestamp: Timestamp,
    pub status: Status,
    pub message: String,
    pub seq: Seq,
    #[serde(flatten)]
    pub details: Details,
}

impl From<&Entry> for LogLine {
    fn from(entry: &Entry) -> Self {
        Self {
            timestamp: entry.at,
            status: entry.status,
            message: entry.message.clone(),
            seq: entry.seq,
            details: entry.details.clone(),
        }
    }
}

/// The answer of GET.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct OrderView {
    pub order_id: OrderId,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    pub token_in: Token,
    pub token_out: Token,
    pub amount: Amount,
    pub slippage: Slippage,
    pub attempt: u8,
    pub max_attempts: u8,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The last event's sequence in the stream.
    pub seq: Seq,
    /// What is known so far: of each field the newest value.
    #[serde(flatten)]
    pub known: Details,
    pub logs: Vec<LogLine>,
}

impl OrderView {
    /// An order right after it was placed.
    #[must_use]
    pub fn new(seq: Seq, placed: &Placed) -> Self {
        let mut view = Self {
            order_id: placed.order_id,
            status: Status::Pending,
            user_id: placed.user_id,
            token_in: placed.token_in,
            token_out: placed.token_out,
            amount: placed.amount_in,
            slippage: placed.slippage,
            attempt: 0,
            max_attempts: placed.max_attempts,
            created_at: placed.at,
            updated_at: placed.at,
            seq,
            known: Details::default(),
            logs: Vec::new(),
        };
        let first = entries(seq, &SwapEvent::Placed(placed.clone()), None);
        view.logs.extend(first.iter().map(LogLine::from));
        view
    }

    /// The next event of this order.
    pub fn apply(&mut self, seq: Seq, event: &SwapEvent) {
        for entry in entries(seq, event, Some(self.status)) {
            self.status = entry.status;
            if entry.changes_status {
                self.logs.push(LogLine::from(&entry));
            }
            self.learn(entry.details);
        }
        self.seq = seq;
        self.updated_at = event.at();
    }

    fn learn(&mut self, new: Details) {
        let known = &mut self.known;
        self.attempt = new.attempt.unwrap_or(self.attempt);
        known.raydium_quote = new.raydium_quote.or(known.raydium_quote);
        known.meteora_quote = new.meteora_quote.or(known.meteora_quote);
        known.selected_dex = new.selected_dex.or(known.selected_dex);
        known.tx_hash = new.tx_hash.or(known.tx_hash.take());
        known.executed_price = new.executed_price.or(known.executed_price);
        known.amount_out = new.amount_out.or(known.amount_out);
        known.dex_used = new.dex_used.or(known.dex_used);
        known.failure_reason = new.failure_reason.or(known.failure_reason.take());
        known.needs_review = new.needs_review.filter(|_| !self.status.is_terminal());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::tests::life;

    #[test]
    fn a_confirmed_order_tells_everything() {
        let mut events = life(&["placed", "routing_started", "routed", "prepared", "confirmed"]).into_iter();
        let Some((seq, SwapEvent::Placed(placed))) = events.next() else {
            unreachable!("a life begins placed")
        };
        let mut view = OrderView::new(seq, &placed);
        for (seq, event) in events {
            view.apply(seq, &event);
        }
        let json = serde_json::to_value(&view).unwrap();
        let statuses: Vec<_> = view.logs.iter().map(|line| line.status.name()).collect();
        assert_eq!(statuses, ["pending", "routing", "building", "submitted", "confirmed"]);
        for (field, value) in [
            ("status", "confirmed"),
            ("tokenIn", "SOL"),
            ("amount", "10"),
            ("slippage", "0.5"),
            ("txHash", "sim:raydium:1"),
            ("raydiumQuote", "145"),
            ("selectedDex", "raydium"),
            ("dexUsed", "raydium"),
            ("amountOut", "1450"),
            ("executedPrice", "145"),
        ] {
            assert_eq!(json[field], value, "{field}");
        }
        assert_eq!(
            (json["attempt"].as_u64(), json["maxAttempts"].as_u64(), json["seq"].as_u64()),
            (Some(1), Some(3), Some(5))
        );
        assert!(json.get("failureReason").is_none() && json.get("needsReview").is_none());
    }

    #[test]
    fn review_is_shown_until_an_operator_decides() {
        let mut view = None::<OrderView>;
        for (seq, event) in
            life(&["placed", "routing_started", "routed", "prepared", "review_needed", "failed"])
        {
            match (&mut view, &event) {
                (Some(view), event) => view.apply(seq, event),
                (None, SwapEvent::Placed(placed)) => view = Some(OrderView::new(seq, placed)),
                (None, other) => unreachable!("a life begins placed, not {other:?}"),
            }
            let view = view.as_ref().unwrap();
            assert_eq!(view.known.needs_review, (seq == Seq::new(5)).then_some(true), "after event {seq}");
        }
    }
}
