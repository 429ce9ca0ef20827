//! A client's order for the book, judged: each field is named that is wrong, with what would be right.
//!
//! ```text
//!  fields ─▶ read: numbers, words, what goes together ─▶ the market's filters, the clock ─▶ Terms
//!                         └─ wrong for ever                     └─ wrong now: a repetition of an accepted order is not
//! ```

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::{BookPlaced, Definition, OrderType, RefusalCode, SelfTradePrevention, Side, Symbol, TimeInForce};
use crate::{
    Amount, ClientKey, OrderId, Timestamp, UserId, parse_exact,
    swap::{Field, FieldError},
};

/// The definition in force of each market.
pub type Definitions = BTreeMap<Symbol, Definition>;

/// Markets that a refusal names; a server with more names these and how many more there are.
const NAMED_MARKETS: usize = 20;

/// A field that is true or false, as it stood in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// Not there, or null.
    Missing,
    /// A JSON boolean.
    Is(bool),
    /// Anything else.
    Other,
}

/// The request's fields, unjudged. null stands for a field that is not there.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct Request<'a> {
    pub symbol: Field<'a>,
    pub side: Field<'a>,
    pub order_type: Field<'a>,
    pub quantity: Field<'a>,
    pub price: Field<'a>,
    pub time_in_force: Field<'a>,
    pub expires_at: Field<'a>,
    pub post_only: Flag,
    pub self_trade_prevention: Field<'a>,
}

/// The terms of a book order; they go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    symbol: Symbol,
    side: Side,
    order_type: OrderType,
    time_in_force: TimeInForce,
    price: Option<Amount>,
    quantity: Amount,
    expires_at: Option<Timestamp>,
    post_only: bool,
    self_trade_prevention: SelfTradePrevention,
}

/// Reasons why an order was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Every field that is wrong.
    pub errors: Vec<FieldError>,
    /// The terms, when only the market's definition or the clock speaks against them: both may have been otherwise when
    /// the same order was placed.
    pub terms: Option<Terms>,
}

impl Request<'_> {
    /// The market, when the field can be one.
    #[must_use]
    pub fn market(&self) -> Option<Symbol> {
        text(self.symbol)?.parse().ok()
    }

    /// Judges all fields at once.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn judge(&self, markets: &Definitions, now: Timestamp) -> Result<Terms, Refused> {
        let mut errors = Vec::new();
        let symbol = note(&mut errors, "symbol", self.market().ok_or_else(|| one_of_markets(markets)));
        let side = note(&mut errors, "side", word(self.side, Side::ALL, Side::name));
        let order_type = note(&mut errors, "type", word(self.order_type, OrderType::ALL, OrderType::name));
        let quantity = note(&mut errors, "quantity", positive(self.quantity));
        let price = note(&mut errors, "price", price(self.price, order_type));
        let life = note(&mut errors, "time_in_force", time_in_force(self.time_in_force, order_type));
        let expires_at = note(&mut errors, "expires_at", expires_at(self.expires_at, life));
        let post_only = note(&mut errors, "post_only", post_only(self.post_only, order_type, life));
        let prevention = self_trade_prevention(self.self_trade_prevention);
        let prevention = note(&mut errors, "self_trade_prevention", prevention);
        let read = || {
            Some(Terms {
                symbol: symbol.clone()?,
                side: side?,
                order_type: order_type?,
                time_in_force: life?,
                price: price?,
                quantity: quantity?,
                expires_at: expires_at?,
                post_only: post_only?,
                self_trade_prevention: prevention?,
            })
        };
        let terms = read();
        if let Some(symbol) = symbol {
            filters(&mut errors, markets, &symbol, quantity, price.flatten());
        }
        if expires_at.flatten().is_some_and(|expiry| expiry <= now) {
            errors.push(FieldError { field: "expires_at", must: "must lie in the future".to_owned() });
        }
        match terms {
            Some(terms) if errors.is_empty() => Ok(terms),
            terms => Err(Refused { errors, terms }),
        }
    }
}

impl Terms {
    /// The market.
    #[must_use]
    pub const fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// True when what does not trade at once comes to rest in the book.
    #[must_use]
    pub const fn may_rest(&self) -> bool {
        match (self.order_type, self.time_in_force) {
            (OrderType::Limit, TimeInForce::Gtc | TimeInForce::Gtd) => true,
            (OrderType::Limit, TimeInForce::Ioc | TimeInForce::Fok) | (OrderType::Market, _) => false,
        }
    }

    /// The input of an order with these terms.
    #[must_use]
    pub fn place(
        self,
        order_id: OrderId,
        user_id: UserId,
        client_order_id: Option<ClientKey>,
        at: Timestamp,
    ) -> BookPlaced {
        let fingerprint = self.fingerprint();
        BookPlaced {
            order_id,
            user_id,
            client_order_id,
            symbol: self.symbol,
            side: self.side,
            order_type: self.order_type,
            time_in_force: self.time_in_force,
            price: self.price,
            quantity: self.quantity,
            expires_at: self.expires_at,
            post_only: self.post_only,
            self_trade_prevention: self.self_trade_prevention,
            fingerprint,
            at,
        }
    }

