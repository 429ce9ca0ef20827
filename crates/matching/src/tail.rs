//! A tail as a channel: waiting for it can be given up at any moment without losing a record.

use fillstream_domain::Seq;
use fillstream_event_log::{After, EventLog, LogError, Record};
use tokio::sync::mpsc;
use tracing::warn;

/// Records that come at once.
const BATCH: usize = 2_000;
/// Batches that wait to be taken; the rest waits in the server.
const WAITING: usize = 4;

/// Follows a pattern behind `after`. The channel ends when the stream is another one.
pub(crate) async fn tail(
    log: &dyn EventLog,
    after: Seq,
    pattern: &str,
) -> Result<mpsc::Receiver<Vec<Record>>, LogError> {
    let mut follow = log.follow(After::Seq(after), Some(pattern)).await?;
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                records = follow.next(BATCH) => match records {
                    Ok(records) => if sender.send(records).await.is_err() { return },
                    Err(error) => return warn!(error = %fillstream_retry::chain(&error), "a tail has ended"),
                },
                () = sender.closed() => return,
            }
        }
    });
    Ok(receiver)
}
