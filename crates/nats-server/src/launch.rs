use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};

use crate::error::{Error, failed};
use crate::lock::DirLock;

/// Bytes after which the log of former runs is moved aside: the server says little, this is months of it.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;
/// Bytes and lines of a dead server's log that an error quotes, whichever is less.
const LAST_WORDS: u64 = 2000;
const LAST_LINES: usize = 4;

/// Everything that one run of the server is started with; the next run after a death takes the same.
pub(crate) struct Launch {
    pub(crate) binary: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) conf: PathBuf,
    pub(crate) port: u16,
    /// Told by the server in its greeting.
    pub(crate) name: String,
}

/// A run of the server and where its part of the log begins.
pub(crate) struct Run {
    pub(crate) child: Child,
    pub(crate) log_from: u64,
}

impl Launch {
    /// Starts the server. It is killed when the calling **thread** ends, so the thread must outlive it.
    pub(crate) fn spawn(&self, lock: &DirLock) -> Result<Run, Error> {
        let cannot = || format!("start {}", self.binary.display());
        let (log, log_from) = self.open_log().map_err(failed(|| "open the log of nats-server"))?;
        let mut command = Command::new(&self.binary);
        command
            .arg("-c")
            .arg(&self.conf)
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-n", &self.name, "-sd"])
            .arg(&self.data_dir)
            .stdin(lock.share().map_err(failed(cannot))?)
            .stdout(log.try_clone().map_err(failed(cannot))?)
            .stderr(log)
            // Ctrl-C on the terminal is for its parent, which has its work to finish before the log goes away.
            .process_group(0);
        die_with_this_thread(&mut command);
        let child = command.spawn().map_err(failed(cannot))?;
        Ok(Run { child, log_from })
    }

    fn log_path(&self) -> PathBuf {
        self.data_dir.join("nats-server.log")
    }

    fn open_log(&self) -> std::io::Result<(File, u64)> {
        let path = self.log_path();
        if fs::metadata(&path).is_ok_and(|log| log.len() > LOG_LIMIT) {
            fs::rename(&path, path.with_extension("log.1"))?;
        }
        let log = OpenOptions::new().create(true).append(true).open(&path)?;
        let from = log.metadata()?.len();
        Ok((log, from))
    }

    /// The end of what a run wrote to its log.
    pub(crate) fn last_words(&self, log_from: u64) -> String {
        let read = || -> std::io::Result<String> {
            let mut log = File::open(self.log_path())?;
            let from = log_from.max(log.metadata()?.len().saturating_sub(LAST_WORDS));
            log.seek(SeekFrom::Start(from))?;
            let mut words = Vec::new();
            log.read_to_end(&mut words)?;
            let words = String::from_utf8_lossy(&words);
            let lines: Vec<&str> = words.trim().lines().collect();
            Ok(lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"))
        };
        read().unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
    }
}

/// Has the kernel kill the child when this thread ends, which a SIGKILL of the whole process does too.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "code between fork and exec is unsafe to promise; it makes two system calls, no more"
)]
fn die_with_this_thread(command: &mut Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
    let parent = getpid();
    let prepare = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // A parent that died before the call above sends no signal any more.
        if getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
    };
    // SAFETY: `prepare` allocates nothing, takes no lock and makes only system calls, so it is sound in the child of a
    // process with threads.
    unsafe { command.pre_exec(prepare) };
}

/// Elsewhere the server is killed by the drop of its handle, and outlives a parent that was killed.
#[cfg(not(target_os = "linux"))]
fn die_with_this_thread(_: &mut Command) {}
