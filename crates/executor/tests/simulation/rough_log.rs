//! A process's end of the log: appends get lost, or are stored though nobody says so, or later; reads fail; the process
//! may be dead at any of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fillstream_domain::{Incarnation, Seq};
use fillstream_event_log::{
    After, AppendError, Consistency, EventLog, Follow, Link, LogError, MemoryLog, NewRecord, Page, Record,
    StreamInfo,
};
use tokio::{sync::watch, time::sleep};

use crate::life::Life;

pub(crate) struct RoughLog {
    pub(crate) life: Life,
    pub(crate) log: MemoryLog,
    pub(crate) rough: Arc<AtomicBool>,
    /// True when a fence decides anything.
    pub(crate) fences_hold: bool,
    /// While it is, no append comes back.
    pub(crate) hangs: Arc<AtomicBool>,
    /// True when there is anything to follow.
    pub(crate) is_followed: bool,
}

impl RoughLog {
    fn strikes(&self, per_mille: u64) -> bool {
        self.rough.load(Ordering::Relaxed) && self.life.dice.strikes(per_mille)
    }

    async fn travels(&self) {
        self.life.alive().await;
        self.life.dice.dawdle(20).await;
        self.life.alive().await;
    }

    async fn asked(&self) -> Result<(), LogError> {
        self.travels().await;
        if self.strikes(50) { Err(LogError::unreachable("a simulated fault")) } else { Ok(()) }
    }

    async fn store(log: &MemoryLog, record: NewRecord, fences_hold: bool) -> Result<Seq, AppendError> {
        if fences_hold { log.append(record).await } else { Ok(log.append_now(record)) }
    }
}

#[async_trait]
impl EventLog for RoughLog {
    async fn append(&self, record: NewRecord) -> Result<Seq, AppendError> {
        self.travels().await;
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let fences_hold = self.fences_hold;
        if self.strikes(30) {
            return Err(AppendError::Closed);
        }
        if self.strikes(60) {
            // It is under way, and arrives or not, now or when nobody waits for it any more.
            let (log, late) = (self.log.clone(), Duration::from_millis(self.life.dice.below(4_000)));
            if self.life.dice.strikes(700) {
                tokio::spawn(async move {
                    sleep(late).await;
                    drop(Self::store(&log, record, fences_hold).await);
                });
            }
            sleep(Duration::from_secs(1)).await;
            return Err(AppendError::Unknown);
        }
        let stored = Self::store(&self.log, record, fences_hold).await;
        self.travels().await;
        if self.strikes(60) { Err(AppendError::Unknown) } else { stored }
    }

    async fn append_parts(
        &self,
        first: NewRecord,
        rest: Vec<Bytes>,
        upon: Option<fillstream_domain::RecordRef>,
    ) -> Result<Seq, AppendError> {
        self.log.append_parts(first, rest, upon).await
    }

    fn max_payload(&self) -> usize {
        self.log.max_payload()
    }

    async fn read(&self, subject: &str, from: Seq, consistency: Consistency) -> Result<Page, LogError> {
        self.asked().await?;
        let page = self.log.read(subject, from, consistency).await;
        self.travels().await;
        page
    }

    async fn last(&self, subject: &str, consistency: Consistency) -> Result<Option<Record>, LogError> {
        self.asked().await?;
        let last = self.log.last(subject, consistency).await;
        self.travels().await;
        last
    }

    async fn last_of_each(&self, pattern: &str) -> Result<Vec<Record>, LogError> {
        self.asked().await?;
        self.log.last_of_each(pattern).await
    }

    async fn record(&self, seq: Seq) -> Result<Option<Record>, LogError> {
        self.asked().await?;
        self.log.record(seq).await
    }

    async fn last_matching(&self, pattern: &str) -> Result<Option<Record>, LogError> {
        self.asked().await?;
        self.log.last_matching(pattern).await
    }

    async fn next_matching(&self, from: Seq, pattern: &str) -> Result<Option<Record>, LogError> {
        self.asked().await?;
        self.log.next_matching(from, pattern).await
    }

    async fn follow(&self, after: After, pattern: Option<&str>) -> Result<Box<dyn Follow>, LogError> {
        self.asked().await?;
        let pattern = if self.is_followed { pattern } else { Some("nothing") };
        self.log.follow(after, pattern).await
    }

    async fn info(&self) -> Result<StreamInfo, LogError> {
        self.asked().await?;
        self.log.info().await
    }

    fn incarnation(&self) -> Incarnation {
        self.log.incarnation()
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.log.link()
    }
}
