//! Sizes of everything.

/// As the tables are made, or a tenth of it, to see that all runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Full,
    Small,
}

impl Size {
    pub(crate) const fn of(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Small => full / 10,
        }
    }
}
