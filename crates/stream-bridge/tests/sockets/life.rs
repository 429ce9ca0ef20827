//! Lives of swap orders, and what each channel must show of them: told from the events alone.

use fillstream_domain::{
    OrderId, Seq,
    subject::{swap_placed, swap_progress},
    swap::SwapEvent,
};
use fillstream_projections::channel::entries;
use uuid::Uuid;

/// A place on a channel.
pub(crate) type Place = (u64, u32);

pub(crate) const GOOD: [&str; 5] = ["placed", "routing_started", "routed", "prepared", "confirmed"];

/// One attempt that fails and is followed by another; five family A messages and a retry, three changes of status.
pub(crate) const FAILED_ATTEMPT: [&str; 4] = ["routing_started", "routed", "prepared", "retry_scheduled"];

pub(crate) fn order(number: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0000 + number))
}

/// An event of the given kind; `say` is in its message where it has one.
pub(crate) fn event(order: OrderId, kind: &str, say: &str) -> SwapEvent {
    let fields = match kind {
        "placed" => {
            r#""token_in":"SOL","token_out":"USDC","amount_in":"10","slippage":"0.5","fingerprint":"f""#.to_owned()
        }
        "routed" => concat!(
            r#""quotes":[{"venue":"raydium","amount_out":"1450","price":"145"},"#,
            r#"{"venue":"meteora","amount_out":"1449","price":"144.9"}],"venue":"raydium","min_amount_out":"1442.75""#
        )
        .to_owned(),
        "prepared" => concat!(
            r#""venue":"raydium","tx_id":"sim:raydium:1","payload":"","#,
            r#""built_at_height":1,"last_valid_height":2"#
        )
        .to_owned(),
        "retry_scheduled" => format!(
            r#""stage":"submitted","reason":"slippage exceeded{say}","delay_ms":750,"retry_at":"2026-01-10T07:30:16.123Z""#
        ),
        "confirmed" => concat!(
            r#""venue":"raydium","tx_id":"sim:raydium:1","amount_out":"1450","#,
            r#""executed_price":"145","decided_by":"executor""#
        )
        .to_owned(),
        "failed" => format!(r#""stage":"submitted","reason":"slippage exceeded{say}","decided_by":"executor""#),
        _ => r#""x":0"#.to_owned(),
    };
    let text = format!(
        r#"{{"type":"swap.{kind}","version":1,"order_id":"{order}","attempt":1,"max_attempts":3,"at":"2026-01-10T07:30:15.123Z",{fields}}}"#
    );
    SwapEvent::decode(text.as_bytes()).unwrap_or_else(|error| panic!("{kind}: {error}"))
}

pub(crate) fn subject(order: OrderId, event: &SwapEvent) -> String {
    if matches!(event, SwapEvent::Placed(_)) { swap_placed(order) } else { swap_progress(order) }
}

/// The places of all messages that the events cause, on the channel of every step or on that of changes of status.
pub(crate) fn places<'a>(
    events: impl IntoIterator<Item = (u64, &'a SwapEvent)>,
    every_step: bool,
) -> Vec<Place> {
    let mut status = None;
    let mut found: Vec<Place> = Vec::new();
    for (seq, event) in events {
        for entry in entries(Seq::new(seq), event, status) {
            status = Some(entry.status);
            if every_step || entry.changes_status {
                let index = found.last().map_or(0, |(last, index)| if *last == seq { index + 1 } else { 0 });
                found.push((seq, index));
            }
        }
    }
    found
}
