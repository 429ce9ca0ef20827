//! Standing orders of a book, seen through every window that it has, and what must always hold of it.

use fillstream_domain::book::{Lots, Side, Ticks};
use fillstream_order_book::{Book, Resting};

/// Bids, then asks: best price first, oldest order first.
pub(crate) type Standing = [Vec<Resting>; 2];

/// Reads the whole book and holds its windows against each other.
pub(crate) fn standing(book: &Book) -> Standing {
    let standing = [Side::Buy, Side::Sell].map(|side| side_of(book, side));
    assert_eq!(standing.iter().map(Vec::len).sum::<usize>(), book.len(), "every order is in a queue");
    assert_eq!(book.is_empty(), standing.iter().all(Vec::is_empty));
    never_crossed(book);
    standing
}

fn side_of(book: &Book, side: Side) -> Vec<Resting> {
    let levels: Vec<(Ticks, Lots)> = book.levels(side).collect();
    assert_eq!(book.best(side), levels.first().copied(), "the best level is the first");
    let better = |pair: &[(Ticks, Lots)]| match side {
        Side::Buy => pair[0].0 > pair[1].0,
        Side::Sell => pair[0].0 < pair[1].0,
    };
    assert!(levels.windows(2).all(better), "best first: {levels:?}");
    let mut orders = Vec::new();
    for (price, lots) in levels {
        let queue: Vec<Resting> = book.queue(side, price).collect();
        let sum = queue.iter().map(|order| u128::from(order.left().get())).sum::<u128>();
        assert_eq!((u128::from(lots.get()), lots), (sum, book.level(side, price)), "level {price:?}");
        assert_eq!(book.level(side.opposite(), price), Lots::ZERO, "a price is of one side");
        assert_eq!(book.queue(side.opposite(), price).count(), 0, "a price is of one side");
        for order in &queue {
            assert_eq!((order.side, order.price), (side, price));
            assert!(order.filled < order.quantity, "nothing is left of {order:?}");
            assert_eq!(book.order(order.order_id).as_ref(), Some(order));
        }
        orders.extend(queue);
    }
    orders
}

/// Cheap enough for every step.
pub(crate) fn never_crossed(book: &Book) {
    if let (Some((bid, _)), Some((ask, _))) = (book.best(Side::Buy), book.best(Side::Sell)) {
        assert!(bid < ask, "crossed: {bid:?} {ask:?}");
    }
}

/// The snapshot, restored: the same book by every window, by hash and by bytes.
pub(crate) fn restored(book: &Book) -> Book {
    let bytes = book.snapshot();
    let restored = Book::restore(&bytes).unwrap();
    assert_eq!(restored.hash(), book.hash());
    assert_eq!(restored.next_expiry(), book.next_expiry());
    assert!(restored.snapshot() == bytes, "the snapshot of the restored book differs");
    restored
}
