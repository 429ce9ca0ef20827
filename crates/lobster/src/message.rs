//! Message files: one event of the exchange per row.
//!
//! ```text
//!  time,type,order id,size,price × 10000,direction        34200.5,1,4711,100,5850000,-1
//! ```

use fillstream_domain::book::{Lots, Side, Ticks};

use crate::row::{Field, RowError, rows};

/// The columns of a message file.
const COLUMNS: [&str; 6] = ["time", "type", "order id", "size", "price", "direction"];

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Picoseconds since midnight.
    pub time: u64,
    /// Event.
    pub kind: Kind,
}

/// Kind of the event, and its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Type 1: an order came into the sample's levels.
    Submitted(Named),
    /// Type 2: its owner took so much of it back.
    Reduced(Named),
    /// Type 3: it was deleted with all that was left.
    Deleted(Named),
    /// Type 4: so much of it was executed.
    Executed(Named),
    /// Type 5: an order that nobody sees was executed.
    Hidden,
    /// Type 6: an auction.
    Cross,
    /// Type 7: trading was halted or went on.
    Halt,
}

/// A visible order, and how many of its shares a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// The exchange's number for it.
    pub order: u64,
    /// The resting order's side.
    pub side: Side,
    /// Its limit, in ten-thousandths of a dollar.
    pub price: Ticks,
    /// The shares of this row, at least 1.
    pub quantity: Lots,
}

impl Kind {
    /// The visible order that it is about.
    #[must_use]
    pub const fn named(&self) -> Option<Named> {
        match self {
            Self::Submitted(named) | Self::Reduced(named) | Self::Deleted(named) | Self::Executed(named) => {
                Some(*named)
            }
            Self::Hidden | Self::Cross | Self::Halt => None,
        }
    }
}

/// Reads a message file.
///
/// # Errors
/// The first field that is wrong, with its row.
pub fn messages(text: &str) -> Result<Vec<Message>, RowError> {
    rows(text).map(|(row, fields)| message(row, &fields)).collect()
}

fn message(row: usize, fields: &[&str]) -> Result<Message, RowError> {
    if fields.len() != COLUMNS.len() {
        let must = format!("must be {}, and are {}", COLUMNS.len(), fields.len());
        return Err(RowError::new(row, "columns", must));
    }
    let field = |column: usize| Field { row, name: COLUMNS[column], text: fields[column] };
    let named = || {
        let (order, quantity) = (field(2).integer()?, field(3).shares()?);
        Ok(Named { order, quantity, price: field(4).price()?, side: field(5).side()? })
    };
    // What is invisible is counted only, but it must be numbers all the same.
    let unnamed = |kind| {
        field(2).integer::<u64>()?;
        (3..6).try_for_each(|column| field(column).integer::<i64>().map(drop))?;
        Ok(kind)
    };
    let kind = match field(1).text {
        "1" => Kind::Submitted(named()?),
        "2" => Kind::Reduced(named()?),
        "3" => Kind::Deleted(named()?),
        "4" => Kind::Executed(named()?),
        "5" => unnamed(Kind::Hidden)?,
        "6" => unnamed(Kind::Cross)?,
        "7" => unnamed(Kind::Halt)?,
        _ => return Err(field(1).must("one of 1 to 7")),
    };
    Ok(Message { time: field(0).picoseconds()?, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_read_exactly() {
        let named = |price, side| Named {
            order: 4711,
            side,
            price: Ticks::new(price).unwrap(),
            quantity: Lots::new(18),
        };
        let check =
            |row: &str, time, kind| assert_eq!(messages(row), Ok(vec![Message { time, kind }]), "{row}");
        check(
            "34200.004241176,1,4711,18,5853300,1",
            34_200_004_241_176_000,
            Kind::Submitted(named(5_853_300, Side::Buy)),
        );
        check(
            "34200.5,2,4711,18,5853301,-1",
            34_200_500_000_000_000,
            Kind::Reduced(named(5_853_301, Side::Sell)),
        );
        check("0,3,4711,18,1,1", 0, Kind::Deleted(named(1, Side::Buy)));
        check(
            "1.000000000001,4,4711,18,4294967295,1",
            1_000_000_000_001,
            Kind::Executed(named(u32::MAX, Side::Buy)),
        );
        check("1,5,0,100,5856150,1", 1_000_000_000_000, Kind::Hidden);
        check("1,6,0,0,0,-1", 1_000_000_000_000, Kind::Cross);
        check("1,7,0,0,-1,-1", 1_000_000_000_000, Kind::Halt);
    }

    #[test]
    fn errors_name_the_row_and_the_field() {
        let good = "1,1,4711,18,5853300,1";
        for (bad, error) in [
            ("1,1,4711,18,5853300", "columns must be 6, and are 5"),
            (
                "1.0000000000001,1,1,1,1,1",
                "time must be seconds with at most twelve decimals, and is \"1.0000000000001\"",
            ),
            ("-1,1,1,1,1,1", "time must be seconds with at most twelve decimals, and is \"-1\""),
            ("1,8,1,1,1,1", "type must be one of 1 to 7, and is \"8\""),
            ("1,1,x,1,1,1", "order id must be a whole number in its range, and is \"x\""),
            ("1,2,1,0,1,1", "size must be a whole number of shares, at least 1, and is \"0\""),
            ("1,3,1,1.5,1,1", "size must be a whole number of shares, at least 1, and is \"1.5\""),
            (
                "1,4,1,1,0,1",
                "price must be a price in dollars times 10000, above 0 and below 4294967296, and is \"0\"",
            ),
            ("1,1,1,1,1,0", "direction must be 1 (buy) or -1 (sell), and is \"0\""),
            ("1,5,0,1,a,1", "price must be a whole number in its range, and is \"a\""),
        ] {
            let found = messages(&format!("{good}\n{bad}\n")).unwrap_err();
            assert_eq!(found.to_string(), format!("row 2: {error}"));
        }
    }
}
