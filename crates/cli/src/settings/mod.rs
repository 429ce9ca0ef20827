//! Settings, a struct for each concern. Every one is a flag, a `FILLSTREAM_…` variable, and a key of the TOML file.

mod address;
mod auth;
mod database;
mod door;
pub(crate) mod file;
mod matcher;
mod operations;
mod place;
mod secret;
mod sockets;
mod span;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

pub(crate) use address::foreign_scheme;
use address::{listen_address, public_url};
use auth::AuthSettings;
use clap::{
    ArgAction, Args, ValueEnum,
    builder::{BoolishValueParser, RangedU64ValueParser},
};
use database::DatabaseLimits;
use door::DoorSettings;
pub(crate) use fillstream_event_log::without_passwords;
use fillstream_event_log::{Access, Durability};
use fillstream_swap_machine::Backoff;
use fillstream_venues::{Faults, SimulatedSettings};
pub(crate) use matcher::MatcherSettings;
pub(crate) use operations::OperationsSettings;
pub(crate) use place::{make_private, sqlite_file, sqlite_url};
pub(crate) use secret::Secret;
pub(crate) use sockets::SocketSettings;
pub(crate) use span::Span;
use span::at_least;

use crate::Failure;

/// Where the stream is.
#[derive(Debug, Clone, Args)]
pub(crate) struct NatsSettings {
    /// NATS server to use instead of a private one, such as nats://127.0.0.1:4222
    // Its value may hold a password, as the database's may: help does not print them.
    #[arg(
        long,
        env = "FILLSTREAM_NATS_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Stream"
    )]
    pub(crate) nats_url: Option<String>,

    #[command(flatten)]
    pub(crate) access: AccessSettings,

    /// Where the private nats-server, the read model and the simulated venues keep their data
    /// [default: fillstream in the user's data directory]
    #[arg(long, env = "FILLSTREAM_DATA", value_name = "DIR", help_heading = "Stream")]
    pub(crate) data: Option<PathBuf>,

    /// What an acknowledgement of the server at --nats-url is worth; the server does not tell
    /// [default: os-buffer, as long as nobody knows more]
    #[arg(long, env = "FILLSTREAM_DURABILITY", value_enum, help_heading = "Stream")]
    pub(crate) durability: Option<DurabilityArg>,

    /// Copies of the stream when it is made: 1, or 3 on a cluster
    #[arg(long, env = "FILLSTREAM_REPLICAS", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5), help_heading = "Stream")]
    pub(crate) replicas: u8,
}

/// What an acknowledgement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurabilityArg {
    /// Synced to disk before it is acknowledged
    Fsync,
    /// In the operating system's buffers: survives the process, not a power failure
    OsBuffer,
}

impl From<DurabilityArg> for Durability {
    fn from(arg: DurabilityArg) -> Self {
        match arg {
            DurabilityArg::Fsync => Self::Fsync,
            DurabilityArg::OsBuffer => Self::OsBuffer,
        }
    }
}

impl NatsSettings {
    /// What an acknowledgement of the server at --nats-url is worth: as it is stated, else the least.
    pub(crate) fn durability(&self) -> Durability {
        self.durability.map_or(Durability::OsBuffer, Durability::from)
    }

