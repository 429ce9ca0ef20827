use std::fmt;
use std::process::Command;

/// A nats-server's version. A pre-release comes before the release of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
    released: bool,
}

/// The oldest server that is used: before it, an atomic batch could lose the fence of a subject.
pub const OLDEST: Version = Version::release(2, 14, 4);

impl Version {
    /// A released version.
    pub const fn release(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch, released: true }
    }

    /// Reads what `nats-server --version` prints, `nats-server: v2.15.1`; also `2.15.0-RC.2`.
    pub fn parse(printed: &str) -> Option<Self> {
        let last = printed.split_whitespace().last()?;
        let number = last.strip_prefix('v').unwrap_or(last);
        let (number, released) = match number.split_once('-') {
            Some((number, _)) => (number, false),
            None => (number, true),
        };
        let mut parts = number.split('.').map(|part| part.parse().ok());
        let version = Self { major: parts.next()??, minor: parts.next()??, patch: parts.next()??, released };
        parts.next().is_none().then_some(version)
    }

    /// Asks a binary. `Err` says in words why it is of no use.
    pub(crate) fn of(binary: &std::path::Path) -> Result<Self, String> {
        let output = Command::new(binary).arg("--version").output().map_err(|error| error.to_string())?;
        let printed = String::from_utf8_lossy(&output.stdout);
        Self::parse(&printed).ok_or_else(|| format!("it prints no version but {:?}", printed.trim()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch, released } = self;
        write!(f, "{major}.{minor}.{patch}{}", if *released { "" } else { " (pre-release)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_are_new_enough() {
        let check = |printed, usable: Option<bool>| {
            assert_eq!(Version::parse(printed).map(|version| version >= OLDEST), usable, "{printed}");
        };
        check("nats-server: v2.15.1\n", Some(true));
        check("nats-server: v2.14.4", Some(true));
        check("nats-server: v2.14.3", Some(false));
        check("nats-server: v2.9.25", Some(false));
        check("nats-server: v2.14.10", Some(true));
        check("nats-server: v10.0.0", Some(true));
        check("v1.99.99", Some(false));
        check("nats-server: v2.14.4-RC.1", Some(false));
        check("nats-server: v2.15.0-dev", Some(true));
        check("", None);
        check("nats-server", None);
        check("nats-server: v2.15", None);
        check("nats-server: v2.15.1.1", None);
        check("nats-server: v2.x.1", None);
    }
}
