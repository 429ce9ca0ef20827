//! The messages of channels, as a socket reads them that has missed some.
//!
//! All of them are there only once the checkpoint has reached the position up to which they are asked for.

use std::collections::{BTreeMap, BTreeSet};

use fillstream_domain::book::Symbol;
use fillstream_domain::{Position, Seq, UserId};
use fillstream_projections::market::{TradeRow, UserUpdateRow};
use serde::Serialize;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row};

use crate::error::{StoreError, sql};
use crate::market_read::number;
use crate::market_sql::{TRADE, USER_UPDATE};
use crate::read::READING;
use crate::store::ReadStore;
use crate::write::Documents;

/// A channel of which the read model keeps all messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredChannel<'a> {
    /// Updates of a user's orders, of all markets or of one.
    Orders(UserId, Option<&'a Symbol>),
    /// Trades of all markets or of one.
    Trades(Option<&'a Symbol>),
}

/// A record that is asked about.
#[derive(Serialize)]
struct RecordAt {
    seq: Seq,
}

impl ReadStore {
    /// Messages to a user of all markets or of one, behind `after`, up to and with `up_to`: the first `limit`, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn user_updates(
        &self,
        user: UserId,
        symbol: Option<&Symbol>,
        after: Position,
        up_to: Position,
        limit: u32,
    ) -> Result<Vec<UserUpdateRow>, StoreError> {
        let text = StoredChannel::Orders(user, symbol).select("*", "ORDER BY seq, place LIMIT $5");
        self.rows(StoredChannel::Orders(user, symbol).bind(&text, after, up_to, limit), USER_UPDATE).await
    }

    /// Trades of all markets or of one, behind `after`, up to and with `up_to`: the first `limit`, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn trades_after(
        &self,
        symbol: Option<&Symbol>,
        after: Position,
        up_to: Position,
        limit: u32,
    ) -> Result<Vec<TradeRow>, StoreError> {
        let text = StoredChannel::Trades(symbol).select("*", "ORDER BY seq, place LIMIT $5");
        self.rows(StoredChannel::Trades(symbol).bind(&text, after, up_to, limit), TRADE).await
    }

    /// Position of the channel's last message at or before `up_to`; nothing when there is none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn channel_last(
        &self,
        channel: StoredChannel<'_>,
        up_to: Position,
    ) -> Result<Option<Position>, StoreError> {
        let text = channel.select("seq, place", "ORDER BY seq DESC, place DESC LIMIT $5");
        let Some(row) = self.row(channel.bind(&text, Position::START, up_to, 1)).await? else {
            return Ok(None);
        };
        let seq: i64 = row.try_get(0).map_err(sql(READING))?;
        let place: i64 = row.try_get(1).map_err(sql(READING))?;
        let index = u32::try_from(place).expect("written by this crate from a u32");
        Ok(Some(Position::new(Seq::new(seq.cast_unsigned()), index)))
    }

    /// Number of messages of the channel behind `after`, up to and with `up_to`; `limit` when there are more.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn channel_count(
        &self,
        channel: StoredChannel<'_>,
        after: Position,
        up_to: Position,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let text = format!("SELECT COUNT(*) FROM ({}) AS counted", channel.select("seq", "LIMIT $5"));
        let Some(row) = self.row(channel.bind(&text, after, up_to, limit)).await? else { return Ok(0) };
        let count: i64 = row.try_get(0).map_err(sql(READING))?;
        Ok(count.cast_unsigned())
    }

    /// Tags of the records at these sequences, as far as rows were made of them. Rows of an older version have none.
    /// It costs what it returns, however many records lie between them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn record_tags(
        &self,
        at: impl IntoIterator<Item = Seq>,
    ) -> Result<BTreeMap<Seq, u64>, StoreError> {
        let at: BTreeSet<Seq> = at.into_iter().collect();
        let mut tags = BTreeMap::new();
        for document in Documents::of(at.into_iter().map(|seq| RecordAt { seq })).texts() {
            let query = sqlx::query(self.statements().find_tags.as_str()).bind(document);
            let rows =
                self.read(async { query.fetch_all(&mut *self.reader().await?).await.map_err(sql(READING)) });
            for row in rows.await? {
                let seq: i64 = row.try_get(0).map_err(sql(READING))?;
                let tag: i64 = row.try_get(1).map_err(sql(READING))?;
                tags.insert(Seq::new(seq.cast_unsigned()), tag.cast_unsigned());
            }
        }
        Ok(tags)
    }

    pub(crate) async fn row(
        &self,
        query: Query<'_, Any, AnyArguments>,
    ) -> Result<Option<AnyRow>, StoreError> {
        self.read(async { query.fetch_optional(&mut *self.reader().await?).await.map_err(sql(READING)) })
            .await
    }
}

impl StoredChannel<'_> {
    /// `$1, $2` the position before, `$3, $4` the last one, `$5` the limit, behind them the channel's own.
    fn select(self, columns: &str, rest: &str) -> String {
        let (view, own) = match self {
            Self::Orders(_, None) => ("user_updates", "user_id = $6"),
            Self::Orders(_, Some(_)) => ("user_updates", "user_id = $6 AND symbol = $7"),
            Self::Trades(None) => ("trades", "true"),
            Self::Trades(Some(_)) => ("trades", "symbol = $6"),
        };
        format!(
            "SELECT {columns} FROM {view} \
             WHERE (seq, place) > ($1, $2) AND (seq, place) <= ($3, $4) AND {own} {rest}"
        )
    }

    fn bind(
        self,
        text: &str,
        after: Position,
        up_to: Position,
        limit: u32,
    ) -> Query<'static, Any, AnyArguments> {
        let (user, symbol) = match self {
            Self::Orders(user, symbol) => (Some(user), symbol),
            Self::Trades(symbol) => (None, symbol),
        };
        let mut query = sqlx::query(AssertSqlSafe(text.to_owned()));
        for position in [after, up_to] {
            query = query.bind(number(position.seq)).bind(i64::from(position.index));
        }
        query = query.bind(i64::from(limit));
        let own =
            user.map(|user| user.to_string()).into_iter().chain(symbol.map(|symbol| symbol.to_string()));
        own.fold(query, Query::bind)
    }
}
