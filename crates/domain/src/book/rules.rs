//! By which rules a commit was made: its version says it, so that a log is replayed by the rules that it was written by.
//!
//! ```text
//!  commits    v1  v1  v1 │ v2  v2  v2
//!  replay     V1  V1  V1 │ V2  V2  V2      whatever the program would commit today
//! ```

use crate::stored::EventType;

/// Version of the rules that a machine goes by. A rule never changes: another one is another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Rules {
    /// An input ends every order that is due by then, a user may have any number of orders in the book, and market time
    /// is the largest stamp.
    #[default]
    V1,
    /// An input ends a bounded number of orders, a market's definition limits the orders in the book, and a stamp that
    /// is far ahead of its writer's clock does not move market time there.
    V2,
}

impl Rules {
    /// Rules that new commits are made by.
    pub const TODAY: Self = Self::V2;
    /// All of them.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// Type and version of a commit that was made by them.
    #[must_use]
    pub const fn event_type(self) -> EventType {
        let version = match self {
            Self::V1 => 1,
            Self::V2 => 2,
        };
        EventType { name: "market.commit", version }
    }

    /// The rules of a commit of this version; none when this program does not know it.
    #[must_use]
    pub fn of_version(version: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|rules| rules.event_type().version == version)
    }
}
