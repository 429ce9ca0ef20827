//! A matcher that begins where another one has ended.

use bytes::Bytes;
use fillstream_event_log::SnapshotStore;
use fillstream_matching::{Settings, load};

use crate::rig::{Rig, until};

fn often() -> Settings {
    Settings { snapshot_every: 50, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_from_a_snapshot_and_without_one_alike() {
    let rig = Rig::new();
    let mut inputs = 1;
    for round in 0..10 {
        let at_work = rig.matcher(often());
        let last = rig.flow(round, 200);
        inputs += 200;
        rig.covered(last).await;
        // Dropped in the middle of whatever it does.
        at_work.task.abort();
        rig.check(inputs).await;
        let from_nothing = load(&rig.log, None, &rig.symbol).await.unwrap();
        let from_snapshot = load(&rig.log, Some(&*rig.snapshots), &rig.symbol).await.unwrap();
        assert_eq!(from_nothing.machine.hash(), from_snapshot.machine.hash());
        assert_eq!(from_nothing.commit, from_snapshot.commit);
    }
    assert!(rig.snapshots.names("").await.unwrap().len() > 10, "snapshots were kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_newest_machines_are_kept() {
    let rig = Rig::new();
    let at_work = rig.matcher(often());
    let names = async |kind: &str| {
        let names = rig.snapshots.names("").await.unwrap();
        names.into_iter().filter(|name| name.contains(kind)).count()
    };
    let mut round = 0;
    while names("/levels/").await < 6 {
        let last = rig.flow(round, 60);
        rig.covered(last).await;
        round += 1;
    }
    until("no commit is under way", || at_work.matcher.markets()[0].1.pending == 0).await;
    at_work.stop().await;
    assert!((1..=4).contains(&names("/machine/").await), "{}", names("/machine/").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_snapshot_is_passed_over() {
    let rig = Rig::new();
    let at_work = rig.matcher(often());
    let mut round = 0;
    while rig.snapshots.names("").await.unwrap().is_empty() {
        let last = rig.flow(round, 60);
        rig.covered(last).await;
        round += 1;
    }
    at_work.stop().await;
    let good = load(&rig.log, None, &rig.symbol).await.unwrap();
    for name in rig.snapshots.names("").await.unwrap() {
        let bytes = rig.snapshots.get(&name).await.unwrap().unwrap();
        let mut damaged = bytes.to_vec();
        damaged.truncate(bytes.len() / 2);
        rig.snapshots.put(&name, Bytes::from(damaged)).await.unwrap();
    }
    let loaded = load(&rig.log, Some(&*rig.snapshots), &rig.symbol).await.unwrap();
    assert_eq!(loaded.machine.hash(), good.machine.hash());
}
