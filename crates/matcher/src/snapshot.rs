//! A machine's whole state as bytes, and back.
//!
//! ```text
//!  "fsmatch1" ┊ checksum of what follows ┊ length ┊ head (JSON) ┊ accounts ┊ account, … ┊ the book's own snapshot
//! ```
//! Integers are little-endian. Equal states give equal bytes. A snapshot can always be thrown away: the log makes it again.

use std::sync::Arc;

use fillstream_domain::{
    OrderId, Seq, Timestamp,
    book::{Definition, Rules, Symbol, Ticks},
};
use fillstream_order_book::Book;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Machine,
    accounts::{Account, Accounts},
    hash,
    market::Market,
    open::OpenOrders,
    units::{Rates, Worth},
};

/// First bytes of a snapshot; another layout gets another number.
const MAGIC: &[u8; 8] = b"fsmatch1";
/// Bytes of the checksum.
const CHECKSUM: usize = size_of::<u64>();

/// The bytes are no snapshot of a machine of this version. Nothing is made of a part of them.
#[derive(Debug, thiserror::Error)]
pub enum BadSnapshot {
    /// Another layout, or no snapshot at all.
    #[error("it does not begin like a snapshot of this version")]
    Version,
    /// The bytes are not those that were written.
    #[error("its checksum is not its content's")]
    Checksum,
    /// It ends too early.
    #[error("its length is not what it says")]
    Length,
    /// Its head cannot be read.
    #[error("its head cannot be read")]
    Head(#[from] serde_json::Error),
    /// Its definition is none that a market can have, or it has orders without one.
    #[error("its definition does not fit")]
    Definition,
    /// Its book cannot be restored.
    #[error("its book cannot be restored")]
    Book(#[from] fillstream_order_book::BadSnapshot),
    /// The restored state is not the one that was taken.
    #[error("its hash is not its state's hash")]
    Hash,
}

#[derive(Serialize, Deserialize)]
struct Head {
    symbol: Symbol,
    cursor: Seq,
    market_time: Timestamp,
    last_price: Option<Ticks>,
    /// By the version of a commit.
    #[serde(default = "first_version")]
    rules: u32,
    /// In force, then with the largest price and quantity ever allowed.
    definitions: Option<(Definition, Definition)>,
    hash: u64,
}

impl Machine {
    /// The state as bytes, for [`Self::restore`].
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let head = Head {
            symbol: self.symbol().clone(),
            cursor: self.cursor,
            market_time: self.market_time,
            last_price: self.last_price,
            rules: self.rules.event_type().version,
            definitions: self
                .market
                .as_ref()
                .map(|market| (market.definition.clone(), market.widest.clone())),
            hash: self.hash(),
        };
        let head = serde_json::to_vec(&head).expect("string keys and plain values always become JSON");
        let accounts = self.accounts.sorted();
        let mut bytes = [*MAGIC, [0; CHECKSUM]].concat();
        bytes.extend_from_slice(&(head.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&(accounts.len() as u64).to_le_bytes());
        for (order, account) in accounts {
            write(order, &account, &mut bytes);
        }
        bytes.extend_from_slice(&self.book.snapshot());
        let (start, content) = bytes.split_at_mut(MAGIC.len() + CHECKSUM);
        start[MAGIC.len()..].copy_from_slice(&hash::of_bytes(content).to_le_bytes());
        bytes
    }

    /// The machine as it was, with the same hash.
    ///
    /// # Errors
    /// When the bytes are not a whole snapshot of this version, or their hash says that they are damaged.
    pub fn restore(bytes: &[u8]) -> Result<Self, BadSnapshot> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(BadSnapshot::Version)?;
        if number(&mut rest)? != hash::of_bytes(rest) {
            return Err(BadSnapshot::Checksum);
        }
        let head = usize::try_from(number(&mut rest)?).map_err(|_| BadSnapshot::Length)?;
        let head: Head = serde_json::from_slice(take(&mut rest, head)?)?;
        let mut accounts = Accounts::default();
        for _ in 0..number(&mut rest)? {
            let (order, account) = read(&mut rest)?;
            accounts.put(order, account);
        }
        let book = Book::restore(rest)?;
        let market = head.definitions.map(restore_market).transpose()?;
        if market.is_none() && !book.is_empty() {
            return Err(BadSnapshot::Definition);
        }
        let mut machine = Self::new(head.symbol);
        (machine.book, machine.market, machine.accounts) = (book, market, accounts);
        (machine.cursor, machine.market_time) = (head.cursor, head.market_time);
        machine.last_price = head.last_price;
        machine.rules = Rules::of_version(head.rules).ok_or(BadSnapshot::Version)?;
        machine.open = OpenOrders::of(&machine.book);
        if machine.hash() == head.hash { Ok(machine) } else { Err(BadSnapshot::Hash) }
    }
}

/// Snapshots that were taken before there was a second one do not say it.
const fn first_version() -> u32 {
    Rules::V1.event_type().version
}

fn restore_market(definitions: (Definition, Definition)) -> Result<Arc<Market>, BadSnapshot> {
    let (definition, widest) = definitions;
    let good = definition.check().is_ok() && widest.check().is_ok() && widest.has_units_of(&definition);
    if good { Ok(Arc::new(Market::of(definition, widest))) } else { Err(BadSnapshot::Definition) }
}

fn write(order: OrderId, account: &Account, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(order.uuid().as_bytes());
    for worth in [account.as_maker, account.as_taker] {
        bytes.extend_from_slice(&worth.get().to_le_bytes());
    }
    for rate in [account.rates.maker, account.rates.taker] {
        bytes.extend_from_slice(&rate.to_le_bytes());
    }
}

fn read(rest: &mut &[u8]) -> Result<(OrderId, Account), BadSnapshot> {
    let order = OrderId::new(Uuid::from_bytes(array(rest)?));
    let as_maker = Worth::new(u128::from_le_bytes(array(rest)?));
    let as_taker = Worth::new(u128::from_le_bytes(array(rest)?));
    let rates = Rates { maker: u32::from_le_bytes(array(rest)?), taker: u32::from_le_bytes(array(rest)?) };
    Ok((order, Account { rates, as_maker, as_taker }))
}

fn number(rest: &mut &[u8]) -> Result<u64, BadSnapshot> {
    array(rest).map(u64::from_le_bytes)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BadSnapshot> {
    take(rest, N)?.try_into().map_err(|_| BadSnapshot::Length)
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Result<&'a [u8], BadSnapshot> {
    rest.split_off(..bytes).ok_or(BadSnapshot::Length)
}
