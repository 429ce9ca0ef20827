//! The executor's loop: one task for each order in hand.
//!
//! ```text
//!  queue.next() ──┐                    ┌─ ended, with an operator ──▶ acknowledged, off the list
//!                 ├─▶ in hand ─ drive ─┼─ a long pause, held up ────▶ acknowledged, on the list
//!  agenda.due() ──┘                    └─ elsewhere, not now ───────▶ handed back some times, on the list
//! ```
//! An order that takes its time gives its place in the queue up: the stream remembers it, and new orders do not wait
//! behind it.

use std::{sync::Arc, time::Duration};

use fillstream_clock::WallClock;
use fillstream_crash_point::{Boundary, reach};
use fillstream_domain::{OrderId, Seq, subject::SwapSubject};
use fillstream_event_log::{EventLog, SnapshotStore, Work, WorkQueue};
use fillstream_retry::Obstacles;
use fillstream_swap_machine::{Released, Signed, Summary};
use fillstream_venues::Venue;
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, field::Empty, info, info_span};

use crate::{
    Settings,
    agenda::Agenda,
    drive::{Drive, Driven, put_aside},
    effects::Effects,
    follow::Follower,
    hand::{Hand, Room},
};

/// Deliveries after which an order that cannot go on here is no longer handed back to the queue, where it takes the place
/// of another one: the list has it.
const HANDED_BACK: u64 = 3;

/// Name of the obstacle that keeps the queue from being asked.
const ALL_IN_HAND: &str = "executor: no more orders taken from the queue";

/// Works on swap orders.
pub struct Executor {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) snapshots: Option<Arc<dyn SnapshotStore>>,
    pub(crate) agenda: Agenda,
    pub(crate) settings: Settings,
    pub(crate) clock: WallClock,
    pub(crate) obstacles: Obstacles,
    effects: Effects,
    room: Room,
}

impl Executor {
    /// An executor over these venues. `snapshots` keeps a checkpoint that spares a restart the reading of all swaps; nothing
    /// but time is lost without it. Trouble is shown among `obstacles`, where venues may show theirs.
    #[must_use]
    pub fn new(
        log: Arc<dyn EventLog>,
        venues: Vec<Arc<dyn Venue>>,
        snapshots: Option<Arc<dyn SnapshotStore>>,
        settings: Settings,
        clock: WallClock,
        obstacles: Obstacles,
    ) -> Arc<Self> {
        Arc::new(Self {
            agenda: Agenda::new(settings.stalled_after, Arc::clone(&clock)),
            effects: Effects::new(venues, settings, Arc::clone(&clock), &obstacles),
            room: Room::new(settings.hands),
            log,
            snapshots,
            settings,
            clock,
            obstacles,
        })
    }

    /// The swaps that have not ended, as far as this executor has followed the stream.
    #[must_use]
    pub fn unended(&self) -> Summary {
        self.agenda.summary()
    }

    /// The swap that should have been taken up first and was not: its last record, and for how long it has been due. It
    /// waits for a free hand.
    #[must_use]
    pub fn overdue(&self) -> Option<(Seq, Duration)> {
        self.agenda.overdue()
    }

    /// The swap in hand that stands still: its last record, and for how long that is more than any step takes. One that waits
    /// for a venue does not: it asks again and again.
    #[must_use]
    pub fn hanging(&self) -> Option<(Seq, Duration)> {
        let (seq, still) = self.agenda.stillest()?;
        Some((seq, still.checked_sub(self.settings.longest_step())?))
    }

    /// Trouble that stands in the executor's way.
    #[must_use]
    pub const fn obstacles(&self) -> &Obstacles {
        &self.obstacles
    }

    /// Takes up a swap of which others know that this transaction was signed, whatever the stream says: without its record
    /// the swap goes under review. Before [`run`](Self::run), so that nothing else is signed for it meanwhile.
    pub async fn recall(&self, order: OrderId, signed: Signed) {
        self.agenda.remember(order, signed);
        let hand = self.room.stream().await;
        if let Some(in_hand) = self.agenda.take(order) {
            in_hand.release(self.released(self.drive(order, &hand).await));
        }
    }

    /// Works until told to stop. Orders in hand are given back at once then, for any other executor to take up.
    pub async fn run(self: Arc<Self>, mut queue: Box<dyn WorkQueue>, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let (follower, stopped) = (Follower::new(Arc::clone(&self)), stop.clone());
        tasks.spawn(async move { follower.run(stopped).await });
        loop {
            let (order, work, hand) = tokio::select! {
                () = stop.cancelled() => break,
                (work, hand) = self.next_work(&mut *queue) => (None, Some(work), hand),
                (order, hand) = self.next_due() => (Some(order), None, hand),
            };
            let (executor, stop) = (Arc::clone(&self), stop.clone());
            tasks.spawn(async move {
                match (order, work) {
                    (Some(order), _) => executor.resume(order, &hand, &stop).await,
                    (None, Some(work)) => executor.work(work, &hand, &stop).await,
                    (None, None) => {}
                }
            });
        }
        tasks.close();
        tasks.wait().await;
        info!("the executor has stopped");
    }

