//! Sources of keys, and the times at which they are looked for again.
//!
//! ```text
//!  every so often ─▶ read anew: withdrawn keys go out ─ failed ─▶ the old ones are kept for a while, then there are none: 503
//!  token's kid ─▶ known? ─ yes ─▶ key
//!                    └─ no ─▶ an address, and REFETCH_PAUSE is over? ─▶ fetch (off the runtime) ─▶ known? ─▶ key | none
//! ```

use std::{
    error::Error,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{Uri, uri::Authority};
use fillstream_retry::{Retry, chain};
use parking_lot::RwLock;
use tokio::{
    sync::Mutex,
    task::{AbortHandle, spawn_blocking},
    time::sleep,
};
use tracing::{info, warn};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::keys::{Key, KeyId, Keys};

/// Between two fetches for the sake of a token: whoever makes up key names costs the issuer two requests a minute.
pub const REFETCH_PAUSE: Duration = Duration::from_secs(30);
/// A fetch that takes longer has failed; a request may wait for it.
const FETCH_LIMIT: Duration = Duration::from_secs(5);
/// Largest key set; real ones have a few kilobytes.
const MAX_SET_BYTES: u64 = 1 << 20;
/// Between two tries to read a set that cannot be read.
const FAILURE_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Times for which keys are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTimes {
    /// Between two readings of the set: a key that the issuer has withdrawn is good for that long at most.
    pub refresh: Duration,
    /// Time for which the last set is good that could be read, when none can any more.
    pub keep: Duration,
}

impl Default for KeyTimes {
    fn default() -> Self {
        Self { refresh: Duration::from_secs(10 * 60), keep: Duration::from_secs(24 * 60 * 60) }
    }
}

/// Reasons why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// The file or the address cannot be read.
    #[error("cannot read the key set {place}")]
    Unreadable {
        /// File or address.
        place: String,
        /// Cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A text was read that is no JWK set.
    #[error("{place} is no JWK set")]
    NoSet {
        /// File or address.
        place: String,
        /// Cause.
        source: serde_json::Error,
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

/// There are no keys at the moment: whether a token holds cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoKeysNow;

/// See the module's first line.
#[derive(Debug)]
pub(crate) enum KeySource {
    /// One key for all tokens.
    Only(Arc<Key>),
    /// A set that is read again and again.
    Set(KeySet),
}

impl KeySource {
    /// Reads or fetches a key set. An address that does not answer is asked again until it does.
    ///
    /// # Errors
    /// When a file cannot be read, or has no key that is of use.
    pub(crate) async fn open(place: &str, times: KeyTimes) -> Result<Self, KeySourceError> {
        Ok(Self::Set(KeySet::open(place, REFETCH_PAUSE, times).await?))
    }

    /// The key of that name, also if it has to be fetched first; nothing when there is none of that name.
    ///
    /// # Errors
    /// When there are no keys at all.
    pub(crate) async fn key(&self, kid: Option<&str>) -> Result<Option<Arc<Key>>, NoKeysNow> {
        match self {
            Self::Only(key) => Ok(Some(Arc::clone(key))),
            Self::Set(set) => set.key(kid).await,
        }
    }

    /// Mark by which a key that was [found](Self::key) is known to be still one of the set's.
    pub(crate) fn watch(&self, key: KeyId) -> Watched {
        match self {
            Self::Only(_) => Watched(None),
            Self::Set(set) => Watched(Some((key, Arc::clone(&set.shared)))),
        }
    }
}

/// A key by which something goes on, for as long as the issuer has not withdrawn it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched(Option<(KeyId, Arc<Shared>)>);

impl Watched {
    /// True when the last set that could be read does not have it.
    pub(crate) fn is_withdrawn(&self) -> bool {
        let Some((id, shared)) = &self.0 else { return false };
        shared.keys.read().as_ref().is_some_and(|(keys, _)| !keys.have(*id))
    }
}

/// The keys of a file or of an address.
#[derive(Debug)]
pub(crate) struct KeySet {
    shared: Arc<Shared>,
    /// Start of the last fetch for a token's sake. Held during a fetch, so that all wait for the same one.
    last: Mutex<Instant>,
    pause: Duration,
    refreshing: AbortHandle,
}

impl Drop for KeySet {
    fn drop(&mut self) {
        self.refreshing.abort();
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    place: Place,
    /// With the moment at which they were read; nothing when none could be, or not for too long.
    keys: RwLock<Option<(Keys, Instant)>>,
    keep: Duration,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Address(String, Agent),
}

impl Place {
    fn of(place: &str) -> Self {
        if place.starts_with("https://") || place.starts_with("http://") {
            Self::Address(place.to_owned(), agent(place))
        } else {
            Self::File(PathBuf::from(place))
        }
    }

    /// As people may see it: an address may hold a password before its host, or a key behind its path.
    fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Address(place, _) => without_secrets(place),
        }
    }
}

fn without_secrets(address: &str) -> String {
    let Ok(uri) = address.parse::<Uri>() else { return "an address that cannot be read".to_owned() };
    let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority().map(Authority::as_str));
    let host = authority.unwrap_or_default().rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{}", uri.path())
}

impl KeySet {
    async fn open(place: &str, pause: Duration, times: KeyTimes) -> Result<Self, KeySourceError> {
        let place = Place::of(place);
        let is_address = matches!(place, Place::Address(..));
        let shared = Arc::new(Shared { place, keys: RwLock::new(None), keep: times.keep });
        let last = Mutex::new(Instant::now());
        let read = shared.read_off_the_runtime().await;
        if let (Err(error), false) = (read, is_address) {
            return Err(error);
        }
        let refreshing = tokio::spawn(Arc::clone(&shared).refresh(times.refresh)).abort_handle();
        Ok(Self { shared, last, pause, refreshing })
    }

    async fn key(&self, kid: Option<&str>) -> Result<Option<Arc<Key>>, NoKeysNow> {
        let known = self.shared.find(kid);
        // A token that names no key cannot name a new one; a file is read again in its time.
        let may_fetch = kid.is_some() && matches!(self.shared.place, Place::Address(..));
        if !may_fetch || matches!(known, Ok(Some(_))) {
            return known;
        }
        let mut last = self.last.lock().await;
        // Whoever held the lock may have fetched it.
        let known = self.shared.find(kid);
        if matches!(known, Ok(Some(_))) || last.elapsed() < self.pause {
            return known;
        }
        *last = Instant::now();
        if let Err(error) = self.shared.read_off_the_runtime().await {
            warn!(error = %chain(&error), "the keys of bearer tokens stay as they are");
        }
        self.shared.find(kid)
    }
}

impl Shared {
    fn find(&self, kid: Option<&str>) -> Result<Option<Arc<Key>>, NoKeysNow> {
        let keys = self.keys.read();
        let (keys, read_at) = keys.as_ref().ok_or(NoKeysNow)?;
        if read_at.elapsed() > self.keep { Err(NoKeysNow) } else { Ok(keys.find(kid)) }
    }

    /// Reads the set anew, again and again. Never returns.
    async fn refresh(self: Arc<Self>, every: Duration) {
        let mut retry = Retry::new("keys of bearer tokens are not read", FAILURE_PAUSE.0, FAILURE_PAUSE.1);
        let mut wait = if self.keys.read().is_some() { every } else { Duration::ZERO };
        loop {
            sleep(wait).await;
            wait = match self.read_off_the_runtime().await {
                Ok(()) => {
                    retry.done();
                    every
                }
                Err(error) => retry.note(&error).min(every),
            };
        }
    }

    /// It ends also if the request that waits for it is gone.
    async fn read_off_the_runtime(self: &Arc<Self>) -> Result<(), KeySourceError> {
        let shared = Arc::clone(self);
        spawn_blocking(move || shared.read()).await.expect("reading does not panic and is not aborted")
    }

    /// Replaces the keys by what there is. Blocks.
    fn read(&self) -> Result<(), KeySourceError> {
        let place = self.place.shown();
        let text = match &self.place {
            Place::File(path) => std::fs::read_to_string(path).map_err(|error| unreadable(&place, error))?,
            Place::Address(address, agent) => {
                let unreadable = |error: ureq::Error| unreadable(&place, error);
                let mut answer = agent.get(address).call().map_err(unreadable)?;
                let body = answer.body_mut().with_config().limit(MAX_SET_BYTES).read_to_string();
                body.map_err(unreadable)?
            }
        };
        let mut known = self.keys.write();
        let keys = parse(&place, &text, known.as_ref().map(|(keys, _)| keys))?;
        if known.as_ref().is_none_or(|(known, _)| known.names() != keys.names()) {
            info!(place, usable = keys.len(), skipped = keys.skipped, "keys of bearer tokens");
        }
        *known = Some((keys, Instant::now()));
        Ok(())
    }
}

fn unreadable(place: &str, error: impl Error + Send + Sync + 'static) -> KeySourceError {
    KeySourceError::Unreadable { place: place.to_owned(), source: error.into() }
}

fn parse(place: &str, text: &str, before: Option<&Keys>) -> Result<Keys, KeySourceError> {
    let place = place.to_owned();
    let keys =
        Keys::parse(text, before).map_err(|source| KeySourceError::NoSet { place: place.clone(), source })?;
    if keys.len() == 0 { Err(KeySourceError::NoKeys { place }) } else { Ok(keys) }
}

/// HTTP client for the issuer: from https never led to http, with the trust of the operating system, as issuers are often in-house.
fn agent(place: &str) -> Agent {
    let secure = place.starts_with("https://");
    if !secure {
        let place = without_secrets(place);
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
