//! Answers of the matcher, read back from its commits.

use std::{collections::VecDeque, time::Duration};

use fillstream_clock::now;
use fillstream_commit_reader::{CommitReader, OnForeign};
use fillstream_domain::{
    Amount, OrderId, Seq,
    book::{Change, Definition, InputResult, Outcome, Side, Symbol},
    parse_exact,
    subject::market_commits,
};
use fillstream_event_log::{After, EventLog, Follow, Record};
use fillstream_lobster::{Action, Answer, Execution, Venue};
use tokio::time::timeout;

use crate::Failure;

/// Commits that are taken at once.
const PAGE: usize = 100;
/// Time that a matcher may be silent: longer than a standby needs to take over.
const PATIENCE: Duration = Duration::from_secs(20);

/// The files' own units: ten-thousandths of a dollar, whole shares.
pub(super) fn shares_at_dollars(symbol: &Symbol) -> Definition {
    let amount = |text| parse_exact(text).ok().and_then(Amount::new).expect("written in this file");
    let (tick_size, lot_size) = (amount("0.0001"), amount("1"));
    Definition { tick_size, lot_size, ..Definition::standard(symbol.clone(), now()) }
}

/// Follows the commits from sequence `from` on until each input has its answer, and tells it with the input's sequence;
/// `orders` are the inputs' orders.
pub(super) async fn collect(
    log: &dyn EventLog,
    symbol: &Symbol,
    from: Seq,
    orders: &[OrderId],
    told: impl Fn(usize),
) -> Result<Vec<(Seq, Answer)>, Failure> {
    let units = shares_at_dollars(symbol);
    let mut tail = log.follow(After::Seq(from.prev()), Some(&market_commits(symbol))).await?;
    let mut reader = CommitReader::new("import", OnForeign::StopAtLater);
    let mut answers = Vec::with_capacity(orders.len());
    while answers.len() < orders.len() {
        for record in next(&mut *tail, symbol).await? {
            for whole in reader.take(log, &record).await? {
                for outcome in whole.assembled().into_iter().flat_map(|commit| commit.outcomes) {
                    let Some(order) = orders.get(answers.len()) else { break };
                    answers.extend(answer(&outcome, *order, &units)?.map(|answer| (outcome.seq, answer)));
                }
            }
        }
        told(answers.len());
    }
    Ok(answers)
}

async fn next(tail: &mut dyn Follow, symbol: &Symbol) -> Result<Vec<Record>, Failure> {
    let silent = || {
        format!(
            "no matcher of {symbol} has answered for {} s: what was stored is kept; once one runs, the same command goes on",
            PATIENCE.as_secs()
        )
    };
    Ok(timeout(PATIENCE, tail.next(PAGE)).await.map_err(|_| silent())??)
}

/// The answer to an input about `order`; nothing for definitions and time, which the import did not ask.
fn answer(outcome: &Outcome, order: OrderId, units: &Definition) -> Result<Option<Answer>, Failure> {
    let refused = match &outcome.result {
        InputResult::Defined | InputResult::Ticked => return Ok(None),
        InputResult::Rejected(refusal) | InputResult::Refused(refusal) => Some(refusal.detail.clone()),
        InputResult::Parked { reason } => Some(reason.clone()),
        InputResult::Accepted | InputResult::Amended | InputResult::Unchanged | InputResult::Cancelled => {
            None
        }
    };
    let off_unit = || format!("input {} came to a price or quantity that no file can hold", outcome.seq);
    let ticks = |price: Amount| units.ticks(price).ok_or_else(off_unit);
    let lots = |quantity: Amount| units.lots(quantity).ok_or_else(off_unit);
    let mut answer = Answer { refused, ..Answer::default() };
    for change in &outcome.changes {
        let trade = match change {
            Change::Trade(trade) if trade.taker.order_id == order => trade,
            Change::Trade(_)
            | Change::Created(_)
            | Change::Rejected(_)
            | Change::Cancelled { .. }
            | Change::Amended(_) => {
                continue;
            }
        };
        let (price, quantity) = (ticks(trade.price)?, lots(trade.quantity)?);
        answer.executions.push(Execution { maker: trade.maker.order_id, price, quantity });
    }
    for (side, levels) in [(Side::Buy, &outcome.levels.bids), (Side::Sell, &outcome.levels.asks)] {
        for (price, quantity) in levels {
            answer.levels.push((side, ticks(*price)?, lots(*quantity)?));
        }
    }
    Ok(Some(answer))
}

/// The answers as a venue that is asked once more.
pub(super) struct Answers(VecDeque<Answer>);

impl Answers {
    pub(super) fn new(answers: Vec<Answer>) -> Self {
        Self(answers.into())
    }
}

impl Venue for Answers {
    type Error = Failure;

    fn act(&mut self, action: &Action) -> Result<Answer, Failure> {
        self.0.pop_front().ok_or_else(|| format!("no answer to: {action}").into())
    }
}