    async fn next_work(&self, queue: &mut dyn WorkQueue) -> (Work, Hand) {
        let hand = match self.room.try_queue() {
            Some(hand) => hand,
            None => {
                let most = self.settings.hands.of_queue;
                self.obstacles.set(ALL_IN_HAND, format!("{most} orders are in hand already"));
                self.room.queue().await
            }
        };
        self.obstacles.clear(ALL_IN_HAND);
        (queue.next().await, hand)
    }

    async fn next_due(&self) -> (OrderId, Hand) {
        let hand = self.room.stream().await;
        (self.agenda.due().await, hand)
    }

    /// An order that is due on the list.
    async fn resume(&self, order: OrderId, hand: &Hand, stop: &CancellationToken) {
        let in_hand = self.agenda.taken(order);
        let driven = tokio::select! {
            () = stop.cancelled() => return,
            driven = self.drive(order, hand) => driven,
        };
        in_hand.release(self.released(driven));
    }

    /// An order that the queue has brought.
    async fn work(&self, work: Work, hand: &Hand, stop: &CancellationToken) {
        let Some(order) = SwapSubject::parse(&work.record.subject).map(|subject| subject.order()) else {
            let place = (work.record.seq, &*work.record.subject);
            let parked =
                put_aside(&*self.log, place, "the subject names no order", &self.clock, &self.obstacles);
            return if parked.await { work.ack().await } else { work.nak(self.settings.ack_wait).await };
        };
        let Some(in_hand) = self.agenda.take(order) else {
            // It is being driven already, and the stream remembers it.
            return work.ack().await;
        };
        reach(Boundary::TakenUp);
        let (driven, unacknowledged) = tokio::select! {
            () = stop.cancelled() => return work.nak(Duration::ZERO).await,
            held = self.hold(order, &work, hand) => held,
        };
        let driven = driven.unwrap_or(Driven::NotNow);
        if unacknowledged {
            self.answer(&work, driven).await;
        }
        in_hand.release(self.released(driven));
    }

    /// Drives an order, and tells the queue that it is being worked on, for as long as it may keep a place there. Then it
    /// goes on without, if there is room for it: else it is left to the list. The flag says whether the queue still waits for
    /// an answer.
    async fn hold(&self, order: OrderId, work: &Work, hand: &Hand) -> (Option<Driven>, bool) {
        let until = Instant::now() + self.settings.ack_wait * Settings::HELD_FOR_ACK_WAITS;
        let driven = self.drive(order, hand);
        tokio::pin!(driven);
        while Instant::now() < until {
            tokio::select! {
                driven = &mut driven => return (Some(driven), true),
                () = sleep(self.settings.ack_wait / 5) => work.in_progress().await,
            }
        }
        work.ack().await;
        match hand.leave_queue(&self.room) {
            true => (Some(driven.await), false),
            false => (None, false),
        }
    }

    /// Answers the queue.
    async fn answer(&self, work: &Work, driven: Driven) {
        match driven {
            Driven::Ended(_) | Driven::Gone | Driven::WithOperator => {
                reach(Boundary::BeforeAck);
                work.ack().await;
                reach(Boundary::AfterAck);
            }
            Driven::HeldUp | Driven::Crowded | Driven::Pausing { .. } => work.ack().await,
            Driven::Elsewhere(_) | Driven::NotNow if work.delivered < HANDED_BACK => {
                work.nak(self.settings.ack_wait).await;
            }
            Driven::Elsewhere(_) | Driven::NotNow => work.ack().await,
        }
    }

    /// State in which the list gets an order back.
    fn released(&self, driven: Driven) -> Released {
        let Settings { ack_wait, stalled_after, .. } = self.settings;
        match driven {
            Driven::Ended(end) => Released::Ended(end),
            Driven::Gone => Released::Gone,
            Driven::WithOperator => Released::WithOperator,
            Driven::HeldUp => Released::Again(ack_wait),
            Driven::Pausing { retry, left } => Released::Pausing { retry, left },
            Driven::Elsewhere(_) => Released::Elsewhere(stalled_after),
            Driven::Crowded | Driven::NotNow => Released::Again(stalled_after),
        }
    }

    async fn drive(&self, order: OrderId, hand: &Hand) -> Driven {
        let span = info_span!("order", order_id = %order, attempt = Empty, trace_id = Empty);
        let drive = Drive {
            log: &*self.log,
            effects: &self.effects,
            room: &self.room,
            hand,
            agenda: &self.agenda,
            obstacles: &self.obstacles,
            clock: &self.clock,
            backoff: self.settings.backoff,
            hold: self.settings.ack_wait,
        };
        async {
            let driven = drive.to_the_end(order).await;
            if let Driven::Elsewhere(venue) = driven {
                info!(%venue, "the order's venue is not configured here: left to another executor");
            }
            driven
        }
        .instrument(span)
        .await
    }
}
