use fillstream_domain::book::InputResult::{Accepted, Defined, Ticked};
use fillstream_domain::book::{CancelReason, Change, Levels, RefusalCode};
use fillstream_domain::{Seq, Timestamp};

use super::super::MarketRow;
use super::super::fixture::{
    at, cancelled, commit, levels, order, outcome, parts, placed, refusal, state, symbol, trade,
};
use super::*;

/// What a commit may say of order 1, and placing it once more.
const KINDS: usize = 7;

fn push(batch: &mut MarketBatch, seq: u64, kind: usize) {
    let buy = |filled| state(1, 7, Side::Buy, "4", filled);
    let change = match kind {
        0 => return batch.placed(Seq::new(seq), &placed(1, 8, Side::Sell, "9")),
        1 => Change::Created(buy("0")),
        2 => trade(seq, 0, "1", state(2, 8, Side::Sell, "1", "1"), buy("1")),
        3 => trade(seq, 0, "4", state(1, 7, Side::Buy, "4", "4"), state(2, 7, Side::Sell, "9", "5")),
        4 => cancelled(buy("1"), CancelReason::Requested),
        5 => Change::Amended(state(1, 7, Side::Buy, "3", "1")),
        _ => Change::Rejected(buy("0")),
    };
    let result =
        if kind == 6 { InputResult::Rejected(refusal(RefusalCode::DuplicateOrder)) } else { Accepted };
    batch.commit(&[(Seq::new(seq), commit(vec![outcome(seq, result, vec![change], Levels::default())]))]);
}

/// The read model's orders in memory, as the statements of a store treat them.
fn apply(model: &mut BTreeMap<OrderId, BookOrderRow>, batch: &MarketBatch) {
    for row in batch.new_orders() {
        model.entry(row.order_id).or_insert(row);
    }
    for patch in batch.all_changes() {
        if let Some(row) = model.get_mut(&patch.order_id) {
            row.take(patch);
        }
    }
}

/// Order 1 after it was placed at 1 and these happened, cut into batches after each whose bit is set.
fn row(kinds: &[usize], cuts: usize) -> BookOrderRow {
    let (mut model, mut batch) = (BTreeMap::new(), MarketBatch::default());
    batch.placed(Seq::new(1), &placed(1, 7, Side::Buy, "4"));
    for (place, (kind, seq)) in kinds.iter().zip(2..).enumerate() {
        if cuts & (1 << place) != 0 {
            apply(&mut model, &std::mem::take(&mut batch));
        }
        push(&mut batch, seq, *kind);
    }
    apply(&mut model, &batch);
    model.remove(&order(1)).unwrap()
}

fn check(kinds: &[usize], expected: &str) {
    let row = row(kinds, 0);
    let found = format!(
        "{} {}/{} quote {} fee {} at {}.{}",
        row.status,
        row.filled_quantity,
        row.quantity,
        row.filled_quote,
        row.fee,
        row.last_seq,
        row.last_index
    );
    assert_eq!(found, expected, "{kinds:?}");
    assert_eq!((row.placed_seq, row.created_at), (Seq::FIRST, at(0)));
    assert_eq!(row.updated_at, if row.last_seq == Seq::FIRST { at(0) } else { at(row.last_seq.get()) });
}

#[test]
fn each_change_shows_in_the_row() {
    check(&[], "OPEN 0/4 quote 0 fee 0 at 1.0");
    check(&[1], "OPEN 0/4 quote 0 fee 0 at 2.0");
    check(&[1, 2], "OPEN 1/4 quote 100 fee 0.1 at 3.0");
    check(&[1, 2, 3], "FILLED 4/4 quote 400 fee 0.4 at 4.0");
    check(&[1, 2, 4], "CANCELLED 1/4 quote 100 fee 0.1 at 4.0");
    check(&[1, 2, 5], "OPEN 1/3 quote 100 fee 0.1 at 4.0");
    check(&[6], "REJECTED 0/4 quote 0 fee 0 at 2.0");
    // Somebody else's order under the same id.
    check(&[1, 0, 6], "OPEN 0/4 quote 0 fee 0 at 2.0");
}

