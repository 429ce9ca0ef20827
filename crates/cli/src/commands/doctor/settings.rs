//! The stream and the executor's consumer, held against the files that they are made from. Pure: JSON in, findings out.

use serde_json::Value;

use super::finding::{Finding, Verdict};

/// A setting, how bad another value is, and what it would do.
type Setting = (&'static str, Verdict, &'static str);

use Verdict::{Warning, Wrong};

/// Settings that the stream's file names.
const OF_THE_STREAM: &[Setting] = &[
    ("storage", Wrong, "what is acknowledged is gone with the server"),
    ("retention", Wrong, "events vanish once they were read"),
    ("discard", Warning, "at a limit old events would make room for new ones"),
    ("max_age", Wrong, "old events vanish"),
    ("max_msgs", Wrong, "at the limit the history ends, or orders are refused"),
    ("max_msgs_per_subject", Wrong, "at the limit an order's history loses its beginning, or cannot go on"),
    ("max_bytes", Warning, "at the limit orders are refused: watch it"),
    ("max_msg_size", Wrong, "a market's commit may not fit"),
    ("max_consumers", Warning, "at the limit no further process can follow"),
    ("duplicate_window", Warning, "nothing rests on it, but it is not what the file says"),
    ("deny_delete", Wrong, "events can be deleted; no process starts"),
    ("allow_rollup_hdrs", Wrong, "one message can delete all before it"),
    ("allow_direct", Wrong, "histories cannot be read; no process starts"),
    ("allow_atomic", Warning, "group commit falls back to plain publishes, and large commits are refused"),
];

/// Settings that the file leaves out, because they must be off.
const OFF: &[Setting] = &[
    ("sealed", Wrong, "nothing can be appended"),
    ("no_ack", Wrong, "nothing is ever acknowledged"),
    ("mirror", Wrong, "nothing can be appended"),
    ("sources", Wrong, "foreign events come in past every fence"),
    ("subject_transform", Wrong, "events are stored under other subjects than they were written to"),
    ("republish", Warning, "every event is sent out once more"),
    ("allow_msg_ttl", Wrong, "a message can ask to vanish"),
    ("persist_mode", Wrong, "an acknowledgement comes before anything is written"),
];

/// Settings that the server never changes on a stream that exists.
const FIXED: &[&str] = &["storage", "retention", "mirror", "persist_mode", "sealed"];

/// Settings of the executor's consumer that are no operator's choice.
const OF_THE_CONSUMER: &[Setting] = &[
    ("filter_subject", Wrong, "other messages than placed orders are handed out"),
    ("deliver_policy", Wrong, "orders before its beginning are never executed"),
    ("ack_policy", Wrong, "an order in the hands of an executor that dies is lost to all others"),
    ("max_deliver", Wrong, "an order is given up after some tries"),
    ("replay_policy", Warning, "orders are held back"),
];

/// Differences of the stream's information from its file: `wanted` is `nats/streams/orders.json`.
pub(super) fn stream(info: &Value, wanted: &Value) -> Vec<Finding> {
    let config = &info["config"];
    let mut findings = differing("stream", config, wanted, OF_THE_STREAM);
    for (name, verdict, why) in OFF {
        if is_on(&config[*name]) {
            findings.push(differs("stream", name, &config[*name], &Value::Null, *verdict, why));
        }
    }
    findings.extend(subjects(config, wanted));
    findings.extend(removed(&info["state"]));
    if findings.is_empty() {
        let state = &info["state"];
        findings.push(Finding::ok(
            "stream",
            format!(
                "ORDERS is as nats/streams/orders.json has it: {} events, {} MiB, replicas {}",
                state["messages"],
                state["bytes"].as_u64().unwrap_or_default() >> 20,
                config["num_replicas"]
            ),
        ));
    }
    findings
}

