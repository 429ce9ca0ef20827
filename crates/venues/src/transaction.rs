//! A simulated transaction: bytes that a person can read, and an id that follows from them.

use std::fmt;

use fillstream_domain::{Atoms, OrderId, Pair, Timestamp, Token, VenueId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

use crate::{PreparedTx, SwapTerms};

/// Integers of atoms as JSON text: a JSON number would lose digits in many readers.
pub(crate) mod atoms_text {
    use super::{Atoms, Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(atoms: &Atoms, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&atoms.get())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Atoms, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Atoms::new).map_err(serde::de::Error::custom)
    }
}

/// `sim:raydium:<32 hex digits>`: the first half of the payload's SHA-256. It looks like what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TxId {
    venue: VenueId,
    digest: u128,
}

impl TxId {
    pub(crate) fn of(venue: VenueId, payload: &[u8]) -> Self {
        let digest = Sha256::digest(payload);
        let digest = digest.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte));
        Self { venue, digest }
    }

    /// Nothing when the text is not exactly what [`fmt::Display`] writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (venue, hex) = text.strip_prefix("sim:")?.split_once(':')?;
        let venue = VenueId::ALL.into_iter().find(|known| known.name() == venue)?;
        let id = Self { venue, digest: u128::from_str_radix(hex, 16).ok()? };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sim:{}:{:032x}", self.venue, self.digest)
    }
}

impl Serialize for TxId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TxId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not an id of a simulated transaction"))
    }
}

/// What is signed. Order and attempt are in it, so that two equal swaps have different ids; all else follows from
/// the terms and the height, so that building the same attempt twice in one block gives the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transaction {
    /// Time at which the ledger began that it is for: no other one takes it.
    pub(crate) genesis: Timestamp,
    pub(crate) venue: VenueId,
    pub(crate) order_id: OrderId,
    pub(crate) attempt: u8,
    pub(crate) token_in: Token,
    pub(crate) token_out: Token,
    /// In atoms of the token in.
    #[serde(with = "atoms_text")]
    pub(crate) amount_in: Atoms,
    /// In atoms of the token out.
    #[serde(with = "atoms_text")]
    pub(crate) min_out: Atoms,
    pub(crate) built_at_height: u64,
    pub(crate) last_valid_height: u64,
}

impl Transaction {
    pub(crate) fn new(
        (venue, genesis): (VenueId, Timestamp),
        terms: &SwapTerms,
        min_out: Atoms,
        height: u64,
        life_blocks: u64,
    ) -> Self {
        Self {
            genesis,
            venue,
            order_id: terms.order_id,
            attempt: terms.attempt,
            token_in: terms.pair.token_in(),
            token_out: terms.pair.token_out(),
            amount_in: terms.amount_in,
            min_out,
            built_at_height: height,
            last_valid_height: height.saturating_add(life_blocks),
        }
    }

    /// Pair that is swapped; nothing when the venues do not know the pair.
    pub(crate) fn pair(&self) -> Option<Pair> {
        Pair::new(self.token_in, self.token_out)
    }

    /// Signs it: the bytes, and the id that follows from them.
    pub(crate) fn sign(&self) -> PreparedTx {
        let payload = serde_json::to_vec(self).expect("texts and integers always become JSON");
        PreparedTx {
            tx_id: TxId::of(self.venue, &payload).to_string(),
            payload,
            built_at_height: self.built_at_height,
            last_valid_height: self.last_valid_height,
        }
    }

    /// Reads signed bytes back. Only the bytes count; what stands beside them must agree by the id.
    pub(crate) fn open(venue: VenueId, signed: &PreparedTx) -> Result<(TxId, Self), String> {
        let id = TxId::of(venue, &signed.payload);
        let transaction: Self = serde_json::from_slice(&signed.payload)
            .map_err(|error| format!("the payload of {} is unreadable: {error}", signed.tx_id))?;
        if id.to_string() != signed.tx_id || transaction.venue != venue {
            return Err(format!("the payload is not the one of {} at {venue}", signed.tx_id));
        }
        Ok((id, transaction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(order: u128, attempt: u8) -> SwapTerms {
        SwapTerms {
            order_id: OrderId::new(uuid::Uuid::from_u128(order)),
            attempt,
            pair: Pair::new(Token::Sol, Token::Usdc).unwrap(),
            amount_in: Atoms::new(10_000_000_000),
        }
    }

    fn signed(order: u128, attempt: u8, venue: VenueId, height: u64) -> PreparedTx {
        let genesis = Timestamp::from_unix_ms(1_768_030_215_123);
        let min_out = Atoms::new(1_443_000_000);
        Transaction::new((venue, genesis), &terms(order, attempt), min_out, height, 150).sign()
    }

    #[test]
    fn payloads_read_well() {
        let tx = signed(7, 2, VenueId::Raydium, 9);
        assert_eq!(
            String::from_utf8(tx.payload).unwrap(),
            r#"{"genesis":"2026-01-10T07:30:15.123Z","venue":"raydium","order_id":"00000000-0000-0000-0000-000000000007","attempt":2,"token_in":"SOL","token_out":"USDC","amount_in":"10000000000","min_out":"1443000000","built_at_height":9,"last_valid_height":159}"#
        );
        assert!(tx.tx_id.starts_with("sim:raydium:"), "{}", tx.tx_id);
    }

    #[test]
    fn ids_differ_by_order_attempt_venue_and_height_only() {
        let id = |order, attempt, venue, height| signed(order, attempt, venue, height).tx_id;
        let first = id(7, 1, VenueId::Raydium, 9);
        assert_eq!(first, id(7, 1, VenueId::Raydium, 9));
        for other in [
            id(8, 1, VenueId::Raydium, 9),
            id(7, 2, VenueId::Raydium, 9),
            id(7, 1, VenueId::Meteora, 9),
            id(7, 1, VenueId::Raydium, 10),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn forged_bytes_are_not_opened() {
        let tx = signed(7, 1, VenueId::Raydium, 9);
        assert!(Transaction::open(VenueId::Raydium, &tx).is_ok());
        assert!(Transaction::open(VenueId::Meteora, &tx).is_err());
        let mut forged = tx.clone();
        forged.payload = String::from_utf8(tx.payload).unwrap().replace("1443", "0001").into_bytes();
        assert!(Transaction::open(VenueId::Raydium, &forged).is_err());
    }

    #[test]
    fn only_canonical_ids_are_read() {
        let text = signed(7, 1, VenueId::Meteora, 9).tx_id;
        assert_eq!(TxId::parse(&text).map(|id| id.to_string()), Some(text.clone()));
        for bad in [
            text.to_uppercase(),
            text.replace("sim:", ""),
            text[..text.len() - 1].to_owned(),
            "sim:meteora:+1".into(),
        ] {
            assert_eq!(TxId::parse(&bad), None, "{bad}");
        }
    }
}
