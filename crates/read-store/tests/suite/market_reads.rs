//! What GETs and catch-ups ask of the market's side.

use fillstream_domain::book::BookStatus;
use fillstream_domain::{Position, Seq};
use fillstream_projections::market::BookFeed;
use fillstream_read_store::{Applied, Checkpoint, ReadStore, StoredChannel};

use crate::apply::project;
use crate::lives::{self, What, at, end, expected};
use crate::markets::{symbol, user};
use crate::place::Place;

on_both!(
    orders_are_paged_newest_first,
    trades_are_paged_newest_first,
    catch_ups_are_bounded_at_both_ends,
    books_are_read_at_one_moment,
    a_commit_that_is_there_takes_no_level_back,
);

async fn orders_are_paged_newest_first(place: &Place) {
    let events = lives::stream(150);
    let store = place.open().await;
    project(&store, 0, &events, 70).await;
    let all = expected(&events).book_orders;
    assert_eq!(store.book_order(all[0].order_id).await.unwrap().as_ref(), Some(&all[0]));
    assert_eq!(store.book_order(lives::order(1)).await.unwrap(), None);
    let symbols = [None, Some(symbol(0)), Some(symbol(1))];
    let statuses = [None].into_iter().chain(BookStatus::ALL.iter().copied().map(Some));
    for status in statuses {
        for symbol in &symbols {
            let mut own: Vec<_> = all
                .iter()
                .filter(|row| row.user_id == user(1))
                .filter(|row| status.is_none_or(|status| row.status == status))
                .filter(|row| symbol.as_ref().is_none_or(|symbol| row.symbol == *symbol))
                .cloned()
                .collect();
            assert!(!own.is_empty(), "{status:?} {symbol:?}");
            own.sort_by_key(|row| std::cmp::Reverse(row.placed_seq));
            let (mut paged, mut before) = (Vec::new(), None);
            loop {
                let page = store.book_orders(user(1), symbol.as_ref(), status, before, 3).await.unwrap();
                assert!(page.len() <= 3);
                let Some(last) = page.last() else { break };
                before = Some(last.placed_seq);
                paged.extend(page);
            }
            assert_eq!(paged, own, "{status:?} {symbol:?}");
        }
    }
}

async fn trades_are_paged_newest_first(place: &Place) {
    let events = lives::stream(100);
    let store = place.open().await;
    project(&store, 0, &events, 70).await;
    for symbol in [symbol(0), symbol(1)] {
        let of_market = expected(&events).trades.into_iter().filter(|trade| trade.symbol == symbol);
        let mut trades: Vec<_> = of_market.collect();
        trades.reverse();
        assert!(trades.len() > 10, "{}", trades.len());
        let (mut paged, mut before) = (Vec::new(), None);
        loop {
            let page = store.trades(&symbol, before, 4).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(Position::new(last.seq, last.index));
            paged.extend(page);
        }
        assert_eq!(paged, trades);
    }
}

async fn catch_ups_are_bounded_at_both_ends(place: &Place) {
    let events = lives::stream(60);
    let store = place.open().await;
    project(&store, 0, &events, 70).await;
    let all = expected(&events);
    for wanted in [None, Some(symbol(1))] {
        let wanted = wanted.as_ref();
        let channel = StoredChannel::Orders(user(2), wanted);
        let mut rows = all.user_updates.clone();
        rows.retain(|row| row.user_id == user(2) && wanted.is_none_or(|symbol| row.symbol == *symbol));
        let positions: Vec<_> = rows.iter().map(|row| Position::new(row.seq, row.index)).collect();
        for (after, up_to) in bounds(&positions) {
            let found = store.user_updates(user(2), wanted, after, up_to, 7).await.unwrap();
            let within = rows.iter().filter(|row| is_within(Position::new(row.seq, row.index), after, up_to));
            assert_eq!(found, within.take(7).cloned().collect::<Vec<_>>());
            check_channel(&store, channel, &positions, after, up_to).await;
        }
        let channel = StoredChannel::Trades(wanted);
        let mut rows = all.trades.clone();
        rows.retain(|row| wanted.is_none_or(|symbol| row.symbol == *symbol));
        let positions: Vec<_> = rows.iter().map(|row| Position::new(row.seq, row.index)).collect();
        for (after, up_to) in bounds(&positions) {
            let found = store.trades_after(wanted, after, up_to, 7).await.unwrap();
            let within = rows.iter().filter(|row| is_within(Position::new(row.seq, row.index), after, up_to));
            assert_eq!(found, within.take(7).cloned().collect::<Vec<_>>());
            check_channel(&store, channel, &positions, after, up_to).await;
        }
        let first = store
            .trades_after(wanted, Position::START, Position::after_all_of(Seq::MAX), u32::MAX)
            .await
            .unwrap();
        assert_eq!(first, rows, "from the beginning to the end");
    }
}

