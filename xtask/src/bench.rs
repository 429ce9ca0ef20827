use crate::cargo::{Profile, build_fillstream, cargo, run};

/// The figures: the bench drives the release binary from outside.
pub(crate) fn bench(args: &[&str]) -> Result<(), String> {
    build_fillstream(Profile::Release, &[])?;
    let mut command = cargo(&["run", "--release", "--package", "fillstream-bench", "--"]);
    command.args(args);
    run(command)
}
