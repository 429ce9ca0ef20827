//! Observers of the ends of appends, for health and figures. They decide nothing.

use std::time::Duration;

use fillstream_domain::Seq;

use crate::AppendError;

/// See the module's first line. It is called on the way of each append, so it must not wait for anything.
pub trait AppendObserver: Send + Sync + 'static {
    /// A caller has been told what became of its record, or of the first part of several, after so long. What a caller
    /// gave up waiting for is not told.
    fn ended(&self, subject: &str, payload: &[u8], appended: Result<Seq, &AppendError>, elapsed: Duration);

    /// So many records go to the stream together.
    fn grouped(&self, records: usize);
}
