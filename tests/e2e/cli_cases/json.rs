//! `--json`: one object per line on standard output and nothing else; an error is one on standard error.

use std::time::{Duration, Instant};

use fillstream_domain::{OrderId, Seq};
use fillstream_event_log::{EventLog, NewRecord};
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::{objects, said};
use crate::site::{Site, quiet};

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
const NOBODY_S: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d03";

/// A site's commands, each with `--json`.
struct Script {
    site: Site,
}

impl Script {
    fn run(&self, arguments: &[&str]) -> (Vec<Value>, String, Option<i32>) {
        let mut command = quiet(&[arguments, &["--json"]].concat());
        command.env("FILLSTREAM_DATA", self.site.scratch.path());
        command.env("FILLSTREAM_SERVER", format!("http://{}", self.site.address()));
        let (stdout, stderr, code) = said(&mut command);
        (objects(&stdout), stderr, code)
    }

    /// The objects of a command that succeeds and says nothing else.
    fn told(&self, arguments: &[&str]) -> Vec<Value> {
        let (told, stderr, code) = self.run(arguments);
        assert_eq!((stderr.as_str(), code), ("", Some(0)), "{arguments:?}: {told:?}");
        told
    }

    /// The one object of a command, which has these fields.
    fn one(&self, arguments: &[&str], fields: &[&str]) -> Value {
        let mut told = self.told(arguments);
        assert_eq!(told.len(), 1, "{arguments:?}: {told:?}");
        has(&told[0], fields);
        told.remove(0)
    }

    /// `parked list` once it has this many entries.
    async fn parked(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let entries = self.told(&["parked", "list"]);
            if entries.len() >= count {
                return entries;
            }
            assert!(Instant::now() < deadline, "{entries:?} are not {count}");
            sleep(POLL).await;
        }
    }
}

fn has(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object.get(field).is_some(), "no {field} in {object}");
    }
}

#[tokio::test]
async fn what_people_read_scripts_get_as_objects() {
    let script = Script { site: Site::up(&[]) };
    let told = script.told(&["swap", "SOL", "USDC", "3"]);
    let order = told[0]["orderId"].as_str().expect("the answer to the placing comes first").to_owned();
    has(&told[0], &["status", "wsUrl", "seq"]);
    let watched = script.told(&["watch", &order]);
    for messages in [&told[1..], &watched[..]] {
        assert!(messages.iter().all(|message| message["orderId"] == *order && message["type"].is_string()));
        assert_eq!(messages[0]["type"], "connection");
        assert_eq!(
            messages.last().map(|message| &message["status"]),
            Some(&json!("confirmed")),
            "{messages:?}"
        );
    }
    let events = script.told(&["order", &order]);
    assert_eq!(events.len(), 5, "{events:?}");
    events.iter().for_each(|event| has(event, &["seq", "type", "version", "order_id", "at"]));

    let defined =
        script.one(&["market", "add", "DOGE/USDT", "--tick-size=0.00001"], &["symbol", "seq", "tick_size"]);
    assert!(defined["seq"].as_u64().is_some_and(|seq| seq > 0), "{defined}");
    let again = script.one(&["market", "add", "DOGE/USDT"], &["symbol", "seq"]);
    assert_eq!(again["seq"], Value::Null, "nothing was written: {again}");
    let markets = script.told(&["market", "list"]);
    assert_eq!(markets.len(), 4, "{markets:?}");
    markets
        .iter()
        .for_each(|market| has(market, &["symbol", "tick_size", "lot_size", "maker_fee", "taker_fee"]));
    let market = script.one(&["market", "show", "DOGE/USDT"], &["symbol", "tick_size"]);
    assert_eq!(market["tick_size"], "0.00001");

    script.one(&["book", "BTC/USDT"], &["symbol", "seq", "bids", "asks"]);
    let verified = script.one(&["verify"], &["last_seq", "markets"]);
    assert_eq!(verified["markets"].as_array().map(Vec::len), Some(4), "{verified}");
    script.one(&["rebuild"], &["seq"]);
    assert_eq!(script.told(&["parked"]), [] as [Value; 0]);

    let file = script.site.scratch.path().join("flow.csv");
    std::fs::write(&file, "1,1,10,5,100000,1\n2,4,10,5,100000,1")
        .expect("the scratch directory can be written");
    let file = file.display().to_string();
    let fields = ["rows", "executions", "same", "reasons", "refused", "explained"];
    let report = script.one(&["import", "lobster", &file, "--symbol=AAPL/USD"], &fields);
    assert_eq!((&report["executions"], &report["explained"]), (&json!(1), &json!(true)), "{report}");
}

