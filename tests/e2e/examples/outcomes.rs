//! The exit code tells the outcome, and each order that a client names exists.

use fillstream_tests::stream;

use super::{client, code, held, orders, shown, status, until};
use crate::site::Site;

/// The clients that place a swap and tell its outcome.
const SWAPPERS: [&str; 4] = ["node/watch.mjs", "python/watch.py", "shell/first-order.sh", "shell/watch.sh"];

#[tokio::test]
async fn the_exit_code_tells_a_swap_s_outcome() {
    let site = Site::up(&[]);
    for path in SWAPPERS {
        for (arguments, expected, ending) in [
            (&["SOL", "USDC", "2.5"][..], 0, "confirmed"),
            (&["RUSH", "USDC", "3"], 1, "failed"),
            (&["SOL", "SOL", "3"], 2, ""),
        ] {
            let Some(mut client) = client(&site, path, arguments) else { continue };
            assert_eq!(code(&mut client), Some(expected), "{path} {arguments:?}:\n{}", client.said());
            if expected == 2 {
                until(&client, "reason", |said| said.contains("must differ from tokenIn"));
                assert_eq!(orders(&client.said()), Vec::<String>::new());
                continue;
            }
            until(&client, ending, |said| said.contains(ending));
            let [order] = &orders(&client.said())[..] else { panic!("{path}: {}", client.said()) };
            assert_eq!(status(&site, order).await, ending, "{path} {arguments:?}");
            if path != "shell/first-order.sh" {
                assert_eq!(shown(&client.said()), held(&site, order).await, "{path} {arguments:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_undecided_swap_is_not_waited_for() {
    let site = Site::up(&["--venue-faults=unknowable=1000"]);
    for path in SWAPPERS {
        let Some(mut client) = client(&site, path, &[]) else { continue };
        assert_eq!(code(&mut client), Some(2), "{path}:\n{}", client.said());
        until(&client, "reason", |said| said.contains("an operator"));
        let [order] = &orders(&client.said())[..] else { panic!("{path}: {}", client.said()) };
        assert_eq!(status(&site, order).await, "submitted", "{path}");
    }
}

#[tokio::test]
async fn the_exit_code_tells_a_book_order_s_outcome() {
    let site = Site::up(&[]);
    for (path, arguments, expected, count) in [
        ("shell/trade.sh", &[][..], 0, 2),
        ("shell/trade.sh", &["SOL-USDC", "145.5"], 0, 2),
        ("shell/trade.sh", &["NO/SUCH"], 1, 0),
        ("python/trade.py", &["--pause=0"], 0, 1),
        ("python/trade.py", &["NO/SUCH"], 1, 0),
    ] {
        let Some(mut client) = client(&site, path, arguments) else { continue };
        assert_eq!(code(&mut client), Some(expected), "{path} {arguments:?}:\n{}", client.said());
        let last_word = match (path, expected) {
            (_, 1) => "must be one of",
            ("shell/trade.sh", _) => "book: ",
            _ => "  cancelled ",
        };
        until(&client, last_word, |said| said.contains(last_word));
        let orders = orders(&client.said());
        assert_eq!(orders.len(), count, "{path} {arguments:?}: {}", client.said());
        for order in orders {
            let is_there = subjects(&site).await.iter().any(|subject| subject.ends_with(&order));
            assert!(is_there, "{path}: {order} is not in the stream");
        }
    }
}

/// The subjects of everything in the stream: a book order is shown to its user alone, whom only the client knows.
async fn subjects(site: &Site) -> Vec<String> {
    stream::all(&site.log().await).await.into_iter().map(|record| record.subject).collect()
}