fn is_within(position: Position, after: Position, up_to: Position) -> bool {
    position > after && position <= up_to
}

/// Pairs of positions, some of them between two messages.
fn bounds(positions: &[Position]) -> impl Iterator<Item = (Position, Position)> {
    assert!(positions.len() > 10, "{}", positions.len());
    (0..positions.len()).step_by(3).map(|place| {
        let up_to = positions[positions.len() - 1 - place / 2].seq;
        (positions[place], Position::new(up_to, u32::try_from(place % 2).unwrap()))
    })
}

async fn check_channel(
    store: &ReadStore,
    channel: StoredChannel<'_>,
    positions: &[Position],
    after: Position,
    up_to: Position,
) {
    let within = positions.iter().filter(|position| is_within(**position, after, up_to)).count();
    let count = store.channel_count(channel, after, up_to, 9).await.unwrap();
    assert_eq!(count, within.min(9) as u64, "{channel:?} from {after:?} to {up_to:?}");
    let last = positions.iter().rev().find(|position| **position <= up_to);
    assert_eq!(store.channel_last(channel, up_to).await.unwrap(), last.copied());
}

async fn books_are_read_at_one_moment(place: &Place) {
    let store = place.open().await;
    let empty = store.books().await.unwrap();
    assert_eq!((empty.checkpoint, empty.markets), (None, vec![]));
    let events = lives::stream(80);
    let half = events.len() / 2;
    project(&store, 0, &events[..half], 30).await;
    let books = store.books().await.unwrap();
    assert_eq!(books.checkpoint, Some(at(end(&events[..half]))));
    let rows = store.markets().await.unwrap();
    assert_eq!(rows, books.markets.iter().map(|(row, _)| row.clone()).collect::<Vec<_>>());
    for (market, levels) in &books.markets {
        let one = store.book(&market.symbol).await.unwrap();
        assert_eq!(one, Some((market.clone(), levels.clone())));
    }
    assert_eq!(store.book(&"NO/SUCH".parse().unwrap()).await.unwrap(), None);
    // A feed that begins with the read model goes on like one that has seen everything.
    for (market, levels) in &books.markets {
        let mut begun_here = BookFeed::restore(market, levels);
        let mut saw_all = BookFeed::new(market.symbol.clone());
        for (place, recorded) in events.iter().enumerate() {
            let What::Commit(parts) = &recorded.what else { continue };
            for (seq, part) in parts.iter().filter(|(_, part)| part.symbol == market.symbol) {
                let told = saw_all.take(*seq, part);
                if place >= half {
                    assert_eq!(begun_here.take(*seq, part), told, "at {seq}");
                }
            }
            if place + 1 == half {
                assert_eq!(begun_here.depth_position(), saw_all.depth_position());
            }
        }
        assert_eq!(begun_here.depth(), saw_all.depth());
    }
}

/// Also when somebody has set the checkpoint back and the levels of an old commit are gone since.
async fn a_commit_that_is_there_takes_no_level_back(place: &Place) {
    let events = lives::stream(40);
    let store = place.open().await;
    project(&store, 0, &events, 30).await;
    let full = store.dump().await.unwrap();
    let first = events.iter().find(|recorded| matches!(recorded.what, What::Commit(_))).unwrap();
    place.execute(&format!("UPDATE read_model SET seq = {}", first.seq - 1)).await;
    let from = Checkpoint { seq: Seq::new(first.seq - 1), ..at(0) };
    let batch = lives::batch(std::slice::from_ref(first));
    let applied = store.apply(from, &batch, Seq::new(first.seq)).await.unwrap();
    assert_eq!(applied, Applied::Done { strays: vec![] });
    assert_eq!(store.dump().await.unwrap().markets, full.markets);
}
