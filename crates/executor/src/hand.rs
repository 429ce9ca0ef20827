//! Room for the orders in hand, a task of some kilobytes each.
//!
//! ```text
//!  the queue's ──after some ack_waits──▶ the stream's ──transaction on record──▶ its venue's
//! ```
//! An order whose transaction is undecided may wait for as long as its venue does not answer. It takes a place of that venue
//! then, so that the orders of the others find room.

use std::sync::Arc;

use fillstream_domain::VenueId;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::settings::Hands;

/// Free places.
pub(crate) struct Room {
    queue: Arc<Semaphore>,
    stream: Arc<Semaphore>,
    venues: Vec<(VenueId, Arc<Semaphore>)>,
}

impl Room {
    pub(crate) fn new(hands: Hands) -> Self {
        let places = |count: usize| Arc::new(Semaphore::new(count));
        let venues = VenueId::ALL.into_iter().map(|venue| (venue, places(hands.of_venue))).collect();
        Self { queue: places(hands.of_queue), stream: places(hands.of_stream), venues }
    }

    /// A place for an order that the queue brings, if there is one.
    pub(crate) fn try_queue(&self) -> Option<Hand> {
        Arc::clone(&self.queue).try_acquire_owned().ok().map(|permit| Hand::new(Place::Queue, permit))
    }

    /// A place for an order that the queue brings, once there is one.
    pub(crate) async fn queue(&self) -> Hand {
        Hand::new(Place::Queue, permit(&self.queue).await)
    }

    /// A place for an order that is taken up from the stream, once there is one.
    pub(crate) async fn stream(&self) -> Hand {
        Hand::new(Place::Stream, permit(&self.stream).await)
    }

    fn try_venue(&self, venue: VenueId) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        let places = self.venues.iter().find(|(id, _)| *id == venue);
        places.map_or(Err(TryAcquireError::Closed), |(_, places)| Arc::clone(places).try_acquire_owned())
    }
}

async fn permit(of: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(of).acquire_owned().await.expect("it is never closed")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Queue,
    Stream,
    Venue(VenueId),
}

/// The place that an order takes.
pub(crate) struct Hand(Mutex<(Place, OwnedSemaphorePermit)>);

impl Hand {
    fn new(place: Place, permit: OwnedSemaphorePermit) -> Self {
        Self(Mutex::new((place, permit)))
    }

    /// Leaves its place among those of the queue, if it has one; false when there is no other one.
    pub(crate) fn leave_queue(&self, room: &Room) -> bool {
        let mut held = self.0.lock();
        if held.0 != Place::Queue {
            return true;
        }
        let free = Arc::clone(&room.stream).try_acquire_owned();
        free.map(|permit| *held = (Place::Stream, permit)).is_ok()
    }

    /// Takes a place of a venue in exchange for its own; false when there is none.
    pub(crate) fn go_to(&self, venue: VenueId, room: &Room) -> bool {
        let mut held = self.0.lock();
        held.0 == Place::Venue(venue)
            || room.try_venue(venue).map(|permit| *held = (Place::Venue(venue), permit)).is_ok()
    }
}
