use std::time::{Duration, Instant};

/// What is done one after the other: a failure is kept, and the rest is done all the same.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

impl Steps {
    /// Does a step and says so.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<(), String>) {
        println!("── {name}");
        let since = Instant::now();
        let failure = step().err();
        if let Some(failure) = &failure {
            eprintln!("{name}: {failure}");
        }
        self.done.push(Step { name, took: since.elapsed(), failure });
    }

    /// Prints every step with its duration.
    pub(crate) fn print(&self) {
        for Step { name, took, failure } in &self.done {
            let outcome = if failure.is_some() { "FAILED" } else { "ok" };
            println!("{name:<44} {:>7.1} s  {outcome}", took.as_secs_f64());
        }
    }

    /// The names of those that failed.
    pub(crate) fn failed(&self) -> Vec<&'static str> {
        self.done.iter().filter(|step| step.failure.is_some()).map(|step| step.name).collect()
    }
}
