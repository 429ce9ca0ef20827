//! nats-server dies under load, again and again.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use fillstream_domain::Seq;
use fillstream_event_log::{After, EventLog, Follow, JetStreamLog, Record};
use fillstream_nats_server::PrivateServer;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::{
    parts::rest,
    records::{Told, assert_agree, eventually, record, seqs, soon, write_while},
    server::{Server, Stored},
};

const WRITERS: usize = 50;
const DEATHS: usize = 5;
/// Acknowledged before the first death, between two, and after the last.
const PROGRESS: u64 = 300;

/// State that the writers share with the test.
#[derive(Default)]
struct Load {
    acknowledged: AtomicU64,
    enough: AtomicBool,
}

impl Load {
    /// Counts what was told last; whether more is wanted.
    fn go_on(&self, told: &[Told]) -> bool {
        if matches!(told.last(), Some((_, Ok(_)))) {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        !self.enough.load(Ordering::Relaxed)
    }
}

const PARTS: usize = 3;
/// Of the pattern that is followed.
const DECISIONS: &str = "orders.swap.parts.progress";

/// Appends in parts, one after the other; returns the ids that must be stored, in order.
async fn append_parts_while(log: JetStreamLog, load: Arc<Load>) -> Vec<Uuid> {
    let (mut ids, mut last) = (Vec::new(), 0);
    while load.go_on(&[]) {
        let first = record(DECISIONS, last);
        let verdict = soon("a verdict", log.append_parts(first.clone(), rest(PARTS - 1), None)).await;
        last = verdict.unwrap().get();
        ids.extend((0..PARTS).map(|part| first.part_id(part)));
    }
    ids
}

/// What is stored of the parts is what was appended, and each decision lies side by side.
fn assert_whole(appended: &[Uuid], stored: &[Stored]) {
    let parts: Vec<_> = stored.iter().filter(|record| record.subject == DECISIONS).collect();
    assert!(parts.iter().map(|part| &part.event_id).eq(appended), "parts are lost, double or torn");
    assert!(parts.len() > PARTS * DEATHS, "{} parts", parts.len());
    for decision in parts.chunks(PARTS) {
        assert_eq!(decision[0].seq + 2, decision[2].seq, "something lies between {decision:?}");
    }
}

/// Follows until it has seen the record at the end, which is known only once the load is over.
async fn watch(mut tail: Box<dyn Follow>, mut end: tokio::sync::watch::Receiver<u64>) -> (Vec<Record>, u64) {
    let mut seen: Vec<Record> = Vec::new();
    loop {
        let last = seen.last().map_or(Seq::ZERO, |record| record.seq);
        if *end.borrow_and_update() != 0 && last >= Seq::new(*end.borrow()) {
            return (seen, tail.recreated());
        }
        tokio::select! {
            records = tail.next(64) => seen.extend(records.unwrap()),
            _ = end.changed() => {}
        }
    }
}

/// Lets the load run, and the server die in between.
async fn die_under_load(server: Arc<Server>, die: fn(&PrivateServer)) {
    let log = server.log().await;
    let load = Arc::<Load>::default();
    let write = |n| {
        let (log, load) = (log.clone(), Arc::clone(&load));
        let subject = format!("orders.swap.{n}.progress");
        tokio::spawn(async move { write_while(&log, &subject, |told| load.go_on(told)).await })
    };
    let writers: Vec<_> = (0..WRITERS).map(write).collect();
    let parts = tokio::spawn(append_parts_while(log.clone(), Arc::clone(&load)));
    let (end, told_end) = tokio::sync::watch::channel(0);
    let pattern = Some("orders.swap.*.progress");
    let mut tails = Vec::new();
    let now = log.last_matching(">").await.unwrap().map_or(0, |last| last.seq.get());
    for (from, pattern) in [(1, None), (1, pattern), (now + 1, None)] {
        let tail = server.log().await.follow(After::Seq(Seq::new(from).prev()), pattern).await.unwrap();
        tails.push((from, tokio::spawn(watch(tail, told_end.clone()))));
    }

    for death in 0..=DEATHS {
        let goal = load.acknowledged.load(Ordering::Relaxed) + PROGRESS;
        eventually("appends are acknowledged", async || load.acknowledged.load(Ordering::Relaxed) >= goal)
            .await;
        if death < DEATHS {
            server.with_process(die).await;
        }
    }
    load.enough.store(true, Ordering::Relaxed);
    let told: Vec<Told> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    let parts = parts.await.unwrap();

    let stored = server.witness().await.stored().await;
    assert_agree(&told, &stored);
    assert_whole(&parts, &stored);
    let last = stored.len() as u64;
    end.send_replace(last);
    for (from, tail) in tails {
        let (seen, recreated) = soon("a tail is at the end", tail).await.unwrap();
        assert_eq!(seqs(&seen), (from..=last).collect::<Vec<_>>(), "gapless from {from}");
        for record in &seen {
            let original = &stored[usize::try_from(record.seq.get()).unwrap() - 1];
            assert_eq!((record.event_id, &record.subject), (Some(original.event_id), &original.subject));
        }
        assert!((1..=4 * DEATHS as u64).contains(&recreated), "set up again {recreated} times");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load() {
    die_under_load(Arc::new(Server::durable()), |process| {
        process.kill_and_hold();
        process.resume().unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_without_syncs() {
    // The operating system survives, and what it was given.
    die_under_load(Arc::new(Server::os_buffered()), |process| {
        process.kill_and_hold();
        process.resume().unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_in_good_order_under_load() {
    die_under_load(Arc::new(Server::durable()), |process| {
        let (pid, restarts) = (process.pid().unwrap().to_string(), process.restarts());
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        while process.restarts() == restarts {
            std::thread::sleep(Duration::from_millis(5));
        }
    })
    .await;
}
