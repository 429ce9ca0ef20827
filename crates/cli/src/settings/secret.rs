//! A text that is never shown, in no log and no message.

use std::{convert::Infallible, fmt, str::FromStr};

/// See the module's first line.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text, for the one who needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
