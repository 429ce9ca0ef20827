//! `fillstream doctor`: everything looked at, each thing with what is right and how to mend it.
//!
//! ```text
//!  data directory ─ disk, server.conf        --server ─ /health, /ready
//!  nats-server ─ greeting ─ rights ─ account ─ stream ─ consumer ─ markets, parked
//!                                                 └──── read model
//! ```
//! Nothing is appended, made or changed. What rests on something that is wrong is left out.

mod broker;
mod cluster;
mod finding;
mod lag;
mod machine;
mod rights;
mod settings;

use std::{path::Path, process::ExitCode};

use clap::Args;
use fillstream_clock::now;
use fillstream_domain::{Seq, Timestamp};
use fillstream_event_log::{Durability, Inspector, JetStreamLog, LogError, LogOptions};
use fillstream_retry::chain;
use serde_json::{Value, json};

use self::{
    broker::Known,
    finding::{Finding, Round, Verdict},
    machine::Process,
};
use super::{
    output::Output,
    server::ServerArgs,
    terminal::{StreamArgs, block_on},
};
use crate::{
    Failure,
    node::{EXECUTOR, STREAM, open_log},
    settings::{DurabilityArg, StoreSettings, sqlite_url, without_passwords},
};

#[derive(Debug, Args)]
#[command(after_help = "Exit code 0: all is well, 1: warnings, 2: something is wrong.")]
pub(crate) struct Doctor {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    stream: StreamArgs,
    /// What an acknowledgement of the server at --nats-url is worth; the server does not tell
    /// [default: what the process at --server was told]
    #[arg(long, env = "FILLSTREAM_DURABILITY", value_enum)]
    durability: Option<DurabilityArg>,
    #[command(flatten)]
    store: StoreSettings,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(doctor: &Doctor) -> Result<ExitCode, Failure> {
    block_on(async {
        let mut round = Round::begin(doctor.output);
        let data = doctor.stream.data_dir()?;
        let process = Process::ask(&doctor.server)?;
        let log = stream(doctor, &data, &process, &mut round).await?;
        let database = database(doctor, &data);
        let rows = doctor.output.waiting("asking the read model", lag::rows(&database, log.as_ref())).await?;
        round.tell([rows])?;
        round.tell(machine::disk(&data))?;
        round.tell(machine::rescued(&data))?;
        round.tell(process.look())?;
        Ok(round.exit_code())
    })
}

/// The address of the rows; unlike where they are written, nothing is made for it.
fn database(doctor: &Doctor, data: &Path) -> String {
    let file = || sqlite_url(&data.join("read-model.db"));
    doctor.store.database_url.clone().unwrap_or_else(file)
}

/// The server, and all that rests on it. Returns the log, where there is one that lag can be measured against.
async fn stream(
    doctor: &Doctor,
    data: &Path,
    process: &Process,
    round: &mut Round,
) -> Result<Option<JetStreamLog>, Failure> {
    let connected = connect(doctor).await;
    let (options, inspector) = match connected {
        Ok(connected) => connected,
        Err(finding) => {
            round.tell([finding])?;
            return Ok(None);
        }
    };
    let greeting = inspector.greeting();
    round.tell(broker::greeting(&greeting, &without_passwords(&options.url)))?;
    let stated = doctor.durability.map(Durability::from).or(process.durability());
    let configured = data.join("nats");
    round.tell([broker::durability(&match doctor.stream.nats_url {
        None => Known::Configuration(&configured),
        Some(_) => Known::Stated(stated.unwrap_or(Durability::OsBuffer)),
    })])?;
    if !greeting.jetstream {
        return Ok(None);
    }
    let rights = doctor.output.waiting("trying the user's rights", rights::look(&inspector)).await;
    let may = rights.iter().all(|finding| finding.verdict != Verdict::Wrong);
    round.tell(rights)?;
    round.tell(inspector.ask("INFO", None).await.ok().map(|account| broker::store(&account)))?;
    let wanted: Value = serde_json::from_str(STREAM)?;
    round.tell(rivals(&inspector, &wanted).await)?;
    let asked = now();
    let info = match inspector.ask("STREAM.INFO.ORDERS", None).await {
        Ok(info) => info,
        Err(error) => {
            let rows = lag::rows_of_a_stream(&database(doctor, data)).await;
            round.tell([no_stream(&error, rows)])?;
            return Ok(None);
        }
    };
    let told = info["ts"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    round.tell(told.map(|told| broker::clock(told, asked, now())))?;
    let findings = settings::stream(&info, &wanted);
    // What no process would start on cannot be opened.
    let opens = findings.iter().all(|finding| finding.verdict != Verdict::Wrong);
    round.tell(findings)?;
    round.tell(cluster::replicas(&info))?;
    round.tell(consumer(&inspector).await?)?;
    if !(may && opens) {
        return Ok(None);
    }
    let log = open_log(&options, 1).await?;
    let positions = async {
        let mut findings = lag::markets(&inspector, &log).await?;
        findings.push(lag::parked(&log).await?);
        Ok::<_, Failure>(findings)
    };
    let findings = doctor.output.waiting("reading the markets' commits", positions).await?;
    round.tell(findings)?;
    Ok(Some(log))
}

async fn connect(doctor: &Doctor) -> Result<(LogOptions, Inspector), Finding> {
    let url = doctor.stream.url().map_err(|error| {
        let remedy = "start `fillstream up`, give its --data, or name a server with --nats-url";
        Finding::wrong("nats_server", error.to_string(), "one that runs", remedy)
    })?;
    let options = doctor.stream.options(url, "fillstream doctor");
    let connected = doctor.output.waiting("connecting to NATS", Inspector::connect(&options)).await;
    let inspector = connected.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let found = format!("{} cannot be connected to: {cause}", without_passwords(&options.url));
        let remedy =
            "start it (nats-server -c nats/server.conf), look at address, user and password in --nats-url";
        Finding::wrong("nats_server", found, "one that lets us in", remedy)
    })?;
    Ok((options, inspector))
}

