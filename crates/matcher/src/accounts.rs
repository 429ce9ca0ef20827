//! Sums that alive orders have traded, and their fees.

use std::collections::HashMap;

use fillstream_domain::OrderId;

use crate::{
    hash,
    units::{Fee, Rates, Units, Worth},
};

/// In which role an order trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Maker,
    Taker,
}

/// Sums that one order has traded, by role, and the rates it was placed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) rates: Rates,
    pub(crate) as_maker: Worth,
    pub(crate) as_taker: Worth,
}

impl Account {
    pub(crate) fn new(rates: Rates) -> Self {
        Self { rates, as_maker: Worth::default(), as_taker: Worth::default() }
    }

    pub(crate) fn worth(&self) -> Worth {
        self.as_maker.plus(self.as_taker)
    }

    pub(crate) fn fees(&self, units: &Units) -> Fee {
        self.fee(Role::Maker, units).plus(self.fee(Role::Taker, units))
    }

    fn fee(&self, role: Role, units: &Units) -> Fee {
        match role {
            Role::Maker => units.fee(self.as_maker, self.rates.maker),
            Role::Taker => units.fee(self.as_taker, self.rates.taker),
        }
    }

    fn trade(&mut self, role: Role, worth: Worth) {
        let traded = match role {
            Role::Maker => &mut self.as_maker,
            Role::Taker => &mut self.as_taker,
        };
        *traded = traded.plus(worth);
    }

    fn hash(&self, order: OrderId) -> u64 {
        let [maker, taker] = [self.as_maker, self.as_taker].map(|worth| hash::halves(worth.get()));
        let rates = u64::from(self.rates.maker) << 32 | u64::from(self.rates.taker);
        let (high, low) = order.uuid().as_u64_pair();
        hash::of_words([high, low, maker[0], maker[1], taker[0], taker[1], rates])
    }
}

/// The accounts of a market. An alive order without one has traded nothing and pays the rates of today.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts {
    by_order: HashMap<OrderId, Account>,
    /// The sum of the accounts' hashes, modulo 2^64: their order does not matter.
    hash: u64,
}

impl Accounts {
    pub(crate) fn get(&self, order: OrderId) -> Option<&Account> {
        self.by_order.get(&order)
    }

    pub(crate) fn put(&mut self, order: OrderId, account: Account) {
        self.end(order);
        self.hash = self.hash.wrapping_add(account.hash(order));
        self.by_order.insert(order, account);
    }

    /// The order has ended.
    pub(crate) fn end(&mut self, order: OrderId) {
        if let Some(account) = self.by_order.remove(&order) {
            self.hash = self.hash.wrapping_sub(account.hash(order));
        }
    }

    /// Books a trade of the order; returns by how much its fee in this role has grown.
    pub(crate) fn trade(
        &mut self,
        order: OrderId,
        role: Role,
        worth: Worth,
        units: &Units,
        today: Rates,
    ) -> Fee {
        let mut account = self.get(order).copied().unwrap_or_else(|| Account::new(today));
        let before = account.fee(role, units);
        account.trade(role, worth);
        self.put(order, account);
        account.fee(role, units).since(before)
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    /// By order id, so that a snapshot always has the same bytes.
    pub(crate) fn sorted(&self) -> Vec<(OrderId, Account)> {
        let mut accounts: Vec<_> = self.by_order.iter().map(|(order, account)| (*order, *account)).collect();
        accounts.sort_unstable_by_key(|(order, _)| *order);
        accounts
    }
}
