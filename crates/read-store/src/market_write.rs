//! The market's part of a batch into rows.

use fillstream_domain::OrderId;
use fillstream_projections::market::{LevelRow, MarketBatch};

use crate::error::StoreError;
use crate::market_sql::MarketStatements;
use crate::write::{Documents, Target};

/// As [`crate::write::batch`]. What a batch has none of costs no statement.
pub(crate) async fn batch(
    target: &mut Target<'_>,
    statements: &'static MarketStatements,
    batch: &MarketBatch,
) -> Result<Vec<OrderId>, StoreError> {
    let (new, changes) = (Documents::of(batch.new_orders()), Documents::of(batch.changes()));
    let all = || Documents::of(batch.all_changes());
    let strays = target.orders(&statements.orders, &new, &changes, all).await?;
    target.run(&statements.insert_updates, &Documents::of(batch.updates())).await?;
    target.run(&statements.insert_trades, &Documents::of(batch.trades())).await?;
    target.run(&statements.insert_definitions, &Documents::of(batch.definitions())).await?;
    let empty = |level: &&LevelRow| level.quantity.decimal().is_zero();
    let levels = Documents::of(batch.levels().filter(|level| !empty(level)));
    target.run(&statements.set_levels, &levels).await?;
    target.run(&statements.remove_levels, &Documents::of(batch.levels().filter(empty))).await?;
    target.run(&statements.set_markets, &Documents::of(batch.markets())).await?;
    Ok(strays)
}