    /// Nobody has said what an acknowledgement of a server that others run is worth.
    pub(crate) fn durability_is_unknown(&self) -> bool {
        self.nats_url.is_some() && self.durability.is_none()
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> Result<PathBuf, Failure> {
        data_dir(self.data.as_deref())
    }
}

/// The data directory: the one given, else `fillstream` in the user's data directory (XDG base directories).
pub(crate) fn data_dir(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(data) = given {
        return Ok(data.to_owned());
    }
    let base = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    Ok(base.ok_or("there is no home directory: say where the data goes with --data DIR")?.join("fillstream"))
}

/// Proofs of the NATS server to us, and of us to it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AccessSettings {
    /// PEM file with the authority that signed the NATS server's certificate; the connection is encrypted then
    #[arg(
        long,
        env = "FILLSTREAM_NATS_TLS_CA",
        value_name = "FILE",
        global = true,
        help_heading = "NATS connection"
    )]
    nats_tls_ca: Option<PathBuf>,

    /// PEM file with our certificate for the NATS server
    #[arg(
        long,
        env = "FILLSTREAM_NATS_TLS_CERT",
        value_name = "FILE",
        requires = "nats_tls_key",
        global = true,
        help_heading = "NATS connection"
    )]
    nats_tls_cert: Option<PathBuf>,

    /// PEM file with the key of --nats-tls-cert
    #[arg(
        long,
        env = "FILLSTREAM_NATS_TLS_KEY",
        value_name = "FILE",
        requires = "nats_tls_cert",
        global = true,
        help_heading = "NATS connection"
    )]
    nats_tls_key: Option<PathBuf>,

    /// Credentials file (.creds) of a NATS user
    #[arg(
        long,
        env = "FILLSTREAM_NATS_CREDS",
        value_name = "FILE",
        global = true,
        help_heading = "NATS connection"
    )]
    nats_creds: Option<PathBuf>,
}

impl AccessSettings {
    pub(crate) fn access(&self) -> Access {
        let certificate = self.nats_tls_cert.clone().zip(self.nats_tls_key.clone());
        Access { ca: self.nats_tls_ca.clone(), certificate, creds: self.nats_creds.clone() }
    }
}

/// Where clients come in.
#[derive(Debug, Clone, Args)]
pub(crate) struct HttpSettings {
    /// Address for HTTP and sockets; without --jwt-secret or --jwks only a loopback address
    /// [default: 127.0.0.1:3000 for api and bridge; executor and projector alone open a port only when told]
    #[arg(long, env = "FILLSTREAM_LISTEN", value_parser = listen_address, value_name = "ADDRESS", help_heading = "HTTP")]
    pub(crate) listen: Option<SocketAddr>,

    /// Address that clients are told instead of the one they asked, such as https://orders.example
    #[arg(long, env = "FILLSTREAM_PUBLIC_URL", value_parser = public_url, value_name = "URL", help_heading = "HTTP")]
    pub(crate) public_url: Option<String>,

    /// Whether api takes requests over NATS as well, as the service `fillstream` [possible values: on, off]
    #[arg(
        long,
        env = "FILLSTREAM_NATS_REQUESTS",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new(),
        hide_possible_values = true,
        default_value = "on",
        value_name = "SWITCH",
        help_heading = "HTTP"
    )]
    pub(crate) nats_requests: bool,

    #[command(flatten)]
    pub(crate) auth: AuthSettings,

    #[command(flatten)]
    pub(crate) door: DoorSettings,
}

/// Where api and bridge listen when nothing is said.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 3000);

impl HttpSettings {
    /// The address to open, if any.
    pub(crate) fn address(&self, serves_clients: bool) -> Option<SocketAddr> {
        self.listen.or(serves_clients.then_some(DEFAULT_LISTEN))
    }

    /// Refuses what must not be opened.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.auth.check()?;
        self.door.check()?;
        if let Some(address) = self.listen
            && !address.ip().is_loopback()
            && !self.auth.is_on()
        {
            return Err(format!(
                "--listen {address}: only loopback addresses are accepted without authentication; give --jwt-secret or \
                 --jwks, or listen on 127.0.0.1:{} or [::1]:{}",
                address.port(),
                address.port()
            )
            .into());
        }
        Ok(())
    }

    /// Refuses requests over a NATS server that others reach, as a port that others reach is refused.
    pub(crate) fn check_requests(&self, nats_urls: &str) -> Result<(), Failure> {
        let mut urls = nats_urls.trim_end_matches([',', ' ']).split(',');
        let others_reach = urls.find(|url| !address::is_loopback(url.trim()));
        match others_reach {
            Some(url) if self.nats_requests && !self.auth.is_on() => Err(format!(
                "--nats-url {}: others reach this server, and without authentication would be believed about who they are; \
                 give --jwt-secret or --jwks, or --nats-requests off",
                without_passwords(url)
            )
            .into()),
            Some(_) | None => Ok(()),
        }
    }
}

