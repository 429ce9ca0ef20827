//! Occupied places of the window: the next one is found by words of 64, not place by place.
//!
//! ```text
//!  summary   …0 1 0 1…            a bit per word: any bit set?
//!  words      │  └▶ 0010…0100     a bit per place
//! ```

const BITS: usize = 64;

#[derive(Debug, Clone, Default)]
pub(super) struct Bitmap {
    words: Vec<u64>,
    summary: Vec<u64>,
    occupied: usize,
}

/// The word and the bit in it.
const fn bit(place: usize) -> (usize, u64) {
    (place / BITS, 1 << (place % BITS))
}

impl Bitmap {
    /// All places are free, so many as this, a multiple of 64.
    pub(super) fn reset(&mut self, places: usize) {
        let words = places / BITS;
        for (bits, length) in [(&mut self.words, words), (&mut self.summary, words.div_ceil(BITS))] {
            bits.clear();
            bits.resize(length, 0);
        }
        self.occupied = 0;
    }

    /// Bytes allocated.
    pub(super) const fn bytes(&self) -> usize {
        (self.words.capacity() + self.summary.capacity()) * size_of::<u64>()
    }

    /// Number of occupied places.
    pub(super) const fn occupied(&self) -> usize {
        self.occupied
    }

    /// The place was free.
    pub(super) fn set(&mut self, place: usize) {
        let (word, mask) = bit(place);
        self.words[word] |= mask;
        let (group, mask) = bit(word);
        self.summary[group] |= mask;
        self.occupied += 1;
    }

    /// The place was occupied.
    pub(super) fn clear(&mut self, place: usize) {
        let (word, mask) = bit(place);
        self.words[word] &= !mask;
        if self.words[word] == 0 {
            let (group, mask) = bit(word);
            self.summary[group] &= !mask;
        }
        self.occupied -= 1;
    }

    /// The first occupied place from `start` on.
    pub(super) fn from(&self, start: usize) -> Option<usize> {
        let word = start / BITS;
        let here = self.words.get(word)? & (u64::MAX << (start % BITS));
        if here != 0 {
            return Some(lowest(word, here));
        }
        first_from(&self.summary, word + 1).map(|word| lowest(word, self.words[word]))
    }

    /// The last occupied place before `end`.
    pub(super) fn before(&self, end: usize) -> Option<usize> {
        let (word, mask) = bit(end);
        let here = self.words.get(word).copied().unwrap_or(0) & (mask - 1);
        if here != 0 {
            return Some(highest(word, here));
        }
        last_before(&self.summary, word).map(|word| highest(word, self.words[word]))
    }
}

const fn lowest(word: usize, bits: u64) -> usize {
    word * BITS + bits.trailing_zeros() as usize
}

const fn highest(word: usize, bits: u64) -> usize {
    word * BITS + (BITS - 1) - bits.leading_zeros() as usize
}

/// The first bit set from `start` on, word by word.
fn first_from(words: &[u64], start: usize) -> Option<usize> {
    let mut mask = u64::MAX << (start % BITS);
    for (word, bits) in words.iter().enumerate().skip(start / BITS) {
        if bits & mask != 0 {
            return Some(lowest(word, bits & mask));
        }
        mask = u64::MAX;
    }
    None
}

/// The last bit set before `end`, word by word.
fn last_before(words: &[u64], end: usize) -> Option<usize> {
    let (full, mask) = bit(end);
    let cut = words.get(full).map(|bits| bits & (mask - 1)).filter(|bits| *bits != 0);
    let lower = || {
        words[..full.min(words.len())]
            .iter()
            .rposition(|bits| *bits != 0)
            .map(|word| highest(word, words[word]))
    };
    cut.map(|bits| highest(full, bits)).or_else(lower)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn finds_what_a_set_finds() {
        const PLACES: usize = 1 << 13;
        let (mut bitmap, mut set) = (Bitmap::default(), BTreeSet::new());
        bitmap.reset(PLACES);
        let mut number = 1_usize;
        for _ in 0..4_000 {
            number = number.wrapping_mul(0x5851_f42d).wrapping_add(0x1405_7b7e) % (1 << 31);
            // Crowded at the edges of words and groups, sparse elsewhere.
            let place = if number.is_multiple_of(3) { number / 64 * 64 } else { number / 7 } % PLACES;
            if set.remove(&place) {
                bitmap.clear(place);
            } else {
                set.insert(place);
                bitmap.set(place);
            }
            assert_eq!(bitmap.occupied(), set.len());
            for at in [0, place, place + 1, place.saturating_sub(1), number % PLACES, PLACES] {
                assert_eq!(bitmap.from(at), set.range(at..).next().copied(), "from {at}");
                assert_eq!(bitmap.before(at), set.range(..at).next_back().copied(), "before {at}");
            }
        }
        assert!(set.len() > 100);
    }

    #[test]
    fn an_empty_one_holds_nothing() {
        let bitmap = Bitmap::default();
        assert_eq!((bitmap.from(0), bitmap.before(0), bitmap.before(1 << 16)), (None, None, None));
    }
}
