//! Deeds of strangers to the working queue, while swaps wait in it: each of them ends confirmed, executed once.

use std::time::{Duration, Instant};

use fillstream_domain::OrderId;
use fillstream_tests::{Process, http};
use serde_json::{Value, json};

use super::{stage::Stage, witness::audit_when_still};

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// What is done, before an executor is there.
#[derive(Debug, Clone, Copy)]
enum Stranger {
    /// `nats consumer next` takes what is there, and acknowledges it.
    Acknowledges,
    /// `nats consumer rm`.
    Deletes,
    /// `nats consumer pause` for an hour.
    Pauses,
    /// Deleted, and made anew as one that hands out only what comes from then on.
    MakesAnew,
}

#[tokio::test]
async fn whatever_is_done_to_the_queue_every_swap_ends_once() {
    for stranger in [Stranger::Acknowledges, Stranger::Deletes, Stranger::Pauses, Stranger::MakesAnew] {
        let stage = Stage::new("queue").await;
        let mut nats = fillstream_tests::nats::Client::connect(&stage.nats().url()).await;
        // The consumer is there, and nobody works.
        let first = Process::start(stage.command("executor", "", None));
        let warm_up = http::place(stage.address(), "SOL", "USDC").await;
        until_confirmed(&stage, &warm_up).await;
        drop(first);
        let mut orders = vec![warm_up];
        for _ in 0..3 {
            orders.push(http::place(stage.address(), "SOL", "USDC").await);
        }
        stranger.acts(&mut nats).await;
        let _executors = [(); 2].map(|()| Process::start(stage.command("executor", "", None)));
        for order in &orders {
            until_confirmed(&stage, order).await;
        }
        let audit = audit_when_still(&stage.ledgers()).await;
        for order in orders {
            let id: OrderId = order.parse().expect("a UUID");
            assert_eq!(audit.order(id).landed, 1, "{stranger:?}: {id}");
        }
    }
}

impl Stranger {
    async fn acts(self, nats: &mut fillstream_tests::nats::Client) {
        let mut api = async |subject: &str, body: Value| {
            let subject = format!("$JS.API.CONSUMER.{subject}");
            let answer =
                nats.request(&subject, &[], &body.to_string()).await.expect("JetStream answers").json();
            assert!(answer.get("error").is_none(), "{subject}: {answer}");
        };
        match self {
            Self::Acknowledges => take_all(nats).await,
            Self::Deletes => api("DELETE.ORDERS.executor", json!({})).await,
            Self::Pauses => {
                api("PAUSE.ORDERS.executor", json!({ "pause_until": "2999-01-01T00:00:00Z" })).await
            }
            Self::MakesAnew => {
                api("DELETE.ORDERS.executor", json!({})).await;
                let config = json!({
                    "name": "executor", "durable_name": "executor", "filter_subject": "orders.swap.*.placed",
                    "deliver_policy": "new", "ack_policy": "explicit"
                });
                let body = json!({ "stream_name": "ORDERS", "config": config });
                api("CREATE.ORDERS.executor", body).await;
            }
        }
    }
}

/// Takes what the consumer has, and acknowledges it, as `nats consumer next` does.
async fn take_all(nats: &mut fillstream_tests::nats::Client) {
    let pull = r#"{"batch":100,"no_wait":true}"#;
    nats.send("$JS.API.CONSUMER.MSG.NEXT.ORDERS.executor", &[], pull).await.expect("it reads");
    let mut taken = 0;
    loop {
        let (_, message) = nats.receive().await.expect("the connection holds");
        let Some(reply_to) = message.reply_to.filter(|to| to.starts_with("$JS.ACK.")) else { break };
        nats.send_to(&reply_to, "nobody", "+ACK").await;
        taken += 1;
    }
    assert!(taken >= 3, "only {taken} orders were there to be taken");
}

async fn until_confirmed(stage: &Stage, order: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = http::get(stage.address(), &format!("/api/orders/{order}")).await.json();
        if shown["status"] == "confirmed" {
            return;
        }
        assert!(Instant::now() < deadline, "{order} is not confirmed: {shown}");
        tokio::time::sleep(POLL).await;
    }
}
