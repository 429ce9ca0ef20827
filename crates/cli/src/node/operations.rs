//! The address of their own that operators may give to `/metrics` and the details of `/ready`.

use std::sync::Arc;

use fillstream_event_log::Durability;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Start, health::Health, ops::Watch};
use crate::Failure;

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
    let (app, stopped) = (super::ops::router(watch.clone()), stop.clone().cancelled_owned());
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stopped).await {
            warn!(error = %fillstream_retry::chain(&error), "operations are not served any more");
        }
    });
    Ok(watch.without_details())
}
