//! The stream as an auditor sees it: everything that is in it.

use std::collections::BTreeMap;

use fillstream_domain::{
    OrderId, Seq,
    subject::SwapSubject,
    swap::{SwapEvent, SwapOrder},
};
use fillstream_event_log::{
    Access, After, Definitions, Durability, EventLog, JetStreamLog, LogOptions, Record,
};

/// Opens the stream as any process does.
///
/// # Panics
/// When it cannot be opened.
pub async fn open(nats_url: &str) -> JetStreamLog {
    let stream =
        serde_json::from_str(include_str!("../../nats/streams/orders.json")).expect("the file is JSON");
    let options = LogOptions {
        access: Access::default(),
        url: nats_url.to_owned(),
        name: "auditor".to_owned(),
        durability: Durability::Fsync,
    };
    JetStreamLog::open(&options, &Definitions { stream }).await.expect("the stream can be opened")
}

/// All records, from the first to the last that is there now.
///
/// # Panics
/// When the stream cannot be read.
pub async fn all(log: &JetStreamLog) -> Vec<Record> {
    let last = log.info().await.expect("the stream answers").last_seq;
    let mut records: Vec<Record> = Vec::new();
    if last == Seq::ZERO {
        return records;
    }
    let mut tail = log.follow(After::START, None).await.expect("the stream can be followed");
    while records.last().is_none_or(|record| record.seq < last) {
        records.extend(tail.next(1000).await.expect("the tail goes on"));
    }
    records
}

/// The last sequence.
///
/// # Panics
/// When the stream cannot be asked.
pub async fn last_seq(log: &JetStreamLog) -> u64 {
    log.info().await.expect("the stream answers").last_seq.get()
}

/// Folds every swap order, and checks that each event may follow.
///
/// # Panics
/// When an event cannot be read or breaks the life cycle.
#[must_use]
pub fn fold(records: &[Record]) -> BTreeMap<OrderId, SwapOrder> {
    let mut orders = BTreeMap::new();
    for record in records {
        fold_on(&mut orders, record);
    }
    orders
}

/// Takes one more record in.
///
/// # Panics
/// As [`fold`].
pub fn fold_on(orders: &mut BTreeMap<OrderId, SwapOrder>, record: &Record) {
    let Some(subject) = SwapSubject::parse(&record.subject) else { return };
    let event = SwapEvent::decode(&record.payload).expect("every stored event can be read");
    match (orders.get_mut(&subject.order()), event) {
        (None, SwapEvent::Placed(placed)) => drop(orders.insert(subject.order(), SwapOrder::new(placed))),
        (None, other) => panic!("{} begins with {other:?}", subject.order()),
        (Some(order), event) => {
            order.apply(event).unwrap_or_else(|error| panic!("sequence {}: {error}", record.seq));
        }
    }
}
