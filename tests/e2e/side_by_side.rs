//! Two processes of each role over one nats-server and one database: orders are placed and watched while one of each
//! is killed and the read model is rebuilt.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fillstream_domain::subject::SwapSubject;
use fillstream_event_log::JetStreamLog;
use fillstream_nats_server::{Options, PortChoice, PrivateServer, locate};
use fillstream_read_store::{Dump, ReadStore, test_postgres::TestPostgres};
use fillstream_tests::{
    Process, Scratch, binary, free_port, http,
    socket::{Chain, Client, Heard},
    stream,
};
use tokio::time::{Instant, sleep};

const ORDERS: usize = 200;
/// Orders placed when one process of each role is killed.
const KILL_AT: usize = 60;
/// Clients that place orders at the same time.
const CLIENTS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlite() {
    let scratch = Scratch::new("side-sqlite");
    let url = format!("sqlite://{}", scratch.path().join("rows.db").display());
    scenario(&scratch, &url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_postgresql() {
    let cluster = match TestPostgres::start().await {
        Ok(cluster) => cluster,
        Err(why) => return fillstream_tests::tools::skipped(&format!("no PostgreSQL here: {why}")),
    };
    let url = cluster.database().await.expect("a database can be made");
    scenario(&Scratch::new("side-postgres"), &url).await;
}

async fn scenario(scratch: &Scratch, database: &str) {
    let nats = locate(&mut |line| println!("{line}")).expect("a nats-server can be had");
    let server = PrivateServer::start(&Options {
        port: PortChoice::Any,
        ..Options::new(nats, scratch.path().join("nats"))
    });
    let server = server.expect("nats-server starts");
    let start = |role: &str| Process::start(serve(scratch, &server.url(), database, role));
    let mut doomed: Vec<_> = ["api", "executor", "projector", "bridge"].map(start).into();
    let kept: Vec<_> = ["api", "executor", "projector", "bridge"].map(start).into();
    let apis = [doomed[0].address.clone(), kept[0].address.clone()];
    let bridges = Arc::new([doomed[3].address.clone(), kept[3].address.clone()]);

    let placed = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            tokio::spawn(place_and_watch(client, apis.clone(), Arc::clone(&bridges), Arc::clone(&placed)))
        })
        .collect();
    until("orders are placed", || placed.load(Ordering::Relaxed) >= KILL_AT).await;
    doomed.iter_mut().for_each(Process::kill);
    rebuild(&server.url(), database).await;
    let mut chains = Vec::new();
    for client in clients {
        chains.extend(client.await.expect("a client ends"));
    }
    let log = stream::open(&server.url()).await;
    gapless(&log, &chains).await;
    rows_equal_a_rebuild(&log, &server.url(), database).await;
}

fn serve(scratch: &Scratch, nats: &str, database: &str, role: &str) -> Command {
    let mut command = Command::new(binary());
    command.args(["serve", "--role", role, "--nats-url", nats, "--database-url", database]);
    command.args(["--listen", &format!("127.0.0.1:{}", free_port())]).arg("--data").arg(scratch.path());
    command.args([
        "--quote-delay",
        "20ms",
        "--build-delay",
        "10ms",
        "--submit-delay",
        "10ms",
        "--landing-delay",
        "20ms",
    ]);
    command.args(["--ack-wait", "500ms", "--block-interval", "40ms", "--socket-linger", "50ms"]);
    command
}

/// Places a client's share of the orders, each watched by two sockets that begin at different bridges.
async fn place_and_watch(
    client: usize,
    apis: [String; 2],
    bridges: Arc<[String; 2]>,
    placed: Arc<AtomicUsize>,
) -> Vec<(String, Chain)> {
    let mut watchers = Vec::new();
    for number in (client..ORDERS).step_by(CLIENTS) {
        let order = place(&apis, number).await;
        placed.fetch_add(1, Ordering::Relaxed);
        for first in 0..2 {
            watchers.push(tokio::spawn(watch(Arc::clone(&bridges), first, order.clone())));
        }
    }
    let mut chains = Vec::new();
    for watcher in watchers {
        chains.push(watcher.await.expect("a watcher ends"));
    }
    chains
}

