//! Rows that the stream does not hold any more, written to a file before they are rebuilt.
//!
//! ```text
//!  records of rows, newest first ──▶ the leader's record there: the same? ──▶ the last one they have in common
//!                                                                                     │
//!  swap events, book orders, trades behind it ──▶ in the stream under another number? ─┤ no
//!                                                                                     ▼
//!                                          rows-ahead-of-stream-….jsonl in the data directory
//! ```
//! A stream loses its end when its server loses power before it has written to disk, or when an older copy is put back.
//! Then the rows are the only ones that know of orders which were acknowledged, and of transactions that may have been sent.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fillstream_domain::{
    OrderId, Position, Seq,
    book::BookInput,
    subject::{book_order, swap_placed, swap_progress},
};
use fillstream_event_log::{Consistency, EventLog, LogError, Record};
use fillstream_projections::rows::EventRow;
use fillstream_read_store::{Checkpoint, ReadStore, StoreError};
use serde_json::{Value, json};

/// Prefix of the files' names.
const NAME: &str = "rows-ahead-of-stream-";
/// Rows that are read at once.
pub(crate) const PAGE: u32 = 500;

/// Reasons why the rows were not rescued. They are not rebuilt then.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// The stream could not be asked.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The rows could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

/// Rows that only the model knew, and the file that has them now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescued {
    /// The file, one JSON object per line.
    pub file: PathBuf,
    /// Number of its lines.
    pub lines: u64,
    /// The last record that rows and stream have in common.
    pub common: Seq,
}

/// The files of rescued rows in a data directory, by name: somebody has to look at them, and then to remove them.
///
/// # Errors
/// When the directory cannot be read; one that is missing has none.
pub fn rescued_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let is_ours = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(NAME))
    };
    let mut files: Vec<_> = paths.into_iter().filter(is_ours).collect();
    files.sort();
    Ok(files)
}

/// Writes what the rows know and the stream does not. Nothing when the stream holds all of it. The same rows make the same
/// file again.
///
/// # Errors
/// See [`RescueError`].
pub async fn rescue(
    log: &dyn EventLog,
    store: &ReadStore,
    rows: &Checkpoint,
    directory: &Path,
) -> Result<Option<Rescued>, RescueError> {
    if is_held(log, rows).await? {
        return Ok(None);
    }
    // Another stream holds nothing of them: it is not asked for each row.
    let same = (rows.incarnation == log.incarnation()).then_some(log);
    let common = match same {
        Some(log) => common_end(log, store).await?,
        None => Seq::ZERO,
    };
    let name = format!("{NAME}{}-{}.jsonl", rows.incarnation, rows.seq);
    let mut sheet = Sheet { file: directory.join(name), writer: None, lines: 0 };
    swaps(same, store, common, &mut sheet).await?;
    book_orders(same, store, common, &mut sheet).await?;
    trades(same, store, common, rows.seq, &mut sheet).await?;
    sheet.end(common)
}

/// True when the stream holds the record that the rows end with, and so all before it. Of rows of an older version, which do not
/// name it, the sequence must do.
pub(crate) async fn is_held(log: &dyn EventLog, rows: &Checkpoint) -> Result<bool, LogError> {
    if rows.incarnation != log.incarnation() {
        return Ok(false);
    }
    Ok(match (log.record(rows.seq).await?, rows.reference()) {
        (Some(found), Some(known)) => found.reference() == known,
        (Some(_), None) => true,
        // Before the first one, or removed from the stream's beginning: no stream is put back by that.
        (None, _) => rows.seq < log.info().await?.first_seq,
    })
}

/// Up to where the stream still holds what the rows were made of. Whatever lies behind it in the rows is of another history.
/// Rows of an older version do not say of which records they are: then nothing is known to be held.
pub(crate) async fn common_end(log: &dyn EventLog, store: &ReadStore) -> Result<Seq, RescueError> {
    let first = log.info().await?.first_seq;
    // What was removed from the stream's beginning was held: no stream is put back by its beginning.
    let held = async |(seq, tag)| match log.record(seq).await {
        Ok(Some(found)) => Ok(found.reference().id.tag() == tag),
        Ok(None) => Ok(seq < first),
        Err(error) => Err(error),
    };
    let Some(newest) = store.newest_record(Seq::MAX).await? else { return Ok(Seq::ZERO) };
    if held(newest).await? {
        return Ok(newest.0);
    }
    // Rows up to `common` are held, those from `lost` on are not.
    let (mut common, mut lost) = (Seq::ZERO, newest.0);
    while common.next() < lost {
        let middle = common.plus(lost.since(common) / 2);
        match store.newest_record(middle).await?.filter(|(seq, _)| *seq > common) {
            Some(found) if !held(found).await? => lost = found.0,
            Some(_) | None => common = middle,
        }
    }
    Ok(common)
}

