//! Settings of the matcher.

use clap::Args;

use super::{Span, at_least};

/// How markets are matched.
#[derive(Debug, Clone, Args)]
pub(crate) struct MatcherSettings {
    /// A matcher that stands by takes over when nobody has committed an input for this long
    #[arg(
        long,
        env = "FILLSTREAM_TAKEOVER_AFTER",
        value_parser = at_least::<10>,
        default_value = "1s",
        value_name = "TIME",
        help_heading = "Matcher"
    )]
    pub(crate) takeover_after: Span,
    /// Inputs of a market between two snapshots
    #[arg(long, env = "FILLSTREAM_SNAPSHOT_EVERY", value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Matcher")]
    pub(crate) snapshot_every: u64,
}

impl MatcherSettings {
    pub(crate) fn matcher(&self) -> fillstream_matching::Settings {
        fillstream_matching::Settings {
            takeover_after: self.takeover_after.get(),
            snapshot_every: self.snapshot_every,
            ..fillstream_matching::Settings::default()
        }
    }
}