/// Why the stream does not tell of itself: it is gone when there are rows of it, else it was never made.
fn no_stream(error: &LogError, rows: Option<Seq>) -> Finding {
    let is_missing = matches!(error, LogError::Server(told) if told.says_no_stream());
    if let (true, Some(rows)) = (is_missing, rows) {
        let found = format!(
            "there is no stream ORDERS, though there are rows of one up to sequence {rows}: it is gone"
        );
        let remedy = "restore the stream before anything is started: docs/operations.md, Backup and restore";
        return Finding::wrong("stream", found, "the stream that the rows are of", remedy);
    }
    if is_missing {
        let remedy = "start `fillstream up` or any role: the first one makes it";
        return Finding::warning("stream", "there is no stream ORDERS yet", "one", remedy);
    }
    let remedy = "see permissions above; else the log of nats-server says why";
    Finding::wrong("stream", chain(error).to_string(), "an answer to STREAM.INFO", remedy)
}

/// Other streams that take our subjects: ours could not be made, or is not the only one to acknowledge.
async fn rivals(inspector: &Inspector, wanted: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for subject in wanted["subjects"].as_array().into_iter().flatten() {
        let Ok(answer) = inspector.ask("STREAM.NAMES", Some(&json!({ "subject": subject }))).await else {
            continue;
        };
        let names = answer["streams"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for name in names.filter(|name| *name != "ORDERS") {
            let found = format!("stream {name} takes {subject} as well");
            let remedy =
                format!("nats stream edit {name} --subjects … without them, or a NATS account of its own");
            findings.push(Finding::wrong("stream", found, "ORDERS alone", remedy));
        }
    }
    findings
}

async fn consumer(inspector: &Inspector) -> Result<Vec<Finding>, Failure> {
    let wanted: Value = serde_json::from_str(EXECUTOR)?;
    Ok(match inspector.ask("CONSUMER.INFO.ORDERS.executor", None).await {
        Ok(info) => {
            let mut findings = settings::consumer(&info, &wanted);
            findings.push(lag::executor(&info));
            findings
        }
        Err(error) => {
            let remedy = "fillstream serve --role executor, or fillstream up: the first one makes it";
            vec![Finding::warning(
                "consumer",
                format!("executor: {error}"),
                "the executors' consumer",
                remedy,
            )]
        }
    })
}
