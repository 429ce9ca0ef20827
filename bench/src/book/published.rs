//! Two published books, as their documentation says they are to be used.

use fillstream_domain::book::{Pricing, Side};
use fillstream_order_book::NewOrder;
use orderbook_rs::{DefaultOrderBook, Id};

use super::{
    contender::{Contender, Trades},
    script::{Operation, Wanted},
};

/// The limit; none for market orders.
fn limit(order: &NewOrder) -> Option<u32> {
    match order.pricing {
        Pricing::Market { .. } => None,
        Pricing::Limit { price, .. } | Pricing::PostOnly { price, .. } => Some(price.get()),
    }
}

pub(super) struct Matchcore(matchcore::OrderBook);

impl Contender for Matchcore {
    const NAME: &'static str = "matchcore 0.4";
    type Command = matchcore::Command;

    fn new() -> Self {
        Self(matchcore::OrderBook::new("BTC/USDT"))
    }

    fn command(operation: &Operation) -> matchcore::Command {
        use matchcore::{CancelCmd, Command, CommandKind, CommandMeta, SubmitCmd};
        let kind = match &operation.wanted {
            Wanted::Place(order) => CommandKind::Submit(SubmitCmd { order: matchcore_order(order) }),
            Wanted::Cancel { order, .. } => CommandKind::Cancel(CancelCmd {
                order_id: matchcore::OrderId(*order),
                order_kind: matchcore::OrderKind::Limit,
            }),
        };
        // An order's id is the sequence number of its command there.
        let meta = CommandMeta {
            sequence_number: matchcore::SequenceNumber(operation.number),
            timestamp: matchcore::Timestamp(0),
        };
        Command { meta, kind }
    }

    fn answer(&mut self, command: &matchcore::Command, trades: &mut Trades) {
        use matchcore::{CommandOutcome, CommandReport};
        let outcome = self.0.execute(command);
        let effects = match &outcome {
            CommandOutcome::Applied(CommandReport::Submit(effects) | CommandReport::Amend(effects)) => {
                effects
            }
            CommandOutcome::Applied(CommandReport::Cancel) => return,
            CommandOutcome::Rejected(failure) => panic!("matchcore refuses {command:?}: {failure}"),
        };
        if let Some(result) = effects.target_order().match_result() {
            for trade in result.trades() {
                trades.add(trade.maker_order_id().0, trade.price().0, trade.quantity().0);
            }
        }
    }
}

fn matchcore_order(order: &NewOrder) -> matchcore::NewOrder {
    use matchcore::{LimitOrder, MarketOrder, OrderFlags, Price, Quantity, QuantityPolicy, TimeInForce};
    let side = match order.side {
        Side::Buy => matchcore::Side::Buy,
        Side::Sell => matchcore::Side::Sell,
    };
    let quantity = Quantity(order.quantity.get());
    match limit(order) {
        None => matchcore::NewOrder::Market(MarketOrder::new(quantity, side, false)),
        Some(price) => matchcore::NewOrder::Limit(LimitOrder::new(
            Price(u64::from(price)),
            QuantityPolicy::Standard { quantity },
            OrderFlags::new(side, false, TimeInForce::Gtc),
        )),
    }
}

pub(super) struct OrderbookRs(DefaultOrderBook);

impl Contender for OrderbookRs {
    const NAME: &'static str = "orderbook-rs 0.15";
    type Command = Operation;

    fn new() -> Self {
        Self(DefaultOrderBook::new("BTC/USDT"))
    }

    fn command(operation: &Operation) -> Operation {
        *operation
    }

    fn answer(&mut self, command: &Operation, trades: &mut Trades) {
        let order = match &command.wanted {
            Wanted::Place(order) => order,
            Wanted::Cancel { order, .. } => {
                let cancelled =
                    self.0.cancel_order(Id::Sequential(*order)).expect("the order can be cancelled");
                assert!(cancelled.is_some(), "orderbook-rs does not know order {order}");
                return;
            }
        };
        let (id, quantity) = (Id::Sequential(command.number), order.quantity.get());
        let side = match order.side {
            Side::Buy => orderbook_rs::Side::Buy,
            Side::Sell => orderbook_rs::Side::Sell,
        };
        let result = match limit(order) {
            None => self.0.submit_market_order(id, quantity, side).ok(),
            Some(price) => {
                let gtc = orderbook_rs::TimeInForce::Gtc;
                let placed =
                    self.0.add_limit_order_with_result(id, u128::from(price), quantity, side, gtc, None);
                placed.expect("a limit order is taken").1.map(|result| result.match_result)
            }
        };
        for trade in result.iter().flat_map(|result| result.trades().as_vec()) {
            let maker = trade.maker_order_id().as_u64().expect("ids are sequential");
            let price = u64::try_from(trade.price().as_u128()).expect("prices are small");
            trades.add(maker, price, trade.quantity().as_u64());
        }
    }
}
