//! `fillstream rebuild`: a fresh read model beside the live one, and the swap.

use std::process::ExitCode;

use clap::Args;
use fillstream_domain::Seq;
use fillstream_projector::rescue;
use fillstream_read_store::ReadStore;
use serde_json::json;

use super::{
    output::Output,
    terminal::{StreamArgs, block_on},
};
use crate::{Failure, settings::StoreSettings};

#[derive(Debug, Args)]
pub(crate) struct RebuildCommand {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    stream: StreamArgs,
    #[command(flatten)]
    store: StoreSettings,
}

pub(crate) fn run(rebuild: &RebuildCommand) -> Result<ExitCode, Failure> {
    block_on(async {
        let log = rebuild.stream.open().await?;
        let data = rebuild.stream.data_dir()?;
        let url = rebuild.store.url(&data)?;
        let store = ReadStore::at(&url, rebuild.store.limits.database())?;
        let rows = store.checkpoint().await?;
        let rescued = match &rows {
            Some(rows) => rescue(&log, &store, rows, &data).await?,
            None => None,
        };
        let bar = rebuild.output.bar(0, "{bar:40} {pos}/{len} events  {per_sec}  {eta} left");
        let progress = &mut |done: Seq, all: Seq| {
            bar.set_length(all.get());
            bar.set_position(done.get());
        };
        let reached = fillstream_projector::rebuild(&log, &store, progress).await?;
        bar.finish_and_clear();
        let file = rescued.map(|rescued| rescued.file.display().to_string());
        let mut shown = format!("the read model is rebuilt up to sequence {}", reached.seq);
        if let Some(file) = &file {
            shown.push_str(&format!("; what the stream has lost of it is in {file}"));
        }
        rebuild.output.print(&json!({ "seq": reached.seq, "rescued": file }), shown)?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}
