//! Restarts of a private nats-server that lives all the same: it stores nothing, or hears nothing, and nothing
//! outside of it explains that.
//!
//! ```text
//!  appends fail for 5 s ─┐
//!  no connection for 15 s┴─▶ room on the disk, and within its limits? ── yes ─▶ SIGTERM, wait, start
//!                                          └─ no: it would fail again
//! ```
//! Pure: what is known in, whether to restart out.

use std::time::Duration;

/// An append that fails was pursued for 10 s; this long after the first one that failed.
const STORES_NOTHING: Duration = Duration::from_secs(5);
/// Longer than a reconnect and a recovery of the store take.
const HEARS_NOTHING: Duration = Duration::from_secs(15);
/// Between two restarts; doubles up to the last, because one that did not help will hardly help in a moment.
const FIRST_PAUSE: Duration = Duration::from_secs(20);
const LAST_PAUSE: Duration = Duration::from_secs(600);

/// Facts known of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its process is there, and was ready once.
    pub(crate) lives: bool,
    /// For how long appends fail.
    pub(crate) appends_fail: Option<Duration>,
    /// For how long there is no connection.
    pub(crate) no_connection: Option<Duration>,
    /// Its disk has room, and its own limits leave some.
    pub(crate) has_room: bool,
}

/// Restarts that were done without success.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Restarts {
    done: u32,
}

/// Reason why it is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    StoresNothing,
    HearsNothing,
}

impl Cause {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::StoresNothing => "it lives and stores nothing, though there is room",
            Self::HearsNothing => "it lives and answers nothing",
        }
    }
}

impl Restarts {
    /// Decides on a restart; `since_last` is how long the last restart is ago.
    pub(crate) fn due(self, known: Known, since_last: Option<Duration>) -> Option<Cause> {
        if !known.lives || !known.has_room || since_last.is_some_and(|since| since < self.pause()) {
            return None;
        }
        if known.no_connection.is_some() {
            let silent = known.no_connection.is_some_and(|silent| silent >= HEARS_NOTHING);
            return silent.then_some(Cause::HearsNothing);
        }
        known.appends_fail.is_some_and(|fail| fail >= STORES_NOTHING).then_some(Cause::StoresNothing)
    }

    fn pause(self) -> Duration {
        FIRST_PAUSE.saturating_mul(1 << self.done.saturating_sub(1).min(10)).min(LAST_PAUSE)
    }

    pub(crate) const fn note(&mut self) {
        self.done = self.done.saturating_add(1);
    }

    /// It works.
    pub(crate) const fn forget(&mut self) {
        self.done = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Known = Known { lives: true, appends_fail: None, no_connection: None, has_room: true };

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn one_that_lives_without_doing_its_work_is_started_again() {
        use Cause::{HearsNothing, StoresNothing};
        for (known, since_last, expected) in [
            (WELL, None, None),
            (Known { appends_fail: seconds(4), ..WELL }, None, None),
            (Known { appends_fail: seconds(5), ..WELL }, None, Some(StoresNothing)),
            // A full disk is no fault of the server's.
            (Known { appends_fail: seconds(99), has_room: false, ..WELL }, None, None),
            // Its death is noticed elsewhere.
            (Known { appends_fail: seconds(99), lives: false, ..WELL }, None, None),
            (Known { no_connection: seconds(14), ..WELL }, None, None),
            (Known { no_connection: seconds(14), appends_fail: seconds(20), ..WELL }, None, None),
            (Known { no_connection: seconds(15), ..WELL }, None, Some(HearsNothing)),
            (Known { appends_fail: seconds(30), ..WELL }, seconds(19), None),
            (Known { appends_fail: seconds(30), ..WELL }, seconds(20), Some(StoresNothing)),
        ] {
            assert_eq!(Restarts::default().due(known, since_last), expected, "{known:?}, {since_last:?}");
        }
    }

    #[test]
    fn what_did_not_help_is_done_less_and_less_often() {
        let mut restarts = Restarts::default();
        let pauses: Vec<_> = (0..9)
            .map(|_| {
                restarts.note();
                restarts.pause().as_secs()
            })
            .collect();
        assert_eq!(pauses, [20, 40, 80, 160, 320, 600, 600, 600, 600]);
        restarts.forget();
        assert_eq!(restarts.pause(), FIRST_PAUSE);
    }
}
