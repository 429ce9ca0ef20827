//! Content that two streams with the same records have in common.

use fillstream_domain::Seq;
use fillstream_event_log::{After, EventLog, Record};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::manifest::hex;
use crate::Failure;

/// Records that are taken at once.
const BATCH: usize = 5_000;

/// All records up to one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    /// The first record's sequence; 0 when there is none.
    pub(super) first: Seq,
    /// The last record's sequence; 0 when there is none.
    pub(super) last: Seq,
    pub(super) records: u64,
    /// Over each record's sequence, time, subject, id and payload, in order.
    pub(super) sha256: String,
}

/// Reads all records up to `up_to`; `read` is told how far it is.
///
/// # Errors
/// When the stream cannot be read.
pub(super) async fn content(log: &dyn EventLog, up_to: Seq, read: impl Fn(Seq)) -> Result<Content, Failure> {
    let (mut content, mut hash) =
        (Content { first: Seq::ZERO, last: Seq::ZERO, records: 0, sha256: String::new() }, Sha256::new());
    if !up_to.is_zero() {
        let mut tail = log.follow(After::START, None).await?;
        while content.last < up_to {
            for record in tail.next(BATCH).await? {
                let seq = record.seq;
                if seq > up_to {
                    break;
                }
                if content.records == 0 {
                    content.first = seq;
                }
                (content.last, content.records) = (seq, content.records + 1);
                take_in(&mut hash, &record);
            }
            read(content.last);
        }
    }
    content.sha256 = hex(&hash.finalize());
    Ok(content)
}

/// Every part with its length, or of a fixed one: no two records give the same bytes.
fn take_in(hash: &mut Sha256, record: &Record) {
    hash.update(record.seq.get().to_be_bytes());
    hash.update(record.stored_at.to_be_bytes());
    hash.update(record.event_id.map_or([0; 16], |id| id.into_bytes()));
    for part in [record.subject.as_bytes(), &record.payload] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
}
