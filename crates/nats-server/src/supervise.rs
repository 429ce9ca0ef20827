use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::error::Error;
use crate::launch::{Launch, Run};
use crate::lock::DirLock;
use crate::ready::is_ready;

/// Time that a start may take: recovering a store of many millions of messages takes minutes.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(300);
const READY_POLL: Duration = Duration::from_millis(10);
/// Between a death and the next start; doubles up to the last while the server does not stay up that long.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_LAST: Duration = Duration::from_secs(2);

/// Wish of the owner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Run,
    Hold,
    Stop,
}

/// State of the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Down,
    Starting(Pid),
    Ready(Pid),
    /// For good: the supervisor has ended.
    Ended,
}

impl Phase {
    pub(crate) fn pid(self) -> Option<Pid> {
        match self {
            Self::Starting(pid) | Self::Ready(pid) => Some(pid),
            Self::Down | Self::Ended => None,
        }
    }
}

pub(crate) struct State {
    pub(crate) wanted: Wanted,
    pub(crate) phase: Phase,
    /// Times that the server became ready.
    pub(crate) starts: u64,
}

impl State {
    /// Signals the process if there is one. Safe from reused ids: it is reaped only under this state's lock.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.phase.pid() {
            // It fails only for a process that is gone already.
            let _ = kill_process(pid, signal);
        }
    }
}

/// State that the owner and the supervisor share.
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) changed: Condvar,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let state = State { wanted: Wanted::Run, phase: Phase::Down, starts: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(crate) fn want(&self, wanted: Wanted) {
        self.state.lock().wanted = wanted;
        self.changed.notify_all();
    }

    /// The phase as soon as it is as asked for; None when it is not within `patience`.
    pub(crate) fn wait_for(&self, patience: Duration, is: impl Fn(Phase) -> bool) -> Option<Phase> {
        let deadline = Instant::now() + patience;
        let mut state = self.state.lock();
        while !is(state.phase) {
            if self.changed.wait_until(&mut state, deadline).timed_out() && !is(state.phase) {
                return None;
            }
        }
        Some(state.phase)
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.state.lock();
        state.phase = phase;
        if matches!(phase, Phase::Ready(_)) {
            state.starts += 1;
        }
        self.changed.notify_all();
    }
}

/// Runs on a thread of its own, which lives as long as the server may: the server dies with it.
pub(crate) struct Supervisor {
    pub(crate) launch: Launch,
    pub(crate) lock: Arc<DirLock>,
    pub(crate) shared: Arc<Shared>,
}

impl Supervisor {
    /// Starts the server, tells how that went, and keeps it running until it is told to stop.
    pub(crate) fn run(self, started: &SyncSender<Result<(), Error>>) {
        let first = self.start();
        // The receiver waits for exactly this; if it is gone, the state says that nobody wants the server any more.
        let child = match first {
            Ok(child) => started.send(Ok(())).ok().map(|()| child),
            Err(error) => started.send(Err(error)).ok().and(None),
        };
        if let Some(child) = child {
            self.keep_running(child);
        }
        self.shared.enter(Phase::Ended);
    }

    fn keep_running(&self, mut child: Child) {
        let mut backoff = BACKOFF_FIRST;
        loop {
            let since = Instant::now();
            let status = self.reap(&mut child);
            if since.elapsed() >= BACKOFF_LAST {
                backoff = BACKOFF_FIRST;
            }
            if self.shared.state.lock().wanted == Wanted::Run {
                tracing::warn!(port = self.launch.port, %status, "nats-server ended; starting it again");
            }
            match self.start_again(&mut backoff) {
                Some(next) => child = next,
                None => return,
            }
        }
    }

    /// None when the server is to stop.
    fn start_again(&self, backoff: &mut Duration) -> Option<Child> {
        while self.wait_to_run(*backoff) {
            *backoff = (*backoff * 2).min(BACKOFF_LAST);
            match self.start() {
                Ok(child) => {
                    tracing::info!(port = self.launch.port, "nats-server runs again");
                    return Some(child);
                }
                Err(Error::Stopped) => {}
                Err(error) => tracing::warn!(port = self.launch.port, %error, "nats-server does not start"),
            }
        }
        None
    }

    /// Waits out a backoff, or a hold of any length. False when the server is to stop.
    fn wait_to_run(&self, backoff: Duration) -> bool {
        let mut state = self.shared.state.lock();
        let due = Instant::now() + backoff;
        loop {
            match state.wanted {
                Wanted::Stop => return false,
                Wanted::Run if Instant::now() >= due => return true,
                Wanted::Run => {
                    self.shared.changed.wait_until(&mut state, due);
                }
                Wanted::Hold => {
                    self.shared.changed.wait(&mut state);
                    // Whoever ends a hold wants the server now.
                    if state.wanted == Wanted::Run {
                        return true;
                    }
                }
            }
        }
    }

    /// Starts the server and waits until it can be used.
    fn start(&self) -> Result<Child, Error> {
        let Run { mut child, log_from } = self.spawn()?;
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            if is_ready(self.launch.port, &self.launch.name) {
                self.shared.enter(Phase::Ready(Pid::from_child(&child)));
                return Ok(child);
            }
            let log = || self.launch.last_words(log_from);
            if has_ended(&child) {
                let status = self.reap(&mut child).to_string();
                let stopped = self.shared.state.lock().wanted != Wanted::Run;
                return Err(if stopped { Error::Stopped } else { Error::Died { status, log: log() } });
            }
            if Instant::now() >= deadline {
                self.shared.state.lock().signal(Signal::KILL);
                self.reap(&mut child);
                return Err(Error::NotReady { after: START_PATIENCE, log: log() });
            }
            thread::sleep(READY_POLL);
        }
    }

    fn spawn(&self) -> Result<Run, Error> {
        // Held over the start, so that a stop that comes now either prevents it or finds the process.
        let mut state = self.shared.state.lock();
        if state.wanted != Wanted::Run {
            return Err(Error::Stopped);
        }
        let run = self.launch.spawn(&self.lock)?;
        state.phase = Phase::Starting(Pid::from_child(&run.child));
        Ok(run)
    }

    /// Waits for the process to end. Until it is reaped, under the lock, its id stays its own.
    fn reap(&self, child: &mut Child) -> ExitStatus {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(Pid::from_child(child)), options), Err(Errno::INTR)) {}
        let mut state = self.shared.state.lock();
        let status = child.wait().expect("it is our own child and has not been waited for");
        state.phase = Phase::Down;
        self.shared.changed.notify_all();
        status
    }
}

fn has_ended(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::Pid(Pid::from_child(child)), options), Ok(None))
}
