//! Errors as they are told: a sentence with its causes for people, a problem object for scripts.

use std::{error::Error, fmt, io};

use serde_json::{Value, json};

use super::output::BAD;

/// Where problems of the command line and of HTTP have their types.
const TYPES: &str = "https://fillstream.dev/problems";

/// What a server said no with, kept as it came.
#[derive(Debug)]
pub(crate) struct Refused(Value);

impl Refused {
    /// Of a body that should be a problem; `status` stands in for one that is none.
    pub(crate) fn new(body: &[u8], status: u16) -> Self {
        let problem = serde_json::from_slice(body).ok().filter(Value::is_object);
        Self(problem.unwrap_or_else(|| {
            json!({ "type": "about:blank", "title": "Refused", "status": status,
                    "detail": format!("the server answers {status}") })
        }))
    }
}

impl fmt::Display for Refused {
    /// What is wrong with which field, and what to do where the command line can do something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(problem) = self;
        f.write_str(problem["detail"].as_str().unwrap_or("the server refused"))?;
        for error in problem["errors"].as_array().into_iter().flatten() {
            let part = |name: &str| error[name].as_str().unwrap_or_default();
            write!(f, "\n  {}: {}", part("pointer"), part("detail"))?;
        }
        match problem["code"].as_str() {
            Some("authentication_required" | "invalid_token") => {
                f.write_str("\n  give a bearer token with FILLSTREAM_TOKEN or --token")
            }
            Some("authentication_not_configured") => {
                f.write_str("\n  leave FILLSTREAM_TOKEN and --token out: this server reads no tokens")
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Error for Refused {}

/// Whether errors are told as JSON. Looked up before the arguments are understood: a wrong one is told so, too.
pub(crate) fn as_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

/// Tells an error, once. A reader that has gone away is none.
pub(crate) fn tell(error: &(dyn Error + 'static)) {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref::<io::Error>().is_some_and(gone) {
        return;
    }
    if !as_json() {
        anstream::eprintln!("{BAD}fillstream:{BAD:#} {}", sentence(error));
        return;
    }
    match error.downcast_ref::<Refused>() {
        Some(Refused(problem)) => eprintln!("{problem}"),
        None => eprintln!("{}", problem("command_failed", "The command failed", &sentence(error))),
    }
}

/// Tells that the arguments are wrong, as [`tell`] does; `error` is the parser's.
pub(crate) fn tell_usage(error: &clap::Error) {
    let text = error.render().to_string();
    let text = text.trim_start_matches("error: ").trim_end();
    eprintln!("{}", problem("bad_usage", "The command is not understood", text));
}

fn problem(code: &str, title: &str, detail: &str) -> Value {
    json!({ "type": format!("{TYPES}/{code}"), "title": title, "code": code, "detail": detail })
}

/// An error with its causes.
pub(crate) fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Many an error repeats its cause in its own words.
        let words = error.to_string();
        if !text.ends_with(&words) {
            text.push_str(&format!(": {words}"));
        }
        cause = error.source();
    }
    text
}
