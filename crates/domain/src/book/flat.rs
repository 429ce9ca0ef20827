//! Outcomes and changes, read at one level.
//!
//! ```text
//!  {"change":"created","order_id":…,"price":…}  ──▶ Fields, all of them optional ──▶ Change, by its name
//! ```
//! What serde derives for a tagged enum copies the whole object first, to find its tag: two thirds of the time that
//! reading a commit took. Unknown fields are passed over, as everywhere in what is stored; a name that stands here has one type,
//! whatever the change.

use serde::{Deserialize, Deserializer, de::Error};

use super::{
    CancelReason, Change, InputResult, Levels, OrderState, OrderType, Outcome, Refusal, RefusalCode, Side,
    Trade,
};
use crate::{Amount, OrderId, Seq, Timestamp, TradeId, UserId};

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ChangeFields::deserialize(deserializer)?.change()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChangeName {
    Created,
    Rejected,
    Trade,
    Cancelled,
    Amended,
}

#[derive(Deserialize)]
struct ChangeFields {
    change: ChangeName,
    order_id: Option<OrderId>,
    user_id: Option<UserId>,
    side: Option<Side>,
    order_type: Option<OrderType>,
    price: Option<Amount>,
    quantity: Option<Amount>,
    filled_quantity: Option<Amount>,
    filled_quote: Option<Amount>,
    fee: Option<Amount>,
    reason: Option<CancelReason>,
    trade_id: Option<TradeId>,
    maker_fee: Option<Amount>,
    taker_fee: Option<Amount>,
    maker: Option<OrderState>,
    taker: Option<OrderState>,
}

impl ChangeFields {
    fn change<E: Error>(self) -> Result<Change, E> {
        Ok(match self.change {
            ChangeName::Created => Change::Created(self.order()?),
            ChangeName::Rejected => Change::Rejected(self.order()?),
            ChangeName::Amended => Change::Amended(self.order()?),
            ChangeName::Cancelled => {
                let reason = there(self.reason, "reason")?;
                Change::Cancelled { order: self.order()?, reason }
            }
            ChangeName::Trade => Change::Trade(Box::new(self.trade()?)),
        })
    }

    fn order<E: Error>(self) -> Result<OrderState, E> {
        Ok(OrderState {
            order_id: there(self.order_id, "order_id")?,
            user_id: there(self.user_id, "user_id")?,
            side: there(self.side, "side")?,
            order_type: there(self.order_type, "order_type")?,
            price: self.price,
            quantity: there(self.quantity, "quantity")?,
            filled_quantity: there(self.filled_quantity, "filled_quantity")?,
            filled_quote: there(self.filled_quote, "filled_quote")?,
            fee: there(self.fee, "fee")?,
        })
    }

