use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, failed};
use crate::port::PortChoice;

/// The project's server configuration, the file that the nats tools and compose.yaml use as well.
const CONF: &str = include_str!("../../../nats/server.conf");
/// The line of it that says what an acknowledgement means.
const DURABLE: &str = "sync_interval: always";
/// What the server does when it is told nothing. Quoted: bare, `2m` is read as two million.
const OS_BUFFER: &str = "sync_interval: \"2m\"";

/// When the server calls fsync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SyncMode {
    /// Before it acknowledges: what is acknowledged survives a power failure.
    #[default]
    Always,
    /// Every two minutes, the server's own default: survives the death of the server, not that of the machine.
    OsBuffer,
}

/// What a private server is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The nats-server to run; see [`locate`](crate::locate).
    pub binary: PathBuf,
    /// A directory of its own: the store, `server.conf`, `nats-server.log` and the lock lie in it. Made if missing.
    pub data_dir: PathBuf,
    /// Where it listens on 127.0.0.1.
    pub port: PortChoice,
    /// What an acknowledgement means.
    pub sync: SyncMode,
}

impl Options {
    /// Durable, on the usual port where that is free.
    pub fn new(binary: impl Into<PathBuf>, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            data_dir: data_dir.into(),
            port: PortChoice::default(),
            sync: SyncMode::default(),
        }
    }
}

fn text(sync: SyncMode) -> String {
    match sync {
        SyncMode::Always => CONF.to_owned(),
        SyncMode::OsBuffer => CONF.replace(DURABLE, OS_BUFFER),
    }
}

/// Writes the configuration into the data directory; the path of the file.
pub(crate) fn write(data_dir: &Path, sync: SyncMode) -> Result<PathBuf, Error> {
    let path = data_dir.join("server.conf");
    fs::write(&path, text(sync)).map_err(failed(|| format!("write {}", path.display())))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sync_mode_is_one_line_of_the_configuration() {
        assert_eq!(CONF.matches(DURABLE).count(), 1);
        assert_eq!(text(SyncMode::Always), CONF);
        assert_eq!(text(SyncMode::OsBuffer), CONF.replace("always", "\"2m\""));
    }
}
