use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, failed};

const NAME: &str = "lock";
/// Time that a server may take to die after its parent was killed: it may be in the middle of an fsync.
const PATIENCE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(20);

/// The right to run a server in a data directory.
///
/// It belongs to the open file, not to a process: the server gets the same open file as its stdin, so the lock is free
/// only when this process and the server have both let go of it, by whatever death.
pub(crate) struct DirLock {
    file: File,
}

impl DirLock {
    /// Takes the lock, waiting [`PATIENCE`] for a server that is just dying.
    pub(crate) fn take(data_dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(data_dir).map_err(failed(|| format!("make {}", data_dir.display())))?;
        let path = path(data_dir);
        let cannot_lock = || format!("lock {}", path.display());
        let file = open(&path).map_err(failed(cannot_lock))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::InUse { dir: data_dir.to_owned(), by: holder(&path) });
                }
                Err(TryLockError::Error(source)) => return Err(failed(cannot_lock)(source)),
            }
        }
        let lock = Self { file };
        lock.note("")?;
        Ok(lock)
    }

    /// Writes into the file, for people and for [`address_of`], who holds it and where its server listens.
    pub(crate) fn note(&self, url: &str) -> Result<(), Error> {
        let mut file = &self.file;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "process {} {url}", std::process::id()))
            .map_err(failed(|| "write the lock file of the data directory"))
    }

    /// The lock as the stdin of a child, which reads nothing from it but keeps it while it lives.
    pub(crate) fn share(&self) -> std::io::Result<Stdio> {
        Ok(Stdio::from(self.file.try_clone()?))
    }
}

impl Drop for DirLock {
    /// Its owner has seen the server end. Said in so many words, because a child that another thread is just forking holds
    /// a copy of every open file until it execs.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// The address of the server that runs in this data directory at the moment, `nats://127.0.0.1:PORT`; None when none
/// does, or when it is still starting.
pub fn address_of(data_dir: &Path) -> Option<String> {
    let path = path(data_dir);
    match File::open(&path).ok()?.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        Ok(()) | Err(TryLockError::Error(_)) => return None,
    }
    let note = fs::read_to_string(&path).ok()?;
    note.split_whitespace().find(|word| word.starts_with("nats://")).map(str::to_owned)
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn holder(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(note) if !note.trim().is_empty() => without_token(note.trim()),
        Ok(_) | Err(_) => "another process".to_owned(),
    }
}

/// The note as people may see it: whoever reads a log must not come in by it.
fn without_token(note: &str) -> String {
    match (note.split_once("://"), note.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, address))) => format!("{scheme}://{address}"),
        (_, _) => note.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        for (note, shown) in [
            ("process 7 nats://c0ffee@127.0.0.1:4222", "process 7 nats://127.0.0.1:4222"),
            ("process 7 nats://127.0.0.1:4222", "process 7 nats://127.0.0.1:4222"),
            ("process 7", "process 7"),
        ] {
            assert_eq!(without_token(note), shown);
        }
    }
}
