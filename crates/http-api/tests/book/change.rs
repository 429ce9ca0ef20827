//! PATCH and DELETE of an order.

use axum::http::{Method, StatusCode};
use fillstream_domain::{
    Seq,
    book::{BookInput, BookStatus, InputResult, Refusal, RefusalCode},
};
use fillstream_event_log::{Consistency, EventLog};
use fillstream_http_api::Answer;
use fillstream_projections::market::{BookOrderPatch, BookOrderRow};

use crate::desk::{ANN, BOB, Desk, Told, amount, append, noon, order};

/// A desk with one order of Ann's, known to the read store or not.
async fn with_order(stored: bool) -> (Desk, BookOrderRow) {
    let desk = Desk::open();
    let (seq, placed) = desk.placed(&order("{}")).await;
    let row = BookOrderRow::new(Seq::new(seq), &placed);
    if stored {
        desk.store.orders.lock().push(row.clone());
    }
    (desk, row)
}

fn path(row: &BookOrderRow) -> String {
    format!("/api/v1/orders/{}", row.order_id)
}

fn answer(result: InputResult, order: Option<BookOrderPatch>) -> Answer {
    Answer { result, order }
}

fn refused(code: RefusalCode) -> Answer {
    answer(InputResult::Refused(Refusal { code, detail: "no".to_owned() }), None)
}

fn patch(row: &BookOrderRow, status: BookStatus, quantity: &str, filled: &str) -> BookOrderPatch {
    BookOrderPatch {
        order_id: row.order_id,
        status,
        price: row.price,
        quantity: amount(quantity),
        filled_quantity: amount(filled),
        filled_quote: amount("99.5"),
        fee: amount("0.05"),
        updated_at: noon().after(std::time::Duration::from_secs(1)),
        last_seq: Seq::new(99),
        last_index: u32::MAX,
    }
}

async fn amend(desk: &Desk, row: &BookOrderRow, body: &str) -> Told {
    desk.ask(Method::PATCH, &path(row), body).await
}

