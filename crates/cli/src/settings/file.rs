//! The TOML file: each key is a flag's name; a flag or a variable beats it.
//!
//! The file's values are put into the command line where flag and variable are silent, so that there is one place
//! that reads and judges a value, and one kind of message for a wrong one.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{ArgMatches, Command, parser::ValueSource};

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot read the settings file {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the settings file {} is not TOML", path.display())]
    Parse { path: PathBuf, source: toml::de::Error },
    #[error("the settings file {} has {key:?}, which is no setting of `fillstream {command}`; its settings are {known}", path.display())]
    Unknown { path: PathBuf, key: String, command: String, known: String },
    #[error("the settings file {} has {key:?} with a value that is no text, number or list of texts", path.display())]
    Value { path: PathBuf, key: String },
}

/// The process's arguments, completed from the settings file when one is named.
pub(crate) fn arguments(command: Command) -> Result<Vec<OsString>, FileError> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    // What a command requires may stand in the file.
    let lenient = command.clone().mut_subcommands(|command| command.mut_args(|arg| arg.required(false)));
    let Ok(matches) = lenient.try_get_matches_from(&arguments) else { return Ok(arguments) };
    let Some((name, given)) = matches.subcommand() else { return Ok(arguments) };
    let file = given.try_get_one::<PathBuf>("config").ok().flatten();
    if let Some(path) = file {
        let known = command.find_subcommand(name).cloned().unwrap_or_default();
        arguments.extend(from_file(path, &known, given)?);
    }
    Ok(arguments)
}

fn from_file(path: &PathBuf, command: &Command, given: &ArgMatches) -> Result<Vec<OsString>, FileError> {
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|source| FileError::Read { path: path.clone(), source })?;
    let parsed: Result<toml::Table, _> = text.parse();
    let table = parsed.map_err(|source| FileError::Parse { path: path.clone(), source })?;
    let mut more = Vec::new();
    for (key, value) in table {
        let id = key.replace('-', "_");
        let Some(arg) = command.get_arguments().find(|arg| arg.get_id() == id.as_str() && id != "config")
        else {
            return Err(unknown(path, key, command));
        };
        let silent = matches!(given.value_source(&id), None | Some(ValueSource::DefaultValue));
        if silent && let Some(flag) = arg.get_long() {
            let text = value_text(&value).ok_or_else(|| FileError::Value { path: path.clone(), key })?;
            more.push(format!("--{flag}={text}").into());
        }
    }
    Ok(more)
}

fn unknown(path: &Path, key: String, command: &Command) -> FileError {
    let known = command.get_arguments().filter_map(|arg| arg.get_long()).filter(|long| *long != "config");
    let known = known.collect::<Vec<_>>().join(", ");
    FileError::Unknown { path: path.to_owned(), key, command: command.get_name().to_owned(), known }
}

fn value_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            Some(items.iter().map(value_text).collect::<Option<Vec<_>>>()?.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}
