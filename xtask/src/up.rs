use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cargo::{Profile, build_fillstream, fillstream};

/// Builds the binary and becomes `fillstream up`, so that signals and the exit code are its own.
pub(crate) fn up(profile: Profile, args: &[&str]) -> Result<(), String> {
    build_fillstream(profile, &[])?;
    let binary = fillstream(profile)?;
    let error = Command::new(&binary).arg("up").args(args).exec();
    Err(format!("cannot run {}: {error}", binary.display()))
}
