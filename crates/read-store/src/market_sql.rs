//! Columns and statements of the market's side.

use fillstream_domain::book::Side;

use crate::sql::Kind::{Integer, Text};
use crate::sql::{Columns, OrderStatements, Rows, insert, list, names};

/// `BookOrderRow`
pub(crate) const BOOK_ORDER: &Columns = &[
    ("order_id", Text),
    ("client_order_id", Text),
    ("user_id", Text),
    ("symbol", Text),
    ("side", Text),
    ("type", Text),
    ("time_in_force", Text),
    ("post_only", Integer),
    ("expires_at", Text),
    ("self_trade_prevention", Text),
    ("status", Text),
    ("price", Text),
    ("quantity", Text),
    ("filled_quantity", Text),
    ("filled_quote", Text),
    ("fee", Text),
    ("fingerprint", Text),
    ("created_at", Text),
    ("updated_at", Text),
    ("placed_seq", Integer),
    ("last_seq", Integer),
    ("last_index", Integer),
];
/// `BookOrderPatch`
const PATCH: &Columns = &[
    ("order_id", Text),
    ("status", Text),
    ("price", Text),
    ("quantity", Text),
    ("filled_quantity", Text),
    ("filled_quote", Text),
    ("fee", Text),
    ("updated_at", Text),
    ("last_seq", Integer),
    ("last_index", Integer),
];
/// `UserUpdateRow`
pub(crate) const USER_UPDATE: &Columns = &[
    ("user_id", Text),
    ("seq", Integer),
    ("place", Integer),
    ("is_last", Integer),
    ("symbol", Text),
    ("message", Text),
];
/// `TradeRow`
pub(crate) const TRADE: &Columns = &[
    ("seq", Integer),
    ("place", Integer),
    ("is_last", Integer),
    ("trade_id", Text),
    ("symbol", Text),
    ("price", Text),
    ("quantity", Text),
    ("buyer_id", Text),
    ("seller_id", Text),
    ("buyer_fee", Text),
    ("seller_fee", Text),
    ("maker_order_id", Text),
    ("taker_order_id", Text),
    ("executed_at", Text),
];
/// `LevelRow`
pub(crate) const LEVEL: &Columns =
    &[("symbol", Text), ("side", Text), ("price", Text), ("quantity", Text), ("seq", Integer)];
/// `DefinitionRow`
pub(crate) const DEFINITION: &Columns = &[("seq", Integer), ("definition", Text)];
/// `MarketRow`
pub(crate) const MARKET: &Columns = &[
    ("symbol", Text),
    ("definition", Text),
    ("definition_seq", Integer),
    ("commit_seq", Integer),
    ("last_input", Integer),
    ("hash", Text),
    ("market_time", Text),
    ("depth_seq", Integer),
    ("depth_index", Integer),
];
/// `MarketPatch`
const MARKET_PATCH: &Columns = &[
    ("symbol", Text),
    ("definition_seq", Integer),
    ("commit_seq", Integer),
    ("last_input", Integer),
    ("hash", Text),
    ("market_time", Text),
    ("depth_seq", Integer),
    ("depth_index", Integer),
];

/// The statements that write the market's rows: `$1` the JSON array, `$2` the generation.
#[derive(Debug)]
pub(crate) struct MarketStatements {
    /// Book orders.
    pub(crate) orders: OrderStatements,
    /// A position never holds another message: what is there already is the same. So with trades and definitions.
    pub(crate) insert_updates: String,
    pub(crate) insert_trades: String,
    pub(crate) insert_definitions: String,
    /// Levels of commits that the market's row has not seen; to be written before it.
    pub(crate) set_levels: String,
    /// The same, for levels where nothing rests any more.
    pub(crate) remove_levels: String,
    /// A commit that the row has seen changes nothing.
    pub(crate) set_markets: String,
    /// The best bids of the market `$1`, at most `$2`; and the best asks.
    pub(crate) best_bids: String,
    pub(crate) best_asks: String,
}

impl MarketStatements {
    pub(crate) fn new(rows: Rows, find: &str) -> Self {
        // A refusal never follows a change: it is meant for another order that came under the same id.
        let later = "(o.last_seq, o.last_index) < (v.last_seq, v.last_index) \
                     AND (v.status <> 'REJECTED' OR o.last_seq = o.placed_seq)";
        let unseen = "NOT EXISTS (SELECT 1 FROM market_rows AS m \
                      WHERE m.generation = $2 AND m.symbol = v.symbol AND m.commit_seq >= v.seq)";
        // As in the index `level_rows_by_price`. The generation is named here: behind a view the order would be lost.
        let best = |side: Side, way: &str| {
            format!(
                "SELECT {} FROM level_rows WHERE generation = (SELECT generation FROM read_model) \
                 AND symbol = $1 AND side = '{side}' ORDER BY {find}(price || '.', '.') {way}, price {way} LIMIT $2",
                names(LEVEL)
            )
        };
        let (levels, level) = (rows(LEVEL), names(LEVEL));
        let (markets, market) = (rows(MARKET_PATCH), names(MARKET_PATCH));
        Self {
            best_bids: best(Side::Buy, "DESC"),
            best_asks: best(Side::Sell, "ASC"),
            orders: OrderStatements::new(rows, "book_order_rows", BOOK_ORDER, PATCH, later),
            insert_updates: insert("user_update_rows", USER_UPDATE, &rows(USER_UPDATE)),
            insert_trades: insert("trade_rows", TRADE, &rows(TRADE)),
            insert_definitions: insert("definition_rows", DEFINITION, &rows(DEFINITION)),
            set_levels: format!(
                "WITH v AS ({levels}) INSERT INTO level_rows (generation, {level}) SELECT $2, {level} FROM v \
                 WHERE {unseen} ON CONFLICT (generation, symbol, side, price) \
                 DO UPDATE SET quantity = excluded.quantity, seq = excluded.seq"
            ),
            remove_levels: format!(
                "WITH v AS MATERIALIZED ({levels}) DELETE FROM level_rows WHERE generation = $2 \
                 AND (symbol, side, price) IN (SELECT v.symbol, v.side, v.price FROM v WHERE {unseen})"
            ),
            set_markets: format!(
                "WITH v AS ({markets}) INSERT INTO market_rows AS m (generation, {market}) \
                 SELECT $2, {market} FROM v WHERE true ON CONFLICT (generation, symbol) DO UPDATE SET {} \
                 WHERE m.commit_seq < excluded.commit_seq",
                list(MARKET_PATCH, |(name, _)| format!("{name} = COALESCE(excluded.{name}, m.{name})")),
            ),
        }
    }
}
