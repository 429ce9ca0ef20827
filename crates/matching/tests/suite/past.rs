//! Books as they were.

use std::collections::BTreeMap;

use fillstream_domain::{Amount, Seq, book::Symbol};
use fillstream_event_log::{EventLog, SnapshotStore};
use fillstream_matching::{Levels, PastError, Settings, book_at};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::rig::Rig;

/// Every book of the log, folded one commit after the other: what holds from each sequence on.
async fn all_books(rig: &Rig) -> BTreeMap<u64, Levels> {
    let (mut bids, mut asks) = (BTreeMap::<Amount, Amount>::new(), BTreeMap::<Amount, Amount>::new());
    let mut books = BTreeMap::from([(0, Levels { seq: Seq::new(0), bids: Vec::new(), asks: Vec::new() })]);
    for (seq, commit) in rig.commits().await {
        for outcome in &commit.outcomes {
            for (side, levels) in [(&mut bids, &outcome.levels.bids), (&mut asks, &outcome.levels.asks)] {
                side.extend(levels.iter().copied());
                side.retain(|_, quantity| !quantity.decimal().is_zero());
            }
        }
        if commit.last {
            let bids = bids.iter().rev().map(|(price, quantity)| (*price, *quantity)).collect();
            let asks = asks.iter().map(|(price, quantity)| (*price, *quantity)).collect();
            books.insert(seq, Levels { seq: Seq::new(seq), bids, asks });
        }
    }
    books
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_of_a_thousand_moments_are_what_a_fold_says() {
    let rig = Rig::new();
    let at_work = rig.matcher(Settings { snapshot_every: 100, ..Settings::default() });
    let mut last = 0;
    for round in 0..30 {
        last = rig.flow(round, 100);
        rig.covered(last).await;
    }
    at_work.stop().await;
    let books = all_books(&rig).await;
    let newest = rig.log.info().await.unwrap().last_seq;
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    for round in 0..2 {
        for _ in 0..500 {
            let at = dice.random_range(0..=newest.get());
            let found = book_at(&rig.log, Some(&*rig.snapshots), &rig.symbol, Seq::new(at)).await.unwrap();
            let (_, expected) = books.range(..=at).next_back().unwrap();
            assert_eq!(&found, expected, "at {at}");
        }
        // Once more with all of them deleted.
        let kept = rig.snapshots.names("").await.unwrap();
        assert_eq!(kept.is_empty(), round == 1, "the first round had snapshots");
        for name in kept {
            rig.snapshots.delete(&name).await.unwrap();
        }
    }
    assert!(last <= newest.get());
}

#[tokio::test]
async fn the_future_is_refused_and_a_market_without_commits_is_empty() {
    let rig = Rig::new();
    let ahead = book_at(&rig.log, None, &rig.symbol, Seq::new(2)).await;
    assert!(matches!(ahead, Err(PastError::Ahead { newest: Seq::FIRST })), "{ahead:?}");
    let nothing: Symbol = "ETH/USDT".parse().unwrap();
    assert!(book_at(&rig.log, None, &nothing, Seq::new(1)).await.unwrap().bids.is_empty());
}