/// Where the read model is.
#[derive(Debug, Clone, Args)]
pub(crate) struct StoreSettings {
    /// Database of the read model: sqlite:///path/file.db or postgres://user@host/database
    /// [default: a SQLite file in the data directory]
    #[arg(
        long,
        env = "FILLSTREAM_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Read model"
    )]
    pub(crate) database_url: Option<String>,
    #[command(flatten)]
    pub(crate) limits: DatabaseLimits,
}

impl StoreSettings {
    /// The address of the database: the one given, else of a file in the data directory, which is made if missing.
    pub(crate) fn url(&self, data: &Path) -> Result<String, Failure> {
        if let Some(url) = &self.database_url {
            return Ok(url.clone());
        }
        make_private(data)
            .map_err(|error| format!("cannot make the data directory {}: {error}", data.display()))?;
        Ok(sqlite_url(&data.join("read-model.db")))
    }
}

/// How orders are executed.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExecutorSettings {
    /// Longest wait for a quote
    #[arg(
        long,
        env = "FILLSTREAM_QUOTE_TIMEOUT",
        value_parser = at_least::<1>,
        default_value = "5s",
        value_name = "TIME",
        help_heading = "Executor"
    )]
    pub(crate) quote_timeout: Span,
    /// Between two sends of the same transaction
    #[arg(
        long,
        env = "FILLSTREAM_REBROADCAST",
        value_parser = at_least::<1>,
        default_value = "2s",
        value_name = "TIME",
        help_heading = "Executor"
    )]
    pub(crate) rebroadcast: Span,
    /// After the first failed attempt, at most; it doubles with each further one
    #[arg(
        long,
        env = "FILLSTREAM_RETRY_BASE",
        default_value = "1s",
        value_name = "TIME",
        help_heading = "Executor"
    )]
    pub(crate) retry_base: Span,
    /// Between two attempts, at most
    #[arg(
        long,
        env = "FILLSTREAM_RETRY_MAX",
        default_value = "30s",
        value_name = "TIME",
        help_heading = "Executor"
    )]
    pub(crate) retry_max: Span,
    /// An executor that is silent about an order for this long loses it to another one
    #[arg(
        long,
        env = "FILLSTREAM_ACK_WAIT",
        value_parser = at_least::<50>,
        default_value = "5s",
        value_name = "TIME",
        help_heading = "Executor"
    )]
    pub(crate) ack_wait: Span,
    /// A swap without an event for this long is taken up from the stream, whoever acknowledged its message [default: three
    /// times --ack-wait]
    #[arg(
        long,
        env = "FILLSTREAM_STALLED_AFTER",
        value_parser = at_least::<50>,
        value_name = "TIME",
        help_heading = "Executor"
    )]
    pub(crate) stalled_after: Option<Span>,
    /// Orders that the queue has handed out at the same time, over all executors
    #[arg(long, env = "FILLSTREAM_MAX_ACK_PENDING", value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Executor")]
    pub(crate) max_ack_pending: u32,
}

impl ExecutorSettings {
    pub(crate) fn executor(&self) -> fillstream_executor::Settings {
        fillstream_executor::Settings {
            quote_timeout: self.quote_timeout.get(),
            rebroadcast: self.rebroadcast.get(),
            backoff: Backoff { base: self.retry_base.get(), max: self.retry_max.get() },
            ack_wait: self.ack_wait.get(),
            stalled_after: self.stalled_after.map_or_else(
                || self.ack_wait.get() * fillstream_executor::Settings::STALLED_AFTER_ACK_WAITS,
                Span::get,
            ),
            ..fillstream_executor::Settings::default()
        }
    }
}

