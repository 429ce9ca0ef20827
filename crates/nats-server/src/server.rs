use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::config::{self, Options};
use crate::error::{Error, failed};
use crate::launch::Launch;
use crate::lock::DirLock;
use crate::port::PortChoice;
use crate::supervise::{Phase, START_PATIENCE, Shared, Supervisor, Wanted};
use crate::token::Token;

/// Time that a server that was asked to stop may take to write its state before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A nats-server of this process alone: it is started again when it dies, and dies when this is dropped or the process
/// ends, by SIGKILL too (on Linux).
pub struct PrivateServer {
    port: u16,
    token: Option<Token>,
    shared: Arc<Shared>,
    /// None once it has been stopped.
    supervisor: Option<JoinHandle<()>>,
    /// Given up when the server has ended: the supervisor's thread, which holds it too, is joined before.
    _lock: Arc<DirLock>,
}

impl PrivateServer {
    /// Starts the server and returns when it can be used: within 0.1 s on an empty store, later on a large one.
    ///
    /// # Errors
    /// When another process runs a server on the data directory, when no port is free, or when the server does not
    /// start; its last words are in the error.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let lock = Arc::new(DirLock::take(&options.data_dir)?);
        let conf = config::write(&options.data_dir, options.sync, options.token.as_ref())?;
        for port in options.port.candidates() {
            let launch = Launch {
                binary: options.binary.clone(),
                data_dir: options.data_dir.clone(),
                conf: conf.clone(),
                port,
                name: unique_name(),
            };
            match Self::launch(launch, &lock, options.token.clone()) {
                // Somebody took the port since it was looked at.
                Err(Error::Died { log, .. }) if log.contains("address already in use") => {}
                outcome => return outcome,
            }
        }
        Err(PortChoice::exhausted())
    }

    fn launch(launch: Launch, lock: &Arc<DirLock>, token: Option<Token>) -> Result<Self, Error> {
        let shared = Arc::new(Shared::new());
        let port = launch.port;
        let (started, outcome) = sync_channel(1);
        let supervisor = Supervisor { launch, lock: Arc::clone(lock), shared: Arc::clone(&shared) };
        let supervisor = thread::Builder::new()
            .name("nats-server".to_owned())
            .spawn(move || supervisor.run(&started))
            .map_err(failed(|| "start the thread that watches nats-server"))?;
        let server = Self { port, token, shared, supervisor: Some(supervisor), _lock: Arc::clone(lock) };
        outcome.recv().unwrap_or(Err(Error::Stopped))?;
        lock.note(&server.url())?;
        Ok(server)
    }

    /// The address for clients, with the token if it asks for one; it stays the same over every restart.
    pub fn url(&self) -> String {
        match &self.token {
            Some(token) => format!("nats://{}@127.0.0.1:{}", token.reveal(), self.port),
            None => format!("nats://127.0.0.1:{}", self.port),
        }
    }

    /// The port on which it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The process that runs at the moment; None between a death and the next start.
    pub fn pid(&self) -> Option<u32> {
        self.shared.state.lock().phase.pid().map(|pid| pid.as_raw_pid().unsigned_abs())
    }

    /// Number of times that the server was ready again after it had ended.
    pub fn restarts(&self) -> u64 {
        self.shared.state.lock().starts.saturating_sub(1)
    }

    /// Kills the server (SIGKILL) and returns when it is gone. It is started again, as after any death.
    pub fn kill(&self) {
        self.kill_wanting(Wanted::Run);
    }

    /// Kills the server (SIGKILL), returns when it is gone, and keeps it down until [`resume`](Self::resume).
    pub fn kill_and_hold(&self) {
        self.kill_wanting(Wanted::Hold);
    }

    /// Starts the server after [`kill_and_hold`](Self::kill_and_hold) and returns when it can be used.
    ///
    /// # Errors
    /// When it is not ready in time.
    pub fn resume(&self) -> Result<(), Error> {
        self.shared.want(Wanted::Run);
        self.wait_until_ready(START_PATIENCE)
    }

    /// Returns when the server can be used.
    ///
    /// # Errors
    /// When it cannot after `patience`.
    pub fn wait_until_ready(&self, patience: Duration) -> Result<(), Error> {
        match self.shared.wait_for(patience, |phase| matches!(phase, Phase::Ready(_) | Phase::Ended)) {
            Some(Phase::Ready(_)) => Ok(()),
            Some(Phase::Ended) => Err(Error::Stopped),
            Some(Phase::Down | Phase::Starting(_)) | None => Err(Error::NotReady {
                after: patience,
                log: "(it is being started again and again)".to_owned(),
            }),
        }
    }

    /// A hand on the server for who notices that it lives and does not do its work.
    pub fn control(&self) -> Control {
        Control { shared: Arc::clone(&self.shared) }
    }

    /// Asks the server to end, so that it writes its state, and returns when it has; it is killed after 5 s.
    pub fn stop(mut self) {
        self.end(Signal::TERM);
    }

    fn kill_wanting(&self, wanted: Wanted) {
        let killed: Option<Pid> = {
            let mut state = self.shared.state.lock();
            state.wanted = wanted;
            state.signal(Signal::KILL);
            self.shared.changed.notify_all();
            state.phase.pid()
        };
        // It cannot outlive SIGKILL; the patience only keeps a machine in trouble from holding the caller for ever.
        self.shared.wait_for(START_PATIENCE, |phase| phase.pid().is_none() || phase.pid() != killed);
    }

    fn end(&mut self, signal: Signal) {
        let Some(supervisor) = self.supervisor.take() else { return };
        self.shared.want(Wanted::Stop);
        self.shared.state.lock().signal(signal);
        if self.shared.wait_for(STOP_PATIENCE, |phase| phase == Phase::Ended).is_none() {
            self.shared.state.lock().signal(Signal::KILL);
        }
        // A supervisor that panicked has taken the server with it.
        let _ = supervisor.join();
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.end(Signal::KILL);
    }
}

/// Starts a server again that lives; its owner alone ends it for good.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    /// True when the server can be used, as far as its greeting tells: it runs and was ready.
    pub fn is_up(&self) -> bool {
        matches!(self.shared.state.lock().phase, Phase::Ready(_))
    }

    /// Number of times that the server was ready again after it had ended.
    pub fn restarts(&self) -> u64 {
        self.shared.state.lock().starts.saturating_sub(1)
    }

    /// Asks the server to end, so that it writes its state, kills it after 5 s, and returns when it is gone. It is started
    /// again, as after any death. Nothing happens to one that is down, or is to stay down.
    pub fn restart(&self) {
        let asked = {
            let state = self.shared.state.lock();
            let Phase::Ready(pid) = state.phase else { return };
            if state.wanted != Wanted::Run {
                return;
            }
            state.signal(Signal::TERM);
            pid
        };
        let gone = |phase: Phase| phase.pid() != Some(asked);
        if self.shared.wait_for(STOP_PATIENCE, gone).is_none() {
            let state = self.shared.state.lock();
            if !gone(state.phase) {
                state.signal(Signal::KILL);
            }
        }
        // It cannot outlive SIGKILL; the patience only keeps a machine in trouble from holding the caller for ever.
        self.shared.wait_for(START_PATIENCE, gone);
    }
}

/// Unlike that of any other server that may listen on the port.
fn unique_name() -> String {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    format!("fillstream-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed))
}
