//! Following the stream, and handing out what comes.
//!
//! ```text
//!  books loaded at once ─▶ one tail behind their checkpoint ─▶ swaps, markets
//!  not: rows are away  ─▶ a tail from the stream's end ──────▶ swaps
//!                           └─ books loaded ─▶ a second one behind their checkpoint ─▶ markets ─ level ─▶ it alone
//! ```
//! Swaps need no rows: their sockets are told whatever becomes of those.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use fillstream_domain::{Seq, subject::SwapSubject};
use fillstream_event_log::{After as Begin, Follow, LogError, Record};
use fillstream_retry::{Retry, chain};
use tokio::{select, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    hub::Hub,
    market::{HistoryError, MarketTail, Markets},
};

/// Records that a tail hands over at once.
const TAIL_BATCH: usize = 1000;
/// Before a read store or a stream is asked again that could not answer, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Time that the books may take to be loaded before swaps go on without them.
const BOOKS_PATIENCE: Duration = Duration::from_millis(500);

/// A tail, and what it hands out.
struct Tail {
    follow: Box<dyn Follow>,
    begin: Begin,
    /// All up to here is handed out.
    at: Seq,
    /// Nothing: swaps alone.
    market: Option<MarketTail>,
}

impl Tail {
    fn new(follow: Box<dyn Follow>, begin: Begin, market: Option<MarketTail>) -> Self {
        Self { follow, begin, at: begin.seq(), market }
    }
}

/// Reasons why books cannot be kept up to date.
#[derive(Debug, thiserror::Error)]
enum NoBooks {
    #[error(transparent)]
    Rows(#[from] HistoryError),
    #[error("no tail begins behind the rows")]
    Tail(#[source] LogError),
}

impl Hub {
    /// Follows the stream from its end on, with markets from behind their books' checkpoint on, until told to stop or until
    /// the stream is another one. A stream that was put back is followed anew: each socket is told `reset`, and what there is
    /// now. However this ends, and if it panics, sockets are told that the process goes down: without a tail they would be
    /// silent.
    ///
    /// # Errors
    /// When the stream was recreated.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), LogError> {
        let hub = StopOnDrop(self);
        select! {
            () = stop.cancelled() => Ok(()),
            recreated = hub.0.work() => Err(recreated),
        }
    }

    /// Ends with the stream alone.
    async fn work(&self) -> LogError {
        let retry = |what| Retry::new(what, FIRST_PAUSE, LONGEST_PAUSE).shown_in(&self.obstacles);
        let mut books = retry("bridge: books not loaded");
        let mut stream = retry("bridge: stream not followed");
        loop {
            let Err(error) = match &self.markets {
                Some(markets) => self.follow_all(markets, &mut books, &mut stream).await,
                None => self.follow_swaps(&mut stream).await,
            };
            if matches!(error, LogError::Recreated) {
                error!(error = %chain(&error), "the tail has ended");
                return error;
            }
            if error.is_final() {
                self.forget();
            }
            stream.failed(&error).await;
        }
    }

    async fn follow_swaps(&self, stream: &mut Retry) -> Result<Infallible, LogError> {
        let begin = self.log.last_matching(">").await?;
        let begin = begin.map_or(Begin::START, |last| Begin::Record(last.reference()));
        let tail = Tail::new(self.log.follow(begin, None).await?, begin, None);
        stream.done();
        self.hand_out(tail).await
    }

    /// With markets, once their books are loaded.
    async fn follow_all(
        &self,
        markets: &Markets,
        books: &mut Retry,
        stream: &mut Retry,
    ) -> Result<Infallible, LogError> {
        let with_books = self.with_books(markets, books);
        tokio::pin!(with_books);
        if let Ok(tail) = timeout(BOOKS_PATIENCE, &mut with_books).await {
            let tail = tail?;
            stream.done();
            return self.hand_out(tail).await;
        }
        let level = async {
            let mut tail = with_books.await?;
            while tail.at < self.position() {
                self.take_in(&mut tail).await?;
            }
            Ok(tail)
        };
        let tail: Result<Tail, LogError> = select! {
            level = level => level,
            ended = self.follow_swaps(stream) => ended.map(|never| match never {}),
        };
        self.hand_out(tail?).await
    }

    /// A tail behind the books' checkpoint, as soon as rows and stream agree.
    async fn with_books(&self, markets: &Markets, books: &mut Retry) -> Result<Tail, LogError> {
        loop {
            let history = self.condition.borrow().history;
            let error = match markets.load(self.log.incarnation(), history).await {
                Ok(begin) => match self.log.follow(begin, None).await {
                    Ok(follow) => {
                        books.done();
                        return Ok(Tail::new(follow, begin, Some(MarketTail::default())));
                    }
                    Err(LogError::Recreated) => return Err(LogError::Recreated),
                    // Or the rows are ahead of the stream, or of another history of it: whoever keeps them rebuilds them.
                    Err(error) => NoBooks::Tail(error),
                },
                Err(error) => NoBooks::Rows(error),
            };
            books.failed(&error).await;
        }
    }

    /// Hands out what comes, until the stream is not what it was.
    async fn hand_out(&self, mut tail: Tail) -> Result<Infallible, LogError> {
        if let Begin::Record(record) = tail.begin {
            self.tokens.learn(record.seq, record.id.tag());
        }
        self.swaps_told.fetch_max(tail.at.get(), Ordering::Relaxed);
        // One that has caught up with another one is where that was, or further.
        self.position.send_modify(|position| *position = (*position).max(Some(tail.at)));
        self.books_told.send_replace(tail.market.is_some());
        let follow = async {
            loop {
                self.take_in(&mut tail).await?;
                self.position.send_replace(Some(tail.at));
            }
        };
        select! {
            ended = follow => ended,
            never = self.watch_stream() => match never {},
        }
    }

    /// Takes in the next records.
    async fn take_in(&self, tail: &mut Tail) -> Result<(), LogError> {
        let records = tail.follow.next(TAIL_BATCH).await?;
        self.counters.tail_recreated.set(tail.follow.recreated());
        let Some(last) = records.last().map(|record| record.seq) else { return Ok(()) };
        for record in records {
            self.take_in_record(tail.market.as_mut(), record).await;
        }
        tail.at = tail.market.as_ref().map_or(last, |market| market.position(last));
        Ok(())
    }

    async fn take_in_record(&self, market: Option<&mut MarketTail>, record: Record) {
        let reference = record.reference();
        let seq = record.seq.get();
        // Another tail may have had it, which was ahead.
        let is_news = self.swaps_told.fetch_max(seq, Ordering::Relaxed) < seq;
        // Before anything is told of it: tokens name it.
        if is_news {
            self.tokens.follow(reference);
        } else {
            self.tokens.learn(reference.seq, reference.id.tag());
        }
        let subject = SwapSubject::parse(&record.subject);
        if subject.is_none()
            && let (Some(market), Some(markets)) = (market, &self.markets)
        {
            market.take_in(markets, &*self.log, &record).await;
        }
        if is_news && let Some(subject) = subject {
            self.take_in_one(subject, record);
        }
    }

    /// What was handed out is not the stream's any more. Sockets are told, and wait for the tail to begin anew.
    fn forget(&self) {
        self.books_told.send_replace(false);
        if self.position.send_replace(None).is_none() {
            // Nothing was.
            return;
        }
        warn!("the stream has lost its end: sockets begin anew");
        self.swaps_told.store(0, Ordering::Relaxed);
        self.tokens.forget();
        self.forget_orders();
        self.condition.send_modify(|condition| condition.history += 1);
    }
}

struct StopOnDrop(Arc<Hub>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
