//! The connection: opening, losing and closing it.

use fillstream_domain::Seq;
use fillstream_event_log::{
    Access, After, ConnectError, Definitions, Durability, EventLog, Inspector, JetStreamLog, Link, LogError,
    LogOptions,
};
use serde_json::json;

use crate::{
    proxy::{Proxy, Way},
    records::{eventually, placed, soon},
    server::{Server, stream_definition},
};

fn options(url: String) -> LogOptions {
    LogOptions { access: Access::default(), url, name: "suite".to_owned(), durability: Durability::Fsync }
}

#[tokio::test]
async fn a_log_opens_whoever_else_opens_it() {
    let server = Server::durable();
    let logs = futures_util::future::join_all((0..8).map(|_| server.log())).await;
    for (n, log) in logs.iter().enumerate() {
        assert_eq!(log.append(placed(n)).await, Ok(Seq::new(n as u64 + 1)));
        assert_eq!(log.incarnation(), logs[0].incarnation());
    }
}

#[tokio::test]
async fn what_the_log_rests_on_is_checked() {
    let check = async |setting: &str, wrong: serde_json::Value| {
        let server = Server::durable();
        let mut stream = stream_definition();
        stream[setting] = wrong;
        // The stream is made as it is told, and not changed once it is there.
        for definition in [stream, stream_definition()] {
            let definitions = Definitions { stream: definition };
            let refused = JetStreamLog::open(&options(server.process.url()), &definitions).await.err();
            assert!(
                matches!(&refused, Some(ConnectError::Settings { setting: found, .. }) if *found == setting),
                "{setting}: {refused:?}"
            );
        }
    };
    check("allow_direct", json!(false)).await;
    check("deny_delete", json!(false)).await;
}

#[tokio::test]
async fn a_stream_says_which_one_it_is_and_may_forbid_purges() {
    for purges in [json!(null), json!(true), json!(false)] {
        let server = Server::durable();
        let mut stream = stream_definition();
        stream["deny_purge"] = purges;
        let definitions = Definitions { stream };
        let options = options(server.process.url());
        // Several that are the first ones at once.
        let opened = (0..4).map(|_| JetStreamLog::open(&options, &definitions));
        let opened = futures_util::future::join_all(opened).await;
        let opened: Vec<_> = opened.into_iter().map(|log| log.unwrap().incarnation().to_string()).collect();
        let info = server.witness().await.api("STREAM.INFO.ORDERS", "").await;
        let named = info["config"]["metadata"]["fillstream-incarnation"].as_str().unwrap();
        assert_eq!(opened, [named; 4]);
    }
}

#[tokio::test]
async fn a_stream_without_batches_takes_all_the_same() {
    let server = Server::durable();
    let mut stream = stream_definition();
    stream["allow_atomic"] = json!(false);
    let log = JetStreamLog::open(&options(server.process.url()), &Definitions { stream }).await.unwrap();
    let appends = (0..100).map(|n| log.append(placed(n)));
    let verdicts = futures_util::future::join_all(appends).await;
    assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
    assert!(server.witness().await.stored().await.iter().all(|record| record.batch.is_none()));
}

#[tokio::test]
async fn no_server_and_no_name_are_said() {
    let nobody = LogOptions { url: "nats://127.0.0.1:1".to_owned(), ..options(String::new()) };
    let definitions = Definitions { stream: stream_definition() };
    let refused = JetStreamLog::open(&nobody, &definitions).await.err();
    assert!(matches!(refused, Some(ConnectError::Server { .. })), "{refused:?}");

    let server = Server::durable();
    let nameless = Definitions { stream: json!({ "subjects": ["orders.>"] }) };
    let refused = JetStreamLog::open(&options(server.process.url()), &nameless).await.err();
    assert!(matches!(refused, Some(ConnectError::Definition)), "{refused:?}");
}

#[tokio::test]
async fn the_link_tells_of_an_outage_and_its_end() {
    let server = std::sync::Arc::new(Server::durable());
    let log = server.log().await;
    let mut link = log.link();
    assert_eq!(*link.borrow(), Link::Up);

    server.with_process(fillstream_nats_server::PrivateServer::kill_and_hold).await;
    soon("it is down", link.wait_for(|link| *link == Link::Down)).await.unwrap();
    let unread = soon("an answer", log.info()).await;
    assert!(matches!(unread, Err(LogError::Unreachable(_))), "{unread:?}");

    server.with_process(|process| process.resume().unwrap()).await;
    soon("it is up", link.wait_for(|link| *link == Link::Up)).await.unwrap();
    assert_eq!(soon("an append", log.append(placed(1))).await, Ok(Seq::FIRST));
}

#[tokio::test]
async fn a_log_that_nobody_holds_closes_its_connection() {
    let server = Server::durable();
    let proxy = Proxy::before(&server).await;
    let log = server.log_at(&proxy.url()).await;
    let mut tail = log.follow(After::START, None).await.unwrap();
    log.append(placed(1)).await.unwrap();
    assert_eq!(tail.next(1).await.unwrap().len(), 1);
    // Tails have one of their own.
    assert_eq!(proxy.connections(), 2);

    drop(log);
    // The tail still needs it.
    proxy.cut_after(Way::Answer, 0);
    server.log().await.append(placed(2)).await.unwrap();
    assert_eq!(soon("the next record", tail.next(1)).await.unwrap()[0].seq, Seq::new(2));
    assert_eq!(proxy.connections(), 2);

    drop(tail);
    eventually("the connection is closed", async || proxy.connections() == 0).await;
}

#[tokio::test]
async fn the_leader_s_clock_is_the_one_that_stamps_records() {
    let server = Server::durable();
    let options = options(server.process.url());
    let log = JetStreamLog::open(&options, &Definitions { stream: stream_definition() }).await.unwrap();
    let inspector = Inspector::connect(&options).await.unwrap();
    let now = async || inspector.now("ORDERS").await.unwrap().expect("it tells").unix_ms();
    let before = now().await;
    let seq = log.append(placed(1)).await.unwrap();
    let stored_at = log.record(seq).await.unwrap().unwrap().stored_at;
    assert!((before..=now().await).contains(&stored_at), "{before} {stored_at}");
}
