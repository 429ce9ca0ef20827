//! Private directories, a real nats-server, and waiting with a deadline.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fillstream_nats_server::{Options, PortChoice, PrivateServer, locate};

/// A directory of one test, removed at its end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("fillstream-nats-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn options(data_dir: &Path) -> Options {
    let binary = locate(&mut |line| eprintln!("{line}")).unwrap();
    Options { port: PortChoice::Any, ..Options::new(binary, data_dir) }
}

pub(crate) fn start(data_dir: &Path) -> PrivateServer {
    PrivateServer::start(&options(data_dir)).unwrap()
}

/// Fails the test when it does not become true.
pub(crate) fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < deadline, "not in 20 s: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
