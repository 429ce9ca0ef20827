//! The address of their own that operators may give to `/metrics` and the details of `/ready`.

use std::sync::Arc;

use fillstream_event_log::Durability;
use fillstream_http_edge::Unfinishing;
use fillstream_http_server::{PlaceLimits, Places, Server, Serving};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{Start, health::Health, ops::Watch};
use crate::Failure;

/// Connections at the same time there: scrapers and people, each with one or a few. They come out of those that are kept
/// beside the clients'.
const CONNECTIONS: PlaceLimits = PlaceLimits { all: 64, of_address: None };

/// Opens that address, when there is one; returns what is answered at the address for clients.
pub(crate) async fn serve(
    start: &Start,
    health: &Arc<Health>,
    durability: Durability,
    stop: &CancellationToken,
) -> Result<Watch, Failure> {
    let watch = Watch::new(Arc::clone(health), durability);
    let Some(address) = start.operations.operations_listen else { return Ok(watch) };
    let listener = TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}; --operations-listen takes another address")
    })?;
    println!("operations at http://{}", listener.local_addr()?);
    let serving = Serving {
        times: start.http.door.times(),
        places: Places::new(CONNECTIONS),
        // No socket is opened there.
        unfinishing: Unfinishing::new(0),
        proxies: start.http.door.proxies(),
        tls: None,
    };
    let (router, routers) = watch::channel(super::ops::router(watch.clone()));
    let (server, stop) = (Server::new(listener, serving), stop.clone());
    tokio::spawn(async move {
        server.run(routers, stop).await;
        drop(router);
    });
    Ok(watch.without_details())
}
