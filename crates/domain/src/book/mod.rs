//! Book orders: what is asked of a market, and what its matcher says became of it.
//!
//! ```text
//!  orders.book.<market>.<order_id>   placed | amend_requested | cancel_requested ─┐
//!  orders.book.<market>.definition   definition                                   ├─▶ matcher ─▶ markets.<market>  commit
//!  orders.book.<market>.clock        clock                                       ─┘
//! ```

mod amend;
mod codec;
mod commit;
mod definition;
mod flat;
mod input;
mod parts;
mod request;
mod rules;
mod symbol;
mod terms;

pub use amend::{AmendRequest, AmendTerms};
pub use codec::NotACommit;
pub use commit::{
    CancelReason, Change, Commit, InputResult, Levels, OrderState, Outcome, Refusal, RefusalCode, Trade,
    trade_id,
};
pub use definition::{
    Definition, DefinitionError, MAX_OPEN_ORDERS, MAX_OPEN_ORDERS_PER_USER, MAX_RATE_SCALE, MAX_SCALE,
    MOST_MAKERS,
};
pub use input::{AmendRequested, BookInput, BookPlaced, CancelRequested, Clock};
pub use parts::{Parts, PartsStep, Torn};
pub use request::{Definitions, Flag, Refused, Request, Terms};
pub use rules::Rules;
pub use symbol::{Symbol, SymbolError};
pub use terms::{BookStatus, Life, Lots, OrderType, Pricing, SelfTradePrevention, Side, Ticks, TimeInForce};
