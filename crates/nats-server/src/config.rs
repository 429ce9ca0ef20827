use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, failed};
use crate::port::PortChoice;
use crate::token::Token;

/// The project's server configuration, the file that the nats tools and compose.yaml use as well.
const CONF: &str = include_str!("../../../nats/server.conf");
/// The line of it that says what an acknowledgement means.
const DURABLE: &str = "sync_interval: always";
/// What the server does when it is told nothing. Quoted: bare, `2m` is read as two million.
const OS_BUFFER: &str = "sync_interval: \"2m\"";

/// Times at which the server calls fsync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SyncMode {
    /// Before it acknowledges: what is acknowledged survives a power failure.
    #[default]
    Always,
    /// Every two minutes, the server's own default: survives the death of the server, not that of the machine.
    OsBuffer,
}

/// Configuration of a private server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The nats-server to run; see [`locate`](crate::locate).
    pub binary: PathBuf,
    /// A directory of its own: the store, `server.conf`, `nats-server.log` and the lock lie in it. Made if missing.
    pub data_dir: PathBuf,
    /// Port on 127.0.0.1.
    pub port: PortChoice,
    /// Worth of an acknowledgement.
    pub sync: SyncMode,
    /// Credentials that clients must bring along. None: it is open to everybody on this machine.
    pub token: Option<Token>,
}

impl Options {
    /// Durable, on the usual port where that is free.
    pub fn new(binary: impl Into<PathBuf>, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            data_dir: data_dir.into(),
            port: PortChoice::default(),
            sync: SyncMode::default(),
            token: None,
        }
    }
}

fn text(sync: SyncMode, token: Option<&Token>) -> String {
    let mut text = match sync {
        SyncMode::Always => CONF.to_owned(),
        SyncMode::OsBuffer => CONF.replace(DURABLE, OS_BUFFER),
    };
    if let Some(token) = token {
        text.push_str(&format!("\nauthorization {{ token: \"{}\" }}\n", token.reveal()));
    }
    text
}

/// Writes the configuration into the data directory; the path of the file. It may hold the token: only its owner reads it.
pub(crate) fn write(data_dir: &Path, sync: SyncMode, token: Option<&Token>) -> Result<PathBuf, Error> {
    let path = data_dir.join("server.conf");
    let written = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        // One of an earlier run may have been open to all.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text(sync, token).as_bytes())
    };
    written().map_err(failed(|| format!("write {}", path.display())))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sync_mode_is_one_line_of_the_configuration() {
        assert_eq!(CONF.matches(DURABLE).count(), 1);
        assert_eq!(text(SyncMode::Always, None), CONF);
        assert_eq!(text(SyncMode::OsBuffer, None), CONF.replace("always", "\"2m\""));
    }
}
