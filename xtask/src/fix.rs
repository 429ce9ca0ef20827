use crate::cargo::{cargo, run};
use crate::schemas::schemas;

/// Puts right what a machine can.
pub(crate) fn fix() -> Result<(), String> {
    run(cargo(&["clippy", "--fix", "--allow-dirty", "--allow-staged", "--all-targets"]))?;
    run(cargo(&["fmt", "--all"]))?;
    schemas(false)
}
