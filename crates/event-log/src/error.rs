//! Errors of the log: what is known, and the cause in the server's or the client's own words.
//!
//! ```text
//!  AppendError   Fenced | Full | Refused    nothing was stored, and that is known
//!                Unknown                    it may be stored, also later: the same fence again
//!  LogError      Unreachable                it may be well in a moment: wait
//!                Server | Denied | Invalid  it will be answered the same way again
//!                Recreated | LostEnd | BeyondEnd | Trimmed    positions do not hold any more
//! ```

use std::{error::Error, sync::Arc};

use async_nats::jetstream::ErrorCode;
use fillstream_domain::{RecordRef, Seq};
use serde::Deserialize;

/// The cause of an error, shared by its clones.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// An error of JetStream's interface, as the server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{description} (JetStream error {err_code})")]
pub struct ServerError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl ServerError {
    /// An error with JetStream's number and words.
    #[must_use]
    pub fn new(code: u64, description: impl Into<String>) -> Self {
        Self { err_code: code, description: description.into() }
    }

    /// JetStream's number, as `nats errors lookup` explains it.
    #[must_use]
    pub const fn code(&self) -> u64 {
        self.err_code
    }

    /// The server's words.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// There is no stream of that name.
    #[must_use]
    pub fn says_no_stream(&self) -> bool {
        self.is(ErrorCode::STREAM_NOT_FOUND)
    }

    /// There is a stream of that name, with another definition.
    pub(crate) fn says_stream_exists(&self) -> bool {
        self.is(ErrorCode::STREAM_NAME_EXIST)
    }

    pub(crate) fn is(&self, code: ErrorCode) -> bool {
        self.err_code == code.0
    }

    /// Neither the account, the server nor the stream has room for more.
    pub(crate) fn says_full(&self) -> bool {
        [
            ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
            ErrorCode::INSUFFICIENT_RESOURCES,
            ErrorCode::MEMORY_RESOURCES_EXCEEDED,
            ErrorCode::STORAGE_RESOURCES_EXCEEDED,
            // The store could not write: a limit of the stream, or no space left on the device.
            ErrorCode::STREAM_STORE_FAILED,
        ]
        .iter()
        .any(|code| self.is(*code))
    }

    /// The cluster has nobody to answer at the moment.
    pub(crate) fn passes(&self) -> bool {
        [
            ErrorCode::CLUSTER_NOT_AVAILABLE,
            ErrorCode::CLUSTER_NOT_LEADER,
            ErrorCode::CLUSTER_NOT_ASSIGNED,
            ErrorCode::CLUSTER_NOT_ACTIVE,
            ErrorCode::CLUSTER_INCOMPLETE,
            ErrorCode::STREAM_TOO_MANY_REQUESTS,
        ]
        .iter()
        .any(|code| self.is(*code))
    }
}

/// Reasons why a log will never take a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server said so.
    #[error("the server refuses it")]
    Server(#[source] ServerError),
    /// The record is none that any log takes: which part of it, and what would be right.
    #[error("{0}")]
    Invalid(String),
}

/// Reasons why a record was not appended, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The fence did not hold; nothing was stored.
    #[error("the fence did not hold: the subject goes on, or ends, at sequence {last}")]
    Fenced {
        /// The record that won: the subject's first one behind the fence. When the fence lies beyond the subject's
        /// end: its last record, [`Seq::ZERO`] when it has none.
        last: Seq,
    },
    /// No room is left for it: a limit of the account, the server or the stream, or a full disk. Nothing was stored; the
    /// same record is taken once there is room again.
    #[error("the stream is full")]
    Full(#[source] ServerError),
    /// The log will never take this record; nothing was stored.
    #[error("the log refuses the record")]
    Refused(#[source] Refusal),
    /// The log could not be asked within the writer's patience, 10 seconds. The record may be stored or not, also
    /// later; whoever retries must use the same fence.
    #[error("the stream cannot be reached; whether the record is stored is not known yet")]
    Unknown,
    /// The log was shut down before the record was sent; nothing was stored.
    #[error("the log is closed")]
    Closed,
}

impl AppendError {
    /// No log takes such a record: `what` says which part of it is wrong, and what would be right.
    #[must_use]
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::Refused(Refusal::Invalid(what.into()))
    }
}

