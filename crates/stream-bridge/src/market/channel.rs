//! The channels of the market, by name: what positions, chains and tokens belong to.

use fillstream_domain::{Incarnation, Position, UserId, book::Symbol};

use crate::token::{self, After, NotAToken, Tokens};

/// FNV-1a, 64 bits: stable across builds and machines, as a token's channel has to be.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// A stream of the market, as clients call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MarketStream {
    /// Updates of a user's orders.
    Orders,
    /// Trades of a user's orders.
    Fills,
    /// Trades.
    Trades,
    /// The best prices of a market.
    Orderbook,
    /// All levels of a market.
    Depth,
}

impl MarketStream {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Orders, Self::Fills, Self::Trades, Self::Orderbook, Self::Depth];

    /// As it stands on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Fills => "fills",
            Self::Trades => "trades",
            Self::Orderbook => "orderbook",
            Self::Depth => "depth",
        }
    }
}

/// A channel: a stream, and whose or which market's it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MarketChannel {
    /// Updates of a user's orders, of all markets or of one.
    Orders(UserId, Option<Symbol>),
    /// Trades of a user's orders, of all markets or of one.
    Fills(UserId, Option<Symbol>),
    /// Trades of all markets or of one.
    Trades(Option<Symbol>),
    /// The best prices of a market.
    Orderbook(Symbol),
    /// All levels of a market.
    Depth(Symbol),
}

impl MarketChannel {
    /// The stream that it is of.
    #[must_use]
    pub const fn stream(&self) -> MarketStream {
        match self {
            Self::Orders(..) => MarketStream::Orders,
            Self::Fills(..) => MarketStream::Fills,
            Self::Trades(_) => MarketStream::Trades,
            Self::Orderbook(_) => MarketStream::Orderbook,
            Self::Depth(_) => MarketStream::Depth,
        }
    }

    /// The market; nothing when it is of all markets.
    #[must_use]
    pub const fn symbol(&self) -> Option<&Symbol> {
        match self {
            Self::Orders(_, symbol) | Self::Fills(_, symbol) | Self::Trades(symbol) => symbol.as_ref(),
            Self::Orderbook(symbol) | Self::Depth(symbol) => Some(symbol),
        }
    }

    /// The user whose own it is; nothing when it is public.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::Orders(user, _) | Self::Fills(user, _) => Some(*user),
            Self::Trades(_) | Self::Orderbook(_) | Self::Depth(_) => None,
        }
    }

    /// The token of a position on this channel, in a stream of this incarnation; of which record is not said.
    #[must_use]
    pub fn token(&self, incarnation: Incarnation, position: Position) -> String {
        token::token(self.mark(), incarnation, position, token::UNKNOWN)
    }

    /// The token of a position on this channel, proved as far as its record is known.
    pub(crate) fn token_in(&self, tokens: &Tokens, position: Position) -> String {
        tokens.token(self.mark(), position)
    }

    /// Reads what a client gave as `after`: a token, or a bare sequence.
    ///
    /// # Errors
    /// When it is neither.
    pub fn after(&self, incarnation: Incarnation, text: &str) -> Result<After, NotAToken> {
        token::after(self.mark(), incarnation, text)
    }

    /// A number that other channels do not share, but for an accident of 64 bits.
    fn mark(&self) -> u64 {
        let user = self.user().map(|user| user.to_string()).unwrap_or_default();
        let symbol = self.symbol().map_or("", Symbol::as_str);
        let name = format!("{} {symbol} {user}", self.stream().name());
        name.bytes().fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use fillstream_domain::Seq;

    use super::*;

    #[test]
    fn every_channel_has_tokens_of_its_own() {
        let (btc, eth): (Symbol, Symbol) = ("BTC/USDT".parse().unwrap(), "ETH/USDT".parse().unwrap());
        let [a, b] = [1, 2].map(|n| UserId::new(uuid::Uuid::from_u128(n)));
        let channels = [
            MarketChannel::Orders(a, None),
            MarketChannel::Orders(b, None),
            MarketChannel::Orders(a, Some(btc.clone())),
            MarketChannel::Fills(a, None),
            MarketChannel::Fills(b, None),
            MarketChannel::Fills(a, Some(btc.clone())),
            MarketChannel::Trades(None),
            MarketChannel::Trades(Some(btc.clone())),
            MarketChannel::Trades(Some(eth.clone())),
            MarketChannel::Orderbook(btc.clone()),
            MarketChannel::Depth(btc),
            MarketChannel::Depth(eth),
        ];
        let (at, tokens) = (Position::new(Seq::new(4711), 3), Tokens::new(Incarnation::new(7)));
        let different: HashSet<String> =
            channels.iter().map(|channel| channel.token_in(&tokens, at)).collect();
        assert_eq!(different.len(), channels.len());
        for channel in &channels {
            for other in &channels {
                let expected =
                    if channel == other { After::Position(at) } else { After::Foreign("other_channel") };
                assert_eq!(
                    channel.after(Incarnation::new(7), &other.token_in(&tokens, at)),
                    Ok(expected),
                    "{channel:?} {other:?}"
                );
            }
            assert_eq!(
                channel.after(Incarnation::new(8), &channel.token_in(&tokens, at)),
                Ok(After::Foreign("other_stream"))
            );
            assert_eq!(
                channel.after(Incarnation::new(7), "4711"),
                Ok(After::Position(Position::after_all_of(Seq::new(4711))))
            );
            assert_eq!(channel.after(Incarnation::new(7), "nonsense"), Err(NotAToken));
        }
    }
}
