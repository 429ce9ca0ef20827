//! Records of a market's inputs as its machine takes them.

use fillstream_domain::{Timestamp, book::BookInput, subject::BookSubject};
use fillstream_event_log::Record;
use fillstream_matcher::Recorded;

/// Bytes of a reason. It quotes the payload, and goes into the commit and the parked entry: whoever fills a message must
/// not make one of ours too large for the log.
const REASON_BYTES: usize = 500;

/// The record's input, or the reason why it holds none that a matcher could act on.
pub(crate) fn recorded(record: &Record) -> Recorded {
    let stored_at = Timestamp::from_unix_ms(record.stored_at);
    let input = input(record).map_err(|mut reason| {
        reason.truncate(reason.floor_char_boundary(REASON_BYTES));
        reason
    });
    Recorded { seq: record.seq, stored_at, input }
}

fn input(record: &Record) -> Result<BookInput, String> {
    let reading = record.reading(BookInput::decode);
    let input = reading.as_ref().as_ref().map_err(|error| match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })?;
    let subject = BookSubject::parse(&record.subject);
    let fits = match (&subject, input) {
        (
            Some(BookSubject::Order(symbol, order)),
            BookInput::Placed(_) | BookInput::AmendRequested(_) | BookInput::CancelRequested(_),
        ) => input.symbol() == symbol && input.order_id() == Some(*order),
        (Some(BookSubject::Definition(symbol)), BookInput::Definition(_))
        | (Some(BookSubject::Clock(symbol)), BookInput::Clock(_)) => input.symbol() == symbol,
        (Some(_) | None, _) => false,
    };
    if fits { Ok(input.clone()) } else { Err("the event does not belong to its subject".to_owned()) }
}

#[cfg(test)]
mod tests {
    use fillstream_domain::Seq;

    use super::*;

    const ORDER: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";

    #[test]
    fn an_input_belongs_to_its_subject() {
        let cancel = format!(
            r#"{{"type":"book.cancel_requested","version":1,"order_id":"{ORDER}","user_id":"{ORDER}","symbol":"BTC/USDT","at":"2026-01-10T07:30:15.123Z"}}"#
        );
        let clock =
            r#"{"type":"book.clock","version":1,"symbol":"BTC/USDT","at":"2026-01-10T07:30:15.123Z"}"#;
        let order = format!("orders.book.BTC-USDT.{ORDER}");
        for (subject, payload, fits) in [
            (&*order, &*cancel, true),
            ("orders.book.BTC-USDT.clock", clock, true),
            ("orders.book.ETH-USDT.clock", clock, false),
            ("orders.book.BTC-USDT.definition", clock, false),
            (&order, clock, false),
            ("orders.book.BTC-USDT.0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6f", &cancel, false),
            (&order, "{}", false),
            (&order, "", false),
        ] {
            let record =
                Record::new(Seq::new(7), subject.to_owned(), 9, None, payload.as_bytes().to_vec().into());
            let found = recorded(&record);
            assert_eq!(
                (found.seq, found.stored_at.unix_ms(), found.input.is_ok()),
                (Seq::new(7), 9, fits),
                "{subject} {payload}"
            );
        }
    }
}
