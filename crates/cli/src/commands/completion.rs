//! `fillstream completion bash`: what a shell needs to complete commands, flags and their values.

use std::{io::Write, process::ExitCode};

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::Cli;
use crate::Failure;

#[derive(Debug, Args)]
#[command(
    after_help = "bash: fillstream completion bash > ~/.local/share/bash-completion/completions/fillstream\n\
                        zsh:  fillstream completion zsh > a folder of $fpath, as _fillstream\n\
                        fish: fillstream completion fish > ~/.config/fish/completions/fillstream.fish"
)]
pub(crate) struct Completion {
    /// For which shell
    shell: Shell,
}

pub(crate) fn run(completion: &Completion) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    generate(completion.shell, &mut Cli::command(), "fillstream", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
