//! All markets of a stream, a task each.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use fillstream_domain::{
    Seq, Timestamp,
    book::Symbol,
    subject::{ALL_DEFINITIONS, BookSubject},
};
use fillstream_event_log::{EventLog, HEADER_ROOM, LogError, SnapshotStore};
use fillstream_matcher::COMMIT_BYTES;
use fillstream_retry::{Retry, chain};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info_span};

use crate::{
    define::{DefineError, define_defaults},
    load::LoadError,
    market::{Context, Ended, Market},
    settings::Settings,
    tail::tail,
};

/// A market that has worked for so long begins anew at once.
const AT_WORK: Duration = Duration::from_secs(10);
/// Pause before a market begins anew after a doubt; it grows to the long one while that does not help.
const PAUSE: Duration = Duration::from_millis(100);
/// Pause before a market is tried again whose log does not reproduce itself: an operator has to look at it.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// Pause before a market begins anew whose task has panicked: what broke it may come again.
const PANIC_PAUSE: Duration = Duration::from_secs(1);

/// Progress of a market.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarketState {
    /// It is loaded and at work.
    pub loaded: bool,
    /// The last input that its machine has applied.
    pub position: Seq,
    /// Inputs that were applied and are not committed, or not known to be.
    pub pending: usize,
    /// This process commits.
    pub leading: bool,
    /// Trouble that keeps it from its work, with the causes: it is tried again and again. None while all is well.
    pub reason: Option<String>,
}

type States = Arc<Mutex<BTreeMap<Symbol, watch::Receiver<MarketState>>>>;

/// See the module's first line.
pub struct Matcher {
    context: Context,
    states: States,
}

impl Matcher {
    /// A matcher of all markets of the log. Without a place for snapshots each start replays all inputs.
    #[must_use]
    pub fn new(
        log: Arc<dyn EventLog>,
        snapshots: Option<Arc<dyn SnapshotStore>>,
        settings: Settings,
        clock: fn() -> Timestamp,
    ) -> Arc<Self> {
        let keeping = Arc::new(Mutex::new(Retry::new("matcher: snapshot not kept", PAUSE, LONG_PAUSE)));
        let context = Context { log, snapshots, clock, settings, keeping };
        Arc::new(Self { context, states: States::default() })
    }

    /// The markets that are at work.
    #[must_use]
    pub fn markets(&self) -> Vec<(Symbol, MarketState)> {
        self.states.lock().iter().map(|(symbol, state)| (symbol.clone(), state.borrow().clone())).collect()
    }

    /// Works until told to stop. A stream without any market gets the contract's.
    ///
    /// # Errors
    /// When the stream was recreated meanwhile, or its server takes only small messages.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), LogError> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.follow() => ended,
        }
    }

    async fn follow(&self) -> Result<(), LogError> {
        let takes = self.context.log.max_payload();
        if takes < COMMIT_BYTES + HEADER_ROOM {
            let needs = COMMIT_BYTES + HEADER_ROOM;
            let error =
                format!("max_payload of the server is {takes} bytes; a matcher needs {needs} at least");
            return Err(LogError::Invalid(error));
        }
        let mut retry = Retry::new("matcher: the default markets are not defined yet", PAUSE, LONG_PAUSE);
        while let Err(error) = define_defaults(&*self.context.log, (self.context.clock)()).await {
            if let DefineError::Log(LogError::Recreated) = error {
                return Err(LogError::Recreated);
            }
            retry.failed(&error).await;
        }
        retry.done();
        let mut retry = Retry::new("matcher: the markets cannot be read yet", PAUSE, LONG_PAUSE);
        // Dropped with this future: its markets end with it.
        let mut markets = JoinSet::new();
        loop {
            let Err(error) = self.begin_markets(&mut markets, &mut retry).await;
            if let LogError::Recreated = error {
                return Err(error);
            }
            // A stream that was put back: those that are at work find out for themselves.
            retry.failed(&error).await;
        }
    }

    /// Begins each market that is defined, from the stream's beginning on.
    async fn begin_markets(
        &self,
        markets: &mut JoinSet<()>,
        retry: &mut Retry,
    ) -> Result<Infallible, LogError> {
        let mut definitions = tail(&*self.context.log, Seq::ZERO, ALL_DEFINITIONS).await?;
        retry.done();
        while let Some(records) = definitions.recv().await {
            for record in records? {
                if let Some(subject) = BookSubject::parse(&record.subject) {
                    self.begin(subject.symbol(), markets);
                }
            }
        }
        Err(LogError::unreachable("the tail of the definitions has ended"))
    }

    /// Starts a market's task, once.
    fn begin(&self, symbol: &Symbol, markets: &mut JoinSet<()>) {
        let mut states = self.states.lock();
        if states.contains_key(symbol) {
            return;
        }
        let state = watch::Sender::new(MarketState::default());
        states.insert(symbol.clone(), state.subscribe());
        let (context, symbol) = (self.context.clone(), symbol.clone());
        let name = symbol.clone();
        let work = async move {
            let mut retry = Retry::new("matcher: the market is loaded anew", PAUSE, LONG_PAUSE);
            loop {
                let (mut alone, begun) = (JoinSet::new(), Instant::now());
                alone.spawn(Market::run(context.clone(), symbol.clone(), state.clone()).in_current_span());
                let ended = match alone.join_next().await {
                    Some(Ok(Err(ended))) => ended,
                    Some(Err(_)) | None => Ended::Panicked,
                };
                if begun.elapsed() > AT_WORK {
                    retry.done();
                }
                let reason = Some(chain(&ended).to_string());
                let is_news = state
                    .send_replace(MarketState { reason: reason.clone(), ..MarketState::default() })
                    .reason
                    != reason;
                match &ended {
                    Ended::Load(LoadError::Irreproducible(..)) => {
                        if is_news {
                            error!(error = %chain(&ended), "the market stands still; see `fillstream verify`");
                        }
                        sleep(LONG_PAUSE).await;
                    }
                    Ended::Panicked => {
                        error!(error = %chain(&ended), "the market is loaded anew in a moment");
                        sleep(PANIC_PAUSE).await;
                    }
                    Ended::Load(LoadError::Log(_))
                    | Ended::Log(_)
                    | Ended::Tail
                    | Ended::Gap { .. }
                    | Ended::Version(_)
                    | Ended::LostEnd { .. }
                    | Ended::Diverged { .. } => retry.failed(&ended).await,
                }
            }
        };
        markets.spawn(work.instrument(info_span!("market", symbol = %name)));
    }
}
