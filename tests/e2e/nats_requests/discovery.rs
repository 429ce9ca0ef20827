//! `nats micro ls | info | stats`, and several processes behind the same subjects.

use std::collections::BTreeSet;

use fillstream_tests::{Process, free_port, http::get};
use serde_json::Value;

use super::{EXECUTE, GOOD, ask, client, status, url};
use crate::site::{Site, quiet};

fn ids(answers: &[Value]) -> BTreeSet<&str> {
    answers.iter().map(|answer| answer["id"].as_str().expect("an id")).collect()
}

/// A second process over the same stream.
fn second(site: &Site) -> Process {
    let data = format!("--data={}", site.scratch.path().join("second").display());
    let (nats, listen) = (format!("--nats-url={}", url(site)), format!("--listen=127.0.0.1:{}", free_port()));
    Process::start(quiet(&["serve", "--role=api", &data, &nats, &listen, "--log=info,async_nats=off"]))
}

#[tokio::test]
async fn the_service_tells_what_it_is_and_what_it_has_done() {
    let site = Site::serve("api", &[]);
    let mut nats = client(&site, 1).await;
    ask(&mut nats, EXECUTE, &[], GOOD).await;
    let refused = ask(&mut nats, EXECUTE, &[], "{}").await;
    let info = &nats.gather("$SRV.INFO", 1).await[0];
    let id = info["id"].as_str().expect("an id").to_owned();
    for (verb, kind) in [("PING", "ping"), ("INFO", "info"), ("STATS", "stats")] {
        for subject in [
            format!("$SRV.{verb}"),
            format!("$SRV.{verb}.fillstream"),
            format!("$SRV.{verb}.fillstream.{id}"),
        ] {
            let told = &nats.gather(&subject, 1).await[0];
            assert_eq!(told["type"], format!("io.nats.micro.v1.{kind}_response"), "{subject}");
            assert_eq!((&told["name"], &told["id"]), (&"fillstream".into(), &id.clone().into()), "{subject}");
            assert!(
                told["version"].as_str().is_some_and(|version| version.split('.').count() == 3),
                "{told}"
            );
            assert!(told["metadata"].is_object(), "{told}");
        }
    }
    let silent = nats.request("$SRV.PING.another", &[], "").await.expect("an answer");
    assert_eq!(silent.status, Some(503));
    let endpoints = info["endpoints"].as_array().expect("endpoints");
    let execute = &endpoints[0];
    assert_eq!(
        (endpoints.len(), &execute["name"], &execute["subject"]),
        (12, &"orders-execute".into(), &EXECUTE.into())
    );
    assert_eq!(
        (&execute["queue_group"], &execute["metadata"]["http"]),
        (&"q".into(), &"POST /api/orders/execute".into())
    );
    let description = get(site.address(), "/openapi.json").await.json();
    for endpoint in endpoints {
        let schema = endpoint["metadata"]["schema"].as_str().expect("a schema");
        let (address, pointer) = schema.split_once('#').expect("a pointer into the description");
        assert_eq!(address, format!("http://{}/openapi.json", site.address()));
        let pointer = pointer.replace("%7B", "{").replace("%7D", "}");
        assert!(description.pointer(&pointer).is_some(), "{pointer} is not described");
    }
    let stats = &nats.gather("$SRV.STATS.fillstream", 1).await[0];
    let execute = &stats["endpoints"][0];
    assert_eq!((&execute["num_requests"], &execute["num_errors"]), (&2.into(), &1.into()), "{execute}");
    let last = format!("422:{}", refused.json()["detail"].as_str().expect("a sentence"));
    assert_eq!(execute["last_error"], last);
    let (spent, average) = (execute["processing_time"].as_u64(), execute["average_processing_time"].as_u64());
    assert!(spent > Some(0) && average.map(|average| average * 2) <= spent, "{execute}");
    assert!(stats["started"].as_str().is_some_and(|at| at.contains('T')), "{stats}");
}

#[tokio::test]
async fn processes_share_the_work_and_one_that_goes_leaves_no_request_behind() {
    let site = Site::serve("api", &[]);
    let mut other = second(&site);
    let mut nats = client(&site, 2).await;
    for _ in 0..60 {
        assert_eq!(status(&ask(&mut nats, EXECUTE, &[], GOOD).await), 201);
    }
    let stats = nats.gather("$SRV.STATS.fillstream", 2).await;
    assert_eq!(ids(&stats).len(), 2);
    let handled: Vec<_> = stats.iter().map(|stats| stats["endpoints"][0]["num_requests"].as_u64()).collect();
    assert!(handled.iter().all(|count| *count > Some(0)), "{handled:?}");
    assert_eq!(handled.iter().flatten().sum::<u64>(), 60);
    let ended = tokio::task::spawn_blocking(move || other.terminate());
    while !ended.is_finished() {
        assert_eq!(status(&ask(&mut nats, EXECUTE, &[], GOOD).await), 201);
    }
    assert_eq!(ended.await.expect("it ends"), Some(0));
    assert_eq!(nats.gather("$SRV.PING", 1).await.len(), 1);
    assert_eq!(status(&ask(&mut nats, EXECUTE, &[], GOOD).await), 201);
}
