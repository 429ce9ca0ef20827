//! The markets of the two venues: which pools there are, how deep they are, and how a swap fares in them.
//!
//! The venues differ by fee, depth and a few basis points of price, so that direction, size and what was traded
//! before decide which is the better one.

use fillstream_domain::{Atoms, Pair, Token, VenueId};

use crate::pool::{Pool, PoolError, Side, Swapped};

/// A pool and where the world sees its price.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Market {
    base: Token,
    quote: Token,
    /// The reserves at the start, and what arbitrage draws them back to.
    reference: Pool,
    /// Multiple of the pool's reserve that others sell in the moment before a transaction lands. They buy back
    /// right after it, so that the next quote knows nothing of it.
    sold_ahead: u128,
}

/// Reasons why a swap has no price or does not land.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SwapError {
    InsufficientLiquidity,
    Pool(PoolError),
}

/// A pool of whole tokens.
const fn market(base: Token, base_reserve: u128, quote: Token, quote_reserve: u128) -> Market {
    let reference = Pool { base: whole(base, base_reserve), quote: whole(quote, quote_reserve) };
    Market { base, quote, reference, sold_ahead: 0 }
}

/// The price falls to about a hundredth while a transaction is under way: no slippage of at most 50 % allows that.
const fn running_away(market: Market) -> Market {
    Market { sold_ahead: 9, ..market }
}

/// All but empty, whatever the base reserve is.
const fn drained(market: Market) -> Market {
    Market { reference: Pool { quote: Atoms::new(12), ..market.reference }, ..market }
}

const fn whole(token: Token, tokens: u128) -> Atoms {
    Atoms::new(tokens * 10_u128.pow(token.decimals()))
}

static RAYDIUM: [Market; 6] = [
    market(Token::Sol, 2_000_000, Token::Usdc, 290_000_000),
    market(Token::Sol, 1_000_000, Token::Usdt, 144_950_000),
    market(Token::Btc, 100_000, Token::Usdc, 10_000_000_000),
    market(Token::Eth, 1_000_000, Token::Usdc, 3_500_000_000),
    drained(market(Token::Dust, 4_000, Token::Usdc, 0)),
    running_away(market(Token::Rush, 1_000_000, Token::Usdc, 2_000_000)),
];

static METEORA: [Market; 6] = [
    market(Token::Sol, 1_500_000, Token::Usdc, 217_650_000),
    market(Token::Sol, 1_200_000, Token::Usdt, 174_060_000),
    market(Token::Btc, 80_000, Token::Usdc, 8_005_600_000),
    market(Token::Eth, 800_000, Token::Usdc, 2_802_000_000),
    drained(market(Token::Dust, 3_000, Token::Usdc, 0)),
    running_away(market(Token::Rush, 800_000, Token::Usdc, 1_601_600)),
];

/// Fee of a venue's pools, in basis points.
const fn fee_bps(venue: VenueId) -> u128 {
    match venue {
        VenueId::Raydium => 25,
        VenueId::Meteora => 30,
    }
}

impl Market {
    /// The venue's market of this pair and the direction of the pair in it; nothing when it has none.
    pub(crate) fn find(venue: VenueId, pair: Pair) -> Option<(&'static Self, Side)> {
        let markets = match venue {
            VenueId::Raydium => &RAYDIUM,
            VenueId::Meteora => &METEORA,
        };
        markets.iter().find_map(|market| match (pair.token_in(), pair.token_out()) {
            (base, quote) if (base, quote) == market.tokens() => Some((market, Side::SellBase)),
            (quote, base) if (base, quote) == market.tokens() => Some((market, Side::BuyBase)),
            (_, _) => None,
        })
    }

    /// Base and quote: the market's name.
    pub(crate) const fn tokens(&self) -> (Token, Token) {
        (self.base, self.quote)
    }

    /// The pool before the first swap.
    pub(crate) const fn reference(&self) -> Pool {
        self.reference
    }

    /// Proceeds of a swap now.
    pub(crate) fn quote(
        &self,
        venue: VenueId,
        pool: Pool,
        side: Side,
        amount_in: Atoms,
    ) -> Result<Atoms, SwapError> {
        self.swap(venue, pool, side, amount_in).map(|swapped| swapped.amount_out)
    }

