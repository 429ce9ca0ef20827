//! Beginning of the newest messages of a pattern. The stream is read forward only, but it counts: so many match from here
//! on. The place is found by halving.

use fillstream_domain::Seq;
use fillstream_event_log::{Browse, LogError};

/// Factor by which each next look goes further back, until it is far enough.
const STRIDE: u64 = 4;

/// The sequence from which on `wanted` messages match (more, when some come meanwhile); the first one when there are
/// fewer. `last` is the stream's last sequence.
pub(super) async fn newest(log: &dyn Browse, pattern: &str, last: Seq, wanted: u64) -> Result<Seq, LogError> {
    let (mut window, mut few) = (wanted, last.next());
    let mut found = loop {
        let from = last.next().minus(window).max(Seq::FIRST);
        if count(log, pattern, from).await? >= wanted {
            break from;
        }
        if from == Seq::FIRST {
            return Ok(Seq::FIRST);
        }
        few = from;
        window = window.saturating_mul(STRIDE);
    };
    while few.since(found) > 1 {
        let middle = found.plus(few.since(found) / 2);
        if count(log, pattern, middle).await? >= wanted {
            found = middle;
        } else {
            few = middle;
        }
    }
    Ok(found)
}

/// Number of matches from a sequence on.
async fn count(log: &dyn Browse, pattern: &str, from: Seq) -> Result<u64, LogError> {
    let page = log.browse(pattern, from, 1).await?;
    Ok(page.messages.len() as u64 + page.left)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use async_trait::async_trait;
    use fillstream_event_log::{Message, Messages};

    use super::*;

    /// A stream in which these sequences match; counts how often it is asked.
    struct Matching(Vec<u64>, AtomicU64);

    #[async_trait]
    impl Browse for Matching {
        async fn browse(&self, _: &str, from: Seq, max: usize) -> Result<Messages, LogError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let mut found = self.0.iter().filter(|seq| Seq::new(**seq) >= from);
            let message = |seq: &u64| Message {
                seq: Seq::new(*seq),
                subject: String::new(),
                stored_at: 0,
                headers: Vec::new(),
                payload: Vec::new().into(),
            };
            let messages = found.by_ref().take(max).map(message).collect();
            Ok(Messages { messages, left: found.count() as u64 })
        }
    }

    #[tokio::test]
    async fn the_newest_are_found_wherever_they_are() {
        let check = async |matching: Vec<u64>, last, expected: u64| {
            let told = format!("{} of {last}", matching.len());
            let log = Matching(matching, AtomicU64::new(0));
            let from = newest(&log, ">", Seq::new(last), 100).await.unwrap().get();
            let found = |from: u64| log.0.iter().filter(|seq| **seq >= from).count();
            assert_eq!((found(from), from), (found(expected), expected), "{told}");
            assert!(log.1.load(Ordering::Relaxed) < 50, "{told}: asked {:?} times", log.1);
        };
        check(vec![], 0, 1).await;
        check(vec![], 1_000_000, 1).await;
        check(vec![1, 2, 3], 3, 1).await;
        check((1..=100).collect(), 100, 1).await;
        check((1..=1000).collect(), 1000, 901).await;
        check((1..=100).collect(), 10_000_000, 1).await;
        check((1..=200_000).collect(), 10_000_000, 199_901).await;
        check((1..=10_000).map(|n| n * 1000).collect(), 10_000_000, 9_901_000).await;
        check((1..=99).chain(5_000_000..5_000_002).collect(), 10_000_000, 2).await;
    }
}
