//! `fillstream rebuild`: a fresh read model beside the live one, and the swap.

use std::process::ExitCode;

use clap::Args;
use fillstream_read_store::ReadStore;
use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::{StreamArgs, block_on};
use crate::{Failure, settings::StoreSettings};

#[derive(Debug, Args)]
pub(crate) struct RebuildCommand {
    #[command(flatten)]
    stream: StreamArgs,
    #[command(flatten)]
    store: StoreSettings,
}

pub(crate) fn run(rebuild: &RebuildCommand) -> Result<ExitCode, Failure> {
    block_on(async {
        let log = rebuild.stream.open().await?;
        let store = ReadStore::open(&rebuild.store.url(&rebuild.stream.data_dir()?)?).await?;
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} events  {per_sec}  {eta} left");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let progress = &mut |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let reached = fillstream_projector::rebuild(&log, &store, progress).await?;
        bar.finish();
        println!("the read model is rebuilt up to sequence {}", reached.seq);
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}
