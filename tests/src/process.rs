//! The binary as a process.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};

/// Time that a process may take to say that it serves.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// The binary under test: `FILLSTREAM_BINARY`, else the one in the target directory of this build.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn binary() -> PathBuf {
    let path = std::env::var_os("FILLSTREAM_BINARY").map_or_else(
        || {
            let test = std::env::current_exe().expect("a test knows its own path");
            let profile = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
            profile.join("fillstream")
        },
        PathBuf::from,
    );
    assert!(path.is_file(), "{} is missing: `cargo xtask test` builds it", path.display());
    path
}

/// A running `fillstream`. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// `127.0.0.1:port` when it serves HTTP.
    pub address: String,
    /// Lines that it printed at the start.
    pub printed: Vec<String>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts the binary and waits until it says that it serves.
    ///
    /// # Panics
    /// When it ends or does not say so in time; the panic shows what it printed.
    #[must_use]
    pub fn start(command: Command) -> Self {
        match Self::try_start(command) {
            Ok(process) => process,
            Err(printed) => panic!("fillstream did not start:\n{printed}"),
        }
    }

    /// As [`start`](Self::start); what it printed when it did not start.
    ///
    /// # Errors
    /// When it ended before it served.
    ///
    /// # Panics
    /// When it cannot be spawned.
    pub fn try_start(command: Command) -> Result<Self, String> {
        let (mut process, lines) = Self::launch(command);
        let deadline = Instant::now() + START_PATIENCE;
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            process.printed.push(line.clone());
            if let Some(rest) = line.strip_prefix("http://").or_else(|| line.strip_prefix("https://"))
                && let Some((address, _)) = rest.split_once(" serves ")
            {
                address.clone_into(&mut process.address);
                return Ok(process);
            }
        }
        Err(process.printed.join("\n"))
    }

    /// Starts the binary and waits for nothing: `address` and `printed` stay empty. For a process that may die before
    /// it serves.
    ///
    /// # Panics
    /// When it cannot be spawned.
    #[must_use]
    pub fn spawn(command: Command) -> Self {
        Self::launch(command).0
    }

    fn launch(mut command: Command) -> (Self, mpsc::Receiver<String>) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn_with_parent(command);
        let (sender, lines) = mpsc::channel();
        let said = Arc::new(Mutex::new(Vec::new()));
        for pipe in [
            child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
            child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        ]
        .into_iter()
        .flatten()
        {
            let (sender, said) = (sender.clone(), Arc::clone(&said));
            let echo = std::env::var_os("FILLSTREAM_TEST_ECHO").is_some();
            thread::spawn(move || {
                // Reads to the end, so that the process never waits for a full pipe.
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if echo {
                        eprintln!("| {line}");
                    }
                    said.lock().push(line.clone());
                    let _ = sender.send(line);
                }
            });
        }
        (Self { child, address: String::new(), printed: Vec::new(), said }, lines)
    }

    /// Waits until every part has caught up, so that what it writes at its start is written.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn until_ready(&self) {
        let deadline = Instant::now() + START_PATIENCE;
        while !self.is_ready() {
            assert!(Instant::now() < deadline, "not ready:\n{}", self.said());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_ready(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect(&self.address)?;
            stream.write_all(b"GET /ready HTTP/1.1\r\nHost: ready\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer.starts_with("HTTP/1.1 200"))
        };
        ask().unwrap_or(false)
    }

    /// All that it has printed so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lock().join("\n")
    }

    /// The nats-server's address, as it was printed.
    #[must_use]
    pub fn nats_url(&self) -> Option<String> {
        let words = self.printed.iter().flat_map(|line| line.split([' ', ',']));
        words.into_iter().find(|word| word.starts_with("nats://127.0.0.1:")).map(str::to_owned)
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; the exit code, once it has ended.
    ///
    /// # Panics
    /// When it does not end within 30 s.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        let status = self.wait(Duration::from_secs(30)).expect("SIGTERM ends the process within 30 s");
        status.code()
    }

    /// Sends a signal; to one that was not waited for yet, so that its id is its own.
    ///
    /// # Panics
    /// Never: a child has a process id.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
        let _ = kill_process(pid, signal);
    }

    /// Exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// True when it is stopped by a signal.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        // The state follows the name, which is in parentheses and may itself hold some.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Spawns through `setpriv`, when there is one, so that the child dies with the tests.
fn spawn_with_parent(command: Command) -> Child {
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut command = command;
    wrapped.spawn().or_else(|_| command.spawn()).expect("fillstream can be spawned")
}

/// Raises this process's soft limit of open files, for crowds of sockets.
pub fn raise_open_files(wanted: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum.map_or(wanted, |most| most.min(wanted));
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum });
}
