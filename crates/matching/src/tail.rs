//! A tail as a channel: waiting for it can be given up at any moment without losing a record.

use fillstream_domain::Seq;
use fillstream_event_log::{After, EventLog, LogError, Record};
use tokio::sync::mpsc;

/// Records that come at once.
const BATCH: usize = 2_000;
/// Batches that wait to be taken; the rest waits in the server.
const WAITING: usize = 4;

/// Records in batches; the last word is why positions in the stream do not hold any more.
pub(crate) type Tail = mpsc::Receiver<Result<Vec<Record>, LogError>>;

/// Follows a pattern behind the record at `after`.
pub(crate) async fn tail(log: &dyn EventLog, after: Seq, pattern: &str) -> Result<Tail, LogError> {
    // The record itself, so that a stream which is put back from now on is not taken for the same one.
    let known = log.record(after).await?.map(|record| After::Record(record.reference()));
    let mut follow = log.follow(known.unwrap_or(After::Seq(after)), Some(pattern)).await?;
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                records = follow.next(BATCH) => match records {
                    Ok(records) => if sender.send(Ok(records)).await.is_err() { return },
                    // Nobody waits for it any more: then nobody has to know.
                    Err(error) => return drop(sender.send(Err(error)).await),
                },
                () = sender.closed() => return,
            }
        }
    });
    Ok(receiver)
}
