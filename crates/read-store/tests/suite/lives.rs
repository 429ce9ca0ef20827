//! Recorded lives of swap orders and markets, interleaved as a stream holds them. The same seed makes the same stream.

use fillstream_domain::book::{BookPlaced, Commit, Definition};
use fillstream_domain::swap::SwapEvent;
use fillstream_domain::{Incarnation, OrderId, RecordId, RecordRef, Seq};
use fillstream_projections::Batch;
use fillstream_read_store::{Checkpoint, Dump};

use crate::markets::{self, Markets};

/// The stream that all of this comes from.
pub const INCARNATION: Incarnation = Incarnation::new(u64::MAX);

const ROUTING: &str = r#""type":"swap.routing_started""#;
const ROUTED: &str = r#""type":"swap.routed","venue":"raydium","min_amount_out":"1434.5","quotes":[{"venue":"raydium","amount_out":"1450","price":"145.000000001"},{"venue":"meteora","amount_out":"1440","price":"144"}]"#;
const ROUTED_BY_ONE: &str = r#""type":"swap.routed","venue":"meteora","min_amount_out":"1420","quotes":[{"venue":"meteora","amount_out":"1430","price":"143"}],"no_quotes":[{"venue":"raydium","reason":"late"}]"#;
const PREPARED: &str = r#""type":"swap.prepared","venue":"raydium","tx_id":"sim:4f1c","payload":"AAECAwQFBgcICQ==","built_at_height":10,"last_valid_height":160"#;
const RETRY: &str = r#""type":"swap.retry_scheduled","stage":"submitted","reason":"slippage exceeded","delay_ms":500,"retry_at":"2026-01-10T07:30:16.000Z""#;
const REVIEW: &str = r#""type":"swap.review_needed","tx_id":"sim:4f1c","reason":"the node forgets""#;
const CONFIRMED: &str = r#""type":"swap.confirmed","venue":"raydium","tx_id":"sim:4f1c","amount_out":"1449.123456","executed_price":"144.9123456","decided_by":"executor""#;
const FAILED: &str = r#""type":"swap.failed","stage":"routing","reason":"it's \"late\" \u0000 \\ \u2028 ünï 🦀","decided_by":"operator""#;

/// Events that follow the placed event.
const LIVES: [&[&str]; 6] = [
    &[ROUTING, ROUTED, PREPARED, CONFIRMED],
    &[ROUTING, ROUTED, PREPARED, RETRY, ROUTING, ROUTED_BY_ONE, PREPARED, CONFIRMED],
    &[ROUTING, FAILED],
    &[],
    &[ROUTING, ROUTED, PREPARED, REVIEW],
    &[ROUTING, ROUTED_BY_ONE, PREPARED, REVIEW, FAILED],
];

/// Something in the stream.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its sequence; of a commit, its final part's.
    pub seq: u64,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    /// A swap order's event and its payload.
    Swap(SwapEvent, String),
    /// A book order.
    Placed(BookPlaced),
    /// A market's rules.
    Definition(Definition),
    /// All parts of a commit, with their sequences.
    Commit(Vec<(Seq, Commit)>),
}

pub fn order(number: usize) -> OrderId {
    format!("0198c0de-7a5e-7c3a-9f00-{:012x}", number * 7919 % 1_048_576).parse().unwrap()
}

/// One event of an order; `fields` begin with its type.
pub fn recorded(seq: u64, order: OrderId, fields: &str) -> Recorded {
    let payload = format!(
        r#"{{{fields},"version":1,"order_id":"{order}","attempt":{},"max_attempts":3,"at":"2026-01-10T07:30:{:02}.{:03}Z"}}"#,
        1 + seq % 3,
        seq / 1000 % 60,
        seq % 1000,
    );
    Recorded { seq, what: What::Swap(SwapEvent::decode(payload.as_bytes()).unwrap(), payload) }
}

