//! A user's own trades as messages of the private stream `fills`.

use std::{collections::HashMap, sync::Arc};

use fillstream_domain::{Position, UserId};
use fillstream_projections::market::{Message, Parties, TradeExecuted};

use crate::market::ring::{Body, Told};

/// The messages of each of these users. `trades` are in their order, parts whole: each user's are numbered in each part.
pub(crate) fn fills(
    trades: &[Message<TradeExecuted>],
    is_watched: impl Fn(UserId) -> bool,
) -> HashMap<UserId, Vec<Told>> {
    let mut all: HashMap<UserId, Vec<Told>> = HashMap::new();
    for Message { body, seq, .. } in trades {
        for user in body.users().filter(|user| is_watched(*user)) {
            let own = all.entry(user).or_default();
            let index = match own.last_mut().filter(|before| before.at.seq == *seq) {
                Some(before) => {
                    before.last = false;
                    before.at.index + 1
                }
                None => 0,
            };
            let body = Body::Trade(Arc::new(body.shown(Parties::Own(user))));
            own.push(Told { at: Position::new(*seq, index), last: true, tag: None, body });
        }
    }
    all
}

/// The messages of one user, out of all trades.
#[must_use]
pub fn own_fills(user: UserId, trades: &[Message<TradeExecuted>]) -> Vec<Told> {
    fills(trades, |one| one == user).remove(&user).unwrap_or_default()
}
