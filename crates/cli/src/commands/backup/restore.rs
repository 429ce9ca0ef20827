//! `fillstream restore`: a backup into a server that has no stream yet.
//!
//! ```text
//!  DIR ─ is it what was saved? ─▶ server without ORDERS ─ restore ─▶ every record, read: is it what was saved?
//! ```

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use fillstream_event_log::{EventLog, INCARNATION, StreamArchive, StreamShape};
use fillstream_nats_server::{Options, PrivateServer, address_of, locate};
use serde_json::{Value, json};

use super::{
    STREAM,
    content::content,
    last_seq,
    manifest::{Manifest, SNAPSHOT},
    told,
};
use crate::{
    Failure,
    commands::{
        output::Output,
        terminal::{StreamArgs, block_on},
    },
    node::open_log,
};

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// What `fillstream backup` has written
    dir: PathBuf,
    /// Copies of the stream, on a cluster [default: as many as it had]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: Option<u8>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    stream: StreamArgs,
}

pub(crate) fn run(restore: &Restore) -> Result<ExitCode, Failure> {
    let manifest = Manifest::read(&restore.dir)?;
    let (server, url) = match &restore.stream.nats_url {
        Some(url) => (None, url.clone()),
        None => {
            let server = private_server(restore)?;
            let url = server.url();
            (Some(server), url)
        }
    };
    let restored = block_on(restored(restore, &manifest, &url));
    if let Some(server) = server {
        server.stop();
    }
    restored?;
    let content = &manifest.content;
    let shown = format!(
        "{} records up to sequence {} are restored; `fillstream verify` recomputes the markets",
        content.records, content.last
    );
    restore.output.print(&told(&manifest), shown)?;
    Ok(ExitCode::SUCCESS)
}

/// The server of the data directory, for as long as this takes.
fn private_server(restore: &Restore) -> Result<PrivateServer, Failure> {
    let data = restore.stream.data_dir()?;
    if let Some(url) = address_of(&data.join("nats")) {
        let data = data.display();
        return Err(format!(
            "{data} is in use, by the server at {url}: stop `fillstream up` first, or name another --data"
        )
        .into());
    }
    let binary = locate(&mut |line| eprintln!("{line}"))?;
    Ok(PrivateServer::start(&Options::new(binary, data.join("nats")))?)
}

async fn restored(restore: &Restore, manifest: &Manifest, url: &str) -> Result<(), Failure> {
    let options = restore.stream.options(url.to_owned(), "fillstream restore");
    let archive = StreamArchive::connect(&options).await?;
    if let Some(there) = archive.shape(STREAM).await? {
        return Err(format!(
            "stream {STREAM} is there already, up to sequence {}: a backup is restored where there is none \
             (another --data, or after the server's owner has run `nats stream rm {STREAM}`)",
            last_seq(&there)
        )
        .into());
    }
    let shape = StreamShape { config: config(manifest, restore.replicas), state: manifest.state.clone() };
    let mut file = tokio::fs::File::open(restore.dir.join(SNAPSHOT)).await?;
    let bar = restore.output.bar(manifest.snapshot.bytes, "restoring  {bar:40} {bytes}/{total_bytes}");
    archive.restore(STREAM, &shape, &mut file, |bytes| bar.inc(bytes as u64)).await?;
    bar.finish_and_clear();
    let log = open_log(&options, 1).await?;
    let bar = restore.output.bar(manifest.content.last.get(), "reading  {bar:40} {pos}/{len}  {eta} left");
    let found = content(&log, manifest.content.last, |seq| bar.set_position(seq.get())).await?;
    bar.finish_and_clear();
    if found != manifest.content {
        let (saved, found) = (json!(manifest.content), json!(found));
        return Err(format!("the restored stream is not the one that was saved: {found}, not {saved}").into());
    }
    let (found, saved) = (log.incarnation(), manifest.incarnation);
    if found != saved {
        return Err(
            format!("the restored stream has incarnation {found}, not {saved}: tokens are no good").into()
        );
    }
    Ok(())
}

/// The stream's settings, with the incarnation that makes it the same stream.
fn config(manifest: &Manifest, replicas: Option<u8>) -> Value {
    let mut config = manifest.config.clone();
    if let Some(replicas) = replicas {
        config["num_replicas"] = replicas.into();
    }
    if !config["metadata"].is_object() {
        config["metadata"] = json!({});
    }
    config["metadata"][INCARNATION] = manifest.incarnation.to_string().into();
    config
}
