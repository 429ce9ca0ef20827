//! The published samples, found by `FILLSTREAM_LOBSTER_DIR`, through the engine in memory.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

mod engine;

use std::path::PathBuf;

use engine::Engine;
use fillstream_lobster::{Message, Plan, Reason, Report, Wider, books, messages, replay};

const WIDE: &str = "AAPL_2012-06-21_messages_0930-1000.csv";
const NARROW: &str = "AAPL_2012-06-21_messages_first998_level10.csv";
const BOOKS: &str = "AAPL_2012-06-21_orderbook_first998_level10.csv";

fn read(name: &str) -> Option<String> {
    let Some(directory) = std::env::var_os("FILLSTREAM_LOBSTER_DIR") else {
        eprintln!(
            "FILLSTREAM_LOBSTER_DIR is not set: {name} is not replayed, only the project's own fixture is"
        );
        return None;
    };
    let path = PathBuf::from(directory).join(name);
    Some(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn run(messages: &[Message], book_file: Option<&str>) -> Report {
    let books = book_file.map(|file| books(file).unwrap());
    let plan = Plan::new("AAPL/USD".parse().unwrap(), messages, books.as_deref()).unwrap();
    let report = replay(&plan, &mut Engine::new(&plan.symbol)).unwrap();
    eprintln!("{report}");
    report
}

#[test]
fn the_published_books_are_equal_or_explained() {
    let (Some(narrow), Some(book_file), Some(wide)) = (read(NARROW), read(BOOKS), read(WIDE)) else { return };
    let (narrow, wide) = (messages(&narrow).unwrap(), messages(&wide).unwrap());
    let report = run(&narrow, Some(&book_file));
    let wider = Wider::new(&narrow, &wide).unwrap();
    let comparison = report.comparison.unwrap();
    assert_eq!((report.executions, report.same), (159, 98), "the other 61 were hidden");
    assert_eq!((comparison.rows, comparison.compared, comparison.equal), (998, 18_038, 18_033));
    assert_eq!(comparison.adopted, 1_924);
    for difference in &comparison.differences {
        assert!(wider.proves(difference), "{difference:?}");
    }
}

#[test]
fn half_an_hour_goes_through_with_a_reason_for_each_miss() {
    let Some(wide) = read(WIDE) else { return };
    let messages = messages(&wide).unwrap();
    let report = run(&messages, None);
    let plan = Plan::new("AAPL/USD".parse().unwrap(), &messages, None).unwrap();
    assert_eq!(
        engine::trades(&plan, false),
        engine::trades(&plan, true),
        "merged aggressors make other trades"
    );
    let of = |reason| report.reasons.get(&reason).copied().unwrap_or(0);
    assert_eq!((report.same, of(Reason::Hidden), of(Reason::Follows)), (2_271, 1_282, 33));
    assert!(
        [Reason::Unexplained, Reason::Stranger].iter().all(|reason| !report.reasons.contains_key(reason))
    );
    assert!(report.refusals.iter().all(|refusal| refusal.follows));
    assert_eq!(report.executions, report.same + report.reasons.values().sum::<u64>());
}
