//! The definition in force, and what counts in it.

use fillstream_domain::book::{Definition, Refusal, RefusalCode, Rules};

use crate::{
    hash,
    units::{Rates, Units},
};

/// Parts of the definition in force that the machine needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Market {
    pub(crate) definition: Definition,
    /// The definition with the largest price and quantity that were ever allowed: alive orders may have them still.
    pub(crate) widest: Definition,
    pub(crate) units: Units,
    pub(crate) rates: Rates,
    /// Of both definitions, by the rules of version 1 and by those since.
    hashes: (u64, u64),
}

impl Market {
    /// Takes `next`, the first definition or a later one.
    ///
    /// # Errors
    /// When no market can have it, or it changes the units, or a sum of an order that is alive could not be counted.
    pub(crate) fn define(before: Option<&Self>, next: &Definition) -> Result<Self, Refusal> {
        let refused = |detail| Refusal { code: RefusalCode::Definition, detail };
        next.check().map_err(|error| refused(error.to_string()))?;
        let mut widest = next.clone();
        if let Some(before) = before {
            if !next.has_units_of(&before.definition) {
                let units = "tick_size, lot_size and quote_decimals never change";
                return Err(refused(units.to_owned()));
            }
            widest.max_price = widest.max_price.max(before.widest.max_price);
            widest.max_quantity = widest.max_quantity.max(before.widest.max_quantity);
            let wide = |error| format!("with the largest price and quantity ever allowed: {error}");
            widest.check().map_err(|error| refused(wide(error)))?;
        }
        Ok(Self::of(next.clone(), widest))
    }

    /// Of definitions that passed.
    pub(crate) fn of(definition: Definition, widest: Definition) -> Self {
        let (units, rates) = (Units::of(&definition), Rates::of(&definition));
        let hashes =
            (hash_of(&without_limits(&definition), &without_limits(&widest)), hash_of(&definition, &widest));
        Self { definition, widest, units, rates, hashes }
    }

    /// Of both definitions.
    pub(crate) const fn hash(&self, rules: Rules) -> u64 {
        match rules {
            Rules::V1 => self.hashes.0,
            Rules::V2 => self.hashes.1,
        }
    }
}

/// Definition as a program of version 1 knows it.
fn without_limits(definition: &Definition) -> Definition {
    Definition { max_open_orders_per_user: None, max_open_orders: None, ..definition.clone() }
}

fn hash_of(definition: &Definition, widest: &Definition) -> u64 {
    let bytes = serde_json::to_vec(&(definition, widest));
    hash::of_bytes(&bytes.expect("string keys and plain values always become JSON"))
}
