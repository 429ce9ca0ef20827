//! `fillstream up`: everything in one process.

use std::process::ExitCode;

use clap::{ArgAction, Args, ValueEnum, builder::BoolishValueParser};
use fillstream_event_log::Durability;
use fillstream_nats_server::{Options, PortChoice, PrivateServer, SyncMode, Token, locate};

use crate::{
    Failure,
    commands::Common,
    node::{Node, Private, Role, Start},
    settings::{
        ExecutorSettings, HttpSettings, MatcherSettings, NatsSettings, OperationsSettings, SocketSettings,
        StoreSettings, VenueSettings, make_private,
    },
    telemetry,
};

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    nats: NatsSettings,
    /// When the private nats-server writes to disk
    #[arg(long, env = "FILLSTREAM_SYNC", value_enum, default_value = "always", help_heading = "Stream")]
    sync: SyncArg,
    /// Port of the private nats-server, if it is free
    #[arg(
        long,
        env = "FILLSTREAM_NATS_PORT",
        value_name = "PORT",
        default_value_t = 4222,
        help_heading = "Stream"
    )]
    nats_port: u16,
    /// Whether the private nats-server asks for a token: random, in a file of the data directory that its owner reads alone.
    /// Without, every user of this machine may read and write the stream, as the nats CLI does
    #[arg(
        long,
        env = "FILLSTREAM_NATS_TOKEN",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "on",
        default_value = "off",
        value_parser = BoolishValueParser::new(),
        hide_possible_values = true,
        value_name = "SWITCH",
        help_heading = "Stream"
    )]
    nats_token: bool,
    #[command(flatten)]
    http: HttpSettings,
    #[command(flatten)]
    store: StoreSettings,
    #[command(flatten)]
    executor: ExecutorSettings,
    #[command(flatten)]
    matcher: MatcherSettings,
    #[command(flatten)]
    venues: VenueSettings,
    #[command(flatten)]
    sockets: SocketSettings,
    #[command(flatten)]
    operations: OperationsSettings,
}

/// When the private nats-server writes to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SyncArg {
    /// Before each acknowledgement
    Always,
    /// Every two minutes, the server's own default
    Default,
}

pub(crate) fn run(up: Up) -> Result<ExitCode, Failure> {
    let _telemetry = telemetry::start(&up.common)?;
    up.http.check()?;
    up.sockets.check()?;
    up.venues.check(up.executor.ack_wait)?;
    let data = up.nats.data_dir()?;
    let (server, nats_url, durability) = match &up.nats.nats_url {
        Some(url) => (None, url.clone(), up.nats.durability()),
        None => {
            make_private(&data)
                .map_err(|error| format!("cannot make the data directory {}: {error}", data.display()))?;
            let server = start_server(&up, data.join("nats"))?;
            let durability = match up.sync {
                SyncArg::Always => Durability::Fsync,
                SyncArg::Default => Durability::OsBuffer,
            };
            let url = server.url();
            (Some(server), url, durability)
        }
    };
    let start = Start {
        roles: Role::ALL.to_vec(),
        nats_url,
        nats_access: up.nats.access.access(),
        durability,
        durability_is_unknown: up.nats.durability_is_unknown(),
        replicas: up.nats.replicas,
        database_url: up.store.url(&data)?,
        database: up.store.limits.database(),
        past_books: up.store.limits.past_books.into(),
        data: data.clone(),
        venue_ledger: up.venues.venue_ledger.clone().unwrap_or_else(|| data.join("venues")),
        http: up.http,
        executor: up.executor,
        matcher: up.matcher,
        venues: up.venues,
        sockets: up.sockets,
        operations: up.operations,
        private_nats: server
            .as_ref()
            .map(|server| Private { control: server.control(), store: data.join("nats") }),
    };
    let ended = Node::run(start);
    if let Some(server) = server {
        server.stop();
    }
    ended.map(|()| ExitCode::SUCCESS)
}

fn start_server(up: &Up, data_dir: std::path::PathBuf) -> Result<PrivateServer, Failure> {
    let binary = locate(&mut |line| eprintln!("{line}"))?;
    let sync = match up.sync {
        SyncArg::Always => SyncMode::Always,
        SyncArg::Default => SyncMode::OsBuffer,
    };
    let port = PortChoice::Prefer(up.nats_port);
    let token = if up.nats_token { Some(Token::of(&data_dir)?) } else { None };
    let file = Token::file(&data_dir);
    let server = PrivateServer::start(&Options { port, sync, token, ..Options::new(binary, data_dir) })?;
    if up.nats_token {
        println!(
            "nats-server asks for a token; for the nats CLI: nats context save fillstream --server \
             127.0.0.1:{} --token \"$(cat '{}')\" --select",
            server.port(),
            file.display()
        );
    } else {
        println!("nats-server is open to every user of this machine; --nats-token closes it");
    }
    Ok(server)
}
