//! From an order's id to its slot: a hash table made for orders that come and go.
//!
//! ```text
//!  id ─ hash ─▶ home ─▶ bucket, a line of the cache:  12 tags ┊ 12 slots ┊ passed
//!                          │ full                      (7 bits of the hash; 0: free)
//!                          ▼
//!                       the next one; `passed` counts the entries that went on from here
//! ```
//! What leaves gives its lane back and is counted down where it passed. Nothing marks the place where it was, so that a
//! book that stays as large as it is never has to build its index anew. Never iterated where that could be seen.

#[cfg(test)]
mod tests;

use fillstream_domain::OrderId;

use crate::slab::{Slab, Slot};

/// Slots in a bucket.
const LANES: usize = 12;
/// Entries for each bucket, over all of them, before there are more buckets: one bucket in fifty is full then.
const LOAD: usize = 6;
/// The index grows by this part of itself.
const GROWTH: usize = 4;

/// Slots, found by the id of the order in them: the ids themselves lie in the slab alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    buckets: Vec<Bucket>,
    entries: usize,
}

/// Place of an order in the index; good until something comes or goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) slot: Slot,
    home: usize,
    bucket: usize,
    lane: usize,
}

impl Index {
    #[inline(always)]
    pub(crate) fn find(&self, key: Key, id: OrderId, slab: &Slab) -> Option<Entry> {
        self.search(key, |slot| slab.get(slot).id == id)
    }

    /// The entry of an order that is in the index.
    #[inline(always)]
    pub(crate) fn entry_of(&self, slot: Slot, slab: &Slab) -> Entry {
        let entry = self.search(Key::of(slab.get(slot).id), |other| other == slot);
        entry.expect("every resting order is in the index")
    }

    #[inline(always)]
    fn search(&self, key: Key, is_wanted: impl Fn(Slot) -> bool) -> Option<Entry> {
        let home = self.home(key);
        let mut at = home;
        loop {
            let bucket = self.buckets.get(at)?;
            for lane in bucket.lanes(key.tag()) {
                let slot = bucket.slots[lane];
                if is_wanted(slot) {
                    return Some(Entry { slot, home, bucket: at, lane });
                }
            }
            at = self.next(at);
            if bucket.passed == 0 || at == home {
                return None;
            }
        }
    }

    /// The key must not be there yet, unless it is another order's by chance.
    #[inline(always)]
    pub(crate) fn insert(&mut self, key: Key, slot: Slot, slab: &Slab) {
        if self.entries == self.buckets.len() * LOAD {
            self.grow(slab);
        }
        self.entries += 1;
        self.put(key, slot);
    }

    #[inline(always)]
    fn put(&mut self, key: Key, slot: Slot) {
        let mut at = self.home(key);
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(lane) = bucket.lanes(FREE).next() {
                (bucket.tags[lane], bucket.slots[lane]) = (key.tag(), slot);
                return;
            }
            bucket.passed += 1;
            at = self.next(at);
        }
    }

    #[inline(always)]
    pub(crate) fn remove(&mut self, entry: Entry) {
        let mut at = entry.home;
        while at != entry.bucket {
            self.buckets[at].passed -= 1;
            at = self.next(at);
        }
        self.buckets[at].tags[entry.lane] = FREE;
        self.entries -= 1;
    }

    #[cold]
    fn grow(&mut self, slab: &Slab) {
        let more = self.buckets.len() + (self.buckets.len() / GROWTH).max(1);
        let old = std::mem::replace(&mut self.buckets, vec![Bucket::EMPTY; more]);
        for bucket in &old {
            bucket.occupied().for_each(|slot| self.put(Key::of(slab.get(slot).id), slot));
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.entries
    }

    /// Bytes allocated.
    pub(crate) const fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }

    /// The bucket in which a key is looked for first: keys in their order, spread over all buckets.
    #[expect(clippy::cast_possible_truncation, reason = "less than the number of buckets")]
    const fn home(&self, key: Key) -> usize {
        ((key.0 as u128 * self.buckets.len() as u128) >> u64::BITS) as usize
    }

    const fn next(&self, bucket: usize) -> usize {
        if bucket + 1 == self.buckets.len() { 0 } else { bucket + 1 }
    }
}

/// Odd, with its bits spread evenly: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of an id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key(u64);

impl Key {
    /// Ids are UUIDs, random in their low half already; multiplying spreads ids that are numbered as well.
    #[inline]
    pub(crate) const fn of(id: OrderId) -> Self {
        let (high, low) = id.uuid().as_u64_pair();
        Self((low ^ high.rotate_left(32)).wrapping_mul(SPREAD))
    }

    /// Seven bits for a first look, and the highest, so that it looks like no free lane's even where one bit is mistaken
    /// (see [`Bucket::lanes`]). They are not the bits that the home is chosen by.
    #[expect(clippy::cast_possible_truncation, reason = "eight bits are wanted")]
    const fn tag(self) -> u8 {
        (self.0 >> 24) as u8 | 0x80
    }
}

/// The tag of a lane without an entry.
const FREE: u8 = 0;

#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Bucket {
    tags: [u8; LANES],
    /// Entries that would be here, or came by, had there been a free lane.
    passed: u32,
    slots: [Slot; LANES],
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    const EMPTY: Self = Self { tags: [FREE; LANES], passed: 0, slots: [0; LANES] };

    /// The lanes with this tag, lowest first. Behind one that has it, one may be named that has not: its lowest bit
    /// alone differs.
    #[inline]
    fn lanes(&self, tag: u8) -> impl Iterator<Item = usize> + use<> {
        /// A 1 in each lane's byte.
        const ONES: u128 = (u128::MAX / 0xff) >> (128 - 8 * LANES);
        let mut bytes = [0; 16];
        bytes[..LANES].copy_from_slice(&self.tags);
        // Take 1 from each byte: its highest bit appears where it was 0, or where the byte before it has borrowed.
        let different = u128::from_le_bytes(bytes) ^ (ONES * u128::from(tag));
        let mut found = different.wrapping_sub(ONES) & !different & (ONES << 7);
        std::iter::from_fn(move || {
            let lane = (found != 0).then(|| found.trailing_zeros() as usize / 8);
            found &= found.wrapping_sub(1);
            lane
        })
    }

    fn occupied(&self) -> impl Iterator<Item = Slot> {
        self.tags.into_iter().zip(self.slots).filter(|(tag, _)| *tag != FREE).map(|(_, slot)| slot)
    }
}
