//! Findings: how it is, how it should be, and how to mend it.

use std::{fmt, process::ExitCode};

use anstyle::Style;
use serde_json::json;

use crate::{
    Failure,
    commands::output::{BAD, FAINT, GOOD, Output, STRONG, WARNING, styled},
};

/// Severity, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but somebody should look at it.
    Warning,
    /// It does not work, or loses something.
    Wrong,
}

impl Verdict {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Ok => GOOD,
            Self::Warning => WARNING,
            Self::Wrong => BAD,
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// A stable name.
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    /// State that was found.
    pub(super) found: String,
    /// State that would be right; nothing when it is.
    pub(super) right: Option<String>,
    /// The command, or the sentence, that mends it.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), right: None, remedy: None }
    }

    /// Something that is not as it should be.
    pub(super) fn not(
        verdict: Verdict,
        check: &'static str,
        found: impl Into<String>,
        right: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (right, remedy) = (Some(right.into()), Some(remedy.into()));
        Self { check, verdict, found: found.into(), right, remedy }
    }

    pub(super) fn warning(
        check: &'static str,
        found: impl Into<String>,
        right: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::not(Verdict::Warning, check, found, right, remedy)
    }

    pub(super) fn wrong(
        check: &'static str,
        found: impl Into<String>,
        right: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::not(Verdict::Wrong, check, found, right, remedy)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = styled(self.verdict.style(), format!("{:<7}", self.verdict.name()));
        write!(f, "{verdict}  {}  {}", styled(STRONG, format!("{:<12}", self.check)), self.found)?;
        if let Some(right) = &self.right {
            write!(f, "\n{:>23}{} {right}", "", styled(FAINT, "right: "))?;
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "\n{:>23}{} {remedy}", "", styled(FAINT, "mend:  "))?;
        }
        Ok(())
    }
}

/// Tells each finding and remembers the worst.
pub(super) struct Round {
    output: Output,
    worst: Verdict,
}

impl Round {
    pub(super) const fn begin(output: Output) -> Self {
        Self { output, worst: Verdict::Ok }
    }

    pub(super) fn tell(&mut self, findings: impl IntoIterator<Item = Finding>) -> Result<(), Failure> {
        for finding in findings {
            self.worst = self.worst.max(finding.verdict);
            let Finding { check, verdict, found, right, remedy } = &finding;
            let value = json!({
                "check": check, "result": verdict.name(), "found": found, "right": right, "remedy": remedy,
            });
            self.output.print(&value, &finding)?;
        }
        Ok(())
    }

    /// 0: all is well, 1: warnings, 2: something is wrong.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self.worst {
            Verdict::Ok => ExitCode::SUCCESS,
            Verdict::Warning => ExitCode::from(1),
            Verdict::Wrong => ExitCode::from(2),
        }
    }
}
