//! Commands that prove who asks.

use std::process::Command;

use super::said;
use crate::{
    auth_cases::{VERIFIED, good},
    site::{Site, quiet},
};

const ANN: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01";
const BOB: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d02";

fn token(user: &str) -> String {
    good(user).trim_start_matches("Bearer ").to_owned()
}

fn command(site: &Site, arguments: &[&str]) -> Command {
    let mut command = quiet(arguments);
    command.env("FILLSTREAM_SERVER", format!("http://{}", site.address()));
    command
}

#[test]
fn a_token_opens_what_is_its_user_s() {
    let site = Site::up(&VERIFIED);
    let (ann, bob) = (token(ANN), token(BOB));
    let (stdout, stderr, code) =
        said(command(&site, &["swap", "SOL", "USDC", "3"]).env("FILLSTREAM_TOKEN", &ann));
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("confirmed"), "{stdout}");
    let first = stdout.lines().next().unwrap_or_default();
    let order = first.strip_prefix("order ").and_then(|rest| rest.split(',').next()).expect("an id");

    let by_flag = format!("--token={ann}");
    let (watched, stderr, code) = said(&mut command(&site, &["watch", order, &by_flag]));
    assert_eq!(code, Some(0), "{watched}{stderr}");
    for (arguments, given, words) in [
        (&["swap", "SOL", "USDC", "3"][..], None, "FILLSTREAM_TOKEN or --token"),
        (&["watch", order], None, "FILLSTREAM_TOKEN or --token"),
        (&["watch", order], Some("not.a.token"), "FILLSTREAM_TOKEN or --token"),
        (&["watch", order], Some(bob.as_str()), "There is no order"),
        (&["watch", order], Some("broken\nin two"), "is it whole?"),
    ] {
        let mut command = command(&site, arguments);
        let (stdout, stderr, code) = said(command.envs(given.map(|token| ("FILLSTREAM_TOKEN", token))));
        assert_eq!(code, Some(1), "{arguments:?} {given:?}: {stdout}{stderr}");
        assert!(stderr.contains(words), "{arguments:?} {given:?}: no {words:?} in {stderr}");
        assert!(given.is_none_or(|token| !stderr.contains(token)), "{stderr}");
    }
    for token in [&ann, &bob] {
        assert!(!site.process.said().contains(token.as_str()), "the token is in the log");
    }
}

#[test]
fn tokens_are_not_printed() {
    for arguments in
        [&["watch", "--help"][..], &["swap", "--help"], &["doctor", "--help"], &["swap", "--nonsense"]]
    {
        let (stdout, stderr, _) = said(quiet(arguments).env("FILLSTREAM_TOKEN", "hush-hush"));
        assert!(!format!("{stdout}{stderr}").contains("hush"), "{arguments:?}: {stdout}{stderr}");
    }
    let (stdout, _, _) = said(&mut quiet(&["watch", "--help"]));
    assert!(stdout.contains("FILLSTREAM_TOKEN"), "{stdout}");
}

#[test]
fn a_server_that_reads_no_tokens_says_what_to_leave_out() {
    let site = Site::up(&[]);
    let (stdout, stderr, code) =
        said(command(&site, &["swap", "SOL", "USDC", "3"]).env("FILLSTREAM_TOKEN", token(ANN)));
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stderr.contains("leave FILLSTREAM_TOKEN and --token out"), "{stderr}");
}
