//! `fillstream serve`: some roles against a shared NATS server and database.

use std::process::ExitCode;

use clap::Args;

use crate::{
    Failure,
    commands::Common,
    node::{Node, Role, Start},
    settings::{
        ExecutorSettings, HttpSettings, MatcherSettings, NatsSettings, OperationsSettings, SocketSettings,
        StoreSettings, VenueSettings,
    },
    telemetry,
};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// What this process does; several separated by commas
    #[arg(long, env = "FILLSTREAM_ROLE", value_enum, value_delimiter = ',', required = true)]
    role: Vec<Role>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    nats: NatsSettings,
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

pub(crate) fn run(serve: Serve) -> Result<ExitCode, Failure> {
    let _telemetry = telemetry::start(&serve.common)?;
    serve.http.check()?;
    serve.sockets.check()?;
    serve.venues.check(serve.executor.ack_wait)?;
    let data = serve.nats.data_dir()?;
    let (durability, durability_is_unknown) = (serve.nats.durability(), serve.nats.durability_is_unknown());
    let nats_url =
        serve.nats.nats_url.ok_or("--nats-url or FILLSTREAM_NATS_URL must say where the NATS server is")?;
    if serve.role.contains(&Role::Api) {
        serve.http.check_requests(&nats_url)?;
    }
    Node::run(Start {
        roles: serve.role,
        nats_url,
        nats_access: serve.nats.access.access(),
        durability,
        durability_is_unknown,
        replicas: serve.nats.replicas,
        database_url: serve.store.url(&data)?,
        database: serve.store.limits.database(),
        past_books: serve.store.limits.past_books.into(),
        data: data.clone(),
        venue_ledger: serve.venues.venue_ledger.clone().unwrap_or_else(|| data.join("venues")),
        http: serve.http,
        executor: serve.executor,
        matcher: serve.matcher,
        venues: serve.venues,
        sockets: serve.sockets,
        operations: serve.operations,
        private_nats: None,
    })?;
    Ok(ExitCode::SUCCESS)
}