/// Events of swap orders that the stream lacks, by order.
async fn swaps(
    log: Option<&dyn EventLog>,
    store: &ReadStore,
    common: Seq,
    sheet: &mut Sheet,
) -> Result<(), RescueError> {
    let mut after: Option<(OrderId, Seq)> = None;
    loop {
        let mut page = store.swap_events_page(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.order_id, last.seq));
        page.retain(|row| row.seq > common);
        for events in page.chunk_by(|a, b| a.order_id == b.order_id) {
            let order = events[0].order_id;
            let held = match log {
                Some(log) => history(log, order).await?,
                None => Vec::new(),
            };
            let lacks =
                |event: &&EventRow| !held.iter().any(|record| *record.payload == *event.event.as_bytes());
            let lost: Vec<Value> = events.iter().filter(lacks).map(swap_event).collect();
            if lost.is_empty() {
                continue;
            }
            let row = store.swap_order(order).await?;
            let is_placed = held.iter().any(|record| record.subject == swap_placed(order));
            sheet.write(&json!({
                "kind": "swap_order", "order_id": order, "placed_in_stream": is_placed, "order": row, "lost_events": lost,
            }))?;
        }
    }
}

/// The payload as it was, or as a text when it is no JSON.
fn swap_event(event: &EventRow) -> Value {
    let payload = serde_json::from_str(&event.event).unwrap_or_else(|_| Value::from(event.event.as_str()));
    json!({ "seq": event.seq, "event": payload })
}

pub(crate) async fn history(log: &dyn EventLog, order: OrderId) -> Result<Vec<Record>, LogError> {
    let mut records = Vec::new();
    for subject in [swap_placed(order), swap_progress(order)] {
        let mut from = Seq::FIRST;
        loop {
            let page = log.read(&subject, from, Consistency::Leader).await?;
            records.extend(page.records);
            match records.last().filter(|_| page.more) {
                Some(last) => from = last.seq.next(),
                None => break,
            }
        }
    }
    Ok(records)
}

/// Book orders whose placed event the stream lacks.
async fn book_orders(
    log: Option<&dyn EventLog>,
    store: &ReadStore,
    common: Seq,
    sheet: &mut Sheet,
) -> Result<(), RescueError> {
    let mut after = None;
    loop {
        let page = store.book_orders_page(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.order_id);
        for row in page.iter().filter(|row| row.placed_seq > common) {
            let subject = book_order(&row.symbol, row.order_id);
            let placed = match log {
                Some(log) => log.first(&subject, Consistency::Leader).await?,
                None => None,
            };
            let is_placed = placed.is_some_and(|record| {
                matches!(BookInput::decode(&record.payload), Ok(BookInput::Placed(placed))
                    if placed.fingerprint == row.fingerprint)
            });
            if !is_placed {
                sheet.write(&json!({ "kind": "book_order", "order_id": row.order_id, "order": row }))?;
            }
        }
    }
}

/// Trades that the stream does not tell of, or tells of otherwise.
async fn trades(
    log: Option<&dyn EventLog>,
    store: &ReadStore,
    common: Seq,
    end: Seq,
    sheet: &mut Sheet,
) -> Result<(), RescueError> {
    let up_to = Position::after_all_of(end);
    let mut after = Position::after_all_of(common);
    loop {
        let page = store.trades_after(None, after, up_to, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        let tags = store.record_tags(page.iter().map(|row| row.seq)).await?;
        after = Position::new(last.seq, last.index);
        for rows in page.chunk_by(|a, b| a.seq == b.seq) {
            let seq = rows[0].seq;
            let record = match log {
                Some(log) => log.record(seq).await?,
                None => None,
            };
            let held = record.is_some_and(|record| tags.get(&seq) == Some(&record.reference().id.tag()));
            for row in rows.iter().filter(|_| !held) {
                sheet.write(&json!({ "kind": "trade", "trade_id": row.trade_id, "trade": row }))?;
            }
        }
    }
}

/// The file, once there is something to write.
struct Sheet {
    file: PathBuf,
    writer: Option<BufWriter<File>>,
    lines: u64,
}

impl Sheet {
    fn write(&mut self, line: &Value) -> Result<(), RescueError> {
        let Self { file, writer, lines } = self;
        let written = (|| {
            let writer = match writer {
                Some(writer) => writer,
                None => {
                    if let Some(directory) = file.parent() {
                        fs::create_dir_all(directory)?;
                    }
                    writer.insert(BufWriter::new(File::create(&*file)?))
                }
            };
            *lines += 1;
            writeln!(writer, "{line}")
        })();
        written.map_err(|source| RescueError::File { path: file.clone(), source })
    }

    /// On disk.
    fn end(self, common: Seq) -> Result<Option<Rescued>, RescueError> {
        let Self { file, writer, lines } = self;
        let Some(writer) = writer else { return Ok(None) };
        let synced =
            writer.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        match synced {
            Ok(()) => Ok(Some(Rescued { file, lines, common })),
            Err(source) => Err(RescueError::File { path: file, source }),
        }
    }
}
