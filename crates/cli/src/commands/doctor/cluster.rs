//! The copies of the stream, as its leader tells of them. Pure: JSON in, findings out.

use std::time::Duration;

use serde_json::Value;

use super::finding::Finding;

/// A copy that was not heard of for longer is gone, or cannot be reached.
const SILENT: Duration = Duration::from_secs(10);
const CHECK: &str = "replicas";

/// The stream's leader, and copies that are behind or gone; nothing where there is one copy only.
pub(super) fn replicas(info: &Value) -> Vec<Finding> {
    let copies = info["config"]["num_replicas"].as_u64().unwrap_or(1);
    if copies < 2 {
        return Vec::new();
    }
    let cluster = &info["cluster"];
    let mut findings = Vec::new();
    let leader = cluster["leader"].as_str().unwrap_or_default();
    if leader.is_empty() {
        let remedy = "start the nodes that are missing: a majority of the copies elects one";
        findings.push(Finding::wrong(
            CHECK,
            "the stream has no leader: nothing can be stored",
            "one",
            remedy,
        ));
    }
    let others: Vec<_> = cluster["replicas"].as_array().into_iter().flatten().collect();
    findings.extend(others.iter().filter_map(|peer| of(peer)));
    let known = others.len() as u64 + u64::from(!leader.is_empty());
    if known < copies {
        let found = format!("{known} of {copies} copies are there");
        let remedy = "start the missing nodes; `nats stream report` names them";
        findings.push(Finding::warning(CHECK, found, "all of them", remedy));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{copies} copies, all current, led by {leader}")));
    }
    findings
}

/// Fault of one copy.
fn of(peer: &Value) -> Option<Finding> {
    let name = peer["name"].as_str().unwrap_or("?");
    let silent = Duration::from_nanos(peer["active"].as_u64().unwrap_or_default());
    let lag = peer["lag"].as_u64().unwrap_or_default();
    if peer["offline"] == true || silent >= SILENT {
        let found = format!("{name} is gone: nothing was heard of it for {} s", silent.as_secs());
        let remedy = "start the node; if it is lost for good: `nats stream cluster peer-remove ORDERS NODE`";
        return Some(Finding::warning(CHECK, found, "all nodes there", remedy));
    }
    (lag > 0 || peer["current"] != true).then(|| {
        let found = format!("{name} is {lag} records behind");
        let remedy = "look at its disk and network; readers leave it by themselves and wait for nothing";
        Finding::warning(CHECK, found, "current", remedy)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::doctor::finding::Verdict;

    fn info(leader: &str, peers: Value) -> Value {
        json!({ "config": { "num_replicas": 3 }, "cluster": { "leader": leader, "replicas": peers } })
    }

    #[test]
    fn copies_that_lag_or_are_gone_are_named() {
        let well = json!({ "name": "n2", "current": true, "active": 40_000_000 });
        let late = json!({ "name": "n3", "current": false, "active": 90_000_000, "lag": 512 });
        let gone = json!({ "name": "n3", "current": false, "offline": true, "active": 90_000_000_000_u64 });
        let silent = json!({ "name": "n3", "current": true, "active": 11_000_000_000_u64 });
        for (info, verdict, words) in [
            (json!({ "config": { "num_replicas": 1 } }), None, ""),
            (info("n1", json!([well, { "name": "n3", "current": true }])), Some(Verdict::Ok), "led by n1"),
            (info("n1", json!([well, late])), Some(Verdict::Warning), "n3 is 512 records behind"),
            (info("n1", json!([well, gone])), Some(Verdict::Warning), "n3 is gone"),
            (info("n1", json!([well, silent])), Some(Verdict::Warning), "n3 is gone"),
            (info("n1", json!([well])), Some(Verdict::Warning), "2 of 3 copies"),
            (info("", json!([well, late])), Some(Verdict::Wrong), "no leader"),
        ] {
            let found = replicas(&info);
            let worst = found.iter().map(|finding| finding.verdict).max();
            assert_eq!(worst, verdict, "{info}: {found:?}");
            assert!(
                found.is_empty() == words.is_empty() && format!("{found:?}").contains(words),
                "{found:?}"
            );
        }
    }
}
