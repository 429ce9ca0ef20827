//! The mixing of the state hash. It never changes: the hashes of old commits must come out again.

/// Nothing mixed yet; the golden ratio, 64 bits of it.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// One hash over words, in their order (the finalizer of SplitMix64 on each).
pub(crate) fn of_words(words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(SEED, |state, word| {
        let mixed = (state ^ word).wrapping_add(SEED);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// One hash over bytes; their number is part of it.
pub(crate) fn of_bytes(bytes: &[u8]) -> u64 {
    let word = |chunk: &[u8]| chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    of_words(bytes.chunks(8).map(word).chain([bytes.len() as u64]))
}

/// The two words of a count.
#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
pub(crate) const fn halves(count: u128) -> [u64; 2] {
    [(count >> 64) as u64, count as u64]
}
