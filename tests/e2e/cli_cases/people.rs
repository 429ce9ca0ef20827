//! Output for people: colours where a terminal wants them, completion, and orders drawn while they go.

use std::{
    fs,
    process::{Command, Stdio},
};

use fillstream_tests::Scratch;

use super::{objects, said};
use crate::site::{Site, quiet};

const ESCAPE: char = '\x1b';

#[test]
fn colours_are_for_terminals_that_want_them() {
    let scratch = Scratch::new("colours");
    for (variables, coloured) in [
        (&[][..], false),
        (&[("CLICOLOR_FORCE", "1")], true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ] {
        let mut command = quiet(&["doctor", "--server=http://127.0.0.1:9"]);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").envs(variables.iter().copied());
        command.env("FILLSTREAM_DATA", scratch.path());
        let (stdout, stderr, _) = said(&mut command);
        assert!(stdout.contains("nats_server"), "{stdout}{stderr}");
        assert_eq!(stdout.contains(ESCAPE), coloured, "{variables:?}: {stdout}");
        let mut command = quiet(&["order", "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d03"]);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").envs(variables.iter().copied());
        command.env("FILLSTREAM_DATA", scratch.path());
        let (_, stderr, _) = said(&mut command);
        assert!(stderr.contains("no nats-server runs"), "{stderr}");
        assert_eq!(stderr.contains(ESCAPE), coloured, "{variables:?}: {stderr}");
    }
}

#[test]
fn shells_can_complete() {
    let scratch = Scratch::new("completion");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (script, stderr, code) = said(&mut quiet(&["completion", shell]));
        assert_eq!(code, Some(0), "{stderr}");
        for word in ["doctor", "market", "no-watch"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
        let file = scratch.path().join(shell);
        fs::write(&file, script).expect("the scratch directory can be written");
        // Checked where the shell is there; bash is everywhere.
        let checked = Command::new(shell).arg("-n").arg(&file).stderr(Stdio::piped()).output();
        match checked {
            Ok(output) if ["bash", "zsh", "fish"].contains(&shell) => {
                assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
            }
            Ok(_) | Err(_) => assert_ne!(shell, "bash", "bash is missing"),
        }
    }
    let (_, stderr, code) = said(&mut quiet(&["completion", "sh"]));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("bash, elvish, fish, powershell, zsh"), "{stderr}");
}

#[test]
fn the_demo_draws_a_success_and_a_failure() {
    let site = Site::up(&[]);
    let server = format!("--server=http://{}", site.address());
    let (drawn, stderr, code) = said(&mut quiet(&["watch", "--demo", &server]));
    assert_eq!((stderr.as_str(), code), ("", Some(0)), "{drawn}");
    assert!(!drawn.contains(ESCAPE), "{drawn}");
    let frames: Vec<&str> = drawn.split("\n\n").filter(|frame| !frame.is_empty()).collect();
    for (order, states) in [
        ("SOL to USDC", &["[pending]", "[routing]", "[building]", "[submitted]", "[confirmed]"][..]),
        ("RUSH to USDC", &["[pending]", "[routing]", "[submitted]", "[retry]", "attempt 3 of 3", "[failed]"]),
    ] {
        let mut own = frames.iter().filter(|frame| frame.trim_start().starts_with(order));
        for state in states {
            assert!(
                own.any(|frame| frame.contains(state)),
                "{order} is never {state}, or too late:\n{drawn}"
            );
        }
    }
    let lit = |frame: &&str| frame.matches('[').count() == 1;
    assert!(frames.iter().all(lit), "{drawn}");

    let (told, _, code) = said(&mut quiet(&["watch", "--demo", "--json", &server]));
    assert_eq!(code, Some(0), "{told}");
    let ends = objects(&told).iter().filter(|message| message["type"] == "failed").count();
    assert_eq!(ends, 1, "{told}");
}