#[tokio::test]
async fn an_amend_is_answered_with_what_the_matcher_made_of_it() {
    for stored in [true, false] {
        let (desk, row) = with_order(stored).await;
        let amended = answer(InputResult::Amended, Some(patch(&row, BookStatus::Open, "3", "1")));
        desk.matcher.answers.lock().push_back(amended);
        let told = amend(&desk, &row, r#"{"quantity":3,"price":"99.50"}"#).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.body);
        for (field, value) in [
            ("/status", "OPEN"),
            ("/quantity", "3"),
            ("/filled_quantity", "1"),
            ("/remaining_quantity", "2"),
            ("/average_price", "99.5"),
            ("/created_at", "2026-01-10T12:00:00.000Z"),
            ("/updated_at", "2026-01-10T12:00:01.000Z"),
        ] {
            assert_eq!(told.text(field), value, "{field}");
        }
        assert_eq!(told.number("/seq"), 99);
        let subject = format!("orders.book.BTC-USDT.{}", row.order_id);
        let last = desk.log.last(&subject, Consistency::Leader).await.unwrap().unwrap();
        assert_eq!(*desk.matcher.asked.lock(), [last.seq.get()]);
        let BookInput::AmendRequested(asked) = BookInput::decode(&last.payload).unwrap() else {
            panic!("{last:?}")
        };
        assert_eq!((asked.quantity, asked.price), (Some(amount("3")), Some(amount("99.5"))));
        assert_eq!((asked.user_id, asked.order_id), (row.user_id, row.order_id));
    }
}

#[tokio::test]
async fn a_cancel_is_answered_with_the_ended_order() {
    let (desk, row) = with_order(true).await;
    let cancelled = answer(InputResult::Cancelled, Some(patch(&row, BookStatus::Cancelled, "2", "1")));
    desk.matcher.answers.lock().push_back(cancelled);
    let told = desk.ask(Method::DELETE, &path(&row), "").await;
    assert_eq!((told.status, told.text("/status")), (StatusCode::OK, "CANCELLED"));
    assert_eq!((told.text("/filled_quantity"), told.text("/remaining_quantity")), ("1", "0"));
}

#[tokio::test]
async fn a_cancel_may_name_its_user_in_a_body() {
    let (desk, row) = with_order(true).await;
    for (body, status) in [
        (format!(r#"{{"user_id":"{ANN}"}}"#), 202),
        (format!(r#"{{"user_id":"{BOB}"}}"#), 404),
        (format!(r#"{{"user_id":"{ANN}","why":1}}"#), 422),
        ("{".to_owned(), 400),
        ("{}".to_owned(), 400),
    ] {
        let told = desk.send(Method::DELETE, &path(&row), &[], &body).await;
        assert_eq!(told.status.as_u16(), status, "{body}: {}", told.body);
    }
}

#[tokio::test]
async fn the_matchers_refusals_have_their_status() {
    for (code, status, told_as) in [
        (RefusalCode::UnknownOrEnded, 409, "order_ended"),
        (RefusalCode::NotOwner, 404, "unknown_order"),
        (RefusalCode::WouldTake, 409, "would_take"),
        (RefusalCode::BelowFilled, 409, "below_filled"),
        (RefusalCode::LevelFull, 409, "level_full"),
        (RefusalCode::PriceBand, 422, "price_band"),
        (RefusalCode::MinNotional, 422, "min_notional"),
        (RefusalCode::TickSize, 422, "tick_size"),
    ] {
        let (desk, row) = with_order(true).await;
        desk.matcher.answers.lock().push_back(refused(code));
        let told = amend(&desk, &row, r#"{"quantity":3}"#).await;
        assert_eq!((told.status.as_u16(), told.text("/code")), (status, told_as));
    }
    let (desk, row) = with_order(true).await;
    let parked = answer(InputResult::Parked { reason: "odd".to_owned() }, None);
    desk.matcher.answers.lock().extend([answer(InputResult::Unchanged, None), parked]);
    // The matcher knows of an amend that the read store does not know yet.
    let unchanged = amend(&desk, &row, r#"{"quantity":3}"#).await;
    assert_eq!(
        (unchanged.status.as_u16(), unchanged.text("/quantity"), unchanged.text("/price")),
        (200, "3", "100")
    );
    let parked = amend(&desk, &row, r#"{"quantity":2}"#).await;
    assert_eq!((parked.status.as_u16(), parked.text("/code")), (422, "parked"));
}

#[tokio::test]
async fn a_silent_matcher_makes_it_202() {
    let (desk, row) = with_order(false).await;
    let before = desk.last_seq().await;
    for method in [Method::PATCH, Method::DELETE] {
        let body = if method == Method::PATCH { r#"{"quantity":1}"# } else { "" };
        let told = desk.ask(method, &path(&row), body).await;
        assert_eq!((told.status, told.text("/status")), (StatusCode::ACCEPTED, "OPEN"));
        assert_eq!((told.text("/quantity"), told.header("location")), ("2", Some(path(&row).as_str())));
    }
    assert_eq!(desk.last_seq().await, before + 2);
}

#[tokio::test]
async fn what_is_wrong_is_told_and_nothing_is_stored() {
    let (desk, row) = with_order(true).await;
    let before = desk.last_seq().await;
    let ann = [("x-user-id", ANN)];
    for (headers, body, status, pointers) in [
        (&ann[..], "{", 400, &[""][..]),
        (&ann, "{}", 422, &["/quantity"]),
        (&ann, r#"{"quantity":null}"#, 422, &["/quantity"]),
        (&ann, r#"{"quantity":0,"price":-1}"#, 422, &["/quantity", "/price"]),
        (&ann, r#"{"quantity":"1.000000001"}"#, 422, &["/quantity"]),
        (&ann, r#"{"price":100.001,"side":"SELL"}"#, 422, &["/price", "/side"]),
        (&ann, r#"{"quantity":1,"x":1}"#, 422, &["/x"]),
        (&[], r#"{"quantity":1}"#, 400, &["query:user_id"]),
        (&[("x-user-id", BOB)], r#"{"quantity":1}"#, 404, &[]),
        (
            &[("x-user-id", ANN), ("content-type", "text/plain")],
            r#"{"quantity":1}"#,
            415,
            &["header:Content-Type"],
        ),
    ] {
        let told = desk.send(Method::PATCH, &path(&row), headers, body).await;
        assert_eq!(
            (told.status.as_u16(), told.pointers()),
            (status, pointers.to_vec()),
            "{headers:?} {body}"
        );
    }
    for (path, headers, status) in [
        ("/api/v1/orders/7".to_owned(), &ann[..], 400),
        ("/api/v1/orders/0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e".to_owned(), &ann, 404),
        (path(&row), &[], 400),
        (path(&row), &[("x-user-id", BOB)], 404),
    ] {
        assert_eq!(desk.send(Method::DELETE, &path, headers, "").await.status.as_u16(), status, "{path}");
    }
    assert_eq!(desk.last_seq().await, before);
    assert_eq!(*desk.matcher.asked.lock(), [0_u64; 0]);
}

#[tokio::test]
async fn a_market_order_has_no_price_to_amend() {
    let desk = Desk::open();
    let (_, placed) = desk.placed(&order(r#"{"type":"MARKET","price":null}"#)).await;
    let told =
        desk.ask(Method::PATCH, &format!("/api/v1/orders/{}", placed.order_id), r#"{"price":1}"#).await;
    assert_eq!((told.status.as_u16(), told.pointers()), (422, vec!["/price"]));
}

#[tokio::test]
async fn an_ended_order_is_left_alone() {
    for status in [BookStatus::Filled, BookStatus::Cancelled, BookStatus::Rejected] {
        let (desk, mut row) = with_order(false).await;
        row.status = status;
        desk.store.orders.lock().push(row.clone());
        let before = desk.last_seq().await;
        for method in [Method::PATCH, Method::DELETE] {
            let body = if method == Method::PATCH { r#"{"quantity":1}"# } else { "" };
            let told = desk.ask(method, &path(&row), body).await;
            assert_eq!((told.status.as_u16(), told.text("/code")), (409, "order_ended"));
        }
        assert_eq!(desk.last_seq().await, before);
    }
}

#[tokio::test]
async fn changes_at_once_follow_one_another() {
    let (desk, row) = with_order(true).await;
    let before = desk.last_seq().await;
    // A replica that is behind gives an old fence; the leader's is right.
    append(&desk.log, format!("orders.book.BTC-USDT.{}", row.order_id), b"{}".to_vec());
    desk.log.set_replica_lag(1);
    let told = futures_util::future::join_all((0..10).map(|_| amend(&desk, &row, r#"{"quantity":1}"#))).await;
    assert!(told.iter().all(|told| told.status == StatusCode::ACCEPTED));
    assert_eq!(desk.last_seq().await, before + 11);
}