    /// SHA-256 of the terms as parsed, in hex: 10, "10" and "10.0" are the same order, and so is a default that is
    /// written out.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let terms = format!(
            "book/1|{}|{}|{}|{}|{}|{}|{}|{}|{}",
            self.symbol,
            self.side,
            self.order_type,
            self.time_in_force,
            or_none(self.price.map(|price| price.to_string())),
            self.quantity,
            or_none(self.expires_at.map(|expiry| expiry.to_string())),
            self.post_only,
            self.self_trade_prevention,
        );
        Sha256::digest(terms.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

pub(super) const NO_PRICE: &str = "must be absent on a MARKET order";

pub(super) fn note<T>(
    errors: &mut Vec<FieldError>,
    field: &'static str,
    judged: Result<T, String>,
) -> Option<T> {
    judged.map_err(|must| errors.push(FieldError { field, must })).ok()
}

fn text(field: Field<'_>) -> Option<&str> {
    match field {
        Field::Text(text) => Some(text),
        Field::Missing | Field::Number(_) | Field::Other => None,
    }
}

fn one_of_markets(markets: &Definitions) -> String {
    if markets.is_empty() {
        return "must be a market; there is none yet".to_owned();
    }
    let named: Vec<_> = markets.keys().take(NAMED_MARKETS).map(Symbol::as_str).collect();
    match markets.len() - named.len() {
        0 => format!("must be one of {}", named.join(", ")),
        more => format!("must be one of {} and {more} more", named.join(", ")),
    }
}

fn word<T: Copy>(field: Field<'_>, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    let found = text(field).and_then(|text| all.iter().copied().find(|word| name(*word) == text));
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|word| name(*word)).collect();
        format!("must be one of {}", names.join(", "))
    })
}

pub(super) fn positive(field: Field<'_>) -> Result<Amount, String> {
    const MUST: &str = "must be a number greater than 0";
    let decimal = match field {
        Field::Text(text) | Field::Number(text) => {
            parse_exact(text).map_err(|error| format!("{MUST}; {error}"))?
        }
        Field::Missing | Field::Other => return Err(MUST.to_owned()),
    };
    Amount::new(decimal).filter(|_| decimal > Decimal::ZERO).ok_or_else(|| MUST.to_owned())
}

fn price(field: Field<'_>, order_type: Option<OrderType>) -> Result<Option<Amount>, String> {
    match (field, order_type) {
        (Field::Missing, None | Some(OrderType::Market)) => Ok(None),
        (Field::Text(_) | Field::Number(_) | Field::Other, Some(OrderType::Market)) => {
            Err(NO_PRICE.to_owned())
        }
        (
            Field::Missing | Field::Text(_) | Field::Number(_) | Field::Other,
            None | Some(OrderType::Limit),
        ) => positive(field).map(Some),
    }
}

fn time_in_force(field: Field<'_>, order_type: Option<OrderType>) -> Result<TimeInForce, String> {
    let market = order_type == Some(OrderType::Market);
    if field == Field::Missing {
        return Ok(if market { TimeInForce::Ioc } else { TimeInForce::Gtc });
    }
    let found = word(field, TimeInForce::ALL, TimeInForce::name)?;
    if market && found == TimeInForce::Gtd {
        return Err("must be IOC, FOK or GTC on a MARKET order, which never rests".to_owned());
    }
    Ok(found)
}

fn expires_at(field: Field<'_>, life: Option<TimeInForce>) -> Result<Option<Timestamp>, String> {
    if field == Field::Missing {
        return match life {
            Some(TimeInForce::Gtd) => Err("must be given with time_in_force GTD".to_owned()),
            Some(TimeInForce::Gtc | TimeInForce::Ioc | TimeInForce::Fok) | None => Ok(None),
        };
    }
    match life {
        Some(TimeInForce::Gtd) | None => {
            let parsed = text(field).unwrap_or_default().parse::<Timestamp>();
            parsed.map(Some).map_err(|error| error.to_string())
        }
        Some(TimeInForce::Gtc | TimeInForce::Ioc | TimeInForce::Fok) => {
            Err("must be absent without time_in_force GTD".to_owned())
        }
    }
}

fn post_only(flag: Flag, order_type: Option<OrderType>, life: Option<TimeInForce>) -> Result<bool, String> {
    let takes =
        order_type == Some(OrderType::Market) || matches!(life, Some(TimeInForce::Ioc | TimeInForce::Fok));
    match flag {
        Flag::Missing | Flag::Is(false) => Ok(false),
        Flag::Is(true) if takes => {
            Err("must be false on MARKET, IOC and FOK orders, which only take".to_owned())
        }
        Flag::Is(true) => Ok(true),
        Flag::Other => Err("must be true or false".to_owned()),
    }
}

fn self_trade_prevention(field: Field<'_>) -> Result<SelfTradePrevention, String> {
    match field {
        Field::Missing => Ok(SelfTradePrevention::None),
        Field::Text(_) | Field::Number(_) | Field::Other => {
            word(field, SelfTradePrevention::ALL, SelfTradePrevention::name)
        }
    }
}

/// The filters of the market, as far as there is one and the fields could be read.
fn filters(
    errors: &mut Vec<FieldError>,
    markets: &Definitions,
    symbol: &Symbol,
    quantity: Option<Amount>,
    price: Option<Amount>,
) {
    let Some(definition) = markets.get(symbol) else {
        return errors.push(FieldError { field: "symbol", must: one_of_markets(markets) });
    };
    let before = errors.len();
    if let Some(quantity) = quantity {
        note(errors, "quantity", definition.judge_quantity(quantity).map_err(told));
    }
    if let Some(price) = price {
        note(errors, "price", definition.judge_price(price).map_err(told));
    }
    if let (Some(price), Some(quantity)) = (price, quantity)
        && errors.len() == before
    {
        note(errors, "quantity", definition.judge_notional(price, quantity).map_err(told));
    }
}

pub(super) fn told((_, must): (RefusalCode, String)) -> String {
    must
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
