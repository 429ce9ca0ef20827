//! Reads of the market's side, as GETs and catch-ups make them.

use fillstream_domain::book::{BookStatus, Side};
use fillstream_domain::{Position, Seq};
use fillstream_projections::market::{BookFeed, OpenCount};
use fillstream_read_store::{Applied, Checkpoint, ReadStore, StoredChannel};
use sqlx::{Executor, Row};

use crate::apply::project;
use crate::lives::{self, What, at, end, expected, to};
use crate::markets::{symbol, user};
use crate::place::Place;

on_both!(
    orders_are_paged_newest_first,
    open_orders_are_counted_and_those_in_the_book_apart,
    trades_are_paged_newest_first,
    catch_ups_are_bounded_at_both_ends,
    books_are_read_at_one_moment,
    a_commit_that_is_there_takes_no_level_back,
    the_best_levels_are_read_without_the_others,
    rows_say_of_which_records_they_are,
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

async fn open_orders_are_counted_and_those_in_the_book_apart(place: &Place) {
    let events = lives::stream(150);
    let store = place.open().await;
    let count = |count: usize| u32::try_from(count).unwrap();
    let (mut after, mut pending) = (0, 0);
    // At some of these places the matcher has not come to what was placed last.
    for until in events.len() / 2..events.len() / 2 + 40 {
        project(&store, end(&events[..after]), &events[after..until], 70).await;
        after = until;
        let all = expected(&events[..until]).book_orders;
        for (user, symbol) in [(1, 0), (1, 1), (2, 0), (3, 1)].map(|(of, at)| (user(of), symbol(at))) {
            let open = all
                .iter()
                .filter(|row| row.user_id == user && row.symbol == symbol && row.status == BookStatus::Open);
            let open: Vec<_> = open.collect();
            let in_book = open.iter().filter(|row| row.last_seq > row.placed_seq).count();
            let wanted = OpenCount { in_book: count(in_book), all: count(open.len()) };
            assert_eq!(store.open_orders(user, &symbol, 1000).await.unwrap(), wanted);
            assert_eq!(store.open_orders(user, &symbol, 1).await.unwrap().all, wanted.all.min(1));
            pending += wanted.all - wanted.in_book;
        }
    }
    assert!(pending > 0, "none was ever waiting");
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
        for most in [0, 1, 3, usize::MAX] {
            let (row, best) = store.book(&market.symbol, most).await.unwrap().unwrap();
            let of = |side| levels.iter().filter(move |level| level.side == side).take(most);
            let wanted: Vec<_> = of(Side::Buy).chain(of(Side::Sell)).cloned().collect();
            assert_eq!((&row, &best), (market, &wanted), "{most}");
        }
    }
    assert_eq!(store.book(&"NO/SUCH".parse().unwrap(), 10).await.unwrap(), None);
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
    place.execute(&format!("UPDATE read_model SET seq = {}, record_id = NULL", first.seq - 1)).await;
    let from = Checkpoint { seq: Seq::new(first.seq - 1), ..at(0) };
    let batch = lives::batch(std::slice::from_ref(first));
    let applied = store.apply(from, &batch, to(first.seq)).await.unwrap();
    assert_eq!(applied, Applied::Done { strays: vec![] });
    assert_eq!(store.dump().await.unwrap().markets, full.markets);
}

/// The best levels are found by an index: how many others there are makes no difference.
async fn the_best_levels_are_read_without_the_others(place: &Place) {
    let store = place.open().await;
    let events = lives::stream(4);
    project(&store, 0, &events, 30).await;
    // Prices whose order as texts is not that of numbers.
    let prices = ["9", "10", "9.5", "100.25", "0.5", "99", "100.3"];
    for side in ["BUY", "SELL"] {
        place.execute(&format!("DELETE FROM level_rows WHERE side = '{side}'")).await;
        for price in prices {
            let values = format!("(1, 'BTC/USDT', '{side}', '{price}', '1', 1)");
            let row = "INSERT INTO level_rows (generation, symbol, side, price, quantity, seq) VALUES";
            place.execute(&format!("{row} {values}")).await;
        }
    }
    let (_, levels) = store.book(&"BTC/USDT".parse().unwrap(), 3).await.unwrap().unwrap();
    let shown: Vec<_> = levels.iter().map(|level| level.price.to_string()).collect();
    assert_eq!(shown, ["100.3", "100.25", "99", "0.5", "9", "9.5"]);
    let find = if place.is_sqlite() { "instr" } else { "strpos" };
    // Few rows are cheaper to sort than to look up: the planner is told what thousands of them would tell it.
    let explain = if place.is_sqlite() {
        "EXPLAIN QUERY PLAN"
    } else {
        "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; EXPLAIN"
    };
    let (before, explain) = explain.rsplit_once("; ").unwrap_or(("SELECT 1", explain));
    let mut connection = place.raw().await;
    connection.execute(sqlx::AssertSqlSafe(before)).await.unwrap();
    let query = format!(
        "{explain} SELECT price FROM level_rows WHERE generation = (SELECT generation FROM read_model) AND \
         symbol = 'BTC/USDT' AND side = 'BUY' ORDER BY {find}(price || '.', '.') DESC, price DESC LIMIT 3"
    );
    let column = if place.is_sqlite() { 3 } else { 0 };
    let rows = connection.fetch_all(sqlx::AssertSqlSafe(query)).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(column)).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("level_rows_by_price"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
}

async fn rows_say_of_which_records_they_are(place: &Place) {
    let store = place.open().await;
    let events = lives::stream(10);
    project(&store, 0, &events, 7).await;
    let last = end(&events);
    // The first and the last are told alone: what lies between them is not read.
    for at in [vec![1, last], (1..=last).collect(), vec![last + 1], vec![]] {
        let tags = store.record_tags(at.iter().copied().map(Seq::new)).await.unwrap();
        let within = at.iter().filter(|seq| events.iter().any(|recorded| recorded.seq == **seq));
        let wanted = within.map(|seq| (Seq::new(*seq), to(*seq).id.tag())).collect();
        assert_eq!(tags, wanted, "{at:?}");
    }
}
