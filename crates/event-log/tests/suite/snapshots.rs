//! Snapshots, tried on each store.

use bytes::Bytes;
use fillstream_event_log::{LogError, MemorySnapshots, SnapshotStore};

use crate::{
    proxy::{Proxy, Way},
    records::soon,
    server::{Server, Witness},
};

/// The stream that holds them.
const STREAM: &str = "OBJ_fillstream-snapshots";
/// More than several chunks.
const LARGE: usize = 1_000_003;

/// Bytes that differ from place to place, and from snapshot to snapshot.
fn content(bytes: usize, salt: usize) -> Bytes {
    (0..bytes).map(|n| u8::try_from((n * 31 + n / 251 + salt) % 251).unwrap()).collect()
}

async fn on_each_store(case: impl AsyncFn(Box<dyn SnapshotStore>)) {
    case(Box::new(MemorySnapshots::default())).await;
    let server = Server::durable();
    case(Box::new(server.log().await.snapshots())).await;
}

#[tokio::test]
async fn what_was_put_is_got() {
    on_each_store(async |store| {
        assert_eq!(store.get("BTC-USDT/000000000001").await.unwrap(), None);
        for (n, bytes) in [0, 1, 131_071, 131_072, 131_073, LARGE].into_iter().enumerate() {
            let name = format!("BTC-USDT/{n:012}");
            // The second one takes the place of the first.
            for salt in [n, n + 100] {
                store.put(&name, content(bytes, salt)).await.unwrap();
                assert_eq!(store.get(&name).await.unwrap(), Some(content(bytes, salt)), "{bytes} bytes");
            }
        }
        assert_eq!(store.get("BTC-USDT/00000000000").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn names_are_found_by_how_they_begin() {
    on_each_store(async |store| {
        let named = async |prefix: &str, expected: &[&str]| {
            assert_eq!(store.names(prefix).await.unwrap(), expected, "{prefix:?}");
        };
        named("", &[]).await;
        for name in ["BTC-USDT/2", "BTC-USDT/10", "ETH-USDT/7", "BTC-USDTX/1", "ü *.>\r\n"] {
            store.put(name, content(10, 0)).await.unwrap();
        }
        named("BTC-USDT/", &["BTC-USDT/10", "BTC-USDT/2"]).await;
        named("", &["BTC-USDT/10", "BTC-USDT/2", "BTC-USDTX/1", "ETH-USDT/7", "ü *.>\r\n"]).await;
        named("SOL", &[]).await;
        for _ in 0..2 {
            store.delete("BTC-USDT/10").await.unwrap();
            named("BTC-USDT/", &["BTC-USDT/2"]).await;
            assert_eq!(store.get("BTC-USDT/10").await.unwrap(), None);
        }
        store.put("BTC-USDT/10", content(11, 1)).await.unwrap();
        named("BTC-USDT/", &["BTC-USDT/10", "BTC-USDT/2"]).await;
        assert_eq!(store.get("BTC-USDT/10").await.unwrap(), Some(content(11, 1)));

        for name in ["", &"x".repeat(513)] {
            let refused =
                |error: Option<LogError>| assert!(matches!(error, Some(LogError::Invalid(_))), "{error:?}");
            refused(store.put(name, content(1, 0)).await.err());
            refused(store.get(name).await.err());
            refused(store.delete(name).await.err());
        }
        store.put(&"x".repeat(512), content(1, 0)).await.unwrap();
        assert_eq!(store.get(&"x".repeat(512)).await.unwrap(), Some(content(1, 0)));
    })
    .await;
}

async fn messages(witness: &Witness) -> u64 {
    witness.api(&format!("STREAM.INFO.{STREAM}"), "").await["state"]["messages"].as_u64().unwrap()
}

#[tokio::test]
async fn what_is_deleted_or_replaced_leaves_nothing_behind() {
    let server = Server::durable();
    let (log, witness) = (server.log().await, server.witness().await);
    let store = log.snapshots();
    store.put("BTC-USDT/1", content(LARGE, 1)).await.unwrap();
    let one = messages(&witness).await;
    assert!(one > 5, "{one} messages");
    store.put("BTC-USDT/1", content(LARGE, 2)).await.unwrap();
    assert_eq!(messages(&witness).await, one);
    store.delete("BTC-USDT/1").await.unwrap();
    assert_eq!(messages(&witness).await, 0);
    // Opened again it is the same store.
    store.put("BTC-USDT/2", content(7, 1)).await.unwrap();
    let again = server.log().await.snapshots();
    assert_eq!(again.get("BTC-USDT/2").await.unwrap(), Some(content(7, 1)));
    assert_eq!(log.snapshots().names("").await.unwrap(), ["BTC-USDT/2"]);
}

#[tokio::test]
async fn a_bucket_that_is_deleted_is_made_again() {
    let server = Server::durable();
    let (log, witness) = (server.log().await, server.witness().await);
    let store = log.snapshots();
    // Nothing is made before it is needed.
    assert_eq!(store.get("BTC-USDT/1").await.unwrap(), None);
    let delete = format!("STREAM.DELETE.{STREAM}");
    for _ in 0..2 {
        store.put("BTC-USDT/1", content(LARGE, 1)).await.unwrap();
        assert_eq!(store.get("BTC-USDT/1").await.unwrap(), Some(content(LARGE, 1)));
        witness.api(&delete, "").await;
        soon("a snapshot", store.put("BTC-USDT/2", content(7, 2))).await.unwrap();
        assert_eq!(store.names("").await.unwrap(), ["BTC-USDT/2"]);
        witness.api(&delete, "").await;
        assert_eq!(soon("no snapshot", store.get("BTC-USDT/2")).await.unwrap(), None);
    }
}

/// Damages a snapshot in a store of its own; it must be none, and its neighbour must be whole.
async fn damaged(how: &str, damage: impl AsyncFn(&Witness)) {
    let server = Server::durable();
    let store = server.log().await.snapshots();
    let witness = server.witness().await;
    // The damaged one is first in the stream: its chunks, then its entry.
    store.put("damaged", content(LARGE, 1)).await.unwrap();
    store.put("whole", content(LARGE, 2)).await.unwrap();
    damage(&witness).await;
    assert_eq!(soon("a snapshot", store.get("damaged")).await.unwrap(), None, "{how}");
    assert_eq!(soon("a snapshot", store.get("whole")).await.unwrap(), Some(content(LARGE, 2)), "{how}");
    // It can be put again.
    store.put("damaged", content(LARGE, 3)).await.unwrap();
    assert_eq!(soon("a snapshot", store.get("damaged")).await.unwrap(), Some(content(LARGE, 3)), "{how}");
    store.delete("damaged").await.unwrap();
    assert_eq!(store.names("").await.unwrap(), ["whole"]);
}

/// The entry of the damaged snapshot, changed by hand.
async fn rewrite(witness: &Witness, change: impl Fn(&mut serde_json::Value)) {
    let subject = "$O.fillstream-snapshots.M.ZGFtYWdlZA==";
    let stream = witness.stream_named(STREAM).await;
    let mut entry =
        serde_json::from_slice(&stream.direct_get_last_for_subject(subject).await.unwrap().payload).unwrap();
    change(&mut entry);
    witness.publish(subject, entry.to_string()).await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_none() {
    damaged("its first chunk is gone", async |witness| {
        witness.api(&format!("STREAM.MSG.DELETE.{STREAM}"), r#"{"seq":1}"#).await;
    })
    .await;
    damaged("all its chunks are gone", async |witness| {
        let first = witness.stream_named(STREAM).await.direct_get(1).await.unwrap().subject;
        let body = serde_json::json!({ "filter": first.as_str() }).to_string();
        witness.api(&format!("STREAM.PURGE.{STREAM}"), &body).await;
    })
    .await;
    damaged("one chunk is another one", async |witness| {
        let first = witness.stream_named(STREAM).await.direct_get(1).await.unwrap();
        witness.api(&format!("STREAM.MSG.DELETE.{STREAM}"), r#"{"seq":1}"#).await;
        witness.publish(first.subject.as_str(), "foreign").await;
    })
    .await;
    damaged("its entry says another size", async |witness| {
        rewrite(witness, |entry| entry["size"] = (LARGE + 1).into()).await;
    })
    .await;
    damaged("its entry says a size that nobody has memory for", async |witness| {
        rewrite(witness, |entry| entry["size"] = (u64::MAX / 2).into()).await;
    })
    .await;
    damaged("its entry has no digest", async |witness| {
        rewrite(witness, |entry| drop(entry.as_object_mut().unwrap().remove("digest"))).await;
    })
    .await;
    damaged("its entry is marked as deleted", async |witness| {
        rewrite(witness, |entry| entry["deleted"] = true.into()).await;
    })
    .await;
    damaged("its entry is no entry", async |witness| {
        rewrite(witness, |entry| *entry = "what".into()).await;
    })
    .await;
}

#[tokio::test]
async fn a_cut_gives_an_error_or_all_of_it() {
    let server = Server::durable();
    let proxy = Proxy::before(&server).await;
    let store = server.log_at(&proxy.url()).await.snapshots();
    let snapshot = content(LARGE, 1);
    store.put("BTC-USDT/1", snapshot.clone()).await.unwrap();
    let (mut whole, mut failed) = (0, 0);
    for way in [Way::Answer, Way::Request] {
        for bytes in [0, 100, 1_000, 500_000] {
            proxy.cut_after(way, bytes);
            match soon("a snapshot", store.get("BTC-USDT/1")).await {
                Ok(found) => {
                    assert_eq!(found.as_ref(), Some(&snapshot), "cut after {bytes}, {way:?}");
                    whole += 1;
                }
                Err(_) => failed += 1,
            }
            proxy.spare();
        }
    }
    assert!(proxy.cuts() >= 6 && failed > 0, "{} cuts, {whole} whole, {failed} failed", proxy.cuts());
    // One that is replaced by half is still the former one.
    proxy.cut_after(Way::Request, 400_000);
    let put = soon("an end", store.put("BTC-USDT/1", content(LARGE, 2))).await;
    assert!(matches!(put, Err(LogError::Unreachable(_))), "{put:?}");
    crate::records::eventually("the store answers", async || {
        store.get("BTC-USDT/1").await.ok() == Some(Some(snapshot.clone()))
    })
    .await;
}
