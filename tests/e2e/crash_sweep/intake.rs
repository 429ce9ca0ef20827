//! The points of the intake: a client whose request was cut off repeats it, and has one order.

use std::time::Duration;

use fillstream_crash_point::Boundary;
use fillstream_tests::http::{Answer, request};
use uuid::Uuid;

use super::{
    plan::Point,
    slot::{assert_died, ended},
    stage::{Stage, Told},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Where a client writes its key.
#[derive(Debug, Clone, Copy)]
enum KeyIn {
    Header,
    Body,
}

/// Goes through the points; their number.
pub(super) async fn sweep(stage: &Stage) -> usize {
    let _executor = stage.executor("", None);
    let mut points = 0;
    for boundary in [Boundary::BeforePlaced, Boundary::AfterPlaced] {
        for nth in 1..=3 {
            for key_in in [KeyIn::Header, KeyIn::Body] {
                cut_off(stage, &Point { boundary, nth, token_in: "SOL" }, key_in).await;
                points += 1;
            }
        }
    }
    points
}

/// The intake dies with the request in hand; the client repeats it with two others at once.
async fn cut_off(stage: &Stage, point: &Point, key_in: KeyIn) {
    let mut intake = stage.intake(Some(Told::Die(point)));
    for _ in 1..point.nth {
        let earlier = Request::new(key_in);
        let answer = earlier.send(&intake.address, 10).await.expect("this one is not cut off");
        stage.note(&order_of(&answer));
    }
    let request = Request::new(key_in);
    assert!(request.send(&intake.address, 10).await.is_none(), "{point}: the request is cut off");
    let status = ended(&mut intake, PATIENCE).await.expect("the intake has died");
    assert_died(status, point, &intake);

    let again = stage.intake(None);
    let (one, other) = tokio::join!(request.send(&again.address, 10), request.send(stage.address(), 10));
    let answers = [one, other].map(|answer| answer.expect("the repetition is answered"));
    assert_eq!(answers[0].json()["orderId"], answers[1].json()["orderId"], "{point}: one order");
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true"));
    let already_there = usize::from(point.boundary == Boundary::AfterPlaced);
    assert_eq!(replayed.count(), 1 + already_there, "{point}: all but the first are repetitions");
    stage.note(&order_of(&answers[0]));
    let reused = request.send(&again.address, 11).await.expect("another body is answered");
    assert_eq!(reused.status, 422, "{point}: the key is used");
}

fn order_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["orderId"].as_str().expect("a 201 has an orderId").to_owned()
}

struct Request {
    key: String,
    key_in: KeyIn,
}

impl Request {
    fn new(key_in: KeyIn) -> Self {
        Self { key: Uuid::now_v7().to_string(), key_in }
    }

    async fn send(&self, address: &str, amount: u32) -> Option<Answer> {
        let terms = format!(r#""tokenIn":"SOL","tokenOut":"USDC","amount":{amount}"#);
        let json = ("Content-Type", "application/json");
        let (headers, body) = match self.key_in {
            KeyIn::Header => (vec![json, ("Idempotency-Key", &*self.key)], format!("{{{terms}}}")),
            KeyIn::Body => (vec![json], format!(r#"{{{terms},"clientOrderId":"{}"}}"#, self.key)),
        };
        request(address, "POST", "/api/orders/execute", &headers, body.as_bytes()).await
    }
}
