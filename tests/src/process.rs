//! The binary as a process.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to say that it serves.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// The binary under test: `FILLSTREAM_BINARY`, else the one in the target directory of this build.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn binary() -> PathBuf {
    named_or_built("FILLSTREAM_BINARY", "debug/fillstream")
}

/// The binary with crash points armed.
///
/// # Panics
/// When it was not built: `cargo xtask test` does.
#[must_use]
pub fn crash_binary() -> PathBuf {
    named_or_built("FILLSTREAM_CRASH_BINARY", "crash-points/fillstream")
}

fn named_or_built(variable: &str, built: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(
        || {
            let test = std::env::current_exe().expect("a test knows its own path");
            let target = test.ancestors().nth(3).expect("tests lie in target/<profile>/deps");
            target.join(built)
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
    /// What it printed at the start, line by line.
    pub printed: Vec<String>,
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
    pub fn try_start(mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn_with_parent(command);
        let (sender, lines) = mpsc::channel();
        for pipe in [
            child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn std::io::Read + Send>),
            child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn std::io::Read + Send>),
        ]
        .into_iter()
        .flatten()
        {
            let sender = sender.clone();
            let echo = std::env::var_os("FILLSTREAM_TEST_ECHO").is_some();
            thread::spawn(move || {
                // Reads to the end, so that the process never waits for a full pipe.
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if echo {
                        eprintln!("| {line}");
                    }
                    let _ = sender.send(line);
                }
            });
        }
        drop(sender);
        let mut printed = Vec::new();
        let deadline = Instant::now() + START_PATIENCE;
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            printed.push(line.clone());
            if let Some(rest) = line.strip_prefix("http://")
                && let Some((address, _)) = rest.split_once(" serves ")
            {
                return Ok(Self { child, address: address.to_owned(), printed });
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(printed.join("\n"))
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
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
        let _ = kill_process(pid, Signal::TERM);
        let status = self.wait(Duration::from_secs(30)).expect("SIGTERM ends the process within 30 s");
        status.code()
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, patience: Duration) -> Option<std::process::ExitStatus> {
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