/// Differences of the consumer's information from its file: `wanted` is `nats/consumers/executor.json`.
pub(super) fn consumer(info: &Value, wanted: &Value) -> Vec<Finding> {
    let config = &info["config"];
    let mut findings = differing("consumer", config, wanted, OF_THE_CONSUMER);
    findings.extend(ours_to_set(config, wanted));
    if info["paused"] == true {
        let remedy = "nats consumer resume ORDERS executor";
        findings.push(Finding::wrong(
            "consumer",
            "it is paused: new swaps wait for --stalled-after before they are executed",
            "not paused",
            remedy,
        ));
    }
    if is_on(&config["inactive_threshold"]) {
        let why = "it vanishes while no executor runs";
        findings.push(differs(
            "consumer",
            "inactive_threshold",
            &config["inactive_threshold"],
            &Value::Null,
            Warning,
            why,
        ));
    }
    if findings.is_empty() {
        let seconds = config["ack_wait"].as_u64().unwrap_or_default() / 1_000_000_000;
        let most = &config["max_ack_pending"];
        let found = format!(
            "executor is as nats/consumers/executor.json has it: ack wait {seconds} s, {most} orders at once"
        );
        findings.push(Finding::ok("consumer", found));
    }
    findings
}

/// Settings that an operator may choose, told when they are not the file's: what was meant to be 60 s may be a slip.
fn ours_to_set(config: &Value, wanted: &Value) -> Vec<Finding> {
    let chosen = |(name, flag): (&str, &str)| {
        (config[name] != wanted[name]).then(|| {
            let found = format!(
                "executor: {name} = {}, set with {flag}; the file has {}",
                config[name], wanted[name]
            );
            Finding::ok("consumer", found)
        })
    };
    [("ack_wait", "--ack-wait"), ("max_ack_pending", "--max-ack-pending")]
        .into_iter()
        .filter_map(chosen)
        .collect()
}

/// Differences of what is there to what the file names.
fn differing(check: &'static str, config: &Value, wanted: &Value, settings: &[Setting]) -> Vec<Finding> {
    let differs = settings.iter().filter(|(name, ..)| !is_same(&config[*name], &wanted[*name]));
    differs
        .map(|(name, verdict, why)| self::differs(check, name, &config[*name], &wanted[*name], *verdict, why))
        .collect()
}

/// The server leaves out what has its zero value.
fn is_same(found: &Value, wanted: &Value) -> bool {
    found == wanted || !is_on(found) && !is_on(wanted)
}

/// True when a setting does anything.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(text) => !matches!(text.as_str(), "" | "default"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

fn differs(
    check: &'static str,
    name: &str,
    found: &Value,
    wanted: &Value,
    verdict: Verdict,
    why: &str,
) -> Finding {
    let right = if wanted.is_null() { format!("no {name}") } else { format!("{name} = {wanted}") };
    let remedy = match check {
        "consumer" => {
            "stop the executors, `nats consumer rm ORDERS executor`, start them: it is made anew, and no order \
                       is executed twice"
        }
        _ if FIXED.contains(&name) => {
            "the server cannot change it: `nats stream backup ORDERS DIR`, and restore into a stream that is made from \
             nats/streams/orders.json"
        }
        _ => "nats stream edit ORDERS --config nats/streams/orders.json",
    };
    Finding::not(verdict, check, format!("{name} = {found}: {why}"), right, remedy)
}