    /// Executes a swap, when it brings at least `min_out`: the output and the pool after arbitrage. Else the reason.
    pub(crate) fn land(
        &self,
        venue: VenueId,
        pool: Pool,
        side: Side,
        amount_in: Atoms,
        min_out: Atoms,
    ) -> Result<(Atoms, Pool), String> {
        let swapped = self.sell_ahead(pool, side).and_then(|pool| self.swap(venue, pool, side, amount_in));
        match swapped {
            Ok(Swapped { amount_out, pool }) if amount_out >= min_out => {
                Ok((amount_out, pool.drawn_towards(self.reference)))
            }
            Ok(Swapped { amount_out, .. }) => Err(self.slippage_exceeded(side, amount_out, min_out)),
            // The price has fallen so far that nothing at all is left.
            Err(SwapError::Pool(PoolError::TooSmall)) => {
                Err(self.slippage_exceeded(side, Atoms::new(0), min_out))
            }
            Err(SwapError::Pool(PoolError::TooLarge)) => Err("amount too large for the pool".to_owned()),
            Err(SwapError::InsufficientLiquidity) => Err("insufficient liquidity in pool".to_owned()),
        }
    }

    fn swap(&self, venue: VenueId, pool: Pool, side: Side, amount_in: Atoms) -> Result<Swapped, SwapError> {
        // A pool that holds less than one whole token of the output is no market, whatever the formula says.
        if pool.reserves(side).1 < whole(self.token_out(side), 1) {
            return Err(SwapError::InsufficientLiquidity);
        }
        pool.swap(side, amount_in, fee_bps(venue)).map_err(SwapError::Pool)
    }

    fn sell_ahead(&self, pool: Pool, side: Side) -> Result<Pool, SwapError> {
        if self.sold_ahead == 0 {
            return Ok(pool);
        }
        let amount = pool.reserves(side).0.get().saturating_mul(self.sold_ahead);
        pool.swap(side, Atoms::new(amount), 0).map(|swapped| swapped.pool).map_err(SwapError::Pool)
    }

    const fn token_out(&self, side: Side) -> Token {
        match side {
            Side::SellBase => self.quote,
            Side::BuyBase => self.base,
        }
    }

