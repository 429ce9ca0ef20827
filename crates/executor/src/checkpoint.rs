//! Place up to which an executor has followed the swaps, and those that had not ended there: an object beside the log that spares
//! a restart the reading of all swaps. It is never the only truth: without it, or when its record is not the stream's, the
//! swaps are read from the beginning; and once a day they are, to find what a wrong one has left out.

use fillstream_domain::{Incarnation, OrderId, RecordRef, Seq, Timestamp, subject::ALL_SWAPS};
use fillstream_event_log::{After, EventLog, LogError, SnapshotStore};
use fillstream_retry::chain;
use fillstream_swap_machine::{Heard, Moment, Summary, Tells, Unended, UnendedSwap};
use serde::{Deserialize, Serialize};
use tracing::warn;

/// The object's name. Any executor's is as good as another's.
const NAME: &str = "executor/unended";
/// Version of the object that is written and read here.
const VERSION: u32 = 1;

/// Unended swaps as of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    version: u32,
    incarnation: Incarnation,
    /// The last record of a swap that it covers.
    pub(crate) reached: RecordRef,
    /// Time at which the swaps were last read from the beginning.
    pub(crate) counted_at: Timestamp,
    /// Order, its last record and when the stream took that.
    unended: Vec<(OrderId, Seq, Timestamp)>,
}

impl Checkpoint {
    pub(crate) fn new(
        incarnation: Incarnation,
        reached: RecordRef,
        counted_at: Timestamp,
        unended: &[UnendedSwap],
    ) -> Self {
        let mut unended: Vec<_> = unended.iter().map(|swap| (swap.order, swap.last, swap.moved_at)).collect();
        unended.sort_unstable_by_key(|(_, last, _)| *last);
        Self { version: VERSION, incarnation, reached, counted_at, unended }
    }

    /// Its swaps, to be heard as if their last records came now.
    pub(crate) fn swaps(&self) -> impl Iterator<Item = Heard> {
        let heard = |(order, seq, stored_at): &_| Heard {
            order: *order,
            seq: *seq,
            stored_at: *stored_at,
            tells: Tells::Goes,
        };
        self.unended.iter().map(heard)
    }

    /// The checkpoint beside this log; none when there is none that can be used.
    pub(crate) async fn read(snapshots: &dyn SnapshotStore, incarnation: Incarnation) -> Option<Self> {
        let names = match snapshots.names(NAME).await {
            Ok(names) => names,
            Err(error) => {
                warn!(error = %chain(&error), "the checkpoint of the unended swaps cannot be read");
                return None;
            }
        };
        if !names.iter().any(|name| name == NAME) {
            return None;
        }
        let object = match snapshots.get(NAME).await {
            Ok(object) => object?,
            Err(error) => {
                warn!(error = %chain(&error), "the checkpoint of the unended swaps cannot be read");
                return None;
            }
        };
        match serde_json::from_slice::<Self>(&object) {
            Ok(read) if read.version == VERSION && read.incarnation == incarnation => Some(read),
            Ok(read) => {
                let Self { version, incarnation, .. } = read;
                warn!(version, %incarnation, "the checkpoint of the unended swaps is of another version or stream");
                None
            }
            Err(error) => {
                warn!(error = %chain(&error), "the checkpoint of the unended swaps is damaged");
                None
            }
        }
    }

    pub(crate) async fn write(&self, snapshots: &dyn SnapshotStore) -> Result<(), LogError> {
        let object = serde_json::to_vec(self).expect("string keys and plain values always become JSON");
        snapshots.put(NAME, object.into()).await
    }
}

/// Counts the swaps that have not ended, for who looks from outside: what a checkpoint says, and the stream behind it. With
/// an operator are none, as nobody drives here.
///
/// # Errors
/// When the stream cannot be read.
pub async fn count_unended(
    log: &dyn EventLog,
    snapshots: Option<&dyn SnapshotStore>,
    now: Timestamp,
) -> Result<Summary, LogError> {
    let now = Moment { running: std::time::Duration::ZERO, wall: now };
    let mut unended = Unended::new(std::time::Duration::ZERO);
    let Some(end) = log.last_matching(ALL_SWAPS).await? else { return Ok(Summary::default()) };
    let checkpoint = match snapshots {
        Some(snapshots) => Checkpoint::read(snapshots, log.incarnation()).await,
        None => None,
    };
    let (mut tail, mut reached) = match checkpoint {
        Some(checkpoint) if checkpoint.reached.seq <= end.seq => {
            match log.follow(After::Record(checkpoint.reached), Some(ALL_SWAPS)).await {
                Ok(tail) => {
                    checkpoint.swaps().for_each(|heard| unended.hear(heard, now));
                    (tail, checkpoint.reached.seq)
                }
                Err(error) if error.is_final() => {
                    (log.follow(After::START, Some(ALL_SWAPS)).await?, Seq::ZERO)
                }
                Err(error) => return Err(error),
            }
        }
        Some(_) | None => (log.follow(After::START, Some(ALL_SWAPS)).await?, Seq::ZERO),
    };
    while reached < end.seq {
        for record in tail.next(crate::follow::BATCH).await? {
            reached = record.seq;
            if let Some(heard) = crate::follow::heard(&record) {
                unended.hear(heard, now);
            }
        }
    }
    Ok(unended.summary())
}
