//! The read store as the api reads orders from it.

use async_trait::async_trait;
use fillstream_domain::OrderId;
use fillstream_http_api::{StoredOrder, StoredOrders};
use fillstream_read_store::ReadStore;
use tracing::warn;

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
            warn!(error = %fillstream_retry::chain(&error), order_id = %order, "the read store did not answer");
            None
        })
    }
}
