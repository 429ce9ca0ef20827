//! The definition in force judges what is asked.

use fillstream_domain::{
    Amount, Timestamp,
    book::{
        BookPlaced, Definition, Life, Lots, OrderType, Pricing, Refusal, RefusalCode, Ticks, TimeInForce,
    },
};
use fillstream_order_book::{NewOrder, Refused};
use rust_decimal::Decimal;

use crate::market::Market;

pub(crate) fn refusal(code: RefusalCode, detail: impl Into<String>) -> Refusal {
    Refusal { code, detail: detail.into() }
}

/// The book's own refusals, in the wire's words.
pub(crate) fn by_book(refused: Refused) -> Refusal {
    let code = match refused {
        Refused::DuplicateOrder => RefusalCode::DuplicateOrder,
        Refused::UnknownOrEnded => RefusalCode::UnknownOrEnded,
        Refused::NotOwner => RefusalCode::NotOwner,
        Refused::ZeroQuantity => RefusalCode::MinQuantity,
        Refused::WouldTake => RefusalCode::WouldTake,
        Refused::BelowFilled => RefusalCode::BelowFilled,
        Refused::LevelFull => RefusalCode::LevelFull,
    };
    refusal(code, refused.to_string())
}

/// The order as the book takes it.
///
/// # Errors
/// The first rule that it breaks: terms, then quantity, price, band, notional, expiry.
pub(crate) fn placed(
    market: &Market,
    last_price: Option<Ticks>,
    now: Timestamp,
    order: &BookPlaced,
) -> Result<NewOrder, Refusal> {
    let limit = terms(order)?;
    let quantity = quantity(&market.definition, order.quantity)?;
    let pricing = match limit {
        Terms::Market { fill_or_kill } => Pricing::Market { fill_or_kill },
        Terms::Limit { price, life } => {
            let ticks = price_in_band(&market.definition, last_price, price)?;
            notional(&market.definition, price, order.quantity)?;
            resting_or_not(ticks, life, order.post_only)
        }
    };
    if let Some(at) = order.expires_at.filter(|at| *at <= now) {
        return Err(refusal(RefusalCode::Expired, format!("expired at {at}, and it is {now}")));
    }
    Ok(NewOrder {
        order_id: order.order_id,
        user_id: order.user_id,
        side: order.side,
        quantity,
        pricing,
        self_trade_prevention: order.self_trade_prevention,
    })
}

enum Terms {
    Market { fill_or_kill: bool },
    Limit { price: Amount, life: Life },
}

/// Which terms go together.
fn terms(order: &BookPlaced) -> Result<Terms, Refusal> {
    let wrong = |detail: &str| Err(refusal(RefusalCode::Terms, detail));
    if order.expires_at.is_some() != (order.time_in_force == TimeInForce::Gtd) {
        return wrong("expires_at belongs to GTD, and GTD needs it");
    }
    let life = match (order.time_in_force, order.expires_at) {
        (TimeInForce::Gtc, _) => Life::Gtc,
        (TimeInForce::Ioc, _) => Life::Ioc,
        (TimeInForce::Fok, _) => Life::Fok,
        (TimeInForce::Gtd, Some(at)) => Life::Gtd(at),
        (TimeInForce::Gtd, None) => return wrong("GTD needs expires_at"),
    };
    match (order.order_type, order.price, life) {
        (OrderType::Limit, Some(_), Life::Ioc | Life::Fok) if order.post_only => {
            wrong("post_only goes with GTC and GTD")
        }
        (OrderType::Limit, Some(price), life) => Ok(Terms::Limit { price, life }),
        (OrderType::Limit, None, _) => wrong("LIMIT needs a price"),
        (OrderType::Market, Some(_), _) => wrong("MARKET has no price"),
        (OrderType::Market, None, _) if order.post_only => wrong("post_only goes with LIMIT"),
        (OrderType::Market, None, Life::Gtd(_)) => wrong("MARKET does not wait for an expiry"),
        (OrderType::Market, None, Life::Fok) => Ok(Terms::Market { fill_or_kill: true }),
        (OrderType::Market, None, Life::Gtc | Life::Ioc) => Ok(Terms::Market { fill_or_kill: false }),
    }
}

fn resting_or_not(price: Ticks, life: Life, post_only: bool) -> Pricing {
    let expires_at = match life {
        Life::Gtd(at) => Some(at),
        Life::Gtc | Life::Ioc | Life::Fok => None,
    };
    if post_only { Pricing::PostOnly { price, expires_at } } else { Pricing::Limit { price, life } }
}

pub(crate) fn quantity(definition: &Definition, quantity: Amount) -> Result<Lots, Refusal> {
    definition.judge_quantity(quantity).map_err(|(code, must)| refusal(code, format!("quantity {must}")))
}

pub(crate) fn price(definition: &Definition, price: Amount) -> Result<Ticks, Refusal> {
    definition.judge_price(price).map_err(|(code, must)| refusal(code, format!("price {must}")))
}

pub(crate) fn notional(definition: &Definition, price: Amount, quantity: Amount) -> Result<(), Refusal> {
    definition.judge_notional(price, quantity).map_err(|(code, must)| refusal(code, must))
}

pub(crate) fn price_in_band(
    definition: &Definition,
    last_price: Option<Ticks>,
    asked: Amount,
) -> Result<Ticks, Refusal> {
    let ticks = price(definition, asked)?;
    if let (Some(band), Some(last)) = (definition.price_band, last_price) {
        let apart = Decimal::from(ticks.get().abs_diff(last.get())) * Decimal::ONE_HUNDRED;
        // A band too wide to be multiplied lets everything pass.
        let within = band.decimal().checked_mul(last.get().into()).is_none_or(|most| apart <= most);
        if !within {
            let last = definition.price(last);
            let must = format!("price must be within {band} % of the last trade's {last} (price_band)");
            return Err(refusal(RefusalCode::PriceBand, must));
        }
    }
    Ok(ticks)
}
