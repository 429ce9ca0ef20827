use std::path::{Path, PathBuf};
use std::process::Command;

/// Profile of a build.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Profile {
    fn directory(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
}

/// Cargo in the repository.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{} cannot be run: {error}", shown(&command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed ({status})", shown(&command))) }
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy());
    words.collect::<Vec<_>>().join(" ")
}

/// Directory in which cargo puts its files, whatever its configuration says: xtask itself lies in it.
pub(crate) fn target_dir() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot tell where xtask lies: {error}"))?;
    own.ancestors()
        .nth(2)
        .map(Path::to_owned)
        .ok_or_else(|| format!("{} is in no target directory", own.display()))
}

/// The binary `fillstream` of a profile, where it is once it has been built.
pub(crate) fn fillstream(profile: Profile) -> Result<PathBuf, String> {
    Ok(target_dir()?.join(profile.directory()).join("fillstream"))
}

/// Builds that binary.
pub(crate) fn build_fillstream(profile: Profile, more: &[&str]) -> Result<(), String> {
    let mut command = cargo(&["build", "--package", "fillstream-cli", "--bin", "fillstream"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    command.args(more);
    run(command)
}
