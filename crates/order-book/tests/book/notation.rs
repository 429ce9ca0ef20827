//! Cases as text, in the notation of the table of cases.
//!
//! ```text
//!  S1 10@100        limit sell, id 1, 10 lots at 100; B: buy; BM1 10, SM1 10: market
//!  flags            IOC FOK PO GTD t=50 acct=A stp=newest|oldest|both max=3
//!  X1   A1 6@100    cancel, amend to a total of 6 at 100 (A1 6: quantity alone, A1 @98: price alone); acct= asks as another
//!  t=49             it is this late, and what is due ends; max=0: some of it
//!  E1               1 ends, if it is due
//!
//!  T(3,1,100,10)        taker, maker, price, lots             rest(1,10@100)        10 lots of it rest
//!  done(2,10,ioc)       10 lots of it are cancelled: why      amended(1,6@100,kept) or lost: its place
//!  REJ(1,NotOwner)      refused                               same(1)               it already is what was asked for
//!
//!  B2 5@99 | S1 4@100 S3 10@100      what rests: bids, then asks, best first, oldest first, with the lots that are left
//! ```

use std::collections::HashMap;

use fillstream_domain::book::{CancelReason, Life, Lots, Pricing, SelfTradePrevention, Side, Ticks};
use fillstream_domain::{Timestamp, UserId};
use fillstream_order_book::{Amend, Amended, Event, NewOrder, Taking};

use crate::engine::{Answer, Operation, Step, number, order_id, user_id};
use crate::standing::Standing;

/// Reading of a case: as it stands, or with sides swapped and prices reflected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) mirrored: bool,
}

/// Prices of cases lie below it; it reflects them.
const MIRROR: u32 = 1_000;

/// Reads inputs one after the other; an order's account is remembered for its amends and cancels.
pub(crate) struct Inputs {
    reading: Reading,
    accounts: HashMap<u64, UserId>,
    now: Timestamp,
}

impl Reading {
    fn side(self, side: Side) -> Side {
        if self.mirrored { side.opposite() } else { side }
    }

    fn price(self, ticks: u32) -> u32 {
        if self.mirrored { MIRROR - ticks } else { ticks }
    }

    pub(crate) fn inputs(self) -> Inputs {
        Inputs { reading: self, accounts: HashMap::new(), now: instant("0") }
    }

    /// One step's answer and events, as text.
    pub(crate) fn show(self, step: &Step, answer: Answer, events: &[Event]) -> Vec<String> {
        let id = match step.operation {
            Operation::Place(order) => number(order.order_id),
            Operation::Amend(amend) => number(amend.order_id),
            Operation::Cancel(order_id, _) => number(order_id),
            Operation::ExpireOrder(order_id) => number(order_id),
            Operation::Expire => 0,
        };
        let mut shown: Vec<String> = events.iter().map(|event| self.show_event(event)).collect();
        match answer {
            Err(refused) => shown.push(format!("REJ({id},{refused:?})")),
            Ok(Some(Amended::Unchanged)) => shown.push(format!("same({id})")),
            Ok(_) => {}
        }
        shown
    }

    fn show_event(self, event: &Event) -> String {
        match *event {
            Event::Trade { maker, taker, price, quantity, .. } => {
                let (taker, maker) = (number(taker), number(maker.order_id));
                format!("T({taker},{maker},{},{})", self.price(price.get()), quantity.get())
            }
            Event::Cancelled { order, left, reason } => {
                format!("done({},{},{})", number(order.order_id), left.get(), why(reason))
            }
            Event::Rested { order } => {
                let (id, left) = (number(order.order_id), order.left().get());
                format!("rest({id},{left}@{})", self.price(order.price.get()))
            }
            Event::Amended { after, kept_place, .. } => {
                let (id, total) = (number(after.order_id), after.quantity.get());
                let place = if kept_place { "kept" } else { "lost" };
                format!("amended({id},{total}@{},{place})", self.price(after.price.get()))
            }
        }
    }

