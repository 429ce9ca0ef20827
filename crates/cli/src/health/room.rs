//! Room: of disks, and of the limits that a server sets. Below a floor new orders are refused, so that what remains is
//! there for cancels and for what the orders in hand still write.
//!
//! ```text
//!  size of the disk   floor
//!      48 MiB           4.8 MiB   a tenth of a small one
//!       4 GiB         256 MiB     room for some 250,000 cancels with their outcomes, about 1 KiB each
//!     100 GiB           1 GiB     no more than that of a large one
//! ```

use std::{fmt, io, path::Path};

/// Of a disk: a fiftieth is kept free, within these bounds.
const FRACTION: u64 = 50;
const LEAST: u64 = 256 << 20;
const MOST: u64 = 1 << 30;
/// Of a small disk no more than a tenth is kept free.
const SMALL_FRACTION: u64 = 10;

/// Room somewhere, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) free: u64,
    pub(crate) size: u64,
}

/// Room that is kept free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floor {
    /// By the size of the disk, or of the limit.
    BySize,
    /// Bytes; with 0 nothing is ever refused.
    Bytes(u64),
}

impl Floor {
    /// Bytes that are kept free of so many.
    pub(crate) fn of(self, size: u64) -> u64 {
        match self {
            Self::BySize => (size / FRACTION).clamp(LEAST, MOST).min(size / SMALL_FRACTION),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// True when new orders have to be refused for the sake of what is there.
    pub(crate) fn is_short(self, room: Room) -> bool {
        room.free < self.of(room.size)
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BySize => f.write_str("auto"),
            Self::Bytes(bytes) => bytes.fmt(f),
        }
    }
}

/// The room on the disk of a file or directory; of its nearest parent that is there, when it is not there yet.
pub(crate) fn disk(path: &Path) -> io::Result<Room> {
    let there = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(path);
    let found = rustix::fs::statvfs(there)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Room { free: bytes(found.f_bavail), size: bytes(found.f_blocks) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_follows_the_size() {
        let (mib, gib) = (1 << 20, 1 << 30);
        for (size, floor) in [
            (0, 0),
            (50 * mib, 5 * mib),
            (gib, gib / 10),
            (4 * gib, 256 * mib),
            (25 * gib, gib / 2),
            (100 * gib, gib),
            (4_000 * gib, gib),
        ] {
            assert_eq!(Floor::BySize.of(size), floor, "{size}");
        }
        assert_eq!(Floor::Bytes(7).of(gib), 7);
    }

    #[test]
    fn below_the_floor_is_short() {
        let room = |free| Room { free, size: 100 };
        assert!(Floor::Bytes(10).is_short(room(9)));
        assert!(!Floor::Bytes(10).is_short(room(10)));
        assert!(!Floor::Bytes(0).is_short(room(0)));
    }

    #[test]
    fn a_disk_is_found_for_what_is_not_there_yet() {
        let room = disk(&std::env::temp_dir().join("none").join("such")).expect("there is a disk");
        assert!(room.size >= room.free && room.size > 0);
    }
}
