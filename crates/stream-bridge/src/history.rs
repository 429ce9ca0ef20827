//! Reading an order's history, once for all who wait for it.

use std::time::Duration;

use fillstream_domain::{
    OrderId, Seq,
    subject::{swap_placed, swap_progress},
    swap::SwapEvent,
};
use fillstream_event_log::{Consistency, EventLog, LogError, Record};
use fillstream_http_edge::Asker;
use tokio::time::sleep;
use tracing::debug;

use crate::{
    hub::{Hub, Watched},
    topic::Topic,
};

/// Pauses before a stale history is read again; afterwards the leader is asked.
const STALE_PAUSES: [Duration; 3] =
    [Duration::from_millis(5), Duration::from_millis(20), Duration::from_millis(80)];

/// Reasons why an order cannot be watched.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JoinError {
    /// No such order.
    #[error("there is no such order")]
    Unknown,
    /// The stream could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Hub {
    /// Looks for the order on the asker's behalf, in memory or by one read.
    ///
    /// # Errors
    /// When it does not, when it is another's, or when that cannot be found out.
    pub(crate) async fn exists(&self, order: OrderId, asker: Asker) -> Result<(), JoinError> {
        let shown = match self.shows(order, asker) {
            Some(shown) => shown,
            None => self.placed(order).await?.is_some_and(|placed| is_shown(&placed.payload, asker)),
        };
        if shown { Ok(()) } else { Err(JoinError::Unknown) }
    }

    /// The order's first event.
    async fn placed(&self, order: OrderId) -> Result<Option<Record>, LogError> {
        let subject = swap_placed(order);
        match self.log.first(&subject, Consistency::Any).await? {
            Some(placed) => Ok(Some(placed)),
            // A replica that is behind does not know the newest orders.
            None => self.log.first(&subject, Consistency::Leader).await,
        }
    }

    /// Sees to it that the topic has its history; whoever comes meanwhile waits for the same read.
    ///
    /// # Errors
    /// When the order does not exist or cannot be read.
    pub(crate) async fn load(&self, order: OrderId, watched: &Watched) -> Result<(), JoinError> {
        let _reading = watched.loading.lock().await;
        if watched.topic.lock().is_loaded() {
            return existing(&watched.topic.lock());
        }
        // What is stored before the tail begins is in the history only if the history is read afterwards.
        self.tail_begins().await;
        let floor = self.floor(order).await?;
        for pause in STALE_PAUSES {
            if self.read_into(order, watched, Consistency::Any, floor).await? {
                return existing(&watched.topic.lock());
            }
            sleep(pause).await;
        }
        if self.read_into(order, watched, Consistency::Leader, floor).await? {
            return existing(&watched.topic.lock());
        }
        Err(LogError::unreachable("the leader is behind what was seen").into())
    }

    /// Reads the history into the topic; false when it is stale.
    async fn read_into(
        &self,
        order: OrderId,
        watched: &Watched,
        consistency: Consistency,
        floor: Seq,
    ) -> Result<bool, LogError> {
        let mut history = Vec::new();
        let mut pages = self.pages(order, consistency);
        while let Some(page) = pages.next().await? {
            history.extend(page);
        }
        let taken = watched.topic.lock().on_history(&history, floor).is_ok();
        if taken {
            self.counters.histories_read.add(1);
        } else {
            debug!(order_id = %order, "the history that was read is stale");
            self.counters.stale_reads.add(1);
        }
        Ok(taken)
    }

    /// On a replicated stream a replica may answer with less than was acknowledged: the leader says how far.
    async fn floor(&self, order: OrderId) -> Result<Seq, LogError> {
        if !self.log.info().await?.replicated {
            return Ok(Seq::ZERO);
        }
        let last = match self.log.last(&swap_progress(order), Consistency::Leader).await? {
            Some(last) => Some(last),
            None => self.log.last(&swap_placed(order), Consistency::Leader).await?,
        };
        Ok(last.map_or(Seq::ZERO, |record| record.seq))
    }

    /// The order's history from the log, page by page.
    pub(crate) fn pages(&self, order: OrderId, consistency: Consistency) -> Pages<'_> {
        Pages { log: &*self.log, order, consistency, next: PageOf::Placed }
    }
}

/// True when an order that begins with this event is shown to the asker. Who may see any order needs no owner.
pub(crate) fn is_shown(placed: &[u8], asker: Asker) -> bool {
    !asker.is_verified()
        || matches!(SwapEvent::decode(placed), Ok(SwapEvent::Placed(placed)) if asker.may_see(placed.user_id))
}

fn existing(topic: &Topic) -> Result<(), JoinError> {
    topic.status().map(|_| ()).ok_or(JoinError::Unknown)
}

/// See [`Hub::pages`].
pub(crate) struct Pages<'a> {
    log: &'a dyn EventLog,
    order: OrderId,
    consistency: Consistency,
    next: PageOf,
}

enum PageOf {
    Placed,
    Progress(Seq),
    Nothing,
}

impl Pages<'_> {
    /// The next page; nothing after the last one. After an error the same page can be asked for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Record>>, LogError> {
        let (subject, from) = match self.next {
            // One record; a foreign writer's further ones come along and are seen to be foreign.
            PageOf::Placed => (swap_placed(self.order), Seq::ZERO),
            PageOf::Progress(from) => (swap_progress(self.order), from),
            PageOf::Nothing => return Ok(None),
        };
        let page = self.log.read(&subject, from, self.consistency).await?;
        let (first, last) = (page.records.first(), page.records.last());
        self.next = match (&self.next, first, last) {
            (PageOf::Placed, Some(placed), _) => PageOf::Progress(placed.seq.next()),
            (PageOf::Progress(_), _, Some(last)) if page.more => PageOf::Progress(last.seq.next()),
            (PageOf::Placed | PageOf::Progress(_) | PageOf::Nothing, _, _) => PageOf::Nothing,
        };
        Ok(Some(page.records))
    }
}
