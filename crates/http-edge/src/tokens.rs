//! Bearer tokens: signed JWTs (RFC 7519) whose subject is the user.

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderValue, StatusCode, header};
use fillstream_domain::{Timestamp, UserId};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::{Error, ErrorKind},
};
use serde::Deserialize;
use serde_json::Number;

use crate::{
    Problem,
    bearer::invalid_token,
    key_source::{KeySource, KeySourceError, KeyTimes, NoKeysNow, Watched},
    keys::{Key, KeyId},
    signatures,
};

/// Span by which the clocks of issuer and server may differ, for `exp` and `nbf`.
pub const LEEWAY: Duration = Duration::from_secs(30);
/// Shortest secret for HS256: the hash's own length (RFC 7518 section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// Verifies bearer tokens.
#[derive(Debug)]
pub struct Tokens {
    keys: KeySource,
    issuer: Option<String>,
    audience: Option<String>,
}

/// Reasons why tokens cannot be verified with this.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The secret can be guessed.
    #[error("the secret has {0} bytes, but must have at least {MIN_SECRET_BYTES}")]
    ShortSecret(usize),
    /// There are no keys.
    #[error(transparent)]
    Keys(#[from] KeySourceError),
}

impl Tokens {
    /// HS256 with a secret that issuer and server share.
    ///
    /// # Errors
    /// When the secret is too short.
    pub fn with_secret(secret: &[u8]) -> Result<Self, TokensError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(TokensError::ShortSecret(secret.len()));
        }
        let (id, algorithm) = (KeyId::new(), Algorithm::HS256);
        let key = Key { id, algorithm, decoding: DecodingKey::from_secret(secret) };
        Ok(Self::new(KeySource::Only(Arc::new(key))))
    }

    /// The public keys of a JWK set (RFC 7517): RS256, ES256 and EdDSA. `place` is a file or an `http(s)` address.
    ///
    /// # Errors
    /// When a file cannot be read, or holds no key that is of use. An address is asked again until it answers.
    pub async fn with_key_set(place: &str, times: KeyTimes) -> Result<Self, TokensError> {
        Ok(Self::new(KeySource::open(place, times).await?))
    }

    fn new(keys: KeySource) -> Self {
        signatures::install();
        Self { keys, issuer: None, audience: None }
    }

    /// Takes only tokens of this issuer (`iss`).
    #[must_use]
    pub fn issued_by(mut self, issuer: Option<String>) -> Self {
        self.issuer = issuer;
        self
    }

    /// Takes only tokens for this audience (`aud`).
    #[must_use]
    pub fn meant_for(mut self, audience: Option<String>) -> Self {
        self.audience = audience;
        self
    }

    /// Claims that the token proves.
    ///
    /// # Errors
    /// 401 when it proves nothing; 503 when there are no keys to tell.
    pub(crate) async fn proven(&self, token: &str) -> Result<Proven, Problem> {
        #[derive(Deserialize)]
        struct Claims {
            sub: String,
            exp: Number,
        }
        let header = decode_header(token).map_err(|_| invalid_token("The token cannot be read."))?;
        if header.crit.is_some() {
            return Err(invalid_token("The token has critical extensions that this server does not know."));
        }
        let key = self.keys.key(header.kid.as_deref()).await.map_err(|NoKeysNow| no_keys_now())?;
        let key = key.ok_or_else(|| invalid_token("The token is signed with a key that is not known."))?;
        let claims = decode::<Claims>(token, &key.decoding, &self.validation(key.algorithm));
        let claims = claims.map_err(|error| invalid_token(why(&error)))?.claims;
        let user = claims.sub.parse();
        let user = user.map_err(|_| invalid_token("The subject of the token must be a hyphenated UUID."))?;
        Ok(Proven { user, by: Proof { ends: ends(&claims.exp), key: key.id } })
    }

    /// Mark by which a withdrawn key of a proof is known.
    pub(crate) fn watch(&self, proof: Proof) -> Watched {
        self.keys.watch(proof.key)
    }

    /// The key says which algorithm; the token's header must agree.
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.validate_aud = self.audience.is_some();
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

/// Whether a token holds cannot be told: that is not the client's fault.
fn no_keys_now() -> Problem {
    let detail = "The keys of bearer tokens cannot be had at the moment.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable", detail)
        .header(header::RETRY_AFTER, HeaderValue::from_static("2"))
}

/// A user, proved by a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) user: UserId,
    pub(crate) by: Proof,
}

/// Grounds of a token's proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof {
    /// The token's end, with the leeway of clocks.
    pub(crate) ends: Timestamp,
    /// The key that it was signed with.
    pub(crate) key: KeyId,
}

/// `exp` with the leeway. It is a number of seconds, perhaps with a fraction, which is not worth a float.
fn ends(exp: &Number) -> Timestamp {
    let text = exp.to_string();
    let seconds = text.split(['.', 'e', 'E']).next().and_then(|whole| whole.parse::<i64>().ok());
    // What is no number of seconds that anybody lives to see has no end.
    let ms = seconds.filter(|seconds| *seconds < FAR).map_or(FAR, |seconds| seconds).saturating_mul(1000);
    // Tokens are judged by whole seconds: the last one counts.
    Timestamp::from_unix_ms(ms).after(LEEWAY + Duration::from_secs(1))
}

/// Seconds to the year 2286: an end that is none.
const FAR: i64 = 10_000_000_000;

#[expect(clippy::wildcard_enum_match_arm, reason = "all other kinds say the same: it is no token of ours")]
fn why(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::ExpiredSignature => "The token has expired.",
        ErrorKind::ImmatureSignature => "The token is not valid yet.",
        ErrorKind::InvalidAudience => "The token is meant for another audience.",
        ErrorKind::InvalidIssuer => "The token is of another issuer.",
        ErrorKind::InvalidAlgorithm => "The token is not signed with the algorithm of its key.",
        ErrorKind::InvalidSignature => "The signature of the token is wrong.",
        ErrorKind::MissingRequiredClaim(_) => "The token lacks one of exp, sub, iss, aud.",
        _ => "The token cannot be read.",
    }
}
