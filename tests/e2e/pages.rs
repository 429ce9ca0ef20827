//! Proofs of the pages in `docs/`: the drawing of the life cycle, the commands, the links.

mod run;

use std::{collections::BTreeSet, fs, path::PathBuf};

use fillstream_domain::swap::{Phase, SwapEvent, SwapOrder};
use serde_json::Value;

use crate::site::{quiet, run};

const PAGES: [&str; 7] = [
    "README.md",
    "docs/concepts.md",
    "docs/life-cycles.md",
    "docs/protocol.md",
    "docs/operations.md",
    "docs/troubleshooting.md",
    "examples/README.md",
];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn page(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

const EVENTS: [&str; 7] =
    ["routing_started", "routed", "prepared", "retry_scheduled", "review_needed", "confirmed", "failed"];

/// The recorded example of an event, as of this attempt.
fn event(kind: &str, attempt: u8) -> SwapEvent {
    let mut example: Value =
        serde_json::from_str(&page(&format!("schemas/examples/swap.{kind}.v1.json"))).expect("JSON");
    if kind != "placed" {
        example["attempt"] = attempt.into();
    }
    SwapEvent::decode(example.to_string().as_bytes()).expect("the example can be read")
}

const fn name(order: &SwapOrder) -> &'static str {
    match order.phase() {
        Phase::Pending => "Pending",
        Phase::Routing => "Routing",
        Phase::Building(_) => "Building",
        Phase::Submitted(_) => "Submitted",
        Phase::Waiting { .. } => "Waiting",
        Phase::Review(_) => "Review",
        Phase::Confirmed => "Confirmed",
        Phase::Failed => "Failed",
    }
}

/// Every edge that can be reached, as the drawing writes it.
fn edges() -> BTreeSet<String> {
    let SwapEvent::Placed(placed) = event("placed", 0) else { panic!("placed is read as something else") };
    let mut edges = BTreeSet::from(["[*] --> Pending: placed".to_owned()]);
    let mut reached = vec![SwapOrder::new(placed)];
    let mut seen = BTreeSet::from(["Pending"]);
    while let Some(order) = reached.pop() {
        let ends = edges.len();
        for kind in EVENTS {
            let mut next = order.clone();
            let attempt = order.attempt() + u8::from(kind == "routing_started");
            if next.apply(event(kind, attempt)).is_ok() {
                edges.insert(format!("{} --> {}: {kind}", name(&order), name(&next)));
                if seen.insert(name(&next)) {
                    reached.push(next);
                }
            }
        }
        if edges.len() == ends {
            edges.insert(format!("{} --> [*]", name(&order)));
        }
    }
    edges
}

#[test]
fn the_drawing_of_a_swap_is_the_code_s_table() {
    let text = page("docs/life-cycles.md");
    let drawing = text.split("```").find(|block| block.starts_with("mermaid")).expect("there is a drawing");
    let drawn: BTreeSet<_> =
        drawing.lines().map(str::trim).filter(|line| line.contains("-->")).map(str::to_owned).collect();
    assert_eq!(drawn, edges());
}

/// Order that `0198c0de-…` stands for.
const ORDER: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";

/// The lines of a page's shell blocks that call the binary, without comments and settings in front.
fn commands(text: &str) -> Vec<Vec<String>> {
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    let lines = blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap_or_default());
    let words = lines.map(|line| {
        let line = line.replace("0198c0de-…", ORDER);
        let words = line.split_whitespace().skip_while(|word| word.starts_with("FILLSTREAM_"));
        words.map(str::to_owned).collect::<Vec<_>>()
    });
    words.filter(|words| words.first().is_some_and(|word| word == "fillstream")).collect()
}

#[test]
fn every_command_on_the_pages_is_one() {
    let mut count = 0;
    for name in PAGES {
        for command in commands(&page(name)) {
            count += 1;
            // Parsed up to here, so that a flag that does not exist is told; then it only prints its help.
            let arguments: Vec<_> = command.iter().skip(1).map(String::as_str).chain(["--help"]).collect();
            let output = run(&mut quiet(&arguments));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name}: {}: {said}", command.join(" "));
        }
    }
    assert!(count > 20, "only {count} commands were found");
}

#[test]
fn every_link_leads_somewhere() {
    for name in PAGES {
        let text = page(name);
        let folder = path(name).parent().expect("a file lies in a folder").to_path_buf();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let target = if file.is_empty() { path(name) } else { folder.join(file) };
            assert!(target.exists(), "{name} links to {link}");
            if !anchor.is_empty() {
                let heading =
                    |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                let text = fs::read_to_string(target).expect("a page");
                let found =
                    text.lines().filter(|line| line.starts_with('#')).any(|line| heading(line) == anchor);
                assert!(found, "{name} links to {link}");
            }
        }
    }
}
