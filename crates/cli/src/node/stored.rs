//! The read store as the api reads orders from it.

use std::time::Duration;

use async_trait::async_trait;
use fillstream_domain::OrderId;
use fillstream_http_api::{StoredOrder, StoredOrders};
use fillstream_read_store::ReadStore;
use fillstream_retry::{Obstacles, Retry, chain};
use tokio::time::sleep;
use tracing::warn;

/// Between two looks at the rows.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The words of who cannot read them.
const UNREAD: &str = "api: rows not read";

/// Asks the rows now and then, and tells what stands in the way: nobody has to read first. The api answers from the stream and
/// from memory meanwhile, so it is told and not judged.
pub(crate) async fn watch(rows: ReadStore, told: Obstacles) {
    let mut retry = Retry::new(UNREAD, LOOK_EVERY, LOOK_EVERY);
    loop {
        match rows.checkpoint().await {
            Ok(_) => {
                retry.done();
                told.clear(UNREAD);
            }
            Err(error) => {
                retry.note(&error);
                told.tell(UNREAD, chain(&error).to_string());
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Reads orders from the rows.
pub(crate) struct Rows(pub(crate) ReadStore);

#[async_trait]
impl StoredOrders for Rows {
    async fn stored(&self, order: OrderId) -> Option<StoredOrder> {
        let read = async {
            let Some(row) = self.0.swap_order(order).await? else { return Ok(None) };
            let events = self.0.swap_events(order).await?;
            let events = events.into_iter().map(|(seq, payload)| (seq, payload.into())).collect();
            Ok::<_, fillstream_read_store::StoreError>(Some(StoredOrder {
                events,
                ended: row.status.is_terminal(),
            }))
        };
        // The log has the order too: a database that fails costs speed, not the answer.
        read.await.unwrap_or_else(|error| {
            warn!(error = %chain(&error), order_id = %order, "the read store did not answer");
            None
        })
    }
}
