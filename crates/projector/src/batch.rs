//! Records to rows.
//!
//! ```text
//!  records … ──┬─ swap events ──────────────┐
//!              ├─ placed, definitions ──────┼──▶ Batch, up to `end`
//!              └─ commits ─▶ CommitReader ──┘
//!                              └─ not whole yet ──▶ `end` lies before its first part; the records are kept
//! ```

use fillstream_commit_reader::{CommitReader, LaterVersion, OnForeign, Step};
use fillstream_domain::{
    RecordRef, Seq,
    book::BookInput,
    subject::{BookSubject, SwapSubject, market_commits},
    swap::SwapEvent,
};
use fillstream_event_log::Record;
use fillstream_projections::Batch;

/// Payloads of one transaction, in bytes: 2,000 swap events are far below it, commits of half a megabyte each are not.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Rows of a run of records, and what could not be read of it.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) batch: Batch,
    pub(crate) unreadable: Vec<(Record, String)>,
    /// Commits that were left out because their end, or their beginning, is not in the stream.
    pub(crate) torn: u64,
    /// Last sequence that is covered. A commit that the records do not end, and all behind it, is not.
    pub(crate) end: Option<Seq>,
}

/// The records begin within a commit, whose earlier parts must be read again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BeganInside {
    pub(crate) subject: String,
    /// Sequence of the commit's first part.
    pub(crate) read_again_from: Seq,
}

/// Takes consecutive records that were asked for from sequence `asked_from` on, for a model that stands at `after`.
/// Records that the model has passed only serve to complete a commit.
pub(crate) fn rows(records: &[Record], after: Seq, asked_from: Seq) -> Result<Rows, BeganInside> {
    let reader = CommitReader::new("projector", OnForeign::PassOver);
    let mut taker = Taker { rows: Rows::default(), reader, held: Vec::new(), after, asked_from };
    let mut bytes = 0;
    for record in records {
        bytes += record.payload.len();
        taker.take(record)?;
        if record.seq > after {
            taker.held.push(record.reference());
        }
        if taker.reader.position(record.seq) == record.seq {
            taker.rows.end = Some(record.seq);
            taker.rows.batch.records.append(&mut taker.held);
            if bytes > BATCH_BYTES {
                break;
            }
        }
    }
    taker.rows.torn = taker.reader.torn();
    Ok(taker.rows)
}

struct Taker {
    rows: Rows,
    reader: CommitReader,
    /// Records that are not covered yet.
    held: Vec<RecordRef>,
    after: Seq,
    asked_from: Seq,
}

impl Taker {
    fn take(&mut self, record: &Record) -> Result<(), BeganInside> {
        match self.reader.push(record) {
            Ok(Step::Complete(whole)) => {
                if record.seq > self.after {
                    self.rows.batch.market.commit(whole.parts());
                }
            }
            Ok(Step::Nothing) => self.other(record),
            Ok(Step::PassedOver { reason }) => self.unreadable(record, reason),
            Ok(Step::BeganInside { symbol, read_again_from }) if read_again_from < self.asked_from => {
                return Err(BeganInside { subject: market_commits(&symbol), read_again_from });
            }
            // What lies there was looked at: it is no part of this commit, which the reader then leaves out.
            Ok(Step::BeganInside { .. }) => drop(self.reader.push(record)),
            // Told as passed over.
            Err(LaterVersion { .. }) => {}
        }
        Ok(())
    }

    /// A record that is no market's commit.
    fn other(&mut self, record: &Record) {
        match BookSubject::parse(&record.subject) {
            Some(subject) => self.input(record, &subject),
            None if record.subject.starts_with("orders.swap.") => self.swap(record),
            None if record.subject.starts_with("markets.") => {
                self.unreadable(record, "no market can have this name".to_owned());
            }
            // Other subjects are other projections' business, or the matcher's.
            None => {}
        }
    }

    fn swap(&mut self, record: &Record) {
        let order = SwapSubject::parse(&record.subject).map(SwapSubject::order);
        match &*record.reading(SwapEvent::decode) {
            Ok(event) if Some(event.order_id()) == order => {
                self.rows.batch.swaps.push(record.seq, event, &record.payload);
            }
            Ok(_) => self.unreadable(record, "the event belongs to another order".to_owned()),
            Err(error) => self.unreadable(record, error.to_string()),
        }
    }