#[tokio::test]
async fn what_operators_decide_is_told_as_objects() {
    let script = Script { site: Site::up(&["--venue-faults=unknowable=1000"]) };
    let placed = script.one(&["swap", "SOL", "USDC", "3", "--no-watch"], &["orderId", "seq"]);
    let order = placed["orderId"].as_str().expect("an id");
    let garbage = garbage(&script.site).await;
    let entries = script.parked(3).await;
    entries.iter().for_each(|entry| has(entry, &["part", "seq", "subject", "cause", "reason", "at"]));
    assert!(entries.iter().any(|entry| entry["order_id"] == order), "{entries:?}");

    let seq = garbage.to_string();
    let retried = script.one(&["parked", "retry", "executor", &seq], &["part", "seq", "retried_as"]);
    let anew = retried["retried_as"].as_u64().expect("a sequence").to_string();
    script.parked(3).await;
    let skipped = script.one(&["parked", "skip", "executor", &anew], &["part", "seq"]);
    assert_eq!(skipped["skipped"], true, "{skipped}");

    let decided = script.one(&["resolve", order, "landed", "--amount-out=5"], &["order_id"]);
    assert_eq!((&decided["order_id"], &decided["status"]), (&json!(order), &json!("confirmed")));
    let (watched, stderr, code) = script.run(&["watch", order]);
    assert_eq!((stderr.as_str(), code), ("", Some(0)), "{watched:?}");
    assert_eq!(watched.last().map(|message| &message["status"]), Some(&json!("confirmed")));
}

/// Appends what no part can read, where a placed order should be; its sequence.
async fn garbage(site: &Site) -> u64 {
    let order = OrderId::new(Uuid::now_v7());
    let record = NewRecord {
        subject: fillstream_domain::subject::swap_placed(order),
        after: Seq::ZERO,
        event_id: Uuid::now_v7(),
        event_type: "swap.placed.v1".to_owned(),
        time: "2026-11-20T12:00:00.000Z".to_owned(),
        traceparent: None,
        retries: None,
        payload: "garbage".into(),
    };
    site.log().await.append(record).await.expect("the stream takes it").get()
}

#[test]
fn an_error_is_one_problem_on_standard_error() {
    let script = Script { site: Site::up(&[]) };
    for (arguments, code, kind, words) in [
        (&["swap", "SOL", "USDC", "abc"][..], 1, "invalid_fields", "/amount"),
        (&["watch", NOBODY_S], 1, "unknown_order", "There is no order"),
        (&["order", NOBODY_S], 1, "command_failed", "there is no order"),
        (&["book", "NO/SUCH"], 1, "command_failed", "fillstream market add NO/SUCH"),
        (&["market", "show", "NO/SUCH"], 1, "command_failed", "BTC/USDT"),
        (
            &["verify", "--nats-url=nats://me:hush@127.0.0.1:9"],
            1,
            "command_failed",
            "NATS at nats://127.0.0.1:9",
        ),
        (&["swap", "SOL", "USDC", "1", "--server=http://127.0.0.1:9"], 1, "command_failed", "--server"),
        (&["parked", "skip", "executor", "1"], 1, "command_failed", "fillstream parked list"),
        (&["import", "lobster", "/nowhere.csv", "--symbol=A/B"], 1, "command_failed", "/nowhere.csv"),
        (&["resolve", NOBODY_S, "dead"], 1, "command_failed", NOBODY_S),
        (&["watch", "me"], 2, "bad_usage", "hyphenated UUID"),
        (&["watch"], 2, "bad_usage", "<ID>"),
        (&["frobnicate"], 2, "bad_usage", "frobnicate"),
        (&["order"], 2, "bad_usage", "<ID>"),
    ] {
        let (told, stderr, ended) = script.run(arguments);
        assert_eq!((told.len(), ended), (0, Some(code)), "{arguments:?}: {told:?} {stderr}");
        let problems = objects(&stderr);
        assert_eq!(problems.len(), 1, "{arguments:?}: {stderr}");
        has(&problems[0], &["type", "title", "detail"]);
        assert_eq!(problems[0]["code"], kind, "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: no {words:?} in {stderr}");
    }
}
