//! Where keys come from, and when they are looked for again.
//!
//! ```text
//!  token's kid ─▶ known? ─ yes ─▶ key
//!                    └─ no ─▶ an address, and REFETCH_PAUSE is over? ─▶ fetch (off the runtime) ─▶ known? ─▶ key | none
//! ```

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::RwLock;
use tokio::{sync::Mutex, task::spawn_blocking};
use tracing::{info, warn};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::keys::{Key, Keys};

/// Between two fetches: whoever makes up key names costs the issuer two requests a minute.
pub const REFETCH_PAUSE: Duration = Duration::from_secs(30);
/// A fetch that takes longer has failed; a request may wait for it.
const FETCH_LIMIT: Duration = Duration::from_secs(5);
/// Largest key set; real ones have a few kilobytes.
const MAX_SET_BYTES: u64 = 1 << 20;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// The file cannot be read.
    #[error("cannot read the key set {place}: {reason}")]
    Unreadable {
        /// File or address.
        place: String,
        /// What went wrong.
        reason: String,
    },
    /// What was read is no JWK set.
    #[error("{place} is no JWK set: {reason}")]
    NoSet {
        /// File or address.
        place: String,
        /// What went wrong.
        reason: String,
    },
    /// Nothing in it is of use.
    #[error(
        "the key set {place} has no public key for signatures with RS256 (2048 bits or more), ES256 or EdDSA (Ed25519)"
    )]
    NoKeys {
        /// File or address.
        place: String,
    },
}

/// See the module's first line.
#[derive(Debug)]
pub(crate) enum KeySource {
    /// One key for all tokens.
    Only(Arc<Key>),
    /// Read once.
    File(Keys),
    /// Fetched, and fetched again.
    Address(Fetched),
}

impl KeySource {
    /// Reads or fetches a key set.
    ///
    /// # Errors
    /// When it cannot be read, or has no key that is of use.
    pub(crate) async fn open(place: &str) -> Result<Self, KeySourceError> {
        if place.starts_with("https://") || place.starts_with("http://") {
            return Ok(Self::Address(Fetched::open(place, REFETCH_PAUSE).await?));
        }
        let text = tokio::fs::read_to_string(place).await;
        let text = text.map_err(|error| unreadable(place, &error))?;
        Ok(Self::File(read(place, &text)?))
    }

    /// The key of that name, also if it has to be fetched first.
    pub(crate) async fn key(&self, kid: Option<&str>) -> Option<Arc<Key>> {
        match self {
            Self::Only(key) => Some(Arc::clone(key)),
            Self::File(keys) => keys.find(kid),
            Self::Address(fetched) => fetched.key(kid).await,
        }
    }
}

/// The keys of an address.
#[derive(Debug)]
pub(crate) struct Fetched {
    shared: Arc<Shared>,
    /// When the last fetch began. Held during a fetch, so that all wait for the same one.
    last: Mutex<Instant>,
    pause: Duration,
}

#[derive(Debug)]
struct Shared {
    place: String,
    agent: Agent,
    keys: RwLock<Keys>,
}

impl Fetched {
    async fn open(place: &str, pause: Duration) -> Result<Self, KeySourceError> {
        let place = place.to_owned();
        let last = Mutex::new(Instant::now());
        let opened = spawn_blocking(move || {
            let shared = Shared { agent: agent(&place), place, keys: RwLock::default() };
            shared.fetch().map(|()| shared)
        });
        let shared = opened.await.expect("fetching does not panic and is not aborted")?;
        Ok(Self { shared: Arc::new(shared), last, pause })
    }

    async fn key(&self, kid: Option<&str>) -> Option<Arc<Key>> {
        let known = || self.shared.keys.read().find(kid);
        if let Some(key) = known() {
            return Some(key);
        }
        // A token that names no key cannot name a new one.
        kid?;
        let mut last = self.last.lock().await;
        // Whoever held the lock may have fetched it.
        if let Some(key) = known() {
            return Some(key);
        }
        if last.elapsed() < self.pause {
            return None;
        }
        *last = Instant::now();
        let shared = Arc::clone(&self.shared);
        // It ends also if the request that waits for it is gone.
        let fetched = spawn_blocking(move || shared.fetch()).await;
        if let Ok(Err(error)) = fetched {
            warn!(%error, "the keys of bearer tokens stay as they are");
        }
        known()
    }
}

impl Shared {
    /// Replaces the keys by what the address gives. Blocks.
    fn fetch(&self) -> Result<(), KeySourceError> {
        let unreadable = |error: ureq::Error| unreadable(&self.place, &error);
        let mut answer = self.agent.get(&self.place).call().map_err(unreadable)?;
        let text =
            answer.body_mut().with_config().limit(MAX_SET_BYTES).read_to_string().map_err(unreadable)?;
        *self.keys.write() = read(&self.place, &text)?;
        Ok(())
    }
}

fn unreadable(place: &str, error: &dyn std::error::Error) -> KeySourceError {
    KeySourceError::Unreadable { place: place.to_owned(), reason: error.to_string() }
}

fn read(place: &str, text: &str) -> Result<Keys, KeySourceError> {
    let keys = Keys::parse(text)
        .map_err(|error| KeySourceError::NoSet { place: place.to_owned(), reason: error.to_string() })?;
    let (usable, skipped) = (keys.len(), keys.skipped);
    if usable == 0 {
        return Err(KeySourceError::NoKeys { place: place.to_owned() });
    }
    info!(place, usable, skipped, "keys of bearer tokens");
    Ok(keys)
}

/// Who asks over https is not led to http, and trusts whom the operating system trusts: issuers are often in-house.
fn agent(place: &str) -> Agent {
    let secure = place.starts_with("https://");
    if !secure {
        warn!(place, "the keys of bearer tokens come over http: whoever is on the way can replace them");
    }
    let config =
        Agent::config_builder().timeout_global(Some(FETCH_LIMIT)).https_only(secure).tls_config(tls());
    config.build().into()
}

fn tls() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        warn!(%error, "a certificate of the operating system cannot be read");
    }
    let roots = found.certs.iter().map(|root| Certificate::from_der(root).to_owned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder().root_certs(RootCerts::from(roots.collect::<Vec<_>>()));
    tls.unversioned_rustls_crypto_provider(provider).build()
}

#[cfg(test)]
mod tests;