    /// An input that cannot be read, or is in the wrong place, is the matcher's to judge: its commit says so.
    fn input(&mut self, record: &Record, subject: &BookSubject) {
        let market = &mut self.rows.batch.market;
        match (subject, &*record.reading(BookInput::decode)) {
            (BookSubject::Order(symbol, order), Ok(BookInput::Placed(placed)))
                if (&placed.symbol, placed.order_id) == (symbol, *order) =>
            {
                market.placed(record.seq, placed);
            }
            (BookSubject::Definition(symbol), Ok(BookInput::Definition(definition)))
                if definition.symbol == *symbol =>
            {
                market.definition(record.seq, definition.clone());
            }
            (
                BookSubject::Order(..)
                | BookSubject::Definition(_)
                | BookSubject::Clock(_)
                | BookSubject::Commits(_),
                Ok(_) | Err(_),
            ) => {}
        }
    }

    fn unreadable(&mut self, record: &Record, reason: String) {
        self.rows.unreadable.push((record.clone(), reason));
    }
}

#[cfg(test)]
mod tests {
    use fillstream_domain::{
        Timestamp,
        book::{Commit, InputResult, Levels, Outcome},
    };

    use super::*;

    fn record(seq: u64, subject: &str, payload: Vec<u8>) -> Record {
        Record::new(Seq::new(seq), subject.to_owned(), 0, None, payload.into())
    }

    /// Part `number` of four of a commit, at its place from 10 on.
    fn part(number: u32) -> Record {
        let (at, levels) = (Timestamp::from_unix_ms(0), Levels::default());
        let (continued, goes_on) = (number > 1, number < 4);
        let part = Commit {
            rules: fillstream_domain::book::Rules::TODAY,
            symbol: "BTC/USDT".parse().unwrap(),
            first_input: Seq::new(1),
            last_input: Seq::new(1),
            part: number,
            last: !goes_on,
            hash: None,
            outcomes: vec![Outcome {
                seq: Seq::new(1),
                at,
                result: InputResult::Ticked,
                continued,
                goes_on,
                changes: vec![],
                levels,
            }],
        };
        record(9 + u64::from(number), "markets.BTC-USDT", part.encode())
    }

    /// Of the records: end, torn commits, markets with a commit.
    fn check(records: &[Record], after: u64, asked_from: u64, end: Option<u64>, torn: u64, markets: usize) {
        let rows = rows(records, Seq::new(after), Seq::new(asked_from)).unwrap();
        let found = (rows.end.map(Seq::get), rows.torn, rows.batch.market.markets().count());
        assert_eq!(found, (end, torn, markets));
    }

    #[test]
    fn the_batch_ends_before_a_commit_that_has_no_end() {
        let other = |seq| record(seq, "orders.swap.x", vec![]);
        let whole = [other(9), part(1), part(2), part(3), part(4), other(14)];
        for count in 2..=4 {
            check(&whole[..count], 8, 9, Some(9), 0, 0);
            check(&whole[1..count], 9, 10, None, 0, 0);
        }
        check(&whole[..5], 8, 9, Some(13), 0, 1);
        check(&whole, 8, 9, Some(14), 0, 1);
    }

    #[test]
    fn parts_that_something_else_follows_are_torn() {
        let torn = [part(1), part(2), record(12, "parked.x.1", vec![])];
        check(&torn, 9, 10, Some(12), 1, 0);
        let unreadable = [part(1), record(11, "markets.BTC-USDT", b"{".to_vec())];
        check(&unreadable, 9, 10, Some(11), 1, 0);
    }

    #[test]
    fn records_that_begin_within_a_commit_ask_for_its_beginning() {
        let inside = rows(&[part(3), part(4)], Seq::new(11), Seq::new(12)).err();
        let subject = "markets.BTC-USDT".to_owned();
        assert_eq!(inside, Some(BeganInside { subject, read_again_from: Seq::new(10) }));
        check(&[part(1), part(2), part(3), part(4)], 11, 10, Some(13), 0, 1);
        // It is not there.
        check(&[part(3), part(4)], 11, 10, Some(13), 2, 0);
        // A commit that the model has passed.
        check(&[part(1), part(2), part(3), part(4)], 13, 10, Some(13), 0, 0);
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_but_never_cuts_a_commit() {
        let large = |seq| record(seq, "other", vec![0; BATCH_BYTES / 2 + 1]);
        check(&[large(8), large(9), large(10)], 7, 8, Some(9), 0, 0);
        let commit = [part(1), part(2), part(3), part(4)];
        let records = [&[large(9)][..], &commit, &[large(14), large(15)]].concat();
        check(&records, 7, 8, Some(14), 0, 1);
    }
}
