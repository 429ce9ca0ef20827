//! Room for a user's further orders in a market, as far as the rows tell: who has as many as the market allows is told so
//! before anything is stored.
//!
//! ```text
//!  first order ─▶ rows: how many? ─▶ left ─ each order takes one ─▶ none left ─▶ rows, as of the stream's end: how many? ─▶ left
//!                                                                                                                     └▶ full: 422
//! ```
//! The matcher judges again, at the order's place in the stream. So what cannot be known here is let through: rows that are
//! behind or away refuse nobody, and nobody waits for them but for a moment.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fillstream_domain::{
    OrderId, UserId,
    book::{Definition, Refusal, RefusalCode, Symbol},
};
use fillstream_http_edge::Problem;
use fillstream_projections::market::OpenCount;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::{BookApi, refusal};

/// Users, each in a market, that are remembered; with more all are looked up anew. Some 20 MB.
const MAX_USERS: usize = 100_000;
/// Time that an order may wait for the rows.
const PATIENCE: Duration = Duration::from_millis(250);
/// Between two looks for a user who has all the open orders that the market allows: each counts them all.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Rows that were late or away are not asked again for so long, for whomever.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);

/// Room left to a user in a market; held by the order that looks.
type Shared = Arc<tokio::sync::Mutex<Left>>;

/// See the module's first line.
#[derive(Debug, Default)]
pub struct OpenOrders {
    users: Mutex<HashMap<(UserId, Symbol), Shared>>,
    /// Until then the rows are not asked.
    unknown_until: Mutex<Option<Instant>>,
}

/// Orders that a user may still place.
#[derive(Debug, Default)]
struct Left {
    orders: u32,
    /// With none left: the last look found as many as there may be, and is good until then.
    full_until: Option<Instant>,
    seen: bool,
}

impl OpenOrders {
    /// Takes room for an order that may come to rest.
    ///
    /// # Errors
    /// 422 when the user has as many open orders as the market allows.
    pub(super) async fn take(
        &self,
        api: &BookApi,
        (user, order): (UserId, OrderId),
        market: &Definition,
    ) -> Result<(), Problem> {
        let most = market.open_orders_per_user();
        let left = self.left(user, &market.symbol);
        let mut left = left.lock().await;
        if left.orders > 0 {
            left.orders -= 1;
            return Ok(());
        }
        let now = Instant::now();
        if left.full_until.is_some_and(|until| now < until) {
            return Err(full(order, most));
        }
        if self.unknown_until.lock().is_some_and(|until| now < until) {
            return Ok(());
        }
        let asked = timeout(PATIENCE, look(api, user, market, std::mem::replace(&mut left.seen, true)));
        let Some(open) = asked.await.ok().flatten() else {
            *self.unknown_until.lock() = Some(now + UNKNOWN_FOR);
            return Ok(());
        };
        left.orders = most.saturating_sub(open.all).saturating_sub(1);
        left.full_until = (open.in_book >= most).then(|| now + LOOK_EVERY);
        if left.full_until.is_some() { Err(full(order, most)) } else { Ok(()) }
    }

    /// An order of the user's has ended, or may have: there may be room again.
    pub(super) async fn ended(&self, user: UserId, symbol: &Symbol) {
        let left = self.users.lock().get(&(user, symbol.clone())).map(Arc::clone);
        if let Some(left) = left {
            left.lock().await.full_until = None;
        }
    }

    fn left(&self, user: UserId, symbol: &Symbol) -> Shared {
        let mut users = self.users.lock();
        if users.len() >= MAX_USERS {
            users.clear();
        }
        Arc::clone(users.entry((user, symbol.clone())).or_default())
    }
}

/// The user's open orders. At first as the rows have them; then, or if that would be too many, as of the stream's end: what
/// was placed or cancelled a moment ago counts. Nothing when that cannot be known.
async fn look(api: &BookApi, user: UserId, market: &Definition, again: bool) -> Option<OpenCount> {
    let most = market.open_orders_per_user();
    // One behind another is enough to know that there is no room.
    let counted = async || api.stored.open_orders(user, &market.symbol, most.saturating_mul(2)).await.ok();
    if !again {
        let open = counted().await?;
        if open.in_book < most {
            return Some(open);
        }
    }
    if let Some(last) = api.log.last_matching(">").await.ok()? {
        api.stored.holds(last.seq).await;
    }
    counted().await
}

fn full(order: OrderId, most: u32) -> Problem {
    let detail =
        format!("a user may have at most {most} open orders in this market (max_open_orders_per_user)");
    refusal::problem(order, Refusal { code: RefusalCode::TooManyOpenOrders, detail })
}
