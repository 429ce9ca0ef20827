//! Time limits for the read model's database.

use clap::Args;
use fillstream_read_store::DatabaseSettings;

use super::span::{Span, at_least};

/// Limits of the database's connections. Whatever they cut off is tried again: intake, matching and execution never wait for
/// the database.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseLimits {
    /// Connections for reading; writing has one of its own
    #[arg(
        long,
        env = "FILLSTREAM_DATABASE_READERS",
        value_parser = clap::value_parser!(u32).range(1..=1000),
        default_value_t = 4,
        value_name = "N",
        help_heading = "Read model"
    )]
    pub(crate) database_readers: u32,
    /// Longest wait of a read for a connection, and of any call for a new one
    #[arg(
        long,
        env = "FILLSTREAM_DATABASE_CONNECT_TIMEOUT",
        value_parser = at_least::<1>,
        default_value = "3s",
        value_name = "TIME",
        help_heading = "Read model"
    )]
    pub(crate) database_connect_timeout: Span,
    /// Longest read
    #[arg(
        long,
        env = "FILLSTREAM_DATABASE_READ_TIMEOUT",
        value_parser = at_least::<1>,
        default_value = "5s",
        value_name = "TIME",
        help_heading = "Read model"
    )]
    pub(crate) database_read_timeout: Span,
    /// Longest write, and longest read of a whole model
    #[arg(
        long,
        env = "FILLSTREAM_DATABASE_WRITE_TIMEOUT",
        value_parser = at_least::<1>,
        default_value = "30s",
        value_name = "TIME",
        help_heading = "Read model"
    )]
    pub(crate) database_write_timeout: Span,
    /// Longest wait for a lock that somebody else holds
    #[arg(
        long,
        env = "FILLSTREAM_DATABASE_LOCK_TIMEOUT",
        value_parser = at_least::<1>,
        default_value = "5s",
        value_name = "TIME",
        help_heading = "Read model"
    )]
    pub(crate) database_lock_timeout: Span,
    /// PostgreSQL ends a transaction of ours that rests for so long, and frees its locks
    #[arg(
        long,
        env = "FILLSTREAM_DATABASE_IDLE_TRANSACTION_TIMEOUT",
        value_parser = at_least::<1000>,
        default_value = "60s",
        value_name = "TIME",
        help_heading = "Read model"
    )]
    pub(crate) database_idle_transaction_timeout: Span,
    /// PostgreSQL gives up a connection of ours that has shown no sign of life for so long
    #[arg(
        long,
        env = "FILLSTREAM_DATABASE_KEEPALIVE_TIMEOUT",
        value_parser = at_least::<2000>,
        default_value = "20s",
        value_name = "TIME",
        help_heading = "Read model"
    )]
    pub(crate) database_keepalive_timeout: Span,
    /// Books as they were (GET …/book?at=) that are read at once; more are answered 503
    #[arg(
        long,
        env = "FILLSTREAM_PAST_BOOKS",
        value_parser = clap::value_parser!(u16).range(1..=1000),
        default_value_t = 4,
        value_name = "N",
        help_heading = "Read model"
    )]
    pub(crate) past_books: u16,
}

impl DatabaseLimits {
    pub(crate) const fn database(&self) -> DatabaseSettings {
        DatabaseSettings {
            readers: self.database_readers,
            connect_timeout: self.database_connect_timeout.get(),
            read_timeout: self.database_read_timeout.get(),
            write_timeout: self.database_write_timeout.get(),
            lock_timeout: self.database_lock_timeout.get(),
            idle_transaction_timeout: self.database_idle_transaction_timeout.get(),
            keepalive_timeout: self.database_keepalive_timeout.get(),
            migrates: true,
        }
    }
}
