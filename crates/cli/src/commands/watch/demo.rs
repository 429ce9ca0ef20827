//! Two orders, drawn while they go: one that succeeds, and one that fails on purpose.

use std::{
    cell::RefCell,
    io::{IsTerminal, Write},
    process::ExitCode,
};

use serde_json::{Value, json};

use super::picture::Picture;
use crate::{
    Failure,
    commands::{
        follow::{End, Heard, follow},
        output::Output,
        server::ServerArgs,
        swap::place,
    },
};

/// Swap that is drawn, and what the picture says about it. RUSH moves away while it is submitted, at every attempt.
const SWAPS: [(&str, &str); 2] = [
    ("SOL", "SOL to USDC, which goes well"),
    ("RUSH", "RUSH to USDC, whose price runs away: it is tried three times"),
];

/// Exit code 0 when the one was confirmed and the other one failed.
pub(super) async fn run(server: &ServerArgs, output: Output) -> Result<ExitCode, Failure> {
    let [first, second] = SWAPS.map(|(token, _)| {
        let body = json!({ "tokenIn": token, "tokenOut": "USDC", "amount": "1" });
        place(server, None, &body).map(|(order, _)| order)
    });
    let (first, second) = (first?, second?);
    let pictures = SWAPS.map(|(_, title)| Picture::new(title.to_owned()));
    let stage = RefCell::new(Stage { output, pictures, redraws: std::io::stdout().is_terminal(), drawn: 0 });
    let hear = |which: usize| {
        let stage = &stage;
        move |heard: Heard<'_>| match heard {
            Heard::Message(message) => stage.borrow_mut().take(which, message),
            Heard::Lost => Ok(()),
        }
    };
    let ends = tokio::try_join!(follow(server, first, hear(0)), follow(server, second, hear(1)))?;
    Ok(if ends == (End::Confirmed, End::Failed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where both are drawn: over and over at the same place, or frame by frame where nothing can be taken back.
struct Stage {
    output: Output,
    pictures: [Picture; 2],
    redraws: bool,
    /// Lines on the terminal that the next frame replaces.
    drawn: usize,
}

impl Stage {
    fn take(&mut self, which: usize, message: &Value) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.print(message, "");
        }
        // What a backfill tells late is drawn step by step, too; its last step is then repeated as a message.
        let late = message["logs"].as_array().into_iter().flatten();
        let live = (message["replayed"] != true).then_some(message);
        late.chain(live).try_for_each(|entry| match self.pictures[which].take(entry) {
            true => self.draw(which),
            false => Ok(()),
        })
    }

    /// Both where frames are replaced, else the one that has changed.
    fn draw(&mut self, changed: usize) -> Result<(), Failure> {
        let shown = |which: &usize| self.redraws || changed == *which;
        let lines: Vec<_> =
            (0..self.pictures.len()).filter(shown).flat_map(|which| self.pictures[which].lines()).collect();
        if self.redraws {
            let mut out = std::io::stdout();
            // Up to where the last frame began, and everything below away.
            if self.drawn > 0 {
                write!(out, "\x1b[{}A\x1b[J", self.drawn)?;
            }
            self.drawn = lines.len();
        }
        self.output.line(lines.join("\n"))
    }
}