/// Places an order, over the other api when one does not answer: the key makes it one order.
async fn place(apis: &[String; 2], number: usize) -> String {
    let (key, body) = (format!("order-{number}"), r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":"1.5"}"#);
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
    for turn in number.. {
        let answer =
            http::request(&apis[turn % 2], "POST", "/api/orders/execute", &headers, body.as_bytes()).await;
        match answer {
            Some(answer) if answer.status == 201 => {
                return answer.json()["orderId"].as_str().expect("a 201 has an orderId").to_owned();
            }
            Some(answer) => assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body)),
            None => sleep(Duration::from_millis(20)).await,
        }
    }
    unreachable!("one api stays up")
}

/// Follows an order to its end, over the other bridge with the token when a connection breaks.
async fn watch(bridges: Arc<[String; 2]>, first: usize, order: String) -> (String, Chain) {
    let mut chain = Chain::default();
    for turn in first.. {
        let query = chain.token.as_ref().map_or_else(String::new, |token| format!("?after={token}"));
        if let Ok(mut socket) = Client::progress(&bridges[turn % 2], &order, &query).await {
            loop {
                match socket.hear().await {
                    Heard::Message(message) => chain.take(&message),
                    Heard::Closed(1000, _) => return (order, chain),
                    Heard::Closed(..) | Heard::Broken => break,
                    Heard::Silence => panic!("{order}: nothing is heard after {:?}", chain.position),
                }
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
    unreachable!("one bridge stays up")
}

/// Every socket has seen exactly what the stream holds of its order.
async fn gapless(log: &JetStreamLog, chains: &[(String, Chain)]) {
    let records = stream::all(log).await;
    let orders = stream::fold(&records);
    assert_eq!((orders.len(), chains.len()), (ORDERS, 2 * ORDERS), "each order once, each watched twice");
    for (order, chain) in chains {
        assert_eq!(chain.faults, Vec::<String>::new(), "{order}");
        let mut seen: Vec<u64> = chain.entries.iter().map(|(seq, ..)| *seq).collect();
        seen.dedup();
        let of_order = |subject: &str| {
            SwapSubject::parse(subject).is_some_and(|subject| subject.order().to_string() == *order)
        };
        let stored: Vec<u64> = records
            .iter()
            .filter(|record| of_order(&record.subject))
            .map(|record| record.seq.get())
            .collect();
        assert_eq!(seen, stored, "{order}");
        assert_eq!(
            chain.kinds().last(),
            Some(&"confirmed"),
            "{order}: interrupted by crashes alone, it is executed"
        );
    }
}

async fn rows_equal_a_rebuild(log: &JetStreamLog, nats: &str, database: &str) {
    let last = stream::last_seq(log).await;
    let store = ReadStore::open(database).await.expect("the read model opens");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let reached = store
            .checkpoint()
            .await
            .expect("the read model answers")
            .map_or(0, |checkpoint| checkpoint.seq.get());
        if reached == last {
            break;
        }
        assert!(Instant::now() < deadline, "the projector stays at {reached} of {last}");
        sleep(Duration::from_millis(20)).await;
    }
    let live: Dump = store.dump().await.expect("the rows can be read");
    rebuild(nats, database).await;
    let fresh = store.dump().await.expect("the rows can be read");
    assert_eq!(live.orders.len(), ORDERS);
    assert_eq!(live, fresh, "row for row");
    store.close().await;
}

async fn rebuild(nats: &str, database: &str) {
    let mut command = tokio::process::Command::new(binary());
    command.args(["rebuild", "--nats-url", nats, "--database-url", database]).kill_on_drop(true);
    let ended = command.output().await.expect("the command runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 60 s: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
