//! Words and pauses of a loop that tries again: the first failure is logged, then one line every 30
//! seconds, then the recovery with its duration. The pause doubles from the first to the longest one.
//!
//! ```text
//!  try ─ failed ─▶ WARN append retried, cause … ─ pause ─▶ try ─ failed ─▶ (silent) ─ … ─▶ try ─ done ─▶ INFO recovered, after 41.2 s
//! ```
//! Every loop that waits for the stream, the database or a server uses [`Retry`]; every log line that shows an error shows
//! its whole [`chain`], so that the server's or the database's own words are in the log.

use std::{collections::BTreeMap, error::Error, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// Between two log lines about the same trouble.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Trouble of a part now, by what it tries to do: what `/ready`, the log and the doctor give as the reason.
/// Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Obstacles(Arc<Mutex<BTreeMap<&'static str, Obstacle>>>);

/// One thing that does not succeed at the moment.
#[derive(Debug, Clone)]
pub struct Obstacle {
    /// Time of its first failure.
    pub since: Instant,
    /// The last failure, with its causes.
    pub reason: String,
    /// It keeps the part from its work; false for what is only told.
    pub hinders: bool,
}

impl Obstacles {
    /// `what` does not succeed, because of `reason`.
    pub fn set(&self, what: &'static str, reason: String) {
        self.insert(what, reason, true);
    }

    /// As [`set`](Self::set), for what the part itself can do nothing about while it does all else: told wherever obstacles are,
    /// and no reason to call the part unready.
    pub fn tell(&self, what: &'static str, reason: String) {
        self.insert(what, reason, false);
    }

    fn insert(&self, what: &'static str, reason: String, hinders: bool) {
        let mut obstacles = self.0.lock();
        let since = obstacles.get(what).map_or_else(Instant::now, |obstacle| obstacle.since);
        obstacles.insert(what, Obstacle { since, reason, hinders });
    }

    /// `what` succeeds.
    pub fn clear(&self, what: &'static str) {
        self.0.lock().remove(what);
    }

    /// All of them, in order of their names; none while all is well.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, Obstacle)> {
        self.0.lock().iter().map(|(what, obstacle)| (*what, obstacle.clone())).collect()
    }
}

/// One thing that is tried until it is done.
#[derive(Debug)]
pub struct Retry {
    what: &'static str,
    first_pause: Duration,
    longest_pause: Duration,
    pause: Duration,
    trouble: Option<Trouble>,
    obstacles: Obstacles,
}

#[derive(Debug)]
struct Trouble {
    since: Instant,
    told: Instant,
    failures: u64,
}

impl Retry {
    /// `what` is done, in the words that an operator searches for, such as "projector: rows not written". Pauses grow
    /// from `first_pause` to `longest_pause`.
    #[must_use]
    pub fn new(what: &'static str, first_pause: Duration, longest_pause: Duration) -> Self {
        let (pause, obstacles) = (first_pause, Obstacles::default());
        Self { what, first_pause, longest_pause, pause, trouble: None, obstacles }
    }

    /// Shows its trouble among these obstacles, too, from the first failure until it is done or given up (dropped).
    #[must_use]
    pub fn shown_in(mut self, obstacles: &Obstacles) -> Self {
        self.obstacles = obstacles.clone();
        self
    }

    /// It failed: logged when it is the first time or long ago, then waited.
    pub fn failed(&mut self, error: &(dyn Error + 'static)) -> impl Future<Output = ()> + use<> {
        // The error is not kept while it waits: not every one may go from thread to thread.
        sleep(self.note(error))
    }

    /// It failed: logged when it is the first time or long ago. Returns the pause before the next try, for a loop that
    /// waits for other things as well.
    pub fn note(&mut self, error: &(dyn Error + 'static)) -> Duration {
        let now = Instant::now();
        let what = self.what;
        self.obstacles.set(what, chain(error).to_string());
        match &mut self.trouble {
            None => {
                warn!(error = %chain(error), "{what}");
                self.trouble = Some(Trouble { since: now, told: now, failures: 1 });
            }
            Some(trouble) => {
                trouble.failures += 1;
                if now - trouble.told >= TELL_EVERY {
                    trouble.told = now;
                    let (failures, seconds) = (trouble.failures, (now - trouble.since).as_secs());
                    warn!(error = %chain(error), failures, seconds, "{what}: still");
                }
            }
        }
        let pause = self.pause;
        self.pause = (self.pause * 2).min(self.longest_pause);
        pause
    }

    /// It was done. Logged when it had failed before.
    pub fn done(&mut self) {
        self.pause = self.first_pause;
        if let Some(trouble) = self.trouble.take() {
            self.obstacles.clear(self.what);
            let (failures, after) = (trouble.failures, trouble.since.elapsed());
            info!(failures, after = ?after, "{}: recovered", self.what);
        }
    }

    /// Since when it fails; nothing while all is well.
    #[must_use]
    pub fn failing_since(&self) -> Option<Instant> {
        self.trouble.as_ref().map(|trouble| trouble.since)
    }
}

impl Drop for Retry {
    fn drop(&mut self) {
        if self.trouble.is_some() {
            self.obstacles.clear(self.what);
        }
    }
}

/// An error with all its causes, outermost first, joined by colons. A cause that its error's own text already ends with
/// is not said twice.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + 'a {
    Chain(error)
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.0.to_string();
        f.write_str(&told)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !told.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            told = text;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write rows")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("database or disk is full")]
    struct Inner;

    #[derive(Debug, thiserror::Error)]
    #[error("the store failed: {0}")]
    struct Repeats(#[source] Inner);

    #[test]
    fn causes_are_told_once() {
        assert_eq!(chain(&Outer(Inner)).to_string(), "cannot write rows: database or disk is full");
        assert_eq!(chain(&Repeats(Inner)).to_string(), "the store failed: database or disk is full");
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_a_bound_and_begin_anew_after_it_was_done() {
        let obstacles = Obstacles::default();
        let (first, longest) = (Duration::from_millis(100), Duration::from_millis(300));
        let mut retry = Retry::new("test", first, longest).shown_in(&obstacles);
        let pauses: Vec<_> = (0..4).map(|_| retry.note(&Inner).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 300, 300]);
        assert!(retry.failing_since().is_some());
        let reasons: Vec<_> = obstacles.all().into_iter().map(|(what, it)| (what, it.reason)).collect();
        assert_eq!(reasons, [("test", "database or disk is full".to_owned())]);
        retry.done();
        assert!(retry.failing_since().is_none() && obstacles.all().is_empty());
        assert_eq!(retry.note(&Inner).as_millis(), 100);
        drop(retry);
        assert!(obstacles.all().is_empty());
    }
}
