//! Somebody who issues tokens, good ones and any other.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use serde_json::{Value, json};

/// Made for these tests; it opens nothing.
const RSA: &str = include_str!("rsa.pem");
pub(crate) const RSA_PUBLIC: &str = include_str!("rsa.pub.pem");
/// 32 bytes.
pub(crate) const SECRET: &str = "correct horse battery staple 321";
pub(crate) const ANN: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01";
pub(crate) const BOB: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d02";

/// Key that signs.
pub(crate) enum Signer {
    Secret(Vec<u8>),
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Nothing,
}

impl Signer {
    pub(crate) fn secret(secret: &str) -> Self {
        Self::Secret(secret.as_bytes().to_vec())
    }

    pub(crate) fn rsa() -> Self {
        let text: String = RSA.lines().filter(|line| !line.starts_with('-')).collect();
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(text).unwrap()).unwrap()))
    }

    pub(crate) fn p256() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random);
        Self::P256(pair.unwrap())
    }

    pub(crate) fn ed25519() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Secret(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::P256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Nothing => Vec::new(),
        }
    }

    /// The public key as a set has it.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let PublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
                json!({"kty": "RSA", "kid": kid, "n": url(&n), "e": url(&e)})
            }
            Self::P256(pair) => {
                // 4, then x, then y.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": url(x), "y": url(y)})
            }
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": url(pair.public_key().as_ref())})
            }
            Self::Secret(secret) => json!({"kty": "oct", "kid": kid, "k": url(secret)}),
            Self::Nothing => panic!("there is no key"),
        }
    }
}

pub(crate) fn url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn token(signer: &Signer, header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", url(header.to_string().as_bytes()), url(claims.to_string().as_bytes()));
    let signature = url(&signer.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// Seconds since 1970, now and some.
pub(crate) fn in_seconds(some: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + some
}

/// Ann's claims, with some of them replaced; null leaves one out.
pub(crate) fn claims(other: Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.example", "aud": "fillstream", "sub": ANN, "exp": in_seconds(600), "nbf": in_seconds(-5),
    });
    for (name, value) in other.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}
