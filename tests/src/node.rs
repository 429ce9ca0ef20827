//! Tests' programs for Node.js: packages pinned by `tests/node/package-lock.json`.
//!
//! ```text
//!  package-lock.json ──(npm ci, once per version of it)──▶ target/node-HASH/node_modules
//! ```

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use ring::digest::{SHA256, digest};

use crate::{
    Process,
    tools::{find, runs, skipped},
};

/// Directory of what is run in Node.js.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node");
/// List of the packages that there are.
const MANIFESTS: [&str; 2] = ["package.json", "package-lock.json"];
/// Bytes of the lock file's digest in the name of what was installed.
const NAME_BYTES: usize = 8;
/// The driver of the browser wants it.
const NEW_ENOUGH: &str = "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)";

/// The folder that holds `node_modules`; nothing where there is no Node.js or the packages cannot be fetched, which is
/// said.
///
/// # Panics
/// When there is none and nothing may be left out.
#[must_use]
pub fn packages() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match INSTALLED.get_or_init(install) {
        Ok(folder) => Some(folder),
        Err(why) => {
            skipped(why);
            None
        }
    }
}

/// A program of these packages, such as newman, without arguments.
///
/// # Panics
/// As [`packages`].
#[must_use]
pub fn program(name: &str) -> Option<Command> {
    packages().map(|folder| Command::new(folder.join("node_modules/.bin").join(name)))
}

/// A case in a real browser, `tests/node/CASE.mjs`, with the server at `address`; temporary files go to `scratch`.
///
/// # Panics
/// When a browser or the packages are missing and nothing may be left out.
#[must_use]
pub fn browser_case(case: &str, address: &str, scratch: &Path) -> Option<Process> {
    let Some(chromium) = find("chromium") else {
        skipped("chromium is not on PATH");
        return None;
    };
    let mut command = Command::new("node");
    command.arg(Path::new(SOURCES).join(case).with_extension("mjs"));
    command.env("FILLSTREAM_SERVER", format!("http://{address}"));
    command.env("FILLSTREAM_NODE_PACKAGES", packages()?);
    command.env("FILLSTREAM_CHROMIUM", chromium);
    command.env("TMPDIR", scratch);
    Some(Process::spawn(command))
}

fn install() -> Result<PathBuf, String> {
    if !runs("node", &["-e", NEW_ENOUGH]) {
        return Err("node ≥ 20 is not on PATH".to_owned());
    }
    let read = |name: &str| fs::read(Path::new(SOURCES).join(name)).expect("the manifests are there");
    let manifests: Vec<u8> = MANIFESTS.iter().flat_map(|name| read(name)).collect();
    let name: String =
        digest(&SHA256, &manifests).as_ref()[..NAME_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    let test = env::current_exe().expect("a test knows its own path");
    let target = test.ancestors().nth(3).expect("tests lie in target/<profile>/deps");
    let folder = target.join(format!("node-{name}"));
    if folder.exists() {
        return Ok(folder);
    }
    // Under another name until it is complete; another process may be at it, too.
    let installing = target.join(format!("node-{name}-{}", std::process::id()));
    let outcome = ci(&installing).and_then(|()| match fs::rename(&installing, &folder) {
        Err(error) if !folder.exists() => Err(format!("{} cannot be made: {error}", folder.display())),
        Ok(()) | Err(_) => Ok(folder),
    });
    let _ = fs::remove_dir_all(&installing);
    outcome
}

fn ci(folder: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{} cannot be filled: {error}", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    for name in MANIFESTS {
        fs::copy(Path::new(SOURCES).join(name), folder.join(name)).map_err(failed)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder).stdin(Stdio::null());
    let output = npm.output().map_err(|error| format!("npm does not run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("npm ci failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
