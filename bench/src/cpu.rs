//! Shares of processor time: on a machine that load, server and broker share, the sum of their shares is the limit.

use std::time::Duration;

use crate::figures::row;

/// User and system time of a process so far (`/proc/<pid>/stat`, in ticks of 10 ms).
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let (_, fields) = stat.rsplit_once(") ").expect("the name stands in brackets");
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    Duration::from_millis(ticks * 10)
}

/// CPU time from its beginning on, process by process.
pub(crate) struct Account(Vec<(&'static str, u32, Duration)>);

impl Account {
    /// Of our process, nats-server, and the load generator, which is this process.
    pub(crate) fn open(fillstream: u32, nats_server: Option<u32>) -> Self {
        let processes = [
            ("fillstream", Some(fillstream)),
            ("nats-server", nats_server),
            ("load", Some(std::process::id())),
        ];
        let known = processes.into_iter().filter_map(|(name, pid)| Some((name, pid?)));
        Self(known.map(|(name, pid)| (name, pid, cpu_time(pid))).collect())
    }

    /// Prints what each of so many things took.
    pub(crate) fn print(&self, things: usize, thing: &str) {
        let each = |(name, pid, before): &(&str, u32, Duration)| {
            let spent = cpu_time(*pid).saturating_sub(*before);
            format!("{name} {:.1}", spent.as_secs_f64() * 1e6 / things as f64)
        };
        let shares: Vec<String> = self.0.iter().map(each).collect();
        row(&format!("… CPU per {thing}, µs"), &shares.join(", "));
    }
}
