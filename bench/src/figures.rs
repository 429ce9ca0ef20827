//! Percentiles and tables.

use std::time::Duration;

/// The value below which `share` (0 to 1) of the samples lie; sorts them.
pub(crate) fn percentile(samples: &mut [Duration], share: f64) -> Duration {
    samples.sort_unstable();
    let last = samples.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
    let at = (last as f64 * share).round() as usize;
    samples.get(at).copied().unwrap_or_default()
}

/// `p50/p99` in milliseconds.
pub(crate) fn p50_p99(samples: &mut [Duration]) -> String {
    let (median, tail) = (percentile(samples, 0.5), percentile(samples, 0.99));
    format!("{:.2} / {:.2} ms", median.as_secs_f64() * 1e3, tail.as_secs_f64() * 1e3)
}

/// Things per second.
pub(crate) fn rate(count: usize, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64()
}

/// A heading.
pub(crate) fn heading(text: &str) {
    println!("\n{text}\n{}", "-".repeat(text.chars().count()));
}

/// A line of a table.
pub(crate) fn row(name: &str, value: &str) {
    println!("{name:<62} {value}");
}