fn subjects(config: &Value, wanted: &Value) -> Vec<Finding> {
    let list = |value: &Value| -> Vec<String> {
        let texts = value["subjects"].as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let (found, wanted) = (list(config), list(wanted));
    let right = format!("subjects {}", wanted.join(", "));
    let remedy = "nats stream edit ORDERS --config nats/streams/orders.json";
    let missing: Vec<_> = wanted.iter().filter(|subject| !found.contains(subject)).cloned().collect();
    let foreign: Vec<_> = found.iter().filter(|subject| !wanted.contains(subject)).cloned().collect();
    let mut findings = Vec::new();
    if !missing.is_empty() {
        let told = format!("subjects without {}: what is written there is not stored", missing.join(", "));
        findings.push(Finding::wrong("stream", told, right.clone(), remedy));
    }
    if !foreign.is_empty() {
        let told = format!("subjects with {}: foreign messages come in", foreign.join(", "));
        findings.push(Finding::warning("stream", told, right, remedy));
    }
    findings
}

/// Nothing was ever taken out of a log.
fn removed(state: &Value) -> Option<Finding> {
    let number = |name: &str| state[name].as_u64().unwrap_or_default();
    let gone = number("first_seq").saturating_sub(1) + number("num_deleted");
    (gone > 0).then(|| {
        let found = format!("{gone} messages are gone from the stream");
        let remedy = "restore a backup: docs/operations.md, Backup and restore";
        Finding::wrong("stream", found, "every message from sequence 1 on", remedy)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::node::{EXECUTOR, STREAM};

    fn file(text: &str) -> Value {
        serde_json::from_str(text).expect("the file is JSON")
    }

    /// Findings of the file's own settings with one changed.
    fn check(judge: fn(&Value, &Value) -> Vec<Finding>, text: &str, change: (&str, Value)) -> Vec<Finding> {
        let wanted = file(text);
        let mut config = wanted.clone();
        config[change.0] = change.1;
        let state = json!({ "messages": 7, "bytes": 900, "first_seq": 1, "last_seq": 7 });
        judge(&json!({ "config": config, "state": state }), &wanted)
    }

    #[test]
    fn a_stream_that_would_lose_something_is_wrong() {
        for (name, value, verdict) in [
            ("description", json!("ours"), Verdict::Ok),
            ("num_replicas", json!(3), Verdict::Ok),
            ("compression", json!("s2"), Verdict::Ok),
            ("persist_mode", json!("default"), Verdict::Ok),
            ("storage", json!("memory"), Wrong),
            ("retention", json!("workqueue"), Wrong),
            ("discard", json!("old"), Warning),
            ("max_age", json!(1), Wrong),
            ("max_msgs", json!(100), Wrong),
            ("max_bytes", json!(1 << 30), Warning),
            ("max_msg_size", json!(100), Wrong),
            ("duplicate_window", json!(1), Warning),
            ("deny_delete", json!(false), Wrong),
            ("deny_purge", json!(true), Verdict::Ok),
            ("allow_rollup_hdrs", json!(true), Wrong),
            ("allow_direct", json!(false), Wrong),
            ("allow_atomic", json!(false), Warning),
            ("sealed", json!(true), Wrong),
            ("mirror", json!({ "name": "OTHER" }), Wrong),
            ("persist_mode", json!("async"), Wrong),
            ("subjects", json!(["orders.>", "markets.>"]), Wrong),
            ("subjects", json!(["orders.>", "markets.>", "parked.>", "mail.>"]), Warning),
        ] {
            let findings = check(stream, STREAM, (name, value.clone()));
            let told = findings.iter().map(|finding| (finding.verdict, finding.remedy.is_some()));
            assert_eq!(
                told.collect::<Vec<_>>(),
                [(verdict, verdict != Verdict::Ok)],
                "{name} = {value}: {findings:?}"
            );
        }
    }

    #[test]
    fn a_stream_from_which_something_was_taken_is_wrong() {
        for (first, deleted, wrong) in [(0, 0, false), (1, 0, false), (4, 0, true), (1, 2, true)] {
            let state = json!({ "first_seq": first, "num_deleted": deleted });
            let findings = stream(&json!({ "config": file(STREAM), "state": state }), &file(STREAM));
            assert_eq!(findings.iter().any(|finding| finding.verdict == Wrong), wrong, "{findings:?}");
        }
    }

    #[test]
    fn a_consumer_that_would_lose_an_order_is_wrong() {
        for (name, value, verdict) in [
            ("ack_wait", json!(30_000_000_000_u64), Verdict::Ok),
            ("max_ack_pending", json!(10), Verdict::Ok),
            ("filter_subject", json!("orders.>"), Wrong),
            ("deliver_policy", json!("new"), Wrong),
            ("ack_policy", json!("none"), Wrong),
            ("max_deliver", json!(3), Wrong),
            ("inactive_threshold", json!(5), Warning),
        ] {
            let findings = check(consumer, EXECUTOR, (name, value.clone()));
            let told: Vec<_> = findings.iter().map(|finding| finding.verdict).collect();
            assert_eq!(told, [verdict], "{name} = {value}: {findings:?}");
        }
        let paused = json!({ "config": file(EXECUTOR), "paused": true });
        assert_eq!(consumer(&paused, &file(EXECUTOR))[0].verdict, Wrong);
    }
}