/// The simulated venues.
#[derive(Debug, Clone, Args)]
pub(crate) struct VenueSettings {
    /// Directory of the simulated venues' ledger [default: venues in the data directory]
    #[arg(long, env = "FILLSTREAM_VENUE_LEDGER", value_name = "DIR", help_heading = "Simulated venues")]
    pub(crate) venue_ledger: Option<PathBuf>,
    /// Where all chance comes from
    #[arg(
        long,
        env = "FILLSTREAM_VENUE_SEED",
        value_name = "N",
        default_value_t = 0,
        help_heading = "Simulated venues"
    )]
    pub(crate) venue_seed: u64,
    /// How long a quote takes
    #[arg(
        long,
        env = "FILLSTREAM_QUOTE_DELAY",
        default_value = "1500ms",
        value_name = "TIME",
        help_heading = "Simulated venues"
    )]
    pub(crate) quote_delay: Span,
    /// How long building a transaction takes
    #[arg(
        long,
        env = "FILLSTREAM_BUILD_DELAY",
        default_value = "1s",
        value_name = "TIME",
        help_heading = "Simulated venues"
    )]
    pub(crate) build_delay: Span,
    /// How long a submission takes
    #[arg(
        long,
        env = "FILLSTREAM_SUBMIT_DELAY",
        default_value = "1s",
        value_name = "TIME",
        help_heading = "Simulated venues"
    )]
    pub(crate) submit_delay: Span,
    /// From a submission's arrival until it lands
    #[arg(
        long,
        env = "FILLSTREAM_LANDING_DELAY",
        default_value = "1500ms",
        value_name = "TIME",
        help_heading = "Simulated venues"
    )]
    pub(crate) landing_delay: Span,
    /// Between two blocks
    #[arg(
        long,
        env = "FILLSTREAM_BLOCK_INTERVAL",
        value_parser = at_least::<1>,
        default_value = "400ms",
        value_name = "TIME",
        help_heading = "Simulated venues"
    )]
    pub(crate) block_interval: Span,
    /// Blocks that a transaction can land in
    #[arg(long, env = "FILLSTREAM_LIFE_BLOCKS", value_name = "N", default_value_t = 150, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Simulated venues")]
    pub(crate) life_blocks: u64,
    /// What goes wrong, in thousandths: drop=100,lose_reply=50,land_late=50,revert=10,unknowable=1,…
    #[arg(
        long,
        env = "FILLSTREAM_VENUE_FAULTS",
        default_value = "",
        value_name = "FAULTS",
        help_heading = "Simulated venues"
    )]
    pub(crate) venue_faults: Faults,
}

impl VenueSettings {
    pub(crate) fn simulated(&self) -> SimulatedSettings {
        SimulatedSettings {
            seed: self.venue_seed,
            quote_delay: self.quote_delay.get(),
            build_delay: self.build_delay.get(),
            submit_delay: self.submit_delay.get(),
            landing_delay: self.landing_delay.get(),
            block_interval: self.block_interval.get(),
            life_blocks: self.life_blocks,
            faults: self.venue_faults,
        }
    }

    /// A transaction must outlive any crash and takeover by far: else a crash would cost an attempt.
    pub(crate) fn check(&self, ack_wait: Span) -> Result<(), Failure> {
        let life = self.simulated().life();
        if life <= ack_wait.get() * 10 {
            return Err(format!(
                "--block-interval times --life-blocks is {}, but must be above ten times --ack-wait ({ack_wait}): an \
                 interrupted order would lose its transaction before another executor takes it up",
                humantime::format_duration(life)
            )
            .into());
        }
        Ok(())
    }
}

/// Of none of these there can be a bridge with nothing.
fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}