pub fn placed(seq: u64, order: OrderId) -> Recorded {
    let named = r#""user_id":"0198c0de-0000-7c3a-9f00-000000000001","client_order_id":"it's-mine","#;
    let named = if seq.is_multiple_of(2) { named } else { "" };
    let fields = format!(
        r#""type":"swap.placed",{named}"token_in":"SOL","token_out":"USDC","amount_in":"10.000000001","slippage":"0.5","fingerprint":"9f86d081""#
    );
    recorded(seq, order, &fields)
}

/// A failure with a reason of this length, in bytes.
pub fn failed_at_length(seq: u64, order: OrderId, length: usize) -> Recorded {
    let reason = "x".repeat(length);
    recorded(
        seq,
        order,
        &format!(r#""type":"swap.failed","stage":"routing","reason":"{reason}","decided_by":"executor""#),
    )
}

/// So many swap orders, ten under way at a time, two markets, and foreign records between their events.
pub fn stream(orders: usize) -> Vec<Recorded> {
    let mut waiting = (0..orders).map(|number| (order(number), LIVES[number % LIVES.len()], 0_usize));
    let mut under_way: Vec<_> = waiting.by_ref().take(10).collect();
    let (mut stream, mut seq, mut dice, mut markets) = (Vec::new(), 0, Dice(1), Markets::default());
    while !under_way.is_empty() {
        if dice.roll(3) == 0 {
            markets.go_on(&mut stream, &mut seq, &mut dice);
        }
        let chosen = dice.roll(under_way.len());
        seq += if dice.roll(2) == 0 { 1 } else { 2 };
        let (order, life, done) = &mut under_way[chosen];
        stream.push(match done.checked_sub(1) {
            None => placed(seq, *order),
            Some(step) => recorded(seq, *order, life[step]),
        });
        *done += 1;
        if *done > life.len() {
            under_way.swap_remove(chosen);
            under_way.extend(waiting.next());
        }
    }
    stream
}

/// The same numbers every time.
pub struct Dice(u64);

impl Dice {
    /// Below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

pub fn batch(events: &[Recorded]) -> Batch {
    let mut batch = Batch::default();
    batch.records.extend(events.iter().map(|recorded| to(recorded.seq)));
    for Recorded { seq, what } in events {
        match what {
            What::Swap(event, payload) => batch.swaps.push(Seq::new(*seq), event, payload.as_bytes()),
            What::Placed(placed) => batch.market.placed(Seq::new(*seq), placed),
            What::Definition(definition) => batch.market.definition(Seq::new(*seq), definition.clone()),
            What::Commit(parts) => batch.market.commit(parts),
        }
    }
    batch
}

pub fn at(seq: u64) -> Checkpoint {
    match seq {
        0 => Checkpoint::start(INCARNATION),
        _ => Checkpoint::start(INCARNATION).moved_to(to(seq)),
    }
}

/// The stream's record there.
pub fn to(seq: u64) -> RecordRef {
    let id = RecordId::Foreign { stored_at: seq.cast_signed(), digest: seq };
    RecordRef { seq: Seq::new(seq), id }
}

/// The sequence that a model of these events stands at.
pub fn end(events: &[Recorded]) -> u64 {
    events.last().map_or(0, |recorded| recorded.seq)
}

/// Rows that a store must hold after these events.
pub fn expected(events: &[Recorded]) -> Dump {
    let Batch { swaps, market, .. } = batch(events);
    let mut log = swaps.events().to_vec();
    log.sort_by_key(|row| (row.order_id, row.seq));
    let mut user_updates = market.updates().to_vec();
    user_updates.sort_by_key(|row| (row.user_id, row.seq, row.index));
    Dump {
        checkpoint: Some(at(end(events))),
        orders: swaps.new_orders().collect(),
        events: log,
        book_orders: market.new_orders().collect(),
        user_updates,
        trades: market.trades().to_vec(),
        definitions: market.definitions().to_vec(),
        markets: market
            .markets()
            .map(|patch| (markets::row(&market, patch), markets::book(&market, patch)))
            .collect(),
    }
}
