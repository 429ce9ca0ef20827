//! An order's states as a drawing, the one it is in lit up.
//!
//! ```text
//!                ╭──────── retry ────────╮
//!                ▼                       │
//!  pending ─▶ routing ─▶[building]─▶ submitted ─▶ confirmed
//!                │          │            │
//!                ╰──────────┴────────────┴──────▶ failed
//! ```

use anstyle::Style;
use serde_json::Value;

use crate::commands::output::{BAD, FAINT, GOOD, STRONG, WARNING, foreign, styled};

/// Part that can be lit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Pending,
    Routing,
    Building,
    Submitted,
    Retry,
    Confirmed,
    Failed,
}

impl Node {
    /// Of a message's type.
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "pending" => Self::Pending,
            "routing" => Self::Routing,
            "building" => Self::Building,
            "submitted" => Self::Submitted,
            "retrying" => Self::Retry,
            "confirmed" => Self::Confirmed,
            "failed" => Self::Failed,
            _ => return None,
        })
    }

    const fn style(self) -> Style {
        match self {
            Self::Pending | Self::Routing | Self::Building | Self::Submitted => STRONG.invert(),
            Self::Retry => WARNING.invert(),
            Self::Confirmed => GOOD.invert(),
            Self::Failed => BAD.invert(),
        }
    }
}

/// A piece of the drawing: lines, or a state with the word that stands for it.
enum Piece {
    Lines(&'static str),
    State(Node, &'static str),
}

use Piece::{Lines, State};

const DRAWING: [&[Piece]; 5] = [
    &[Lines("               ╭────────"), State(Node::Retry, "retry"), Lines("────────╮")],
    &[Lines("               ▼                       │")],
    &[
        State(Node::Pending, "pending"),
        Lines("─▶"),
        State(Node::Routing, "routing"),
        Lines("─▶"),
        State(Node::Building, "building"),
        Lines("─▶"),
        State(Node::Submitted, "submitted"),
        Lines("─▶"),
        State(Node::Confirmed, "confirmed"),
    ],
    &[Lines("               │          │            │")],
    &[Lines("               ╰──────────┴────────────┴──────▶"), State(Node::Failed, "failed")],
];

/// An order as it is drawn.
#[derive(Debug)]
pub(super) struct Picture {
    title: String,
    lit: Node,
    attempts: Option<(u64, u64)>,
    message: String,
}

impl Picture {
    pub(super) fn new(title: String) -> Self {
        Self { title, lit: Node::Pending, attempts: None, message: String::new() }
    }

    /// Takes a message of family A in, or an entry of a backfill; whether the drawing is another one now.
    pub(super) fn take(&mut self, entry: &Value) -> bool {
        let Some(lit) = entry["type"].as_str().and_then(Node::of) else { return false };
        let number = |name: &str| entry[name].as_u64();
        self.attempts = number("attempt").zip(number("maxAttempts")).or(self.attempts);
        self.message = foreign(entry["message"].as_str().unwrap_or_default()).to_string();
        self.lit = lit;
        true
    }

    /// The lines, always as many.
    pub(super) fn lines(&self) -> Vec<String> {
        let attempt = self.attempts.map(|(now, most)| format!("  attempt {now} of {most}"));
        let title = format!("{}{}", styled(STRONG, &self.title), attempt.unwrap_or_default());
        let drawn = DRAWING.iter().map(|row| row.iter().map(|piece| self.draw(piece)).collect());
        [title].into_iter().chain(drawn).chain([format!(" {}", self.message), String::new()]).collect()
    }

    fn draw(&self, piece: &Piece) -> String {
        match piece {
            Lines(lines) => styled(FAINT, lines).to_string(),
            // Brackets as well: without colours they are all that shows it.
            State(node, word) if *node == self.lit => styled(node.style(), format!("[{word}]")).to_string(),
            State(_, word) => format!(" {word} "),
        }
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use serde_json::json;

    use super::*;

    fn plain(picture: &Picture) -> Vec<String> {
        picture.lines().iter().map(|line| strip_str(line).to_string()).collect()
    }

    #[test]
    fn one_state_is_lit_and_nothing_moves() {
        let mut picture = Picture::new("SOL to USDC".to_owned());
        let unlit = plain(&picture).join("\n").replace(['[', ']'], " ");
        for (kind, shown) in [
            ("pending", "[pending]"),
            ("routing", "[routing]"),
            ("building", "[building]"),
            ("submitted", "[submitted]"),
            ("retrying", "[retry]"),
            ("confirmed", "[confirmed]"),
            ("failed", "[failed]"),
        ] {
            assert!(picture.take(&json!({ "type": kind, "message": "" })));
            let lines = plain(&picture).join("\n");
            assert!(lines.contains(shown), "{kind}: {lines}");
            assert_eq!(lines.replace(['[', ']'], " "), unlit, "{kind}");
        }
    }

    #[test]
    fn lines_meet_what_they_lead_to() {
        let picture = Picture::new(String::new());
        let lines: Vec<Vec<char>> = plain(&picture).iter().map(|line| line.chars().collect()).collect();
        for (row, from, column, to) in
            [(1, '╭', 15, '▼'), (1, '╮', 39, '│'), (5, '╰', 15, '│'), (5, '┴', 26, '│'), (5, '┴', 39, '│')]
        {
            let beside = if row == 1 { 2 } else { 4 };
            assert_eq!((lines[row][column], lines[beside][column]), (from, to), "column {column}");
        }
        for (column, word) in [(12, "routing"), (23, "building"), (35, "submitted")] {
            let found: String = lines[3][column..].iter().take(word.len()).collect();
            assert_eq!(found, word);
        }
    }

    #[test]
    fn what_is_no_step_changes_nothing() {
        let mut picture = Picture::new(String::new());
        let sent = json!({ "type": "submitted", "message": "sent", "attempt": 2, "maxAttempts": 3 });
        assert!(picture.take(&sent));
        for kind in ["connection", "subscribed", "backfill", "fell_behind", "caught_up", "shutdown"] {
            assert!(!picture.take(&json!({ "type": kind, "message": "no" })), "{kind}");
        }
        assert_eq!((picture.lit, picture.message.as_str()), (Node::Submitted, "sent"));
        assert!(plain(&picture)[0].contains("attempt 2 of 3"));
    }
}
