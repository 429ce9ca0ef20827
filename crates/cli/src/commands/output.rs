//! Printing of results: aligned and coloured for people, one JSON object per line for scripts.
//!
//! ```text
//!  result ──┬─ for people ──▶ standard output, colours only where a terminal wants them (NO_COLOR)
//!           └─ --json ──────▶ standard output, one object per line and nothing else
//!  notes, bars ─────────────▶ standard error; not there with --json
//!  errors ──────────────────▶ standard error: a sentence, or one problem object (RFC 9457)
//! ```

use std::{
    fmt::{self, Display},
    io::Write,
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::{pin, time::timeout};

use crate::Failure;

/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What somebody should look at.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();
/// What is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What one looks for first.
pub(crate) const STRONG: Style = Style::new().bold();
/// What one looks at last.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Who waits longer is told what for.
const WORTH_A_WORD: Duration = Duration::from_secs(1);
/// Between two frames of what turns meanwhile.
const TICK: Duration = Duration::from_millis(100);

/// The option that every command with a result has.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// One JSON object per line, and nothing else on standard output; an error is one on standard error
    #[arg(long, global = true)]
    json: bool,
}

impl Output {
    /// Results are for a script.
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Prints one result.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(crate) fn print(self, value: &impl Serialize, shown: impl Display) -> Result<(), Failure> {
        let mut out = anstream::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(value)?)?;
        } else {
            writeln!(out, "{shown}")?;
        }
        Ok(out.flush()?)
    }

    /// Prints a line that only people want, such as a heading.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    pub(crate) fn line(self, shown: impl Display) -> Result<(), Failure> {
        if !self.json {
            writeln!(anstream::stdout(), "{shown}")?;
        }
        Ok(())
    }

    /// Prints what tells of the work rather than of its result.
    pub(crate) fn note(self, shown: impl Display) {
        if !self.json {
            anstream::eprintln!("{shown}");
        }
    }

    /// A progress bar; `template` is indicatif's. Hidden where standard error is no terminal.
    pub(crate) fn bar(self, length: u64, template: &str) -> ProgressBar {
        let target = if self.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(Some(length), target).with_style(style)
    }

    /// Waits; says what for when it takes longer than a second.
    pub(crate) async fn waiting<T>(self, what: &'static str, work: impl Future<Output = T>) -> T {
        pin!(work);
        if let Ok(done) = timeout(WORTH_A_WORD, &mut work).await {
            return done;
        }
        let bar = self.bar(0, "{spinner} {msg} {elapsed}").with_message(what);
        bar.enable_steady_tick(TICK);
        let done = work.await;
        bar.finish_and_clear();
        done
    }
}

/// A text of somebody else's, as a terminal may be given it: what would move its cursor or change its colours is written
/// out (`\u{1b}`). Line breaks stay.
pub(crate) fn foreign(text: &str) -> impl Display {
    fmt::from_fn(move |f| {
        for letter in text.chars() {
            if letter.is_control() && letter != '\n' || is_invisible(letter) {
                write!(f, "{}", letter.escape_unicode())?;
            } else {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    })
}

/// Letters that make the ones around them be shown in another order, or that are not shown at all.
const fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text in a style. Padding belongs into the text.
pub(crate) fn styled(style: Style, text: impl Display) -> impl Display {
    fmt::from_fn(move |f| write!(f, "{style}{text}{style:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_moves_no_cursor() {
        for (text, shown) in [
            ("plain, über, 価格", "plain, über, 価格"),
            ("two\nlines", "two\nlines"),
            ("\x1b[31mred", "\\u{1b}[31mred"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("over\rwritten", "over\\u{d}written"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{202e}desrever", "\\u{202e}desrever"),
        ] {
            assert_eq!(foreign(text).to_string(), shown);
        }
    }
}
