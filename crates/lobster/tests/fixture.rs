//! The project's own small files through the engine in memory: every row type, every reason.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod engine;

use std::convert::Infallible;

use engine::Engine;
use fillstream_domain::book::{Lots, Symbol};
use fillstream_lobster::{
    Action, Answer, Cause, Key, Plan, Reason, Report, Venue, Wider, books, messages, replay,
};

const MESSAGES: &str = include_str!("fixture/messages.csv");
const BOOKS: &str = include_str!("fixture/books.csv");
const WIDER: &str = include_str!("fixture/wider.csv");

fn symbol() -> Symbol {
    "AAPL/USD".parse().unwrap()
}

fn plan(rows: &str, book_file: Option<&str>) -> Plan {
    let books = book_file.map(|file| books(file).unwrap());
    Plan::new(symbol(), &messages(rows).unwrap(), books.as_deref()).unwrap()
}

fn run(rows: &str, book_file: Option<&str>) -> Report {
    let report = replay(&plan(rows, book_file), &mut Engine::new(&symbol())).unwrap();
    eprintln!("{report}");
    report
}

/// Rows of the executions that missed, with the reason and the row that it follows from.
fn missed(report: &Report) -> Vec<(usize, Reason, Option<usize>)> {
    report.missed.iter().map(|missed| (missed.row, missed.reason, missed.since)).collect()
}

#[test]
fn every_miss_has_the_reason_that_the_files_prove() {
    let report = run(MESSAGES, Some(BOOKS));
    let expected = [
        (11, Reason::UnknownPlace, None),
        (13, Reason::Follows, Some(11)),
        (22, Reason::Older, None),
        (25, Reason::Follows, Some(22)),
        (26, Reason::Follows, Some(22)),
        (31, Reason::PassedOver, None),
    ];
    assert_eq!(missed(&report), expected);
    assert_eq!(report.reasons[&Reason::Hidden], 1);
    assert_eq!((report.crosses, report.halts), (1, 2));
    assert_eq!(report.executions, report.same + report.reasons.values().sum::<u64>());
    assert!(report.refusals.iter().all(|refusal| refusal.follows), "{:?}", report.refusals);
}

/// The command line's test asserts that the real system comes to the same text.
#[test]
fn the_report_reads_well() {
    let report = run(MESSAGES, Some(BOOKS)).to_string();
    assert_eq!(report, include_str!("fixture/report.txt"));
}

#[test]
fn every_difference_has_its_cause() {
    let comparison = run(MESSAGES, Some(BOOKS)).comparison.unwrap();
    assert_eq!(comparison.compared, comparison.equal + comparison.differences.len() as u64);
    let wider = Wider::new(&messages(MESSAGES).unwrap(), &messages(WIDER).unwrap()).unwrap();
    let unseen: Vec<_> =
        comparison.differences.iter().filter(|found| found.cause != Cause::Execution).collect();
    let [unseen] = unseen[..] else { panic!("{unseen:?}") };
    assert_eq!((unseen.row, unseen.published, unseen.here), (16, Lots::new(50), Lots::new(40)));
    assert_eq!(unseen.cause, Cause::Unseen { since: 15 });
    assert!(wider.proves(unseen));
    let mut other = *unseen;
    other.published = Lots::new(51);
    assert!(!wider.proves(&other), "a proof is exact");
}

#[test]
fn a_book_that_is_not_the_exchanges_is_noticed() {
    let check = |old: &str, new: &str| {
        let wrong = BOOKS.replacen(old, new, 1);
        assert_ne!(wrong, BOOKS, "{old}");
        let found = run(MESSAGES, Some(&wrong)).comparison.unwrap().differences;
        assert!(found.iter().any(|found| found.cause == Cause::Unexplained), "{new}: {found:?}");
    };
    check("1000100,50,999900,140", "1000100,50,999900,141");
    check("1000100,50,999900,140,1000200,80", "1000100,50,999900,140,1000300,60");
}

#[test]
fn without_books_unsubmitted_orders_are_placed_by_their_numbers() {
    let rows =
        "1,1,1000,5,100,1\n2,4,7,3,100,1\n3,4,1000,5,100,1\n4,1,2000,5,90,1\n5,3,1500,4,80,1\n6,2,7,1,100,1";
    let plan = plan(rows, None);
    let placed = |row: usize| -> Vec<Key> { plan.rows[row - 1].before.iter().map(Action::order).collect() };
    assert_eq!(placed(1), [Key::Numbered(7)], "older than the first row");
    assert_eq!(placed(4), [Key::Numbered(1500)], "it came after 1000 and before 2000");
    assert_eq!((2..=6).map(|row| placed(row).len()).sum::<usize>(), 1);
    let report = run(rows, None);
    assert_eq!(
        missed(&report),
        [(3, Reason::UnknownPlace, None)],
        "a share of 7 is left, and rests before 1000"
    );
}

#[test]
fn merged_aggressors_make_the_same_trades() {
    for (rows, book_file) in [(MESSAGES, Some(BOOKS)), (MESSAGES, None), (WIDER, None)] {
        let plan = plan(rows, book_file);
        assert_eq!(engine::trades(&plan, false), engine::trades(&plan, true));
    }
}

#[test]
fn a_book_file_must_have_a_row_for_each_message() {
    let short = BOOKS.split_once('\n').unwrap().1;
    let found = Plan::new(symbol(), &messages(MESSAGES).unwrap(), Some(&books(short).unwrap())).unwrap_err();
    assert_eq!(found.to_string(), "row 34: book must be there for each message, and for no other");
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let narrow = messages(MESSAGES).unwrap();
    assert_eq!(Wider::new(&narrow, &narrow[1..]).unwrap_err().row, 1);
    assert_eq!(Wider::new(&narrow, &narrow[..20]).unwrap_err().row, 21);
}

/// A market in which an order stands that the files do not know: it is hit instead of theirs.
struct Crowded(Engine);

impl Venue for Crowded {
    type Error = Infallible;

    fn act(&mut self, action: &Action) -> Result<Answer, Infallible> {
        let mut answer = self.0.act(action)?;
        let stranger = Key::Numbered(1).id(&"OTHER/USD".parse().unwrap());
        answer.executions.iter_mut().for_each(|execution| execution.maker = stranger);
        Ok(answer)
    }
}

#[test]
fn a_stranger_is_told_from_the_files_orders() {
    let plan = plan("1,1,1000,5,100,1\n2,4,1000,5,100,1", None);
    let report = replay(&plan, &mut Crowded(Engine::new(&plan.symbol))).unwrap();
    assert_eq!(missed(&report), [(2, Reason::Stranger, None)]);
}