    fn slippage_exceeded(&self, side: Side, amount_out: Atoms, min_out: Atoms) -> String {
        let token = self.token_out(side);
        let text = |atoms: Atoms| {
            token
                .amount(atoms)
                .map_or_else(|| format!("{} atoms of", atoms.get()), |amount| amount.to_string())
        };
        format!("slippage exceeded: {} {token} is below the minimum of {}", text(amount_out), text(min_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fillstream_domain::{Amount, Price, Slippage, parse_exact};

    fn pair(token_in: Token, token_out: Token) -> Pair {
        Pair::new(token_in, token_out).unwrap()
    }

    fn atoms(token: Token, text: &str) -> Atoms {
        token.atoms(Amount::new(parse_exact(text).unwrap()).unwrap()).unwrap()
    }

    fn quoted(venue: VenueId, pair: Pair, amount_in: Atoms) -> Result<Atoms, SwapError> {
        let (market, side) = Market::find(venue, pair).unwrap();
        market.quote(venue, market.reference(), side, amount_in)
    }

    #[test]
    fn every_known_pair_has_a_market_at_both_venues() {
        for (token_in, token_out) in Token::ALL.into_iter().flat_map(|a| Token::ALL.map(|b| (a, b))) {
            let Some(pair) = Pair::new(token_in, token_out) else { continue };
            for venue in VenueId::ALL {
                assert!(Market::find(venue, pair).is_some(), "{pair} at {venue}");
            }
        }
    }

    #[test]
    fn prices_are_near_the_world_s_in_both_directions() {
        for (token_in, token_out, amount_in, least, most) in [
            (Token::Sol, Token::Usdc, "10", "144.5", "145"),
            (Token::Usdc, Token::Sol, "1450", "0.00687", "0.0069"),
            (Token::Sol, Token::Usdt, "10", "144.5", "145"),
            (Token::Usdt, Token::Sol, "1450", "0.00687", "0.0069"),
            (Token::Btc, Token::Usdc, "1", "99500", "100000"),
            (Token::Btc, Token::Usdc, "1000", "98000", "100000"),
            (Token::Usdc, Token::Btc, "100000", "0.00000995", "0.00001"),
            (Token::Eth, Token::Usdc, "5", "3480", "3500"),
            (Token::Usdc, Token::Eth, "17500", "0.000284", "0.000286"),
        ] {
            let (pair, amount_in) = (pair(token_in, token_out), atoms(token_in, amount_in));
            for venue in VenueId::ALL {
                let price = Price::of(pair, amount_in, quoted(venue, pair, amount_in).unwrap()).unwrap();
                let bound = |text| Price::new(parse_exact(text).unwrap()).unwrap();
                assert!(price >= bound(least) && price <= bound(most), "{venue}: {price} for {pair}");
            }
        }
    }

    #[test]
    fn either_venue_can_be_the_better_one() {
        let best = |token_in, token_out, amount| {
            let (pair, amount_in) = (pair(token_in, token_out), atoms(token_in, amount));
            VenueId::ALL.into_iter().max_by_key(|venue| quoted(*venue, pair, amount_in).unwrap())
        };
        assert_eq!(best(Token::Sol, Token::Usdc, "10"), Some(VenueId::Meteora));
        assert_eq!(best(Token::Usdc, Token::Sol, "1450"), Some(VenueId::Raydium));
        assert_eq!(best(Token::Sol, Token::Usdc, "100000"), Some(VenueId::Raydium));
    }

    #[test]
    fn the_largest_orders_still_have_a_result() {
        for (token_in, token_out) in Pair::BOTH_WAYS.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]) {
            for venue in VenueId::ALL {
                let out = quoted(venue, pair(token_in, token_out), atoms(token_in, "1000000000"));
                assert!(out.is_ok(), "{venue}: {out:?} for {token_in}/{token_out}");
            }
        }
    }

    #[test]
    fn dust_has_no_liquidity_at_any_size() {
        for amount in ["0.000000001", "1", "1000000000"] {
            for venue in VenueId::ALL {
                let out = quoted(venue, pair(Token::Dust, Token::Usdc), atoms(Token::Dust, amount));
                assert_eq!(out, Err(SwapError::InsufficientLiquidity), "{amount} at {venue}");
            }
        }
    }

    #[test]
    fn rush_runs_away_from_any_slippage_at_any_size() {
        let widest = Slippage::new(parse_exact("50").unwrap()).unwrap();
        for amount in ["0.000001", "1", "5000", "1000000000"] {
            for venue in VenueId::ALL {
                let (pair, amount_in) = (pair(Token::Rush, Token::Usdc), atoms(Token::Rush, amount));
                let min_out = widest.least_of(quoted(venue, pair, amount_in).unwrap()).unwrap();
                let (market, side) = Market::find(venue, pair).unwrap();
                let reason = market.land(venue, market.reference(), side, amount_in, min_out).unwrap_err();
                assert!(reason.starts_with("slippage exceeded: "), "{reason}");
            }
        }
    }

    #[test]
    fn neither_a_whale_nor_a_crowd_spoils_the_price() {
        let (pair, amount_in) = (pair(Token::Sol, Token::Usdc), atoms(Token::Sol, "10"));
        for (count, size) in [(1, "1000000000"), (5000, "1000")] {
            let (market, side) = Market::find(VenueId::Raydium, pair).unwrap();
            let mut pool = market.reference();
            for _ in 0..count {
                let size = atoms(Token::Sol, size);
                (_, pool) = market.land(VenueId::Raydium, pool, side, size, Atoms::new(1)).unwrap();
            }
            assert_ne!(pool, market.reference(), "trade moves the price");
            let before = quoted(VenueId::Raydium, pair, amount_in).unwrap();
            let after = market.quote(VenueId::Raydium, pool, side, amount_in).unwrap();
            assert!(after >= Slippage::DEFAULT.least_of(before).unwrap(), "{before:?} became {after:?}");
        }
    }
}
