//! The server itself: version, JetStream, message size, what an acknowledgement is worth, clock, store.

use std::{path::Path, time::Duration};

use fillstream_domain::Timestamp;
use fillstream_event_log::{Durability, Greeting, HEADER_ROOM};
use fillstream_matcher::COMMIT_BYTES;
use fillstream_nats_server::{OLDEST, Version};
use serde_json::Value;

use super::finding::{Finding, Verdict};

/// Clocks that differ by more make an order's history hard to read, and orders good until a time end at another one.
const CLOCKS_APART: Duration = Duration::from_secs(1);
/// Of a store's limit, in percent: from here on somebody should act.
const STORE_WARNING: u64 = 80;
/// Of a store's limit, in percent: from here on orders are about to be refused.
const STORE_WRONG: u64 = 95;

/// Version, JetStream and message size, as the server says at the greeting.
pub(super) fn greeting(greeting: &Greeting, url: &str) -> Vec<Finding> {
    let Greeting { version, jetstream, max_payload } = greeting;
    let least = COMMIT_BYTES + HEADER_ROOM;
    let mut findings = Vec::new();
    let found = format!("{version} at {url}");
    findings.push(match Version::parse(version) {
        Some(number) if number >= OLDEST => Finding::ok("nats_server", found),
        Some(_) | None => Finding::wrong(
            "nats_server",
            found,
            format!("{OLDEST} or newer: before it, an atomic batch could lose the fence of a subject"),
            "install a newer nats-server, and restart it on the same store",
        ),
    });
    if !jetstream {
        let remedy = "start the server with nats/server.conf, or with `-js -sd DIR`";
        findings.push(Finding::wrong("jetstream", "JetStream is off", "on", remedy));
    }
    if *max_payload < least {
        let right = format!("at least {least} bytes: a market's commit must fit");
        let found = format!("max_payload = {max_payload}");
        findings.push(Finding::wrong(
            "max_payload",
            found,
            right,
            "max_payload: 1MB in the server's configuration",
        ));
    }
    findings
}

/// Source of what is known of an acknowledgement's worth.
pub(super) enum Known<'a> {
    /// By the configuration of the private server, in this directory.
    Configuration(&'a Path),
    /// By what an operator says: --durability here, or what the process at --server was told.
    Stated(Durability),
}

/// Worth of an acknowledgement.
pub(super) fn durability(known: &Known<'_>) -> Finding {
    const CHECK: &str = "durability";
    const FSYNC: &str = "fsync: on the disk before it is acknowledged";
    match known {
        Known::Configuration(directory) => {
            let file = directory.join("server.conf");
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if text.lines().any(|line| line.trim() == "sync_interval: always") {
                return Finding::ok(CHECK, format!("fsync: {} has sync_interval: always", file.display()));
            }
            let found = "os-buffer: an acknowledged order of the last two minutes can be lost with the power";
            Finding::warning(CHECK, found, FSYNC, "fillstream up --sync always")
        }
        Known::Stated(Durability::Fsync) => {
            Finding::ok(CHECK, "fsync, as it is stated; the server itself does not tell")
        }
        Known::Stated(Durability::OsBuffer | Durability::Memory) => Finding::warning(
            CHECK,
            "os-buffer, as it is stated, or as nothing is; the server itself does not tell",
            FSYNC,
            "sync_interval: always in the server's configuration (nats/server.conf), then --durability fsync or \
             FILLSTREAM_DURABILITY=fsync for every process",
        ),
    }
}

/// Our clock against the server's; `told` is when the server wrote its answer, `asked` and `heard` when we did.
pub(super) fn clock(told: Timestamp, asked: Timestamp, heard: Timestamp) -> Finding {
    // It was written somewhere in between; only what lies outside is known to be apart.
    let apart = if told < asked { asked.since(told) } else { told.since(heard) };
    if apart <= CLOCKS_APART {
        return Finding::ok("clock", "this machine's and the server's agree within a second");
    }
    let which = if told < asked { "behind" } else { "ahead of" };
    Finding::warning(
        "clock",
        format!("the server's clock is {} {which} this machine's", humantime::format_duration(apart)),
        "within a second",
        "let NTP set both: timedatectl set-ntp true",
    )
}

/// Room that is left of the account's storage.
pub(super) fn store(account: &Value) -> Finding {
    let (used, most) =
        (account["storage"].as_u64().unwrap_or_default(), account["limits"]["max_storage"].as_i64());
    let shown = |bytes: u64| format!("{} MiB", bytes >> 20);
    let Some(most) = most.and_then(|most| u64::try_from(most).ok()).filter(|most| *most > 0) else {
        return Finding::ok("store", format!("{} used, no limit for the account", shown(used)));
    };
    let percent = used.saturating_mul(100) / most;
    let found = format!("{percent} % used: {} of {}", shown(used), shown(most));
    let verdict = match percent {
        STORE_WRONG.. => Verdict::Wrong,
        STORE_WARNING.. => Verdict::Warning,
        _ => return Finding::ok("store", found),
    };
    let remedy = "raise max_file_store of the server or max_storage of the account: nothing is ever deleted";
    Finding::not(
        verdict,
        "store",
        found,
        format!("below {STORE_WARNING} %: a full store refuses every order"),
        remedy,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_that_is_too_old_or_too_small_is_wrong() {
        let said = |version: &str, jetstream, max_payload| {
            let greeting = Greeting { version: version.to_owned(), jetstream, max_payload };
            super::greeting(&greeting, "nats://127.0.0.1:4222")
        };
        for (version, jetstream, max_payload, wrong) in [
            ("2.15.1", true, 1 << 20, &[][..]),
            ("2.14.4", true, 1 << 20, &[]),
            ("2.14.3", true, 1 << 20, &["nats_server"]),
            ("", true, 1 << 20, &["nats_server"]),
            ("2.15.1", false, 1 << 20, &["jetstream"]),
            ("2.15.1", true, 65_536, &["max_payload"]),
        ] {
            let findings = said(version, jetstream, max_payload);
            let found = findings.iter().filter(|finding| finding.verdict == Verdict::Wrong);
            assert_eq!(found.map(|finding| finding.check).collect::<Vec<_>>(), wrong, "{version}");
        }
    }

    #[test]
    fn clocks_are_apart_when_the_answer_cannot_have_been_written_meanwhile() {
        let at = Timestamp::from_unix_ms;
        for (told, verdict) in [
            (9_500, Verdict::Ok),
            (10_000, Verdict::Ok),
            (12_900, Verdict::Ok),
            (14_000, Verdict::Ok),
            (14_500, Verdict::Warning),
            (8_900, Verdict::Warning),
            (0, Verdict::Warning),
        ] {
            assert_eq!(clock(at(told), at(10_000), at(13_000)).verdict, verdict, "{told}");
        }
    }

    #[test]
    fn a_store_that_fills_is_told_in_time() {
        for (used, most, verdict) in [
            (1_u64 << 40, -1_i64, Verdict::Ok),
            (79, 100, Verdict::Ok),
            (80, 100, Verdict::Warning),
            (95, 100, Verdict::Wrong),
            (u64::MAX, 1, Verdict::Wrong),
        ] {
            let account = json!({ "storage": used, "limits": { "max_storage": most } });
            assert_eq!(store(&account).verdict, verdict, "{used} of {most}");
        }
    }
}
