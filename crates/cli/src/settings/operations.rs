//! Settings of what operators see, and of when the process refuses for their sake.

use std::net::SocketAddr;

use bytesize::ByteSize;
use clap::Args;

use super::{Span, at_least};
use crate::health::room::Floor;

/// How the process tells how it is.
#[derive(Debug, Clone, Args)]
pub(crate) struct OperationsSettings {
    /// Room that is kept free for cancels: with less on the stream's disk, or within the limits of the stream and its
    /// account, new orders are refused; a size such as 512MiB, 0 for none, or auto: 2 % of the disk, at least 256 MiB
    /// (a tenth of a small disk), at most 1 GiB
    #[arg(
        long,
        env = "FILLSTREAM_FREE_SPACE_FLOOR",
        value_parser = floor,
        default_value = "auto",
        value_name = "SIZE",
        help_heading = "Operations"
    )]
    pub(crate) free_space_floor: Floor,

    /// What waits for longer makes a part not ready: an event that a view lacks, an input without an outcome
    #[arg(
        long,
        env = "FILLSTREAM_READY_WITHIN",
        value_parser = at_least::<1>,
        default_value = "10s",
        value_name = "TIME",
        help_heading = "Operations"
    )]
    pub(crate) ready_within: Span,

    /// Address of their own for /metrics and the details of /ready, which the address for clients then does not tell;
    /// nobody is asked who he is there
    #[arg(long, env = "FILLSTREAM_OPERATIONS_LISTEN", value_name = "ADDRESS", help_heading = "Operations")]
    pub(crate) operations_listen: Option<SocketAddr>,
}

fn floor(text: &str) -> Result<Floor, String> {
    if text == "auto" {
        return Ok(Floor::BySize);
    }
    let bytes: ByteSize =
        text.parse().map_err(|_| "must be auto, or a size such as 512MiB, 2GiB or 0".to_owned())?;
    Ok(Floor::Bytes(bytes.as_u64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_a_size_or_by_the_size_of_the_disk() {
        for (text, expected) in [
            ("auto", Some(Floor::BySize)),
            ("0", Some(Floor::Bytes(0))),
            ("512MiB", Some(Floor::Bytes(512 << 20))),
            ("2 GiB", Some(Floor::Bytes(2 << 30))),
            ("1000", Some(Floor::Bytes(1000))),
            ("much", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(floor(text).ok(), expected, "{text:?}");
        }
    }
}
