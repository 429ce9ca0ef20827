//! The state hash: a sum over what rests, so that a change costs the change and not the book.
//!
//! ```text
//!  hash = mix( Σ order's terms and priority  +  Σ expiries ,  next priority )        sums modulo 2^64
//! ```
//! Priorities stand for the order of the queues: the same orders queued differently have another hash. A change of the
//! mixing is a change of every hash in the stream, so it never changes.

use fillstream_domain::Timestamp;

use crate::codes;
use crate::slab::Order;

/// The fractional digits of pi, 64 bits each: constants without a choice in them.
const KEYS: [u64; 8] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
    0x082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377,
    0xbe54_66cf_34e9_0c6c,
    0xc0ac_29b7_c97c_50dd,
    0x3f84_d5b5_b547_0917,
];

/// The sum over all that rests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StateHash(u64);

impl StateHash {
    pub(crate) fn add(&mut self, order: &Order) {
        self.0 = self.0.wrapping_add(of_order(order));
    }

    pub(crate) fn take(&mut self, order: &Order) {
        self.0 = self.0.wrapping_sub(of_order(order));
    }

    pub(crate) fn add_expiry(&mut self, priority: u64, at: Timestamp) {
        self.0 = self.0.wrapping_add(of_expiry(priority, at));
    }

    pub(crate) fn take_expiry(&mut self, priority: u64, at: Timestamp) {
        self.0 = self.0.wrapping_sub(of_expiry(priority, at));
    }

    /// The hash of a book whose next order gets `next_priority`.
    pub(crate) fn finish(self, next_priority: u64) -> u64 {
        mix([(self.0, next_priority)])
    }
}

fn of_order(order: &Order) -> u64 {
    let words = codes::side(order.side) | codes::self_trade_prevention(order.self_trade_prevention) << 1;
    let flags = u64::from(words | u8::from(order.post_only) << 3 | u8::from(order.expires) << 4);
    mix([
        order.id.uuid().as_u64_pair(),
        order.user.uuid().as_u64_pair(),
        (order.quantity.get(), order.filled.get()),
        (order.priority, flags << 32 | u64::from(order.price.get())),
    ])
}

fn of_expiry(priority: u64, at: Timestamp) -> u64 {
    mix([(priority, at.unix_ms().cast_unsigned())])
}

/// The NH hash (of UMAC, RFC 4418) over 64-bit words, folded: its multiplications do not wait for each other.
fn mix<const PAIRS: usize>(words: [(u64, u64); PAIRS]) -> u64 {
    let keys = KEYS.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    let products = words
        .into_iter()
        .zip(keys)
        .map(|(word, key)| u128::from(word.0.wrapping_add(key.0)) * u128::from(word.1.wrapping_add(key.1)));
    let (high, low) = halves(products.fold(0, u128::wrapping_add));
    let (high, low) = halves(u128::from(high ^ KEYS[7]) * u128::from(low ^ KEYS[5]));
    high ^ low
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
const fn halves(wide: u128) -> (u64, u64) {
    ((wide >> 64) as u64, wide as u64)
}
