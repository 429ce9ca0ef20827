//! Questions that take a look at the log or the store: where a channel began, and whether a client can be resumed.

use std::{sync::Arc, time::Duration};

use fillstream_domain::{
    Position, Seq,
    book::{BookInput, Symbol},
    subject::book_definition,
};
use fillstream_event_log::{Consistency, EventLog, LogError};
use fillstream_retry::chain;
use tokio::time::sleep;
use tracing::debug;

use crate::{
    hub::Hub,
    market::{
        channel::MarketChannel,
        feed::{Feed, Seat},
        history::{HistoryError, MarketHistory},
        registry::Markets,
    },
    socket::LOG_PAUSE,
    token::After,
};

/// Messages that are sent to a client that resumes. Who has missed more is better off with the pages over HTTP.
const MAX_RESUMED: usize = 10_000;
/// Pause before the store is asked again whether it has come far enough.
const STORE_PAUSE: Duration = Duration::from_millis(10);

impl Markets {
    /// A place on a channel; nothing when there is no such market, as far as the stream goes.
    pub(crate) async fn seat(self: &Arc<Self>, hub: &Arc<Hub>, channel: &MarketChannel) -> Option<Seat> {
        // Before that the channels are those of no stream, or of one that has lost its end.
        hub.books_begin().await;
        if let Some(seat) = self.watch(hub, channel) {
            return Some(seat);
        }
        let symbol = channel.symbol()?;
        while let Err(error) = self.look_for(hub, symbol).await {
            debug!(error = %chain(&error), "whether there is such a market cannot be found out yet");
            sleep(LOG_PAUSE).await;
        }
        self.watch(hub, channel)
    }

    /// Begins a market that was added a moment ago. Its book is empty until a matcher commits to it.
    async fn look_for(&self, hub: &Hub, symbol: &Symbol) -> Result<(), LogError> {
        // From here on a market with commits is known.
        hub.current().await?;
        if is_defined(&*hub.log, symbol).await? {
            self.begin(symbol);
        }
        Ok(())
    }

    /// Place of the channel when it was begun. Whoever comes meanwhile waits for the same read.
    pub(crate) async fn beginning(&self, feed: &Feed) -> Position {
        let mut beginning = feed.beginning.lock().await;
        if let Some(at) = *beginning {
            return at;
        }
        let history = self.stored(feed.since).await;
        let up_to = Position::after_all_of(feed.since);
        let at = patient(|| history.last(&feed.channel, up_to)).await.unwrap_or(Position::START);
        feed.ring.lock().begin(at);
        *beginning = Some(at);
        at
    }

    /// The channel's position that `after` stands for, when everything behind it can be sent; else why it cannot.
    pub(crate) async fn resumable(
        &self,
        hub: &Hub,
        feed: &Feed,
        after: After,
    ) -> Result<Position, &'static str> {
        let after = loop {
            match hub.resumes(after).await {
                Ok(resumes) => break resumes?,
                Err(error) => {
                    debug!(error = %chain(&error), "whether the stream has come that far cannot be found out yet");
                }
            }
            sleep(LOG_PAUSE).await;
        };
        let (kept, forgotten, named) = {
            let ring = feed.ring.lock();
            (ring.count_behind(after), ring.forgotten(after), ring.at_or_before(after))
        };
        let Some(up_to) = forgotten else { return Ok(named.unwrap_or(after)) };
        let history = self.stored(up_to.seq).await;
        let missed = patient(|| history.count(&feed.channel, after, up_to, MAX_RESUMED + 1)).await;
        if missed + kept > MAX_RESUMED {
            return Err("too_far");
        }
        // A bare sequence stands for the last message up to there, a token for the one that carried it.
        let last = patient(|| history.last(&feed.channel, after)).await;
        Ok(last.unwrap_or(Position::START))
    }

    /// Stored messages, once the store holds everything up to `seq`.
    pub(crate) async fn stored(&self, seq: Seq) -> &dyn MarketHistory {
        while !patient(|| self.stores(seq)).await {
            sleep(STORE_PAUSE).await;
        }
        &*self.history
    }
}

/// True when somebody has defined the market, so that a matcher can take it.
async fn is_defined(log: &dyn EventLog, symbol: &Symbol) -> Result<bool, LogError> {
    let asked = log.read(&book_definition(symbol), Seq::FIRST, Consistency::Leader).await?;
    Ok(asked.records.iter().any(|record| match BookInput::decode(&record.payload) {
        Ok(BookInput::Definition(definition)) => definition.symbol == *symbol && definition.check().is_ok(),
        Ok(
            BookInput::Placed(_)
            | BookInput::AmendRequested(_)
            | BookInput::CancelRequested(_)
            | BookInput::Clock(_),
        )
        | Err(_) => false,
    }))
}

/// Answer of the store, as soon as it gives one.
pub(crate) async fn patient<T, F>(mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, HistoryError>>,
{
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => debug!(error = %chain(&error), "what is stored cannot be read yet"),
        }
        sleep(LOG_PAUSE).await;
    }
}
