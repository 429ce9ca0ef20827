//! Public keys of a JWK set (RFC 7517): each with the one algorithm that it is for, whatever a token says.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// Shortest RSA modulus that is verified (RFC 7518 section 3.3).
const MIN_RSA_BYTES: usize = 2048 / 8;

/// A key, told from all others of the process; the same from one reading of the set to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyId(u64);

impl KeyId {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A key and what it is for.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
}

/// The keys of a set that are of use here, each with its `kid`.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    keys: Vec<(Jwk, Arc<Key>)>,
    /// Number of the set's keys that are of no use: other purposes, other algorithms, too short.
    pub(crate) skipped: usize,
}

impl Keys {
    /// Reads a set. Keys of other kinds are skipped, as RFC 7517 section 5 asks for; those that were there `before` stay
    /// the same.
    ///
    /// # Errors
    /// When the text is no set.
    pub(crate) fn parse(text: &str, before: Option<&Self>) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_str(text)?;
        let mut found = Self::default();
        for jwk in set.keys {
            match serde_json::from_value::<Jwk>(jwk).ok().and_then(|jwk| Some((usable(&jwk)?, jwk))) {
                Some((key, jwk)) => {
                    let before = before.into_iter().flat_map(|before| &before.keys);
                    let same = before.into_iter().find(|(known, _)| *known == jwk);
                    let key = same.map_or_else(|| Arc::new(key), |(_, known)| Arc::clone(known));
                    found.keys.push((jwk, key));
                }
                None => found.skipped += 1,
            }
        }
        Ok(found)
    }

    /// Number of usable keys.
    pub(crate) const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Their names, in their order.
    pub(crate) fn names(&self) -> Vec<Option<&str>> {
        self.keys.iter().map(|(jwk, _)| name(jwk)).collect()
    }

    /// True when the key is one of these.
    pub(crate) fn have(&self, id: KeyId) -> bool {
        self.keys.iter().any(|(_, key)| key.id == id)
    }

    /// The key of that name. A token that names none means the only one there is.
    pub(crate) fn find(&self, kid: Option<&str>) -> Option<Arc<Key>> {
        let found = match (kid, self.keys.as_slice()) {
            (Some(kid), keys) => keys.iter().find(|(jwk, _)| name(jwk) == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        found.map(|(_, key)| Arc::clone(key))
    }
}

fn name(jwk: &Jwk) -> Option<&str> {
    jwk.common.key_id.as_deref()
}

/// The key, when it is a public one for signatures of an algorithm that is taken.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a set may hold anything, and jsonwebtoken may learn more of it"
)]
fn usable(jwk: &Jwk) -> Option<Key> {
    let (algorithm, says) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(point) if point.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        // Other curves, other kinds, and secrets: one that stands among public keys is none.
        _ => return None,
    };
    let common = &jwk.common;
    let for_signatures =
        common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
            && common
                .key_operations
                .as_ref()
                .is_none_or(|operations| operations.contains(&KeyOperations::Verify))
            && common.key_algorithm.is_none_or(|algorithm| algorithm == says);
    let decoding =
        DecodingKey::from_jwk(jwk).ok().filter(|key| for_signatures && is_whole(algorithm, key))?;
    Some(Key { id: KeyId::new(), algorithm, decoding })
}

/// True when the key has the length that its algorithm asks for.
fn is_whole(algorithm: Algorithm, key: &DecodingKey) -> bool {
    use jsonwebtoken::DecodingKeyKind::{RsaModulusExponent, SecretOrDer};
    match key.kind() {
        RsaModulusExponent { n, e } => n.len() >= MIN_RSA_BYTES && !e.is_empty(),
        // An uncompressed point of P-256, or one of Ed25519.
        SecretOrDer(point) => point.len() == if algorithm == Algorithm::ES256 { 65 } else { 32 },
    }
}
