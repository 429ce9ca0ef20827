//! A private PostgreSQL server for tests: its own cluster and its socket in a temporary directory, no port, gone with
//! the process that started it.
//!
//! ```text
//!  test process ──pipe──▶ sh, unprivileged ──▶ postgres
//!       │ ends, however        │ reads the end of the pipe: stops postgres, removes the directory
//! ```
//! The pipe closes when the process dies by any signal. A parent death signal would come too early, when the thread
//! of the test that happened to start the server ends, and would leave the directory.

use std::fmt::Write as _;
use std::fs::DirBuilder;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io};

use sqlx::migrate::MigrateDatabase;
use sqlx::{ConnectOptions, Postgres, postgres::PgConnectOptions};

/// Directory in which Debian and its kin keep the servers, one directory for each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Time that the server may take to answer its first query.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a server that is starting.
const POLL: Duration = Duration::from_millis(20);
/// Owner of the databases.
const ROLE: &str = "fillstream";

/// Makes the cluster, runs the server in it until the pipe ends, and cleans up. SIGQUIT stops at once, without writing
/// anything back. Terminal signals are for the test process alone.
const SCRIPT: &str = r#"
trap '' INT HUP TERM
dir=$1 initdb=$2 postgres=$3 role=$4
if "$initdb" -D "$dir/data" -U "$role" -A trust -E UTF8 --no-locale --no-sync >"$dir/log" 2>&1; then
    "$postgres" -D "$dir/data" -F -k "$dir" -h '' -c max_connections=200 </dev/null >>"$dir/log" 2>&1 &
    read -r _
    kill -QUIT $!
    wait $!
else
    read -r _
fi
rm -rf "$dir"
"#;

/// Reasons why no server runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// PostgreSQL is not installed; a test may skip, saying so.
    #[error("PostgreSQL is not installed: no initdb and postgres in {VERSIONS}/*/bin or PATH")]
    Absent,
    /// It is installed and did not start; a test must fail.
    #[error("PostgreSQL did not start: {0}")]
    Failed(String),
}

/// A running server. Stopped and removed on drop, or when this process ends.
#[derive(Debug)]
pub struct TestPostgres {
    keeper: Child,
    directory: PathBuf,
}

impl TestPostgres {
    /// Starts a server; as root it runs as `postgres` or `nobody`, because it refuses to be root.
    ///
    /// # Errors
    /// When PostgreSQL is absent or does not start.
    pub async fn start() -> Result<Self, StartError> {
        let bin = find().ok_or(StartError::Absent)?;
        let server = Self::launch(&bin).map_err(|error| StartError::Failed(error.to_string()))?;
        server.wait_until_ready().await?;
        Ok(server)
    }

    fn launch(bin: &Path) -> io::Result<Self> {
        let directory = env::temp_dir().join(format!("fillstream-postgres-{:016x}", random()));
        // Whoever reaches the socket may do anything with the server.
        DirBuilder::new().mode(0o700).create(&directory)?;
        let mut keeper = Command::new("sh");
        keeper.arg("-c").arg(SCRIPT).arg("keeper").arg(&directory);
        keeper.args([bin.join("initdb"), bin.join("postgres")]).arg(ROLE);
        // A group of its own: Ctrl-C at a terminal reaches the tests only, and the pipe tells the keeper.
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).current_dir(&directory).process_group(0);
        if fs::metadata(&directory)?.uid() == 0 {
            let (user, group) = unprivileged()?;
            chown(&directory, Some(user), Some(group))?;
            keeper.uid(user).gid(group);
        }
        Ok(Self { keeper: keeper.spawn()?, directory })
    }

    async fn wait_until_ready(&self) -> Result<(), StartError> {
        let deadline = Instant::now() + PATIENCE;
        let options: PgConnectOptions = self
            .url("postgres")
            .parse()
            .map_err(|error: sqlx::Error| StartError::Failed(error.to_string()))?;
        while let Err(error) = options.connect().await {
            if Instant::now() > deadline {
                let mut reason = error.to_string();
                let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                write!(reason, "; its log:\n{log}").ok();
                return Err(StartError::Failed(reason));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Makes an empty database with a name of its own and returns its URL.
    ///
    /// # Errors
    /// When the server has died.
    pub async fn database(&self) -> Result<String, sqlx::Error> {
        let url = self.url(&format!("test_{:016x}", random()));
        Postgres::create_database(&url).await?;
        Ok(url)
    }

    /// Freezes the server, or lets it go on: connections stay, and nobody answers. Its backends are its children.
    pub fn pause(&self, pause: bool) {
        let signal = if pause { "-STOP" } else { "-CONT" };
        let read = || fs::read_to_string(self.directory.join("data/postmaster.pid"));
        let Some(server) = read().ok().and_then(|file| file.lines().next().map(str::to_owned)) else {
            return;
        };
        let children =
            fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
        Command::new("kill").arg(signal).arg(&server).args(children.split_whitespace()).status().ok();
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@localhost/{database}?host={}", self.directory.display())
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        self.pause(false);
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}

/// The newest version's directory of programs, or the one in PATH.
fn find() -> Option<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<PathBuf> =
        fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    versions.sort_by_key(version);
    let installed = versions.into_iter().rev().map(|path| path.join("bin"));
    let in_path = env::var_os("PATH").unwrap_or_default();
    installed
        .chain(env::split_paths(&in_path))
        .find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
}

/// User and group ids of `postgres`, else of `nobody`.
fn unprivileged() -> io::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let fields: Vec<&str> =
            users.lines().map(|line| line.split(':').collect()).find(|fields: &Vec<_>| fields[0] == name)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    ids("postgres")
        .or_else(|| ids("nobody"))
        .ok_or_else(|| io::Error::other("neither postgres nor nobody is a user here"))
}

fn random() -> u64 {
    RandomState::new().hash_one(())
}
