//! `fillstream import`: recorded order flow through the real system.
//!
//! ```text
//!  files ─▶ Plan ─▶ inputs ──one by one, fenced──▶ orders.book.<market>.* ─▶ matcher ─▶ markets.<market> ─┐
//!             └──────────────────────────▶ replay ◀── answers by the inputs' sequences ◀──────────────────┘
//! ```
//! **Why straight to the stream, and one by one.** The order of the inputs is what is being imported. The writer's group
//! commit keeps no order between subjects, and each order has its own subject; so each input waits for the one before
//! it. That costs an acknowledgement each and nothing else: no second hop over HTTP, and no waiting for the matcher, which
//! answers behind on its own. What the intake would judge is judged here by the same rules before anything is stored.
//!
//! **Again.** Each input's id follows from its place and its words. An import that was cut off goes on where it was; one
//! that is complete stores nothing and reports again; a market with other orders in it is refused.

mod answers;
mod inputs;

use std::{
    fmt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use fillstream_clock::now;
use fillstream_domain::{
    Amount,
    book::{Definition, Symbol},
    parse_exact,
};
use fillstream_event_log::EventLog;
use fillstream_lobster::{
    Answer, Cause, Difference, Plan, Reason, Report, RowError, Wider, books, messages, replay,
};
use fillstream_matching::{define, definitions};
use serde_json::{Value, json};

use self::{
    answers::{Answers, collect},
    inputs::Import,
};
use super::{
    output::Output,
    terminal::{StreamArgs, block_on},
};
use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct ImportCommand {
    #[command(subcommand)]
    format: Format,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    stream: StreamArgs,
}

#[derive(Debug, Subcommand)]
enum Format {
    /// A message file of LOBSTER: which of its executions hit the same resting order here, and why the others cannot
    Lobster(Lobster),
}

#[derive(Debug, Args)]
struct Lobster {
    /// The message file: time, type, order id, size, price × 10000, direction
    file: PathBuf,
    /// The market, without orders of its own; defined with tick 0.01 and lot 1 when it is missing
    #[arg(long)]
    symbol: Symbol,
    /// The book file with a row for each message: every level is compared
    #[arg(long, value_name = "FILE")]
    books: Option<PathBuf>,
    /// A message file with more levels than the book file: proves what happened behind its last level
    #[arg(long, value_name = "FILE", requires = "books")]
    wider: Option<PathBuf>,
}

/// Exit code 1 when something is not explained.
pub(crate) fn run(command: &ImportCommand) -> Result<ExitCode, Failure> {
    let (Format::Lobster(lobster), output) = (&command.format, command.output);
    let rows = read(&lobster.file, messages)?;
    let published = lobster.books.as_deref().map(|path| read(path, books)).transpose()?;
    let wider = lobster.wider.as_deref().map(|path| read(path, messages)).transpose()?;
    let wider = wider.map(|wider| Wider::new(&rows, &wider)).transpose()?;
    let plan = Plan::new(lobster.symbol.clone(), &rows, published.as_deref())?;
    let answers = block_on(async {
        let log = command.stream.open().await?;
        let known = definitions(&log).await?.into_iter().map(|(_, definition)| definition);
        let known = known.into_iter().find(|definition| definition.symbol == plan.symbol);
        let definition = known.clone().map_or_else(|| shares_at_cents(&plan.symbol), Ok)?;
        // Judged before anything is stored, the definition included.
        let import = Import::new(&plan, definition.clone())?;
        if known.is_none() {
            define(&log, definition).await?;
            output.note(format_args!("{} is defined: prices in cents, whole shares", plan.symbol));
        }
        carry_out(&log, &plan, import, output).await
    })?;
    let report = replay(&plan, &mut Answers::new(answers))?;
    let proof = wider.as_ref().map(|wider| Proof::of(&report, wider));
    let proved = proof.as_ref().map_or_else(String::new, |proof| format!("\n{proof}"));
    let shown = format!("{}{proved}", report.to_string().trim_end());
    let explained = is_explained(&report, proof.as_ref());
    output.print(&told(&report, proof.as_ref(), explained), shown)?;
    Ok(if explained { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The report as scripts get it.
fn told(report: &Report, proof: Option<&Proof>, explained: bool) -> Value {
    let reason = |(why, count): (&Reason, &u64)| json!({ "reason": why.to_string(), "count": count });
    let reasons: Vec<_> = report.reasons.iter().map(reason).collect();
    let levels = report.comparison.as_ref().map(|levels| {
        let differences = levels.differences.len();
        json!({ "compared": levels.compared, "equal": levels.equal, "adopted": levels.adopted,
                "differences": differences })
    });
    let Report { rows, executions, same, crossed, refusals, .. } = report;
    json!({
        "rows": rows, "executions": executions, "same": same, "reasons": reasons, "crossed": crossed,
        "refused": refusals.len(), "levels": levels, "proved": proof.map(|proof| proof.proved),
        "explained": explained,
    })
}

/// A file, read by its format; what is wrong is told with the file's name.
fn read<T>(path: &Path, parse: fn(&str) -> Result<T, RowError>) -> Result<T, Failure> {
    let wrong = |error: &dyn fmt::Display| Failure::from(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    parse(&text).map_err(|error| wrong(&error))
}

/// The definition that a market gets when it has none.
fn shares_at_cents(symbol: &Symbol) -> Result<Definition, Failure> {
    let share = parse_exact("1").ok().and_then(Amount::new).ok_or("1 is an amount")?;
    let standard = Definition::standard(symbol.clone(), now());
    Ok(Definition { lot_size: share, min_quantity: share, min_notional: standard.tick_size, ..standard })
}

/// Stores what is not stored yet, and waits for the matcher's answers to all of it.
async fn carry_out(
    log: &dyn EventLog,
    plan: &Plan,
    mut import: Import,
    output: Output,
) -> Result<Vec<Answer>, Failure> {
    let already = import.find_stored(log).await?;
    if already > 0 {
        output.note(format_args!("{already} of {} inputs are in the stream already", import.len()));
    }
    let bar = output.bar(import.len() as u64, "{bar:40} {pos}/{len} answered  {msg}  {eta} left");
    let begun = std::time::Instant::now();
    let from = import.stored().first().copied().unwrap_or(log.info().await?.last_seq.next());
    let (all, symbol, ids) = (import.len(), plan.symbol.clone(), import.order_ids());
    let stored = |count: usize| bar.set_message(format!("{count} stored"));
    let (answers, ()) = tokio::try_join!(
        collect(log, &symbol, from, &ids, |count| bar.set_position(count as u64)),
        import.store(log, stored),
    )?;
    bar.finish_and_clear();
    let (new, took) = (all - already, begun.elapsed());
    output.note(format_args!("{new} inputs stored, all {all} answered, in {took:.1?}"));
    // Whose answer is whose goes by the order of the inputs.
    if answers.iter().map(|(seq, _)| seq).ne(import.stored()) {
        return Err(format!(
            "somebody else asked something of {symbol} meanwhile; its book is no longer the file's"
        )
        .into());
    }
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// What the wider file proves of what happened behind the last level.
struct Proof {
    proved: usize,
    unseen: usize,
}

impl Proof {
    fn of(report: &Report, wider: &Wider) -> Self {
        let unseen: Vec<_> =
            differences(report).iter().filter(|found| matches!(found.cause, Cause::Unseen { .. })).collect();
        let proved = unseen.iter().filter(|found| wider.proves(found)).count();
        Self { proved, unseen: unseen.len() }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proved, unseen } = self;
        write!(
            f,
            "the wider file proves {proved} of {unseen} differences behind the last level, to the share"
        )
    }
}

fn differences(report: &Report) -> &[Difference] {
    report.comparison.as_ref().map_or(&[], |comparison| &comparison.differences)
}

/// Whether every execution and every level has its reason.
fn is_explained(report: &Report, proof: Option<&Proof>) -> bool {
    let lacking =
        [Reason::Unexplained, Reason::Stranger].iter().any(|reason| report.reasons.contains_key(reason));
    let refused = report.refusals.iter().all(|refusal| refusal.follows);
    let told = differences(report).iter().all(|found| found.cause != Cause::Unexplained);
    !lacking && refused && told && proof.is_none_or(|proof| proof.proved == proof.unseen)
}