    fn trade<E: Error>(self) -> Result<Trade, E> {
        Ok(Trade {
            trade_id: there(self.trade_id, "trade_id")?,
            price: there(self.price, "price")?,
            quantity: there(self.quantity, "quantity")?,
            maker_fee: there(self.maker_fee, "maker_fee")?,
            taker_fee: there(self.taker_fee, "taker_fee")?,
            maker: there(self.maker, "maker")?,
            taker: there(self.taker, "taker")?,
        })
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = OutcomeFields::deserialize(deserializer)?;
        Ok(Self {
            seq: fields.seq,
            at: fields.at,
            result: result(fields.result, fields.code, fields.detail, fields.reason)?,
            continued: fields.continued,
            goes_on: fields.goes_on,
            changes: fields.changes,
            levels: fields.levels,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResultName {
    Accepted,
    Rejected,
    Amended,
    Unchanged,
    Cancelled,
    Refused,
    Defined,
    Ticked,
    Parked,
}

#[derive(Deserialize)]
struct OutcomeFields {
    seq: Seq,
    at: Timestamp,
    result: ResultName,
    code: Option<RefusalCode>,
    detail: Option<String>,
    reason: Option<String>,
    #[serde(default)]
    continued: bool,
    #[serde(default)]
    goes_on: bool,
    #[serde(default)]
    changes: Vec<Change>,
    #[serde(default)]
    levels: Levels,
}

fn result<E: Error>(
    name: ResultName,
    code: Option<RefusalCode>,
    detail: Option<String>,
    reason: Option<String>,
) -> Result<InputResult, E> {
    let refusal = || Ok(Refusal { code: there(code, "code")?, detail: there(detail, "detail")? });
    Ok(match name {
        ResultName::Accepted => InputResult::Accepted,
        ResultName::Rejected => InputResult::Rejected(refusal()?),
        ResultName::Amended => InputResult::Amended,
        ResultName::Unchanged => InputResult::Unchanged,
        ResultName::Cancelled => InputResult::Cancelled,
        ResultName::Refused => InputResult::Refused(refusal()?),
        ResultName::Defined => InputResult::Defined,
        ResultName::Ticked => InputResult::Ticked,
        ResultName::Parked => InputResult::Parked { reason: there(reason, "reason")? },
    })
}

fn there<T, E: Error>(field: Option<T>, name: &'static str) -> Result<T, E> {
    field.ok_or_else(|| E::missing_field(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";

    fn order() -> String {
        format!(
            r#""order_id":"{ID}","user_id":"{ID}","side":"SELL","order_type":"LIMIT","price":"100","quantity":"2","filled_quantity":"1","filled_quote":"100","fee":"0.1""#
        )
    }

    /// As it is written, it is read.
    #[test]
    fn every_change_reads_back() {
        let order = order();
        for text in [
            format!(r#"{{"change":"created",{order}}}"#),
            format!(r#"{{"change":"rejected",{order}}}"#),
            format!(r#"{{"change":"amended",{order}}}"#),
            format!(r#"{{"change":"cancelled",{order},"reason":"requested"}}"#),
            format!(
                r#"{{"change":"trade","trade_id":"{ID}","price":"100","quantity":"1","maker_fee":"0.05","taker_fee":"0.1","maker":{{{order}}},"taker":{{{order}}}}}"#
            ),
        ] {
            let change: Change = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&change).unwrap(), text);
        }
    }

    #[test]
    fn every_result_reads_back() {
        let refusal = r#","code":"not_owner","detail":"it is not""#;
        for (name, more) in [
            ("accepted", ""),
            ("rejected", refusal),
            ("amended", ""),
            ("unchanged", ""),
            ("cancelled", ""),
            ("refused", refusal),
            ("defined", ""),
            ("ticked", ""),
            ("parked", r#","reason":"no JSON""#),
        ] {
            let text = format!(r#"{{"seq":17,"at":"2026-01-10T07:30:15.123Z","result":"{name}"{more}}}"#);
            let outcome: Outcome = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&outcome).unwrap(), text);
        }
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let order = order();
        let check = |text: String, names: &str| {
            let error = serde_json::from_str::<Change>(&text).unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
        };
        check(format!(r#"{{{order}}}"#), "`change`");
        check(format!(r#"{{"change":"moved",{order}}}"#), "`moved`");
        check(format!(r#"{{"change":"cancelled",{order}}}"#), "`reason`");
        check(r#"{"change":"created"}"#.to_owned(), "`order_id`");
        check(r#"{"change":"trade"}"#.to_owned(), "`trade_id`");
        let refused = r#"{"seq":17,"at":"2026-01-10T07:30:15.123Z","result":"refused","detail":"d"}"#;
        let error = serde_json::from_str::<Outcome>(refused).unwrap_err().to_string();
        assert!(error.contains("`code`"), "{error}");
    }

    #[test]
    fn order_and_strangers_do_not_matter() {
        let order = order();
        let text = format!(r#"{{"reason":"expired","new":[1],{order},"change":"cancelled"}}"#);
        let change: Change = serde_json::from_str(&text).unwrap();
        assert!(matches!(change, Change::Cancelled { reason: CancelReason::Expired, .. }));
    }
}
