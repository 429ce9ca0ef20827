//! `fillstream backup`: the stream into a directory, while everything runs.
//!
//! ```text
//!  stream ──server's snapshot──▶ DIR/stream.snapshot ─┐ size, SHA-256
//!     └────── every record, read ──▶ count, digest ───┴──▶ DIR/backup.json, written last
//! ```
//! The rows are not in it: they are a view, made anew from the stream.

mod content;
mod manifest;
pub(crate) mod restore;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use fillstream_clock::now;
use fillstream_domain::Seq;
use fillstream_event_log::{EventLog, StreamArchive, StreamShape};
use serde_json::json;
use sha2::{Digest, Sha256};

use self::{
    content::content,
    manifest::{MANIFEST, Manifest, SNAPSHOT, SavedFile, hex},
};
use super::{
    output::Output,
    terminal::{StreamArgs, block_on},
};
use crate::{Failure, node::open_log};

/// The stream that holds everything.
const STREAM: &str = "ORDERS";

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// A new or empty directory
    dir: PathBuf,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    stream: StreamArgs,
}

pub(crate) fn run(backup: &Backup) -> Result<ExitCode, Failure> {
    block_on(async {
        empty(&backup.dir)?;
        let options = backup.stream.options(backup.stream.url()?, "fillstream backup");
        let archive = StreamArchive::connect(&options).await?;
        if archive.shape(STREAM).await?.is_none() {
            return Err(format!("there is no stream {STREAM} to save").into());
        }
        let log = open_log(&options, 1).await?;
        let (shape, snapshot) = save(backup, &archive).await?;
        let last = last_seq(&shape);
        let bar = backup.output.bar(last.get(), "reading  {bar:40} {pos}/{len}  {eta} left");
        let content = content(&log, last, |seq| bar.set_position(seq.get())).await?;
        bar.finish_and_clear();
        let manifest = Manifest {
            version: manifest::VERSION,
            taken_at: now(),
            incarnation: log.incarnation(),
            content,
            snapshot,
            config: shape.config,
            state: shape.state,
        };
        manifest.write(&backup.dir)?;
        let shown = format!(
            "{} records up to sequence {last} are in {}",
            manifest.content.records,
            backup.dir.display()
        );
        backup.output.print(&told(&manifest), shown)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Makes the directory; an earlier backup is never written over.
fn empty(dir: &Path) -> Result<(), Failure> {
    let cannot = |error| format!("cannot use {}: {error}", dir.display());
    fs::create_dir_all(dir).map_err(cannot)?;
    match fs::read_dir(dir).map_err(cannot)?.next() {
        None => Ok(()),
        Some(_) => Err(format!("{} is not empty: name a new directory", dir.display()).into()),
    }
}

async fn save(backup: &Backup, archive: &StreamArchive) -> Result<(StreamShape, SavedFile), Failure> {
    let path = backup.dir.join(SNAPSHOT);
    let mut file = tokio::fs::File::create_new(&path).await?;
    let (mut bytes, mut hash) = (0, Sha256::new());
    let bar = backup.output.bar(0, "saving  {bytes}  {bytes_per_sec}  {elapsed}");
    let shape = archive
        .save(STREAM, &mut file, |chunk| {
            bytes += chunk.len() as u64;
            hash.update(chunk);
            bar.set_position(bytes);
        })
        .await?;
    bar.finish_and_clear();
    file.sync_all().await?;
    Ok((shape, SavedFile { name: SNAPSHOT.to_owned(), bytes, sha256: hex(&hash.finalize()) }))
}

fn last_seq(shape: &StreamShape) -> Seq {
    Seq::new(shape.state["last_seq"].as_u64().unwrap_or_default())
}

/// A manifest in one line, without the server's own parts.
fn told(manifest: &Manifest) -> serde_json::Value {
    json!({
        "taken_at": manifest.taken_at,
        "incarnation": manifest.incarnation.to_string(),
        "content": manifest.content,
        "snapshot": manifest.snapshot,
        "manifest": MANIFEST,
    })
}
