//! Words as numbers, in hashes and snapshots. They are written down here, and not taken from the order of some
//! declaration, because a number that changes changes every hash in the stream.

use fillstream_domain::book::{SelfTradePrevention, Side};

pub(crate) const fn side(side: Side) -> u8 {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

pub(crate) const fn self_trade_prevention(setting: SelfTradePrevention) -> u8 {
    match setting {
        SelfTradePrevention::None => 0,
        SelfTradePrevention::CancelNewest => 1,
        SelfTradePrevention::CancelOldest => 2,
        SelfTradePrevention::CancelBoth => 3,
    }
}
