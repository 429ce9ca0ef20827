//! Figures, each with the ceiling of the same run beside it: `cargo xtask bench [swaps|latency|sockets|rebuild]…`.
//!
//! Load, server and nats-server share the machine's cores; compare rows of one run only.
#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "figures for people, not money")]

mod client;
mod events;
mod figures;
mod latency;
mod rebuild;
mod sockets;
mod swaps;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let all = ["swaps", "latency", "sockets", "rebuild"];
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(&name.as_str())) {
        eprintln!("there is no bench {unknown:?}; there are {}", all.join(", "));
        return ExitCode::FAILURE;
    }
    raise_open_files();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        let run = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
        if run("swaps") {
            swaps::run().await;
        }
        if run("latency") {
            latency::run().await;
        }
        if run("sockets") {
            sockets::run().await;
        }
        if run("rebuild") {
            rebuild::run().await;
        }
    });
    ExitCode::SUCCESS
}

/// A client socket is an open file too.
fn raise_open_files() {
    fillstream_tests::process::raise_open_files(65_536);
}
