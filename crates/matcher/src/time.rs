//! Market time by the rules of version 2: which stamps count.
//!
//! ```text
//!  stamp (the stream's server) ─┬─ near its writer's clock, or behind it ──▶ the stamp   ─┐
//!                               └─ far ahead of it ──▶ the writer's clock (`at`)         ─┴▶ market time, if it is later
//!  a clock input on which both agree, far behind market time ──▶ market time goes back to it
//! ```
//! One clock that is wrong (a server that booted years ahead) moves no market. Where all were wrong together and have been
//! set right since, the matcher's next clock input turns the market back. Nothing here reads a clock: the two times are
//! the record's.

use std::time::Duration;

use fillstream_domain::{Timestamp, book::BookInput};

/// Span by which clocks of one deployment may differ, together with the time that an input waits before it is stored: far more
/// than either is where clocks are kept, and less than an order is placed for.
const APART: Duration = Duration::from_secs(60);

/// Market time after an input.
pub(crate) fn behind(before: Timestamp, stored_at: Timestamp, input: &BookInput) -> Timestamp {
    let written_at = input.at();
    let is_far_ahead = stored_at.since(written_at) > APART;
    let time = if is_far_ahead { written_at } else { stored_at };
    let agree = !is_far_ahead && written_at.since(stored_at) <= APART;
    match input {
        BookInput::Clock(_) if agree && before.since(time) > APART => time,
        BookInput::Clock(_)
        | BookInput::Placed(_)
        | BookInput::AmendRequested(_)
        | BookInput::CancelRequested(_)
        | BookInput::Definition(_) => before.max(time),
    }
}
