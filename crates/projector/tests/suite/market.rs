//! The market's side.

use fillstream_domain::book::Definition;
use fillstream_domain::{Seq, subject};
use fillstream_event_log::EventLog;
use fillstream_projections::Batch;

use crate::site::{Site, at, created, order, part, symbol};

/// Orders 2, 3, 4, 5 and a commit over them in four parts: sequences 5 to 8 and 9 to 12.
fn four_parts(site: &Site, upto: u32) {
    let inputs = [2, 3, 4, 5].map(|number| site.place(number));
    for number in 1..=upto {
        let at = number as usize - 1;
        site.commit(&part((5, 8), number, number == 4, created(inputs[at], number + 1)));
    }
}

#[tokio::test]
async fn markets_and_orders_are_projected() {
    let site = Site::new().await;
    site.begin();
    site.start().reach(4).await;
    let row = site.store.book_order(order(1)).await.unwrap().unwrap();
    assert_eq!((row.placed_seq, row.last_seq), (Seq::new(3), Seq::new(4)));
    let market = site.store.markets().await.unwrap().remove(0);
    assert_eq!(market.definition, Some(Definition::standard(symbol(), at())));
    assert_eq!(
        (market.commit_seq, market.last_input, market.hash.as_deref()),
        (Seq::new(4), Seq::new(3), Some("0000000000000003"))
    );
    assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await);
}

#[tokio::test]
async fn the_checkpoint_waits_for_the_last_part() {
    let site = Site::new().await;
    site.begin();
    let running = site.start();
    four_parts(&site, 3);
    running.reach(8).await;
    // The parts were read by now or will be: neither moves the model.
    assert_eq!(
        site.rebuilt().await.checkpoint.unwrap().seq,
        Seq::new(8),
        "a rebuild does not wait for the end either"
    );
    assert_eq!(running.projector.position(), Seq::new(8));
    assert_eq!(site.store.book_order(order(2)).await.unwrap().unwrap().last_seq, Seq::new(5));
    site.commit(&part((5, 8), 4, true, created(8, 5)));
    running.reach(12).await;
    assert_eq!(site.store.book_order(order(2)).await.unwrap().unwrap().last_seq, Seq::new(9));
    assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await);
    assert_eq!(running.projector.torn(), 0);
}

#[tokio::test]
async fn a_model_that_ends_within_a_commit_gets_all_of_it() {
    for inside in 8..12 {
        let site = Site::new().await;
        site.begin();
        for number in 2..=5 {
            site.place(number);
        }
        let running = site.start();
        running.reach(8).await;
        running.stop().await;
        for number in 1..=4 {
            site.commit(&part((5, 8), number, number == 4, created(u64::from(number) + 4, number + 1)));
        }
        // Nobody of ours does that.
        site.move_to(8, &Batch::default(), inside).await;
        site.place(6);
        let running = site.start();
        running.reach(13).await;
        assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await, "from {inside}");
        assert_eq!(running.projector.torn(), 0);
    }
}

#[tokio::test]
async fn parts_without_an_end_are_left_out() {
    let site = Site::new().await;
    site.begin();
    let running = site.start();
    four_parts(&site, 2);
    // Power was lost; the next matcher commits the same inputs anew, behind something else.
    site.append("orders.swap.x".to_owned(), b"garbage".to_vec());
    running.reach(11).await;
    assert_eq!(running.projector.torn(), 1);
    assert_eq!(site.store.book_order(order(2)).await.unwrap().unwrap().last_seq, Seq::new(5));
    let anew = site.commit(&part((5, 8), 1, true, created(5, 2)));
    running.reach(anew).await;
    assert_eq!(site.store.book_order(order(2)).await.unwrap().unwrap().last_seq, Seq::new(anew));
    // Parts without a beginning.
    site.commit(&part((20, 20), 3, true, created(6, 3)));
    running.reach(anew + 1).await;
    assert_eq!(running.projector.torn(), 2);
    assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await);
}

#[tokio::test]
async fn unreadable_commits_are_parked_and_unreadable_inputs_are_the_matcher_s_business() {
    let site = Site::new().await;
    site.begin();
    let mut foreign = part((1, 1), 1, true, created(1, 1));
    foreign.symbol = "ETH/USDT".parse().unwrap();
    let bad = [
        site.commit(&foreign),
        site.append(subject::market_commits(&symbol()), b"{".to_vec()),
        site.append("markets.nope".to_owned(), b"{}".to_vec()),
    ];
    for subject in [
        subject::book_order(&symbol(), order(1)),
        subject::book_definition(&symbol()),
        "orders.book.x".to_owned(),
    ] {
        site.append(subject, b"garbage".to_vec());
    }
    let running = site.start();
    running.reach(10 + bad.len() as u64).await;
    let parked = site.log.last_of_each(subject::ALL_PARKED).await.unwrap();
    let subjects: Vec<_> = parked.into_iter().map(|record| record.subject).collect();
    assert_eq!(subjects, bad.map(|seq| format!("parked.projector.{seq}")));
    assert_eq!(site.store.dump().await.unwrap(), site.rebuilt().await);
}
