//! The rows of a message file held against each other: what each order is worth over the whole file.
//!
//! ```text
//!  Submitted 100 ─ Reduced 20 ─ Executed 50 ─ Deleted 30     an order of the sample
//!                  Executed 50 ─ Deleted 30                   one from before it, or from outside: 80 at least
//! ```

use std::collections::BTreeMap;

use fillstream_domain::book::{Lots, Side, Ticks};

use crate::message::{Kind, Message, Named};
use crate::row::RowError;

/// Statements of a whole file about one order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    pub(crate) side: Side,
    pub(crate) price: Ticks,
    /// True when a row submits it. If none does, it rested before the file's first row or came where the sample does not
    /// look.
    pub(crate) submitted: bool,
    /// What rows still to come take from it: cancellations and executions.
    pub(crate) to_come: Lots,
    left: Option<Lots>,
}

/// What a whole file says, by the exchange's order number.
pub(crate) type Lives = BTreeMap<u64, Life>;

/// Reads all lives, and refuses rows that contradict earlier ones.
pub(crate) fn lives(messages: &[Message]) -> Result<Lives, RowError> {
    let mut lives = Lives::new();
    for (message, row) in messages.iter().zip(1..) {
        match message.kind {
            Kind::Submitted(named) => submit(&mut lives, row, &named)?,
            Kind::Reduced(named) | Kind::Deleted(named) | Kind::Executed(named) => {
                take(&mut lives, row, &named)?;
            }
            Kind::Hidden | Kind::Cross | Kind::Halt => {}
        }
    }
    Ok(lives)
}

fn submit(lives: &mut Lives, row: usize, named: &Named) -> Result<(), RowError> {
    let &Named { order, side, price, quantity } = named;
    let life = Life { side, price, submitted: true, to_come: Lots::ZERO, left: Some(quantity) };
    match lives.insert(order, life) {
        None => Ok(()),
        Some(_) => Err(RowError::new(
            row,
            "order id",
            format!("must be new, and {order} is known from an earlier row"),
        )),
    }
}

fn take(lives: &mut Lives, row: usize, named: &Named) -> Result<(), RowError> {
    let &Named { order, side, price, quantity } = named;
    let unseen = Life { side, price, submitted: false, to_come: Lots::ZERO, left: None };
    let life = lives.entry(order).or_insert(unseen);
    if (life.side, life.price) != (side, price) {
        return Err(RowError::new(
            row,
            "price",
            format!("must be that of order {order} in earlier rows, direction as well"),
        ));
    }
    let beyond =
        |field: &str| RowError::new(row, field, format!("must not pass what is left of order {order}"));
    life.to_come = life.to_come.plus(quantity).ok_or_else(|| beyond("size"))?;
    if let Some(left) = &mut life.left {
        *left = left.minus(quantity).ok_or_else(|| beyond("size"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages;

    #[test]
    fn rows_that_contradict_earlier_ones_are_refused() {
        let check = |rows: &str, expected: &str| {
            let found = lives(&messages(rows).unwrap()).unwrap_err();
            assert_eq!(found.to_string(), expected, "{rows}");
        };
        let again = "row 2: order id must be new, and 7 is known from an earlier row";
        check("1,1,7,10,100,1\n1,1,7,10,100,1", again);
        check("1,4,7,10,100,1\n1,1,7,10,100,1", again);
        let moved = "row 2: price must be that of order 7 in earlier rows, direction as well";
        check("1,1,7,10,100,1\n1,2,7,10,101,1", moved);
        check("1,1,7,10,100,1\n1,3,7,10,100,-1", moved);
        let more = "row 3: size must not pass what is left of order 7";
        check("1,1,7,10,100,1\n1,4,7,6,100,1\n1,3,7,5,100,1", more);
    }

    #[test]
    fn an_order_from_before_is_worth_what_is_taken_from_it() {
        let lives = lives(&messages("1,4,7,10,100,1\n1,2,7,5,100,1\n1,3,7,1,100,1").unwrap()).unwrap();
        assert_eq!((lives[&7].submitted, lives[&7].to_come), (false, Lots::new(16)));
    }
}
