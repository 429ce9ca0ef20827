//! `schemas/`, held to the event types of the domain.
//!
//! ```text
//!  event types ──▶ example `schemas` of the domain ──▶ wanted ─┐
//!                                    schemas/*.json ──▶ found ─┴─▶ differences ──▶ written, or with --check told
//! ```
//! The domain is run rather than linked: xtask starts without building it, also while it does not compile.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use crate::cargo::{cargo, root, shown};

/// Schemas by the name of their file.
type Schemas = BTreeMap<String, String>;

/// Difference of one file of `schemas/` from what it must be.
#[derive(Debug, PartialEq, Eq)]
enum Difference {
    Missing(String),
    Changed(String),
    /// A released version is kept, so a file that nobody generates is not simply deleted.
    Unknown(String),
}

/// Writes `schemas/` from the event types of the domain; with `check`, writes nothing and fails when what is there is not
/// what would be written.
pub(crate) fn schemas(check: bool) -> Result<(), String> {
    let wanted = wanted()?;
    let mut problems = Vec::new();
    for difference in differences(&wanted, &found()?) {
        match &difference {
            Difference::Missing(name) | Difference::Changed(name) if !check => {
                write(name, &wanted[name])?;
                println!("written: schemas/{name}");
            }
            Difference::Missing(_) | Difference::Changed(_) | Difference::Unknown(_) => {
                problems.push(difference.told());
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

impl Difference {
    fn told(&self) -> String {
        match self {
            Self::Missing(name) => format!("schemas/{name} is missing: `cargo xtask schemas` writes it"),
            Self::Changed(name) => format!(
                "schemas/{name} is not what its event type says: `cargo xtask schemas` writes it anew; what may change of a \
                 released version is told in schemas/README.md"
            ),
            Self::Unknown(name) => format!(
                "schemas/{name} belongs to no event: put the version back into EVERY_EVENT (crates/domain/src/schema.rs), \
                 or delete the file if it was never released"
            ),
        }
    }
}

fn differences(wanted: &Schemas, found: &Schemas) -> Vec<Difference> {
    let lacking = wanted.iter().filter_map(|(name, text)| match found.get(name) {
        None => Some(Difference::Missing(name.clone())),
        Some(there) if there != text => Some(Difference::Changed(name.clone())),
        Some(_) => None,
    });
    let unknown = found.keys().filter(|name| !wanted.contains_key(*name)).cloned().map(Difference::Unknown);
    lacking.chain(unknown).collect()
}

/// Runs the generator. Not of its package alone: with the features of the whole workspace its libraries are those that
/// the tests have built or will build.
fn wanted() -> Result<Schemas, String> {
    let mut command =
        cargo(&["run", "--quiet", "--features", "fillstream-domain/schema", "--example", "schemas"]);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{} cannot be run: {error}", shown(&command)))?;
    if !output.status.success() {
        return Err(format!("{} failed ({})", shown(&command), output.status));
    }
    printed(&String::from_utf8_lossy(&output.stdout))
}

/// The files in what the generator prints: of each its name, its text, an empty line.
fn printed(output: &str) -> Result<Schemas, String> {
    let file = |block: &str| {
        let (name, text) = block.split_once('\n')?;
        name.ends_with(".json").then(|| (name.to_owned(), format!("{text}\n")))
    };
    let files = output.trim_end().split("\n\n").map(file).collect::<Option<Schemas>>();
    files.ok_or_else(|| format!("the generator printed something else than schemas: {output}"))
}

fn found() -> Result<Schemas, String> {
    let read = || {
        let mut found = Schemas::new();
        for entry in fs::read_dir(path(""))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".json") {
                found.insert(name, String::from_utf8_lossy(&fs::read(path)?).into_owned());
            }
        }
        Ok(found)
    };
    read().map_err(|error: std::io::Error| format!("schemas/ cannot be read: {error}"))
}

fn write(name: &str, text: &str) -> Result<(), String> {
    fs::write(path(name), text).map_err(|error| format!("schemas/{name} cannot be written: {error}"))
}

fn path(name: &str) -> PathBuf {
    root().join("schemas").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Difference::{Changed, Missing, Unknown};

    fn files(files: &[(&str, &str)]) -> Schemas {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn every_difference_is_found() {
        let check = |found: &[(&str, &str)], expected: &[Difference]| {
            let wanted = files(&[("a.v1.json", "{}\n"), ("b.v1.json", "{}\n")]);
            assert_eq!(differences(&wanted, &files(found)), expected, "{found:?}");
        };
        check(&[("a.v1.json", "{}\n"), ("b.v1.json", "{}\n")], &[]);
        check(&[("a.v1.json", "{}\n")], &[Missing("b.v1.json".into())]);
        check(
            &[("a.v1.json", "{}"), ("b.v1.json", "{}\r\n")],
            &[Changed("a.v1.json".into()), Changed("b.v1.json".into())],
        );
        check(
            &[("a.v1.json", "{}\n"), ("b.v1.json", "{}\n"), ("b.v2.json", "{}\n")],
            &[Unknown("b.v2.json".into())],
        );
    }

    #[test]
    fn every_difference_names_the_file_and_what_mends_it() {
        let check = |difference: Difference, mended_by: &str| {
            let told = difference.told();
            assert!(told.starts_with("schemas/a.v1.json "), "{told}");
            assert!(told.contains(mended_by), "{told}");
        };
        check(Missing("a.v1.json".into()), "`cargo xtask schemas`");
        check(Changed("a.v1.json".into()), "`cargo xtask schemas`");
        check(Unknown("a.v1.json".into()), "delete the file");
    }

    #[test]
    fn what_the_generator_prints_is_taken_apart() {
        let check = |output: &str, expected: Option<Schemas>| {
            assert_eq!(printed(output).ok(), expected, "{output:?}")
        };
        let two = files(&[("a.v1.json", "{\n  1\n}\n"), ("b.v1.json", "{}\n")]);
        check("a.v1.json\n{\n  1\n}\n\nb.v1.json\n{}\n\n", Some(two));
        check("warning: something\nelse\n", None);
        check("a.v1.json", None);
        check("", None);
    }
}
