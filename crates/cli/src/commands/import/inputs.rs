//! Inputs for the market: judged first, then stored one behind the other.

use std::collections::BTreeMap;

use fillstream_clock::now;
use fillstream_domain::{
    Amount, OrderId, Seq, UserId,
    book::{
        AmendRequested, BookInput, CancelRequested, Definition, Definitions, Flag, Lots, OrderType, Request,
        Side, Symbol, Terms, Ticks, TimeInForce,
    },
    subject::{book_inputs, book_order},
    swap::Field,
};
use fillstream_event_log::{After, AppendError, EventLog, NewRecord};
use fillstream_lobster::{Action, Plan};
use uuid::Uuid;

use super::answers::shares_at_dollars;
use crate::Failure;

/// Namespace of the inputs' ids (UUIDv5). Never changes: an import finds by them how far it had come.
const INPUTS: Uuid = Uuid::from_u128(0x91d4_7be0_36c2_5f4a_a8c9_6669_6c6c_7374);
/// User who places the recorded orders.
const RECORDED: UserId = UserId::new(Uuid::from_u128(0x1d0f_72aa_8e0b_5c39_9f61_6669_6c6c_7374));
/// User who takes them.
const AGGRESSOR: UserId = UserId::new(Uuid::from_u128(0x7a64_03c5_19fd_5e82_8b17_6669_6c6c_7374));
/// Records that are asked of the stream at once.
const PAGE: usize = 1000;

/// An input that waits to be stored.
struct Asked {
    order: OrderId,
    event_id: Uuid,
    what: What,
}

enum What {
    Order(Terms, UserId),
    Amend(Amount),
    Cancel,
}

/// All inputs of a plan, and how many of them are stored.
pub(super) struct Import {
    symbol: Symbol,
    asked: Vec<Asked>,
    /// Sequences of those that are stored, from the first one on.
    stored: Vec<Seq>,
    /// The last record of each order's subject.
    last: BTreeMap<OrderId, Seq>,
}

impl Import {
    /// Judges every order by the market's filters, as the intake does.
    pub(super) fn new(plan: &Plan, definition: Definition) -> Result<Self, Failure> {
        let symbol = plan.symbol.clone();
        let units = shares_at_dollars(&symbol);
        let markets = Definitions::from([(symbol.clone(), definition)]);
        let asked = |(action, place): (&Action, usize)| {
            let order = action.order().id(&symbol);
            let event_id = Uuid::new_v5(&INPUTS, format!("{symbol}/{place}/{action}").as_bytes());
            let what = what(action, &units, &markets)?;
            Ok::<_, Failure>(Asked { order, event_id, what })
        };
        let asked = plan.actions().zip(0..).map(asked).collect::<Result<_, _>>()?;
        Ok(Self { symbol, asked, stored: Vec::new(), last: BTreeMap::new() })
    }

    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }

    /// Sequences of what is stored, in order.
    pub(super) fn stored(&self) -> &[Seq] {
        &self.stored
    }

    /// The order of each input.
    pub(super) fn order_ids(&self) -> Vec<OrderId> {
        self.asked.iter().map(|asked| asked.order).collect()
    }

    /// Finds what an earlier run has stored; returns how much. Anything else that was ever asked of the market is
    /// refused.
    pub(super) async fn find_stored(&mut self, log: &dyn EventLog) -> Result<usize, Failure> {
        let mut tail = log.follow(After::START, Some(&book_inputs(&self.symbol))).await?;
        while tail.behind() > 0 {
            for record in tail.next(PAGE).await? {
                if let Ok(BookInput::Definition(_) | BookInput::Clock(_)) = BookInput::decode(&record.payload)
                {
                    continue;
                }
                let next = self.asked.get(self.stored.len());
                match next.filter(|asked| record.event_id == Some(asked.event_id)) {
                    Some(asked) => {
                        self.last.insert(asked.order, record.seq);
                        self.stored.push(record.seq);
                    }
                    None => {
                        let (symbol, seq) = (&self.symbol, record.seq);
                        return Err(format!(
                            "{symbol} holds something else at sequence {seq}: import into a market of its own"
                        )
                        .into());
                    }
                }
            }
        }
        Ok(self.stored.len())
    }

    /// Stores the rest, each behind the one before.
    pub(super) async fn store(&mut self, log: &dyn EventLog, told: impl Fn(usize)) -> Result<(), Failure> {
        while let Some(asked) = self.asked.get(self.stored.len()) {
            let record = self.record(asked);
            let order = asked.order;
            let seq = log.append(record).await.map_err(|error| stopped(&error))?;
            self.last.insert(order, seq);
            self.stored.push(seq);
            told(self.stored.len());
        }
        Ok(())
    }

    fn record(&self, asked: &Asked) -> NewRecord {
        let (symbol, order_id, at) = (self.symbol.clone(), asked.order, now());
        let input = match &asked.what {
            What::Order(terms, user) => BookInput::Placed(terms.clone().place(order_id, *user, None, at)),
            What::Amend(quantity) => BookInput::AmendRequested(AmendRequested {
                order_id,
                user_id: RECORDED,
                symbol,
                quantity: Some(*quantity),
                price: None,
                at,
            }),
            What::Cancel => {
                BookInput::CancelRequested(CancelRequested { order_id, user_id: RECORDED, symbol, at })
            }
        };
        NewRecord {
            subject: book_order(&self.symbol, order_id),
            after: self.last.get(&order_id).copied().unwrap_or(Seq::ZERO),
            event_id: asked.event_id,
            event_type: input.event_type().cloud_event_type(),
            time: at.to_string(),
            traceparent: None,
            retries: None,
            payload: input.encode().into(),
        }
    }
}

fn stopped(error: &AppendError) -> Failure {
    format!("{error}; what was stored is kept, and the same command goes on behind it").into()
}

fn what(action: &Action, units: &Definition, markets: &Definitions) -> Result<What, Failure> {
    let (side, price, quantity, life, user) = match *action {
        Action::Place { side, price, quantity, .. } => (side, price, quantity, TimeInForce::Gtc, RECORDED),
        Action::Take { side, price, quantity, .. } => (side, price, quantity, TimeInForce::Ioc, AGGRESSOR),
        Action::Less { quantity, .. } => return Ok(What::Amend(units.quantity(quantity))),
        Action::Cancel { .. } => return Ok(What::Cancel),
    };
    let terms = terms(units, markets, side, (price, quantity), life);
    Ok(What::Order(terms.map_err(|why| format!("{action}: {why}"))?, user))
}

fn terms(
    units: &Definition,
    markets: &Definitions,
    side: Side,
    (price, quantity): (Ticks, Lots),
    life: TimeInForce,
) -> Result<Terms, String> {
    let (price, quantity) = (units.price(price).to_string(), units.quantity(quantity).to_string());
    let request = Request {
        symbol: Field::Text(units.symbol.as_str()),
        side: Field::Text(side.name()),
        order_type: Field::Text(OrderType::Limit.name()),
        quantity: Field::Text(&quantity),
        price: Field::Text(&price),
        time_in_force: Field::Text(life.name()),
        expires_at: Field::Missing,
        post_only: Flag::Missing,
        self_trade_prevention: Field::Missing,
    };
    request.judge(markets, now()).map_err(|refused| {
        let errors: Vec<_> =
            refused.errors.iter().map(|error| format!("{} {}", error.field, error.must)).collect();
        errors.join(", ")
    })
}