/// Reasons why the log could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// No answer, or the connection broke, or the cluster has nobody to answer: it may be well in a moment.
    #[error("the stream cannot be reached")]
    Unreachable(#[source] Cause),
    /// The server answered with an error.
    #[error("the server refuses the request")]
    Server(#[source] ServerError),
    /// The server answered what cannot be read.
    #[error("the server's answer cannot be read")]
    Unreadable(#[source] Cause),
    /// The user may not do this.
    #[error("the user may not publish to {subject}, or not hear the answer")]
    Denied {
        /// Subject that was published to.
        subject: String,
    },
    /// The stream is another one than when the log was opened.
    #[error("the stream was recreated: sequences start anew")]
    Recreated,
    /// The stream was put back: it no longer holds a record that was read, by the word of its leader.
    #[error("the stream lost its end: record {reached} is not in it any more, its last sequence is {last}")]
    LostEnd {
        /// The record that was read.
        reached: RecordRef,
        /// The last sequence now.
        last: Seq,
    },
    /// A tail was to begin behind a sequence that the stream has not reached, by the word of its leader.
    #[error("sequence {after} is beyond the stream's end, which is {last}")]
    BeyondEnd {
        /// Beginning of the tail.
        after: Seq,
        /// The last sequence now.
        last: Seq,
    },
    /// Records that come next were removed from the stream.
    #[error("the records between sequences {after} and {first} were removed from the stream")]
    Trimmed {
        /// The last record that was read.
        after: Seq,
        /// The first one behind it that is still there; what would come next, when there is none.
        first: Seq,
    },
    /// The request makes no sense to any log: which part of it, and what would be right.
    #[error("{0}")]
    Invalid(String),
    /// No room is left.
    #[error("the store is full")]
    StoreFull(#[source] ServerError),
}

impl LogError {
    /// The stream cannot be reached, because of `cause`.
    pub fn unreachable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unreachable(Arc::from(cause.into()))
    }

    pub(crate) fn unreadable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unreadable(Arc::from(cause.into()))
    }

    /// It may be well in a moment, or once there is room.
    #[must_use]
    pub const fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::StoreFull(_) => true,
            Self::Server(_)
            | Self::Unreadable(_)
            | Self::Denied { .. }
            | Self::Recreated
            | Self::LostEnd { .. }
            | Self::BeyondEnd { .. }
            | Self::Trimmed { .. }
            | Self::Invalid(_) => false,
        }
    }

    /// Positions in the stream do not hold any more: waiting does not help.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Recreated | Self::LostEnd { .. } | Self::BeyondEnd { .. } | Self::Trimmed { .. } => true,
            Self::Unreachable(_)
            | Self::Server(_)
            | Self::Unreadable(_)
            | Self::Denied { .. }
            | Self::Invalid(_)
            | Self::StoreFull(_) => false,
        }
    }
}

impl From<ServerError> for LogError {
    fn from(error: ServerError) -> Self {
        if error.passes() {
            Self::unreachable(error)
        } else if error.says_full() {
            Self::StoreFull(error)
        } else {
            Self::Server(error)
        }
    }
}

/// Reasons why an answer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    /// It did not come in time, or the connection broke before it.
    #[error("the answer is lost")]
    Lost,
    /// Nobody is there to give it.
    #[error("nobody answers for the stream")]
    NoResponder,
    /// Part of it did not come.
    #[error("a part of the answer is lost")]
    Part,
    /// A replica knows less than the leader.
    #[error("a replica is behind")]
    Replica,
    /// There is no connection.
    #[error("there is no connection")]
    Connection,
}

impl From<Missing> for LogError {
    fn from(missing: Missing) -> Self {
        Self::unreachable(missing)
    }
}
