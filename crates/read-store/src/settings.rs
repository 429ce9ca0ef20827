//! Time limits of the read model for its database. Nothing waits without an end: a database that hangs costs a view, and
//! nothing else.

use std::time::Duration;

/// Limits of the connections to the database of the read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// Connections for reading, of this process. The projector and a rebuild have one of their own each.
    pub readers: u32,
    /// Time that a read waits for a free connection, and any call for a new one.
    pub connect_timeout: Duration,
    /// Time that a read may take.
    pub read_timeout: Duration,
    /// Time that a write may take, and a read of the whole model.
    pub write_timeout: Duration,
    /// Time that a write waits for somebody else's lock.
    pub lock_timeout: Duration,
    /// PostgreSQL: how long a transaction may rest between two statements before the server ends it with its locks. A
    /// rebuild reads the last events of the stream meanwhile.
    pub idle_transaction_timeout: Duration,
    /// PostgreSQL: after how long without a sign of life the server gives up a connection, with its locks.
    pub keepalive_timeout: Duration,
    /// Tables are made and brought up to date when the database is opened. Not for those who only look.
    pub migrates: bool,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            readers: 4,
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(5),
            idle_transaction_timeout: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            migrates: true,
        }
    }
}
