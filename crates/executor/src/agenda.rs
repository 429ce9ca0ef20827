//! The list of unended swaps, shared by who hears of them and who drives them.

use std::time::Duration;

use fillstream_clock::WallClock;
use fillstream_domain::{OrderId, RecordRef, Seq};
use fillstream_swap_machine::{Heard, Moment, Released, Signed, Summary, Unended, UnendedSwap};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

/// The list of unended swaps, with the clocks that it needs.
pub(crate) struct Agenda {
    list: Mutex<Unended>,
    /// Something became due sooner, perhaps.
    changed: Notify,
    began: Instant,
    clock: WallClock,
    stalled_after: Duration,
    /// True once what others knew of signed transactions is known here.
    recalled: watch::Sender<bool>,
}

impl Agenda {
    pub(crate) fn new(stalled_after: Duration, clock: WallClock) -> Self {
        let list = Mutex::new(Unended::new(stalled_after));
        let (changed, began, recalled) = (Notify::new(), Instant::now(), watch::Sender::new(false));
        Self { list, changed, began, clock, stalled_after, recalled }
    }

    fn now(&self) -> Moment {
        Moment { running: self.began.elapsed(), wall: (self.clock)() }
    }

    pub(crate) fn hear(&self, records: impl Iterator<Item = Heard>) {
        let now = self.now();
        let mut list = self.list.lock();
        records.for_each(|heard| list.hear(heard, now));
        drop(list);
        self.changed.notify_one();
    }

    /// Takes swaps in as they once were on such a list.
    pub(crate) fn adopt(&self, swaps: impl Iterator<Item = UnendedSwap>) {
        let now = self.now();
        let mut list = self.list.lock();
        swaps.for_each(|swap| list.adopt(swap, now));
        drop(list);
        self.changed.notify_one();
    }

    /// All that others knew of signed transactions is known here now.
    pub(crate) fn set_recalled(&self) {
        self.recalled.send_replace(true);
    }

    /// Waits for [`set_recalled`](Self::set_recalled).
    pub(crate) async fn recalled(&self) {
        // The sender lives as long as this does.
        drop(self.recalled.subscribe().wait_for(|recalled| *recalled).await);
    }

    /// Remembers a signed transaction, before any of it is sent.
    pub(crate) fn remember(&self, order: OrderId, signed: Signed) {
        self.list.lock().remember(order, signed);
    }

    /// The transaction of a swap that is remembered, and is none of those that its history tells of.
    pub(crate) fn lost(&self, order: OrderId, told: &[RecordRef]) -> Option<Signed> {
        self.list.lock().signed(order).filter(|signed| !told.contains(&signed.record)).cloned()
    }

    /// The stream is another one: nothing that was heard holds any more.
    pub(crate) fn clear(&self) {
        self.list.lock().clear();
    }

    /// Takes a swap into our hands; none when it is there already.
    pub(crate) fn take(&self, order: OrderId) -> Option<InHand<'_>> {
        let taken = self.list.lock().take(order, self.now());
        // Not made before it is known: what is made and dropped gives the swap out of somebody else's hands.
        taken.then(|| InHand { agenda: self, order })
    }

    /// Waits for a swap to be due, and takes it into our hands. Safe to give up while it waits.
    pub(crate) async fn due(&self) -> OrderId {
        loop {
            let next = {
                let mut list = self.list.lock();
                if let Some(order) = list.take_due(self.now()) {
                    return order;
                }
                list.next_due()
            };
            let sleep = async {
                match next {
                    Some(running) => sleep_until(self.began + running).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep => {}
            }
        }
    }

    /// A swap that [`due`](Self::due) gave.
    pub(crate) const fn taken(&self, order: OrderId) -> InHand<'_> {
        InHand { agenda: self, order }
    }

    /// End of the pause that the record at `retry` tells of, if it was heard of here.
    pub(crate) fn pause_over_at(&self, order: OrderId, retry: Seq) -> Option<Instant> {
        self.list.lock().pause_over_at(order, retry).map(|running| self.began + running)
    }

    pub(crate) fn summary(&self) -> Summary {
        self.list.lock().summary()
    }

    pub(crate) fn overdue(&self) -> Option<(Seq, Duration)> {
        self.list.lock().overdue(self.now())
    }

    /// True when a swap is on the list, or was driven to its end here before that was heard of.
    pub(crate) fn knows(&self, order: OrderId) -> bool {
        self.list.lock().knows(order)
    }

    /// A swap in our hands has done a step, or heard from somebody.
    pub(crate) fn alive(&self, order: OrderId) {
        self.list.lock().alive(order, self.now());
    }

    /// The swap in our hands that has not done so for the longest time.
    pub(crate) fn stillest(&self) -> Option<(Seq, Duration)> {
        self.list.lock().stillest(self.now())
    }

    pub(crate) fn heard(&self) -> Vec<UnendedSwap> {
        self.list.lock().heard().collect()
    }
}

/// A swap in our hands. Dropped without a word, after a panic as well, it is taken up again as one that stands still.
pub(crate) struct InHand<'a> {
    agenda: &'a Agenda,
    pub(crate) order: OrderId,
}

impl InHand<'_> {
    pub(crate) fn release(self, released: Released) {
        self.agenda.list.lock().release(self.order, released, self.agenda.now());
        self.agenda.changed.notify_one();
        std::mem::forget(self);
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let now = self.agenda.now();
        let mut list = self.agenda.list.lock();
        list.release(self.order, Released::Again(self.agenda.stalled_after), now);
        drop(list);
        self.agenda.changed.notify_one();
    }
}
