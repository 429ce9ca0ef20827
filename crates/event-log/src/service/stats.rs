//! Statistics of an endpoint since it began.

use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

/// See the module's first line.
#[derive(Debug, Default)]
pub(super) struct Stats(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: u64,
    errors: u64,
    last_error: String,
    spent: Duration,
}

impl Stats {
    /// A request was answered.
    pub(super) fn count(&self, spent: Duration, error: Option<String>) {
        let mut counts = self.0.lock();
        counts.requests += 1;
        counts.spent += spent;
        if let Some(error) = error {
            counts.errors += 1;
            counts.last_error = error;
        }
    }

    /// As the convention has them; times in nanoseconds.
    pub(super) fn told(&self) -> Value {
        let counts = self.0.lock();
        let spent = u64::try_from(counts.spent.as_nanos()).unwrap_or(u64::MAX);
        json!({
            "num_requests": counts.requests,
            "num_errors": counts.errors,
            "last_error": counts.last_error,
            "processing_time": spent,
            "average_processing_time": spent.checked_div(counts.requests).unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_errors_and_times_are_counted() {
        let stats = Stats::default();
        let check = |requests, errors, last: &str, spent, average| {
            let expected = json!({
                "num_requests": requests, "num_errors": errors, "last_error": last,
                "processing_time": spent, "average_processing_time": average,
            });
            assert_eq!(stats.told(), expected);
        };
        check(0, 0, "", 0, 0);
        stats.count(Duration::from_nanos(5), None);
        stats.count(Duration::from_nanos(10), Some("422:no".to_owned()));
        stats.count(Duration::from_nanos(1), None);
        check(3, 1, "422:no", 16, 5);
    }
}
