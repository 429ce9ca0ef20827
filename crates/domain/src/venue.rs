//! Venues where swaps are executed, by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A venue. The rules know venues by name only, never how one works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(description = "A venue, by its name."))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variants are the venues' own names")]
pub enum VenueId {
    Raydium,
    Meteora,
}

impl VenueId {
    /// All venues, in the order in which ties are broken.
    pub const ALL: [Self; 2] = [Self::Raydium, Self::Meteora];

    /// The name, as it stands in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raydium => "raydium",
            Self::Meteora => "meteora",
        }
    }
}

impl fmt::Display for VenueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
