//! Figures: what a dashboard and alert rules name is there.

use std::{collections::BTreeSet, fs, path::Path};

use fillstream_tests::http::get;

use super::{EXECUTE, SWAP, rest, send, until};
use crate::site::Site;

/// Every name that begins as ours do.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    words.filter(|word| word.starts_with("fillstream_")).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_the_dashboard_and_the_alert_rules_name_is_exported() {
    let site = Site::up(&[]);
    rest(&site, 100).await;
    assert_eq!(send(&site, "POST", EXECUTE, &[], SWAP).await.status, 201);
    until(&site, "/ready", "ready", |ready| ready.status == 200).await;
    let answer = get(site.address(), "/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let exported = names(&text);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    for file in ["dashboard.json", "alerts.yml"] {
        let wanted =
            names(&fs::read_to_string(root.join("docs/operations").join(file)).expect("it is there"));
        assert!(wanted.len() > 5, "{file} names {wanted:?}");
        let missing: Vec<_> = wanted.difference(&exported).collect();
        assert!(missing.is_empty(), "{file} names {missing:?}, which nobody exports:\n{text}");
    }
    for line in [
        "fillstream_ready{role=\"matcher\"} 1",
        "fillstream_stream_up 1",
        "fillstream_parked_entries 0",
        "fillstream_stream_appendable 1",
        "fillstream_appends_total{kind=\"book\",outcome=\"stored\"} ",
        "fillstream_appends_total{kind=\"commit\",outcome=\"stored\"} ",
        "fillstream_http_requests_total{method=\"POST\",route=\"/api/orders/execute\",status=\"201\"} 1",
        "fillstream_market_oldest_input_without_outcome_seconds{market=\"BTC/USDT\"} 0",
        "fillstream_view_lag_seconds{part=\"projector\"} ",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "no {line:?} in\n{text}");
    }
}

/// Logs for programs: one object a line, with the trace of the request that a line belongs to.
#[tokio::test]
async fn log_lines_are_objects_and_name_the_trace() {
    let site = Site::serve("api,projector", &["--log-format=json"]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let placed = send(&site, "POST", EXECUTE, &[("traceparent", &parent)], SWAP).await;
    assert_eq!(placed.status, 201);
    until(&site, "/ready?role=api", "ready", |ready| ready.status == 200).await;
    let said = site.process.said();
    let lines: Vec<serde_json::Value> = said
        .lines()
        .filter(|line| line.starts_with('{'))
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let placed = lines.iter().find(|line| line["message"] == "order placed");
    let placed = placed.unwrap_or_else(|| panic!("no line of the order in\n{said}"));
    assert_eq!(placed["spans"][0]["trace_id"], trace, "{placed}");
    assert!(placed["order_id"].is_string() && placed["level"] == "INFO", "{placed}");
}
