//! Place up to which an executor has followed the swaps, and those that had not ended there: an object beside the log that spares
//! a restart the reading of all swaps. It is never the only truth: without it, or when its record is not the stream's, the
//! swaps are read from the beginning; and once a day they are, to find what a wrong one has left out.

use fillstream_domain::{Incarnation, RecordRef, Seq, Timestamp, subject::ALL_SWAPS};
use fillstream_event_log::{After, EventLog, LogError, SnapshotStore};
use fillstream_retry::chain;
use fillstream_swap_machine::{Moment, Summary, Unended, UnendedSwap};
use serde::{Deserialize, Serialize};
use tracing::warn;

/// The object's name. Any executor's is as good as another's.
const NAME: &str = "executor/unended";
/// The words of who cannot read it.
pub(crate) const UNREAD: &str = "executor: checkpoint of the unended swaps not read";
/// Version of the object that is written and read here.
const VERSION: u32 = 2;

/// Unended swaps as of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    version: u32,
    incarnation: Incarnation,
    /// The last record of a swap that it covers.
    pub(crate) reached: RecordRef,
    /// Time at which the swaps were last read from the beginning.
    pub(crate) counted_at: Timestamp,
    pub(crate) unended: Vec<UnendedSwap>,
}

impl Checkpoint {
    pub(crate) fn new(
        incarnation: Incarnation,
        reached: RecordRef,
        counted_at: Timestamp,
        mut unended: Vec<UnendedSwap>,
    ) -> Self {
        unended.sort_unstable_by_key(|swap| swap.last);
        Self { version: VERSION, incarnation, reached, counted_at, unended }
    }

    /// The checkpoint beside this log; none when there is none that can be used.
    ///
    /// # Errors
    /// When the snapshots cannot be read.
    pub(crate) async fn read(
        snapshots: &dyn SnapshotStore,
        incarnation: Incarnation,
    ) -> Result<Option<Self>, LogError> {
        // The name is asked for first: a bucket that was never made has no objects to miss.
        if !snapshots.names(NAME).await?.iter().any(|name| name == NAME) {
            return Ok(None);
        }
        Ok(snapshots.get(NAME).await?.and_then(|object| Self::parse(&object, incarnation)))
    }

    fn parse(object: &[u8], incarnation: Incarnation) -> Option<Self> {
        match serde_json::from_slice::<Kind>(object) {
            Ok(Kind { version, incarnation: of }) if version != VERSION || of != incarnation => {
                warn!(version, incarnation = %of, "the checkpoint of the unended swaps is of another version or stream");
                return None;
            }
            Ok(_) | Err(_) => {}
        }
        match serde_json::from_slice(object) {
            Ok(read) => Some(read),
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

/// Fields of the object that every version has.
#[derive(Deserialize)]
struct Kind {
    version: u32,
    incarnation: Incarnation,
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
        Some(snapshots) => Checkpoint::read(snapshots, log.incarnation()).await.unwrap_or_else(|error| {
            warn!(error = %chain(&error), "{UNREAD}");
            None
        }),
        None => None,
    };
    let (mut tail, mut reached) = match checkpoint {
        Some(checkpoint) if checkpoint.reached.seq <= end.seq => {
            match log.follow(After::Record(checkpoint.reached), Some(ALL_SWAPS)).await {
                Ok(tail) => {
                    checkpoint.unended.into_iter().for_each(|swap| unended.adopt(swap, now));
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
