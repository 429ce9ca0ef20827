use std::sync::Arc;

use fillstream_domain::{Incarnation, Position, Timestamp, book::Side, subject::market_commits};
use fillstream_event_log::{After, MemoryLog, NewRecord};

use super::*;
use crate::{
    hub::Hub,
    market::{
        channel::MarketChannel,
        interleaving::{
            flow::{commit, created, levels, lot, outcome, parts, record, symbol, trade},
            stored::Stored,
        },
    },
    settings::Settings,
    token::Tokens,
};

const BTC: &str = "BTC/USDT";

/// Takes in these records of a log that has all of `stored`: where the trades are that were told.
async fn told(stored: Vec<NewRecord>, taken: &[usize]) -> Vec<Position> {
    let log = MemoryLog::new(Incarnation::new(7));
    for record in stored {
        log.append_now(record);
    }
    let history = Arc::new(Stored::new(log.clone()));
    let clock = || Timestamp::from_unix_ms(0);
    let hub = Hub::with_markets(Arc::new(log.clone()), history, Settings::default(), clock);
    let markets = Arc::clone(hub.markets.as_ref().unwrap());
    let channel = MarketChannel::Trades(None);
    let seat = markets.watch(&hub, &channel).unwrap();
    seat.feed.ring.lock().begin(Position::START);
    let mut follow = log.follow(After::START, None).await.unwrap();
    let records = follow.next(usize::MAX).await.unwrap();
    let mut tail = MarketTail::default();
    for place in taken {
        tail.take_in(&markets, &log, &records[*place]).await;
    }
    let frames = seat.feed.ring.lock().frames_behind(
        &channel,
        &Tokens::new(Incarnation::new(7)),
        Position::START,
        usize::MAX,
    );
    frames.into_iter().map(|(at, _)| at).collect()
}

/// One trade.
fn traded(n: u128) -> fillstream_domain::book::Outcome {
    let (maker, taker) = (lot(2 * n, 1, Side::Sell, 100, 1), lot(2 * n + 1, 2, Side::Buy, 100, 1));
    let changes = vec![created(maker), created(taker), trade(maker.filled(1), taker.filled(1), 1)];
    outcome(changes, levels(&[], &[]))
}

#[tokio::test]
async fn a_commit_that_is_met_inside_is_told_from_its_beginning() {
    let records = || parts(BTC, vec![traded(1), traded(2), traded(3)]).iter().map(record).collect::<Vec<_>>();
    let whole: Vec<_> = [1, 2, 3].map(|seq| Position::new(Seq::new(seq), 0)).into();
    for (taken, expected) in [
        (&[0, 1, 2][..], &whole),
        (&[1, 2], &whole),
        (&[2], &whole),
        (&[1], &Vec::new()),
        (&[0, 1], &Vec::new()),
    ] {
        assert_eq!(told(records(), taken).await, *expected, "{taken:?}");
    }
}

#[tokio::test]
async fn what_is_no_commit_of_its_market_is_told_to_nobody() {
    let good = record(&commit(BTC, vec![traded(1)]));
    let elsewhere = NewRecord { subject: market_commits(&symbol("ETH/USDT")), ..good.clone() };
    let torn = NewRecord { payload: "{".into(), ..good.clone() };
    let told = told(vec![elsewhere, torn, good], &[0, 1, 2]).await;
    assert_eq!(told, [Position::new(Seq::new(3), 0)]);
}
