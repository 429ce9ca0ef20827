//! Settings of who may ask.

use clap::Args;
use fillstream_clock::now;
use fillstream_http_edge::{Askers, KeyTimes, MIN_SECRET_BYTES, Tokens};
use tracing::warn;

use super::{Secret, Span, span::at_least};
use crate::Failure;

/// How clients prove who they are.
#[derive(Debug, Clone, Args)]
pub(crate) struct AuthSettings {
    /// Secret of at least 32 bytes that bearer tokens are signed with (HS256). Better given as the variable: everybody
    /// on the machine can read flags
    #[arg(
        long,
        env = "FILLSTREAM_JWT_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        help_heading = "Authentication"
    )]
    jwt_secret: Option<Secret>,

    /// Public keys that bearer tokens are verified with (RS256, ES256, EdDSA): a JWK set, a file or an address. It is read
    /// at the start and again and again, from an address also when a token names an unknown key
    #[arg(long, env = "FILLSTREAM_JWKS", value_name = "FILE|URL", help_heading = "Authentication")]
    jwks: Option<String>,

    /// Between two readings of the key set: a key that the issuer has withdrawn is good for that long at most
    #[arg(
        long,
        env = "FILLSTREAM_JWKS_REFRESH",
        value_parser = at_least::<100>,
        default_value = "10min",
        value_name = "TIME",
        help_heading = "Authentication"
    )]
    jwks_refresh: Span,

    /// How long the last key set is good when it cannot be read any more; then requests are answered 503
    #[arg(
        long,
        env = "FILLSTREAM_JWKS_KEEP",
        value_parser = at_least::<100>,
        default_value = "1day",
        value_name = "TIME",
        help_heading = "Authentication"
    )]
    jwks_keep: Span,

    /// Issuer (iss) that tokens must have [default: any]
    #[arg(long, env = "FILLSTREAM_JWT_ISSUER", value_name = "TEXT", help_heading = "Authentication")]
    jwt_issuer: Option<String>,

    /// Audience (aud) that tokens must have. Strongly recommended: without it, tokens that the issuer made for other
    /// services open this one, too [default: any]
    #[arg(long, env = "FILLSTREAM_JWT_AUDIENCE", value_name = "TEXT", help_heading = "Authentication")]
    jwt_audience: Option<String>,
}

impl AuthSettings {
    /// Clients have to prove who they are.
    pub(crate) const fn is_on(&self) -> bool {
        self.jwt_secret.is_some() || self.jwks.is_some()
    }

    /// Refuses what would be half an authentication.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.jwt_secret.is_some() && self.jwks.is_some() {
            let told = "--jwt-secret and --jwks are both given, but only one can say which tokens hold: a secret that \
                        issuer and server share, or the issuer's public keys";
            return Err(told.into());
        }
        if !self.is_on() && (self.jwt_issuer.is_some() || self.jwt_audience.is_some()) {
            let told = "--jwt-issuer and --jwt-audience need --jwt-secret or --jwks: without them no token is verified";
            return Err(told.into());
        }
        match &self.jwt_secret {
            Some(secret) if secret.reveal().len() < MIN_SECRET_BYTES => Err(format!(
                "--jwt-secret has {} bytes, but must have at least {MIN_SECRET_BYTES}: shorter ones can be guessed from \
                 a token",
                secret.reveal().len()
            )
            .into()),
            Some(_) | None => Ok(()),
        }
    }

    /// How the server finds out who asks. Key sets are read or fetched here.
    pub(crate) async fn askers(&self) -> Result<Askers, Failure> {
        let tokens = match (&self.jwt_secret, &self.jwks) {
            (None, None) => return Ok(Askers::open(now)),
            (Some(secret), _) => Tokens::with_secret(secret.reveal().as_bytes()),
            (None, Some(place)) => {
                let times = KeyTimes { refresh: self.jwks_refresh.get(), keep: self.jwks_keep.get() };
                Tokens::with_key_set(place, times).await
            }
        };
        if self.jwt_audience.is_none() {
            warn!("without --jwt-audience, tokens that the issuer made for other services are taken, too");
        }
        let tokens = tokens?.issued_by(self.jwt_issuer.clone()).meant_for(self.jwt_audience.clone());
        Ok(Askers::verified(tokens, now))
    }
}
