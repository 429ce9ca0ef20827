//! One nats-server, one market, and matchers that come and go.

use std::{collections::HashMap, os::unix::process::ExitStatusExt, process::Command, time::Duration};

use fillstream_crash_point::Boundary;
use fillstream_domain::{
    OrderId, Seq,
    book::{BookInput, Commit, Definition, Symbol},
    subject::{BookSubject, book_definition, book_order},
};
use fillstream_event_log::{EventLog, JetStreamLog, NewRecord};
use fillstream_matching::verify;
use fillstream_nats_server::{Options, PortChoice, PrivateServer, locate};
use fillstream_tests::{Process, Scratch, binary, stream};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::flow::{Flow, now};

/// Time that anything may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);
/// Time for which others may lead before they are killed, so that the one that is to die leads.
const LEAD_PATIENCE: Duration = Duration::from_millis(1500);

/// See the module's first line.
pub(super) struct Floor {
    nats: PrivateServer,
    scratch: Scratch,
    log: JetStreamLog,
    symbol: Symbol,
    flow: Flow,
    /// The last sequence of each order's subject.
    last_of: HashMap<OrderId, u64>,
    last_input: u64,
    rivals: Vec<Process>,
    rivals_wanted: usize,
}

impl Floor {
    pub(super) async fn new(rivals: usize) -> Self {
        let scratch = Scratch::new("market-sweep");
        let binary = locate(&mut |line| println!("{line}")).expect("there is a nats-server");
        let options = Options { port: PortChoice::Any, ..Options::new(binary, scratch.path().join("nats")) };
        let nats = PrivateServer::start(&options).expect("nats-server starts");
        let log = stream::open(&nats.url()).await;
        let symbol: Symbol = "BTC/USDT".parse().expect("a symbol");
        let flow = Flow::new(symbol.clone());
        let mut floor = Self {
            nats,
            scratch,
            log,
            symbol: symbol.clone(),
            flow,
            last_of: HashMap::new(),
            last_input: 0,
            rivals: Vec::new(),
            rivals_wanted: rivals,
        };
        let definition = BookInput::Definition(Definition::standard(symbol.clone(), now()));
        floor.last_input = floor.append(book_definition(&symbol), 0, &definition).await;
        floor.call_rivals();
        floor
    }

    /// A matcher, which is not waited for: it may die before it serves.
    pub(super) fn matcher(&self, more: &[&str]) -> Process {
        Process::spawn(self.command(more))
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(["serve", "--role", "matcher", "--snapshot-every=25", "--nats-url", &self.nats.url()]);
        command.arg("--data").arg(self.scratch.path()).args(more);
        command
    }

    /// A matcher that is told to die there, and inputs until it does.
    pub(super) async fn die_at(&mut self, boundary: Boundary, nth: u32, inputs: usize) {
        let point = format!("{}:{nth}", boundary.name());
        let mut command = self.command(&["--takeover-after=10ms"]);
        command.env("FILLSTREAM_CRASH_AT", &point);
        let mut doomed = Process::spawn(command);
        let (deadline, alone_from) = (Instant::now() + PATIENCE, Instant::now() + LEAD_PATIENCE);
        let status = loop {
            if Instant::now() > alone_from {
                // Who stands by does not commit: it has to take over.
                self.rivals.clear();
            }
            self.feed(inputs / 8).await;
            let soon = Instant::now() + POLL * 4;
            while doomed.ended().is_none() && Instant::now() < soon {
                sleep(POLL).await;
            }
            if let Some(status) = doomed.ended() {
                break status;
            }
            assert!(Instant::now() < deadline, "{point} is not reached:\n{}", doomed.said());
        };
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{point}: {status}\n{}", doomed.said());
        self.call_rivals();
    }

    /// They take over soon, so that who leads changes often.
    fn call_rivals(&mut self) {
        while self.rivals.len() < self.rivals_wanted {
            self.rivals.push(self.matcher(&["--takeover-after=10ms"]));
        }
    }

    /// Appends so many inputs, as an intake does.
    pub(super) async fn feed(&mut self, inputs: usize) {
        for _ in 0..inputs {
            let (order, input) = self.flow.next();
            let after = self.last_of.get(&order).copied().unwrap_or(0);
            let subject = book_order(&self.symbol, order);
            self.last_input = self.append(subject, after, &input).await;
            self.last_of.insert(order, self.last_input);
        }
    }

    async fn append(&self, subject: String, after: u64, input: &BookInput) -> u64 {
        let record = NewRecord {
            subject,
            after: Seq::new(after),
            event_id: Uuid::now_v7(),
            event_type: input.event_type().cloud_event_type(),
            time: now().to_string(),
            traceparent: None,
            retries: None,
            payload: input.encode().into(),
        };
        self.log.append(record).await.expect("the input is stored").get()
    }

    /// Waits until everything that was asked is covered by a commit.
    pub(super) async fn covered(&self) {
        let deadline = Instant::now() + PATIENCE;
        let subject = fillstream_domain::subject::market_commits(&self.symbol);
        loop {
            let last = self.log.last(&subject, fillstream_event_log::Consistency::Leader).await;
            let last = last.expect("the stream answers").map(|record| Commit::decode(&record.payload));
            let covered = last.map_or(0, |commit| (commit.expect("a commit can be read").last_input).get());
            if covered >= self.last_input {
                return;
            }
            assert!(Instant::now() < deadline, "covered up to {covered} of {}", self.last_input);
            sleep(POLL).await;
        }
    }

    /// A matcher that lives takes up what is left; then the whole log is looked at. Returns the number of inputs.
    pub(super) async fn settle_and_verify(&mut self) -> usize {
        let survivor = self.matcher(&["--takeover-after=10ms"]);
        self.covered().await;
        drop(survivor);
        self.rivals.clear();
        let report = verify(&self.log, None, &mut |_, _| {}).await.expect("the stream can be read");
        assert!(report.is_clean(), "{report:?}");
        let records = stream::all(&self.log).await;
        let (mut inputs, mut covered) = (Vec::new(), Vec::new());
        for record in &records {
            match BookSubject::parse(&record.subject) {
                Some(BookSubject::Commits(_)) => {
                    let commit = Commit::decode(&record.payload).expect("a commit can be read");
                    covered.extend(
                        commit
                            .outcomes
                            .iter()
                            .filter(|outcome| !outcome.continued)
                            .map(|outcome| outcome.seq),
                    );
                }
                Some(_) => inputs.push(record.seq),
                None => {}
            }
        }
        // A clock may come behind the last commit.
        inputs.retain(|seq| *seq <= report.markets[0].last_input);
        assert_eq!(covered, inputs, "each input once, in order");
        covered.len()
    }
}
