//! The flow of a real market (LOBSTER's message files), through the book and its twin.
//!
//! ```text
//!  1 new order ─▶ place GTC     2 less of it ─▶ amend     3 gone ─▶ cancel
//!  4 somebody took it ─▶ place IOC on the other side, at its price     5 hidden, 7 halt ─▶ nothing
//! ```
//! Orders that rested before the file begins are placed first, with as much as its rows take of them.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use fillstream_domain::book::{Life, Lots, Pricing, SelfTradePrevention, Side, Ticks};
use fillstream_order_book::{Amend, Book, Event, NewOrder, Taking};

use crate::engine::{Engine, Operation, Step, order_id, user_id};
use crate::standing::standing;
use crate::twin::Twin;

/// Names the directory with the files; without it a small fixture of our own is read.
const DIRECTORY: &str = "FILLSTREAM_LOBSTER_DIR";
/// Prices in the files are dollars times 10,000; a tick is half a cent, the finest that a visible order has here.
const PRICE_UNITS_PER_TICK: u32 = 50;
/// Ids of the aggressive orders, which the files do not name; far above those that they do.
const TAKERS: u64 = 1 << 48;
/// Both books are compared order by order once in so many rows.
const LOOK_EVERY: usize = 500;

#[derive(Debug, Clone, Copy)]
struct Row {
    kind: u8,
    id: u64,
    size: u64,
    ticks: Option<Ticks>,
    side: Side,
}

fn read(path: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| row(line).unwrap_or_else(|| panic!("{line:?} in {}", path.display()))).collect()
}

fn row(line: &str) -> Option<Row> {
    let [_, kind, id, size, price, direction] = line.split(',').collect::<Vec<_>>().try_into().ok()?;
    let kind = kind.parse().ok()?;
    let ticks = if matches!(kind, 5 | 7) { None } else { Some(ticks(price)?) };
    let side = if direction == "1" { Side::Buy } else { Side::Sell };
    Some(Row { kind, id: id.parse().ok()?, size: size.parse().ok()?, ticks, side })
}

fn ticks(price: &str) -> Option<Ticks> {
    let units: u32 = price.parse().ok()?;
    units.is_multiple_of(PRICE_UNITS_PER_TICK).then(|| Ticks::new(units / PRICE_UNITS_PER_TICK)).flatten()
}

fn place(id: u64, side: Side, size: u64, price: Ticks, life: Life) -> Operation {
    Operation::Place(NewOrder {
        order_id: order_id(id),
        user_id: user_id(id % 7),
        side,
        quantity: Lots::new(size),
        pricing: Pricing::Limit { price, life },
        self_trade_prevention: SelfTradePrevention::None,
    })
}

/// Orders that rested before the first row.
fn seeds(rows: &[Row]) -> Vec<Operation> {
    let (mut known, mut seeds) = (HashSet::new(), BTreeMap::new());
    for (place, row) in rows.iter().enumerate() {
        match row.kind {
            1 => _ = known.insert(row.id),
            2..=4 if !known.contains(&row.id) => {
                seeds.entry(row.id).or_insert((place, 0, *row)).1 += row.size;
            }
            _ => {}
        }
    }
    let mut seeds: Vec<_> = seeds.into_values().collect();
    seeds.sort_unstable_by_key(|(place, ..)| *place);
    let order =
        |(_, size, row): (usize, u64, Row)| place(row.id, row.side, size, row.ticks.unwrap(), Life::Gtc);
    seeds.into_iter().map(order).collect()
}

/// Request that a row makes of a book; nothing when there is no such order any more.
fn operation(row: &Row, place_in_file: usize, book: &Book) -> Option<Operation> {
    let (id, price) = (order_id(row.id), row.ticks?);
    let rests = book.order(id);
    match row.kind {
        1 => Some(place(row.id, row.side, row.size, price, Life::Gtc)),
        2 => {
            let order = rests?;
            let quantity = Some(Lots::new(order.quantity.get().saturating_sub(row.size)));
            Some(Operation::Amend(Amend { order_id: id, user_id: order.user_id, quantity, price: None }))
        }
        3 => rests.map(|order| Operation::Cancel(id, order.user_id)),
        4 => Some(place(TAKERS + place_in_file as u64, row.side.opposite(), row.size, price, Life::Ioc)),
        _ => None,
    }
}

/// Executions in the file, and how many of them met the order that they met at the exchange.
#[derive(Debug, Default, PartialEq, Eq)]
struct Executions {
    all: usize,
    met: usize,
}

fn run(rows: &[Row]) -> Executions {
    let (mut book, mut twin, mut executions) = (Book::new(), Twin::default(), Executions::default());
    let apply = |book: &mut Book, twin: &mut Twin, operation: Operation| -> Vec<Event> {
        let step = Step { operation, taking: Taking::UNBOUNDED };
        let (mut events, mut twins) = (Vec::new(), Vec::new());
        let answer = book.apply(&step, &mut events);
        assert_eq!((answer, &events), (twin.apply(&step, &mut twins), &twins), "{step:?}");
        events
    };
    for seed in seeds(rows) {
        apply(&mut book, &mut twin, seed);
    }
    for (number, row) in rows.iter().enumerate() {
        let Some(operation) = operation(row, number, &book) else { continue };
        let events = apply(&mut book, &mut twin, operation);
        if row.kind == 4 {
            executions.all += 1;
            let met = |event: &Event| matches!(event, Event::Trade { maker, .. } if maker.order_id == order_id(row.id));
            executions.met += usize::from(events.iter().any(met));
        }
        if number % LOOK_EVERY == 0 {
            assert_eq!(standing(&book), twin.standing(), "row {number}");
        }
    }
    assert_eq!(standing(&book), twin.standing());
    executions
}

#[expect(clippy::explicit_write, reason = "the harness keeps what a passing test prints, but not this")]
fn say(what: std::fmt::Arguments<'_>) {
    writeln!(std::io::stderr(), "{what}").unwrap();
}

fn message_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().contains("messages")).collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no message files", directory.display());
    files
}

#[test]
fn a_small_flow_of_our_own_meets_the_same_orders() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture/messages.csv");
    assert_eq!(run(&read(&fixture)), Executions { all: 9, met: 9 });
}

#[test]
fn the_real_flow_is_the_same_in_book_and_twin() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return say(format_args!("{DIRECTORY} is not set: a small fixture stands for the real flow"));
    };
    for file in message_files(Path::new(&directory)) {
        let executions = run(&read(&file));
        say(format_args!("{}: {executions:?}", file.display()));
        assert!(executions.all > 0 && executions.met > 0, "{executions:?}");
    }
}