    /// Resting orders as text; the mirrored book reads as the book itself.
    pub(crate) fn show_standing(self, [bids, asks]: &Standing) -> String {
        let show = |side: Side, orders: &Standing, of: usize| -> String {
            let letter = if side == Side::Buy { 'B' } else { 'S' };
            let shown = orders[of].iter().map(|order| {
                let (id, left) = (number(order.order_id), order.left().get());
                format!("{letter}{id} {left}@{}", self.price(order.price.get()))
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        let both = [bids.clone(), asks.clone()];
        let (of_bids, of_asks) = if self.mirrored { (1, 0) } else { (0, 1) };
        format!("{} | {}", show(Side::Buy, &both, of_bids), show(Side::Sell, &both, of_asks))
            .trim()
            .to_owned()
    }
}

const fn why(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::Requested => "requested",
        CancelReason::Expired => "expired",
        CancelReason::ImmediateOrCancel => "ioc",
        CancelReason::FillOrKill => "fok",
        CancelReason::NoLiquidity => "no liquidity",
        CancelReason::SelfTrade => "self-trade",
        CancelReason::MaxMakers => "max makers",
    }
}

/// The flags behind an input.
#[derive(Default)]
struct Flags<'a> {
    words: Vec<&'a str>,
}

impl<'a> Flags<'a> {
    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn account(&self) -> Option<UserId> {
        self.value("acct").map(|name| user_id(1_000 + u64::from(name.as_bytes()[0])))
    }

    fn prevention(&self) -> SelfTradePrevention {
        match self.value("stp") {
            None => SelfTradePrevention::None,
            Some("newest") => SelfTradePrevention::CancelNewest,
            Some("oldest") => SelfTradePrevention::CancelOldest,
            Some("both") => SelfTradePrevention::CancelBoth,
            Some(other) => panic!("stp={other}"),
        }
    }

    fn expiry(&self) -> Option<Timestamp> {
        self.has("GTD").then(|| instant(self.value("t").unwrap()))
    }
}

fn instant(text: &str) -> Timestamp {
    Timestamp::from_unix_ms(text.parse().unwrap())
}

impl Inputs {
    pub(crate) fn read(&mut self, text: &str) -> Step {
        let mut words = text.split_whitespace();
        let head = words.next().unwrap();
        let flags = Flags { words: words.clone().collect() };
        let max_makers = flags.value("max").map_or(u32::MAX, |max| max.parse().unwrap());
        let operation = match head.split_at(1) {
            ("t", now) => {
                self.now = instant(&now[1..]);
                Operation::Expire
            }
            ("E", id) => Operation::ExpireOrder(order_id(id.parse().unwrap())),
            ("X", id) => {
                let id = id.parse().unwrap();
                Operation::Cancel(order_id(id), self.asker(id, &flags))
            }
            ("A", id) => self.amend(id.parse().unwrap(), words.next().unwrap(), &flags),
            ("B", id) => self.place(Side::Buy, id, words.next().unwrap(), &flags),
            ("S", id) => self.place(Side::Sell, id, words.next().unwrap(), &flags),
            _ => panic!("{text}"),
        };
        Step { operation, taking: Taking { max_makers, now: self.now } }
    }

    /// User who asks for something about an order: the account named, else the one that placed it.
    fn asker(&self, id: u64, flags: &Flags<'_>) -> UserId {
        flags.account().or_else(|| self.accounts.get(&id).copied()).unwrap_or_else(|| user_id(id))
    }

    fn ticks(&self, text: &str) -> Ticks {
        Ticks::new(self.reading.price(text.parse().unwrap())).unwrap()
    }

    fn amend(&self, id: u64, terms: &str, flags: &Flags<'_>) -> Operation {
        let (quantity, price) = terms.split_once('@').unwrap_or((terms, ""));
        Operation::Amend(Amend {
            order_id: order_id(id),
            user_id: self.asker(id, flags),
            quantity: (!quantity.is_empty()).then(|| Lots::new(quantity.parse().unwrap())),
            price: (!price.is_empty()).then(|| self.ticks(price)),
        })
    }

    fn place(&mut self, side: Side, id: &str, terms: &str, flags: &Flags<'_>) -> Operation {
        let id: u64 = id.trim_start_matches('M').parse().unwrap();
        let user = flags.account().unwrap_or_else(|| user_id(id));
        self.accounts.entry(id).or_insert(user);
        let (quantity, price) =
            terms.split_once('@').map_or((terms, None), |(q, p)| (q, Some(self.ticks(p))));
        Operation::Place(NewOrder {
            order_id: order_id(id),
            user_id: user,
            side: self.reading.side(side),
            quantity: Lots::new(quantity.parse().unwrap()),
            pricing: pricing(price, flags),
            self_trade_prevention: flags.prevention(),
        })
    }
}

fn pricing(price: Option<Ticks>, flags: &Flags<'_>) -> Pricing {
    let Some(price) = price else { return Pricing::Market { fill_or_kill: flags.has("FOK") } };
    if flags.has("PO") {
        return Pricing::PostOnly { price, expires_at: flags.expiry() };
    }
    let life = if flags.has("IOC") {
        Life::Ioc
    } else if flags.has("FOK") {
        Life::Fok
    } else {
        flags.expiry().map_or(Life::Gtc, Life::Gtd)
    };
    Pricing::Limit { price, life }
}
