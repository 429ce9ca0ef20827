//! A ledger, worked on by a thread of its own.
//!
//! ```text
//!  callers ──(some wait for room)──▶ jobs ─▶ the thread: lock, read, act, write ─▶ answers
//!                                              │ failed: nothing is asked for a while, then again, also when nobody calls
//! ```
//! Locks of other processes and slow disks hold up this thread and no thread of the runtime. A ledger that fails is read from
//! its beginning the next time, which may take long: so there are pauses between two tries, and calls fail at once meanwhile.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use fillstream_domain::VenueId;
use fillstream_retry::{Obstacles, Retry};
use tokio::sync::{Semaphore, oneshot};

use crate::{LedgerError, chain::Chain, history::Contradiction, ledger::Ledger};

/// Calls that lie before the thread; the others wait for room, or give up.
const JOBS: usize = 256;
/// First and longest pause before a ledger that failed is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What became of a job.
enum Done {
    Answered,
    Failed(Arc<LedgerError>),
    /// Nobody waits for the answer any more: nothing was done.
    Unwanted,
}

/// Does its part with the ledger, or tells the caller why that cannot be asked.
type Job = Box<dyn FnOnce(Result<&Ledger, &Arc<LedgerError>>) -> Done + Send>;

/// See the module's first line. The thread ends with it.
pub(crate) struct Clerk {
    ledger: Arc<Ledger>,
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
}

impl Clerk {
    /// Begins to work on a ledger; its trouble is shown among these obstacles.
    pub(crate) fn start(ledger: Ledger, venue: VenueId, obstacles: &Obstacles) -> Result<Self, LedgerError> {
        let what = match venue {
            VenueId::Raydium => "executor: ledger of raydium not usable",
            VenueId::Meteora => "executor: ledger of meteora not usable",
        };
        let retry = Retry::new(what, PAUSES.0, PAUSES.1).shown_in(obstacles);
        let (jobs, taken) = channel();
        let ledger = Arc::new(ledger);
        let of_thread = Arc::clone(&ledger);
        let begun = thread::Builder::new()
            .name(format!("ledger {venue}"))
            .spawn(move || work(&of_thread, &taken, retry));
        begun.map_err(|source| ledger.io(source))?;
        Ok(Self { ledger, jobs, room: Arc::new(Semaphore::new(JOBS)) })
    }

    /// The ledger, for what needs no file.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// As [`Ledger::touch`]. Dropped while it waits, nothing is done any more, or nobody hears of it.
    pub(crate) async fn touch<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Chain) -> Result<T, Contradiction> + Send + 'static,
    ) -> Result<T, Arc<LedgerError>> {
        let place = Arc::clone(&self.room).acquire_owned().await.expect("it is never closed");
        let (answer, answered) = oneshot::channel();
        let job = move |ledger: Result<&Ledger, &Arc<LedgerError>>| {
            let _place = place;
            if answer.is_closed() {
                return Done::Unwanted;
            }
            let (told, done) = match ledger.map(|ledger| ledger.touch(act).map_err(Arc::new)) {
                Ok(Ok(told)) => (Ok(told), Done::Answered),
                Ok(Err(error)) => (Err(Arc::clone(&error)), Done::Failed(error)),
                Err(error) => (Err(Arc::clone(error)), Done::Unwanted),
            };
            // Who has given up meanwhile does not hear of it.
            drop(answer.send(told));
            done
        };
        let sent = self.jobs.send(Box::new(job));
        let stopped = || Arc::new(LedgerError::Stopped { path: self.ledger.path().to_owned() });
        sent.map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

fn work(ledger: &Ledger, jobs: &Receiver<Job>, mut retry: Retry) {
    let mut trouble: Option<(Arc<LedgerError>, Instant)> = None;
    loop {
        let pause = trouble.as_ref().map(|(_, until)| until.saturating_duration_since(Instant::now()));
        let job = match pause.map_or_else(
            || jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            |pause| jobs.recv_timeout(pause),
        ) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let rests = trouble.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(error, _)| error);
        let worked = catch_unwind(AssertUnwindSafe(|| match job {
            Some(job) => job(rests.map_or(Ok(ledger), Err)),
            None => ledger
                .touch(|_| Ok(()))
                .map_or_else(|error| Done::Failed(Arc::new(error)), |()| Done::Answered),
        }));
        match worked {
            Ok(Done::Answered) => {
                trouble = None;
                retry.done();
            }
            Ok(Done::Failed(error)) => {
                let pause = retry.note(&*error);
                trouble = Some((error, Instant::now() + pause));
            }
            // The panic is told by its hook, and its caller hears that there is no answer.
            Ok(Done::Unwanted) | Err(_) => {}
        }
    }
}
