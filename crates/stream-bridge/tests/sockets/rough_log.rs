//! A memory log on a bad day: outages, reads and tails that are held up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::{Incarnation, RecordRef, Seq};
use fillstream_event_log::{
    After, AppendError, Browse, Consistency, EventLog, Follow, Link, LogError, MemoryLog, Messages,
    NewRecord, Page, Record, StreamInfo,
};
use tokio::sync::watch;

/// Treatment by the stream of whoever asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Fair,
    /// The connection is gone: questions fail at once.
    Cut,
    /// The connection stands and nobody answers.
    Hung,
}

/// Promises what the real log promises, in any weather.
#[derive(Clone)]
pub(crate) struct RoughLog {
    pub(crate) calm: MemoryLog,
    weather: watch::Sender<Weather>,
    link: watch::Sender<Link>,
    /// What was read is handed over only while this is true.
    reads: watch::Sender<bool>,
    /// The same for the tail.
    tail: watch::Sender<bool>,
    recreated: watch::Sender<bool>,
    pub(crate) pages_read: Arc<AtomicU64>,
}

impl RoughLog {
    pub(crate) fn new(incarnation: u64) -> Self {
        Self::over(MemoryLog::new(Incarnation::new(incarnation)))
    }

    /// Another way to the same stream.
    pub(crate) fn twin(&self) -> Self {
        Self::over(self.calm.clone())
    }

    pub(crate) fn over(calm: MemoryLog) -> Self {
        Self {
            calm,
            weather: watch::Sender::new(Weather::Fair),
            link: watch::Sender::new(Link::Up),
            reads: watch::Sender::new(true),
            tail: watch::Sender::new(true),
            recreated: watch::Sender::new(false),
            pages_read: Arc::default(),
        }
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.weather.send_replace(weather);
        self.link.send_replace(if weather == Weather::Cut { Link::Down } else { Link::Up });
    }

    pub(crate) fn let_reads_through(&self, through: bool) {
        self.reads.send_replace(through);
    }

    pub(crate) fn let_tail_through(&self, through: bool) {
        self.tail.send_replace(through);
    }

    /// Tails find that the stream is another one.
    pub(crate) fn recreate(&self) {
        self.recreated.send_replace(true);
    }

    async fn reachable(&self) -> Result<(), LogError> {
        let weather = *self.weather.borrow();
        match weather {
            Weather::Fair => Ok(()),
            Weather::Cut => Err(LogError::unreachable("cut")),
            Weather::Hung => {
                tokio::time::sleep(Duration::from_secs(3)).await;
                Err(LogError::unreachable("no answer"))
            }
        }
    }
}

async fn open(gate: &watch::Sender<bool>) {
    let _ = gate.subscribe().wait_for(|open| *open).await;
}

#[async_trait]
impl EventLog for RoughLog {
    async fn append(&self, record: NewRecord) -> Result<Seq, AppendError> {
        self.calm.append(record).await
    }

    async fn append_parts(
        &self,
        first: NewRecord,
        rest: Vec<Bytes>,
        upon: Option<RecordRef>,
    ) -> Result<Seq, AppendError> {
        self.calm.append_parts(first, rest, upon).await
    }

    fn max_payload(&self) -> usize {
        self.calm.max_payload()
    }

    async fn read(&self, subject: &str, from: Seq, consistency: Consistency) -> Result<Page, LogError> {
        self.reachable().await?;
        self.pages_read.fetch_add(1, Ordering::Relaxed);
        let page = self.calm.read(subject, from, consistency).await;
        open(&self.reads).await;
        page
    }

    async fn first(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        self.reachable().await?;
        self.calm.first(subject, consistency).await
    }

    async fn last(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        self.reachable().await?;
        self.calm.last(subject, consistency).await
    }

    async fn last_of_each(&self, pattern: &str) -> Result<Vec<Record>, LogError> {
        self.reachable().await?;
        self.calm.last_of_each(pattern).await
    }

    async fn record(&self, seq: Seq) -> Result<Option<Record>, LogError> {
        self.reachable().await?;
        self.calm.record(seq).await
    }

    async fn last_matching(&self, pattern: &str) -> Result<Option<Record>, LogError> {
        self.reachable().await?;
        self.calm.last_matching(pattern).await
    }

    async fn next_matching(&self, from: Seq, pattern: &str) -> Result<Option<Record>, LogError> {
        self.reachable().await?;
        self.calm.next_matching(from, pattern).await
    }

    async fn follow(&self, after: After, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError> {
        self.reachable().await?;
        Ok(Box::new(RoughTail { log: self.clone(), calm: self.calm.follow(after, pattern).await? }))
    }

    async fn info(&self) -> Result<StreamInfo, LogError> {
        self.reachable().await?;
        self.calm.info().await
    }

    fn incarnation(&self) -> Incarnation {
        self.calm.incarnation()
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }
}

#[async_trait]
impl Browse for RoughLog {
    async fn browse(&self, pattern: &str, from: Seq, max: usize) -> Result<Messages, LogError> {
        self.reachable().await?;
        self.pages_read.fetch_add(1, Ordering::Relaxed);
        let page = self.calm.browse(pattern, from, max).await;
        open(&self.reads).await;
        page
    }
}

struct RoughTail {
    log: RoughLog,
    calm: Box<dyn Follow>,
}

#[async_trait]
impl Follow for RoughTail {
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, LogError> {
        let mut recreated = self.log.recreated.subscribe();
        let records = tokio::select! {
            records = self.calm.next(max) => records?,
            _ = recreated.wait_for(|is| *is) => return Err(LogError::Recreated),
        };
        open(&self.log.tail).await;
        let _ = self.log.weather.subscribe().wait_for(|weather| *weather == Weather::Fair).await;
        Ok(records)
    }

    fn reached(&self) -> Option<RecordRef> {
        self.calm.reached()
    }

    async fn caught_up(&mut self) -> Result<bool, LogError> {
        self.calm.caught_up().await
    }

    fn behind(&self) -> u64 {
        self.calm.behind()
    }

    fn recreated(&self) -> u64 {
        self.calm.recreated()
    }
}
