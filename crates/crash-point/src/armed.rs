//! The places, live.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use rustix::process::{Signal, getpid, kill_process};

use crate::Boundary;

/// Longer than the kernel takes to stop the other threads' last one: this one must not run on meanwhile.
const STOPPING: Duration = Duration::from_millis(20);

/// Command to this process, and the point at which it acts.
struct Told {
    signal: Signal,
    name: String,
    nth: u32,
    reached: AtomicU32,
}

static TOLD: LazyLock<Vec<Told>> = LazyLock::new(|| {
    let told = [("FILLSTREAM_CRASH_AT", Signal::KILL), ("FILLSTREAM_FREEZE_AT", Signal::STOP)];
    told.into_iter().filter_map(|(variable, signal)| Told::read(variable, signal)).collect()
});

impl Told {
    fn read(variable: &str, signal: Signal) -> Option<Self> {
        let told = std::env::var(variable).ok()?;
        let (name, nth) = told.split_once(':').unwrap_or((&told, "1"));
        Some(Self { signal, name: name.to_owned(), nth: nth.parse().ok()?, reached: AtomicU32::new(0) })
    }
}

/// This place is reached: the process dies or stops here when it was told to.
pub fn reach(boundary: Boundary) {
    for told in TOLD.iter().filter(|told| told.name == boundary.name()) {
        if told.reached.fetch_add(1, Ordering::Relaxed) + 1 == told.nth {
            let _ = kill_process(getpid(), told.signal);
            sleep(STOPPING);
        }
    }
}