#[test]
fn a_merged_batch_leaves_the_row_that_single_commits_leave() {
    const LENGTH: u32 = 4;
    for life in 0..KINDS.pow(LENGTH) {
        let kinds: Vec<_> = (0..LENGTH).map(|place| life / KINDS.pow(place) % KINDS).collect();
        let single = row(&kinds, usize::MAX);
        for cuts in 0..1 << LENGTH {
            assert_eq!(row(&kinds, cuts), single, "{kinds:?} cut at {cuts:b}");
        }
    }
}

#[test]
fn a_batch_holds_the_last_of_each_level_and_market() {
    let mut batch = MarketBatch::default();
    assert_eq!(batch.span(), None);
    let definition = Definition::standard(symbol(), Timestamp::from_unix_ms(0));
    batch.definition(Seq::new(3), definition.clone());
    batch.commit(&[(Seq::new(4), commit(vec![outcome(3, Defined, vec![], Levels::default())]))]);
    let change = |levels| outcome(17, Accepted, vec![], levels);
    batch.commit(&[(
        Seq::new(20),
        commit(vec![change(levels(&[("99", "1")], &[("101", "1"), ("102", "1")]))]),
    )]);
    let torn = parts(
        21,
        vec![vec![change(levels(&[("99", "0")], &[]))], vec![change(levels(&[], &[("101", "2")]))]],
    );
    batch.commit(&torn);
    batch.commit(&[(Seq::new(23), commit(vec![outcome(18, Ticked, vec![], Levels::default())]))]);

    let found = batch.levels().map(|row| format!("{} {} {} {}", row.side, row.price, row.quantity, row.seq));
    assert_eq!(found.collect::<Vec<_>>(), ["BUY 99 0 21", "SELL 101 2 22", "SELL 102 1 20"]);
    let market = MarketPatch {
        symbol: symbol(),
        definition_seq: Some(Seq::new(3)),
        commit_seq: Seq::new(23),
        last_input: Seq::new(18),
        hash: Some("00000000000000ff".to_owned()),
        market_time: Some(at(18)),
        depth_seq: Some(Seq::new(22)),
        depth_index: Some(0),
    };
    assert_eq!(batch.markets().collect::<Vec<_>>(), [&market]);
    assert_eq!(batch.definitions(), [DefinitionRow { seq: Seq::new(3), definition }]);
    assert_eq!(batch.span(), Some((Seq::new(3), Seq::new(23))));
    let mut late = MarketBatch::default();
    late.commit(&torn);
    assert_eq!(late.span(), Some((Seq::new(22), Seq::new(22))), "a commit counts at its final part");
}

#[test]
fn rows_survive_their_own_json() {
    let mut batch = MarketBatch::default();
    batch.placed(Seq::new(1), &placed(2, 7, Side::Buy, "4"));
    push(&mut batch, 2, 3);
    let row = batch.new_orders().next().unwrap();
    let text = serde_json::to_string(&row).unwrap();
    assert!(text.contains(r#""post_only":1"#) && text.contains(r#""type":"LIMIT""#), "{text}");
    assert_eq!(serde_json::from_str::<BookOrderRow>(&text).unwrap(), row);
    let trade = &batch.trades()[0];
    assert_eq!(serde_json::from_str::<TradeRow>(&serde_json::to_string(trade).unwrap()).unwrap(), *trade);
    let market = MarketRow {
        symbol: symbol(),
        definition: Some(Definition::standard(symbol(), at(0))),
        definition_seq: Some(Seq::new(3)),
        commit_seq: Seq::new(4),
        last_input: Seq::new(3),
        hash: None,
        market_time: at(3),
        depth_seq: Seq::new(0),
        depth_index: 0,
    };
    for market in [MarketRow { definition: None, ..market.clone() }, market] {
        let text = serde_json::to_string(&market).unwrap();
        assert_eq!(serde_json::from_str::<MarketRow>(&text).unwrap(), market, "{text}");
    }
}
