//! The words of a book order.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A price as a count of the market's tick size, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticks(u32);

impl Ticks {
    /// Nothing for 0: no order has such a price.
    #[must_use]
    pub const fn new(ticks: u32) -> Option<Self> {
        if ticks == 0 { None } else { Some(Self(ticks)) }
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A quantity as a count of the market's lot size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lots(u64);

impl Lots {
    /// Nothing left.
    pub const ZERO: Self = Self(0);

    /// From a count.
    #[must_use]
    pub const fn new(lots: u64) -> Self {
        Self(lots)
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What is left after `less` is taken; nothing when that is more than there is.
    #[must_use]
    pub const fn minus(self, less: Self) -> Option<Self> {
        match self.0.checked_sub(less.0) {
            Some(lots) => Some(Self(lots)),
            None => None,
        }
    }

    /// Nothing when the sum is out of range.
    #[must_use]
    pub const fn plus(self, more: Self) -> Option<Self> {
        match self.0.checked_add(more.0) {
            Some(lots) => Some(Self(lots)),
            None => None,
        }
    }
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it stands on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the wire's word.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.name() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

word! {
    /// Which way an order trades.
    Side {
        /// Pays quote for base.
        Buy = "BUY",
        /// Pays base for quote.
        Sell = "SELL",
    }
}

impl Side {
    /// The side that it trades with.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

word! {
    /// Whether an order names a price.
    OrderType {
        /// At its price or better.
        Limit = "LIMIT",
        /// At whatever price there is, at once.
        Market = "MARKET",
    }
}

word! {
    /// How long an order stays.
    TimeInForce {
        /// Until it is filled or cancelled.
        Gtc = "GTC",
        /// What does not trade at once is cancelled.
        Ioc = "IOC",
        /// All of it at once, or nothing.
        Fok = "FOK",
        /// Until its expiry.
        Gtd = "GTD",
    }
}

word! {
    /// What happens when an order would trade with its own user's; the taker's setting decides.
    SelfTradePrevention {
        /// They trade.
        None = "NONE",
        /// What is left of the taker is cancelled.
        CancelNewest = "CANCEL_NEWEST",
        /// The maker is cancelled, the taker goes on.
        CancelOldest = "CANCEL_OLDEST",
        /// Both are cancelled.
        CancelBoth = "CANCEL_BOTH",
    }
}

word! {
    /// Where a book order stands. A partly filled order that still rests is open.
    BookStatus {
        /// In the book, or on its way there.
        Open = "OPEN",
        /// All of it has traded.
        Filled = "FILLED",
        /// What was left will never trade.
        Cancelled = "CANCELLED",
        /// It never came into the book.
        Rejected = "REJECTED",
    }
}

impl BookStatus {
    /// Nothing follows any more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Open => false,
            Self::Filled | Self::Cancelled | Self::Rejected => true,
        }
    }
}

/// How long a limit order stays, with the instant where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Life {
    /// Until it is filled or cancelled.
    Gtc,
    /// What does not trade at once is cancelled.
    Ioc,
    /// All of it at once, or nothing.
    Fok,
    /// Until this instant: it ends before the first input whose recorded time reaches it.
    Gtd(Timestamp),
}

/// What an order trades at, and for how long. Only what makes sense together can be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pricing {
    /// Takes what there is; what is left over is cancelled.
    Market {
        /// All of it at once, or nothing.
        fill_or_kill: bool,
    },
    /// At this price or better.
    Limit {
        /// The worst price.
        price: Ticks,
        /// How long.
        life: Life,
    },
    /// At this price, as a maker only: refused when it would take.
    PostOnly {
        /// The price.
        price: Ticks,
        /// When it expires, if ever.
        expires_at: Option<Timestamp>,
    },
}

impl Pricing {
    /// True when what does not trade at once comes to rest in the book.
    #[must_use]
    pub const fn may_rest(self) -> bool {
        match self {
            Self::Limit { life: Life::Gtc | Life::Gtd(_), .. } | Self::PostOnly { .. } => true,
            Self::Limit { life: Life::Ioc | Life::Fok, .. } | Self::Market { .. } => false,
        }
    }
}
