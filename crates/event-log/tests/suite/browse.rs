//! Looking into the stream across subjects.

use fillstream_domain::{Incarnation, Seq};
use fillstream_event_log::{Browse, EventLog, MemoryLog, Messages};

use crate::{
    records::{placed, record, sized},
    server::{MEMORY_INCARNATION, Server},
};

/// Sequences of a page, and how many are left behind it.
fn told(page: &Messages) -> (Vec<u64>, u64) {
    (page.messages.iter().map(|message| message.seq.get()).collect(), page.left)
}

async fn pages_tell_what_matches(log: &(impl Browse + EventLog)) {
    let [first, second] = [0, 3].map(|after| record("orders.swap.1.progress", after));
    for record in [placed(1), placed(2), first, record("markets.SOL-USDC", 0), placed(3), second] {
        log.append(record).await.unwrap();
    }
    let check = async |pattern: &str, from, max, seqs: &[u64], left| {
        let page = log.browse(pattern, from, max).await.unwrap();
        assert_eq!(told(&page), (seqs.to_vec(), left), "{pattern} from {from}, {max} at most");
    };
    check(">", Seq::ZERO, 10, &[1, 2, 3, 4, 5, 6], 0).await;
    check(">", Seq::FIRST, 2, &[1, 2], 4).await;
    check(">", Seq::new(6), 1, &[6], 0).await;
    check(">", Seq::new(7), 10, &[], 0).await;
    check(">", Seq::new(700), 10, &[], 0).await;
    check("orders.>", Seq::new(2), 10, &[2, 3, 5, 6], 0).await;
    check("orders.swap.*.placed", Seq::new(2), 1, &[2], 1).await;
    check("orders.swap.1.*", Seq::ZERO, 2, &[1, 3], 1).await;
    check("markets.SOL-USDC", Seq::ZERO, 9, &[4], 0).await;
    check("markets.SOL-USDC", Seq::new(5), 9, &[], 0).await;
    check("nothing.of.the.stream", Seq::ZERO, 9, &[], 0).await;
}

#[tokio::test]
async fn each_log_tells_what_matches() {
    pages_tell_what_matches(&MemoryLog::new(Incarnation::new(MEMORY_INCARNATION))).await;
    pages_tell_what_matches(&Server::os_buffered().log().await).await;
}

#[tokio::test]
async fn a_message_is_told_as_it_is_stored() {
    let server = Server::os_buffered();
    let log = server.log().await;
    let placed = placed(1);
    log.append(placed.clone()).await.unwrap();
    server.witness().await.publish("orders.swap.2.placed", "no JSON").await;
    let page = log.browse("orders.>", Seq::ZERO, 10).await.unwrap();
    let [ours, foreign] = &page.messages[..] else { panic!("{page:?}") };
    assert_eq!((&ours.subject, &ours.payload), (&placed.subject, &placed.payload));
    let header =
        |name: &str| ours.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(header("ce-id"), Some(&*placed.event_id.to_string()));
    assert_eq!(header("ce-type"), Some(&*placed.event_type));
    assert_eq!(header("Nats-Expected-Last-Subject-Sequence"), Some("0"));
    assert_eq!((header("Nats-Sequence"), header("Nats-Num-Pending")), (None, None), "of the answer alone");
    assert_eq!((&foreign.payload[..], &foreign.headers[..]), (&b"no JSON"[..], &[][..]));
    assert!(foreign.stored_at >= ours.stored_at && ours.stored_at > 1_700_000_000_000);
}

#[tokio::test]
async fn a_page_of_large_messages_ends_at_a_megabyte() {
    let server = Server::os_buffered();
    let log = server.log().await;
    for after in 0..4 {
        let mut record = sized("orders.swap.1.progress", 400_000);
        record.after = Seq::new(after);
        log.append(record).await.unwrap();
    }
    let (mut from, mut seqs) = (0, Vec::new());
    for _ in 0..4 {
        let page = log.browse(">", Seq::new(from), 10).await.unwrap();
        let (told, left) = told(&page);
        from = told.last().unwrap() + 1;
        seqs.extend(told);
        assert_eq!(seqs.len() as u64 + left, 4);
        if left == 0 {
            return assert_eq!(seqs, [1, 2, 3, 4]);
        }
    }
    panic!("the pages have no end: {seqs:?}");
}
