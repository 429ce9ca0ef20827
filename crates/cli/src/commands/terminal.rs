//! Parts that commands for people share: the stream they ask, the runtime they wait in.

use std::path::PathBuf;

use clap::Args;
use fillstream_event_log::{Durability, JetStreamLog, LogOptions};
use fillstream_nats_server::address_of;

use super::refusal::sentence;
use crate::{
    Failure,
    node::open_log,
    settings::{AccessSettings, data_dir},
};

/// Which stream a command asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct StreamArgs {
    /// NATS server [default: the one that `fillstream up` started]
    #[arg(long, env = "FILLSTREAM_NATS_URL", hide_env_values = true, value_name = "URL", global = true)]
    pub(crate) nats_url: Option<String>,
    #[command(flatten)]
    pub(crate) access: AccessSettings,
    /// Data directory of `fillstream up` [default: fillstream in the user's data directory]
    #[arg(long, env = "FILLSTREAM_DATA", value_name = "DIR", global = true)]
    pub(crate) data: Option<PathBuf>,
}

impl StreamArgs {
    /// The data directory.
    pub(crate) fn data_dir(&self) -> Result<PathBuf, Failure> {
        data_dir(self.data.as_deref())
    }

    /// The address of the NATS server.
    ///
    /// # Errors
    /// When none is named and none runs for the data directory.
    pub(crate) fn url(&self) -> Result<String, Failure> {
        if let Some(url) = &self.nats_url {
            return Ok(url.clone());
        }
        let data = self.data_dir()?.join("nats");
        address_of(&data).ok_or_else(|| {
            let data = data.display();
            format!("no nats-server runs for {data}: start `fillstream up`, or name a server with --nats-url")
                .into()
        })
    }

    /// Options of a connection with this name to the server at `url`.
    pub(crate) fn options(&self, url: String, name: &str) -> LogOptions {
        let (access, durability) = (self.access.access(), Durability::OsBuffer);
        LogOptions { access, url, name: name.to_owned(), durability }
    }

    /// Opens the stream.
    pub(crate) async fn open(&self) -> Result<JetStreamLog, Failure> {
        let opened = open_log(&self.options(self.url()?, "fillstream command"), 1).await;
        opened.map_err(|error| format!("{}; `fillstream doctor` looks into it", sentence(&*error)).into())
    }
}

/// Runs a command's future.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}
