//! From an order's id to its slot. Never iterated: a hash table's order is nobody's business.

use fillstream_domain::OrderId;
use hashbrown::HashTable;
use hashbrown::hash_table::OccupiedEntry;

use crate::slab::{Slab, Slot};

/// Slots, found by the id of the order in them: the ids themselves lie in the slab alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    slots: HashTable<Slot>,
}

/// Odd, with its bits spread evenly: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Ids are UUIDs, random in their low half already; multiplying spreads ids that are numbered as well.
fn hash(id: OrderId) -> u64 {
    let (high, low) = id.uuid().as_u64_pair();
    let product = (low ^ high.rotate_left(32)).wrapping_mul(SPREAD);
    product ^ (product >> 32)
}

impl Index {
    pub(crate) fn find(&self, id: OrderId, slab: &Slab) -> Option<Slot> {
        self.slots.find(hash(id), |&slot| slab.get(slot).id == id).copied()
    }

    /// The id must not be there yet.
    pub(crate) fn insert(&mut self, slot: Slot, slab: &Slab) {
        self.slots.insert_unique(hash(slab.get(slot).id), slot, |&other| hash(slab.get(other).id));
    }

    /// The place of a resting order, to be looked at and then taken out: one search for both.
    pub(crate) fn entry(&mut self, id: OrderId, slab: &Slab) -> Option<OccupiedEntry<'_, Slot>> {
        self.slots.find_entry(hash(id), |&slot| slab.get(slot).id == id).ok()
    }

    /// Forgets the slot, while its order is still in it.
    pub(crate) fn remove(&mut self, slot: Slot, slab: &Slab) {
        let entry = self.slots.find_entry(hash(slab.get(slot).id), |&other| other == slot);
        entry.expect("every resting order is in the index").remove();
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.allocation_size()
    }
}
