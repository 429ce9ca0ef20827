//! Places of connections: as many as descriptors allow, some of one address, and a few spare ones from which a full server
//! still answers its operators.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fillstream_http_edge::network;
use parking_lot::Mutex;

/// Connections beyond the limit that are told so; operators get their answers over them.
const SPARE: usize = 64;
/// Spare ones of one address: one that floods leaves some for others.
const SPARE_OF_ADDRESS: usize = 8;

/// Limits of the number of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceLimits {
    /// All together.
    pub all: usize,
    /// Of one address; of one network where each client has a network. Nothing: no limit of its own.
    pub of_address: Option<usize>,
}

/// Numbers of connections that were refused a place, by cause, since the start.
#[derive(Debug, Default)]
pub struct Refused {
    /// The process had all that it takes.
    pub full: AtomicU64,
    /// The address had.
    pub of_address: AtomicU64,
}

/// See the module's first line.
#[derive(Debug)]
pub struct Places {
    limits: PlaceLimits,
    taken: Mutex<Taken>,
    refused: Refused,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<IpAddr, Few>,
    spare: usize,
}

#[derive(Debug, Default)]
struct Few {
    places: usize,
    spare: usize,
}

/// Kind of a connection's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Full,
    /// Only to be told so.
    Spare(Cause),
}

/// Reasons why there is no full place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The process has all that it takes.
    Full,
    /// The address has.
    Address,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
    pub(crate) kind: Kind,
}

impl Places {
    /// All free.
    #[must_use]
    pub fn new(limits: PlaceLimits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default(), refused: Refused::default() })
    }

    /// Connections that there are now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.lock().all
    }

    /// Number of refusals.
    #[must_use]
    pub const fn refused(&self) -> &Refused {
        &self.refused
    }

    /// A place for a connection of this address. `shared` is an address behind which many clients are, as a proxy's: it has
    /// no limit of its own. Nothing when not even a spare one is left.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr, shared: bool) -> Option<Place> {
        let address = network(address);
        let mut taken = self.taken.lock();
        let of_address = taken.of.get(&address).map_or(0, |few| few.places);
        let cause = if self.limits.of_address.is_some_and(|most| of_address >= most && !shared) {
            Some((Cause::Address, &self.refused.of_address))
        } else if taken.all >= self.limits.all {
            Some((Cause::Full, &self.refused.full))
        } else {
            None
        };
        let kind = match cause {
            None => {
                taken.all += 1;
                taken.of.entry(address).or_default().places += 1;
                Kind::Full
            }
            Some((cause, refused)) => {
                refused.fetch_add(1, Ordering::Relaxed);
                let spare = taken.of.get(&address).map_or(0, |few| few.spare);
                if taken.spare >= SPARE || spare >= SPARE_OF_ADDRESS {
                    return None;
                }
                taken.spare += 1;
                taken.of.entry(address).or_default().spare += 1;
                Kind::Spare(cause)
            }
        };
        drop(taken);
        Some(Place { places: Arc::clone(self), address, kind })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        let few = taken.of.entry(self.address).or_default();
        match self.kind {
            Kind::Full => few.places -= 1,
            Kind::Spare(_) => few.spare -= 1,
        }
        if few.places + few.spare == 0 {
            taken.of.remove(&self.address);
        }
        match self.kind {
            Kind::Full => taken.all -= 1,
            Kind::Spare(_) => taken.spare -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn an_address_has_its_own_limit_and_all_have_one() {
        let places = Places::new(PlaceLimits { all: 3, of_address: Some(2) });
        let kind = |place: &Option<Place>| place.as_ref().map(|place| place.kind);
        let one = places.take(address(1), false);
        let two = places.take(address(1), false);
        assert_eq!([kind(&one), kind(&two)], [Some(Kind::Full); 2]);
        let third = places.take(address(1), false);
        assert_eq!(kind(&third), Some(Kind::Spare(Cause::Address)));
        let other = places.take(address(2), false);
        assert_eq!(kind(&other), Some(Kind::Full));
        let full = places.take(address(3), false);
        assert_eq!(kind(&full), Some(Kind::Spare(Cause::Full)));
        drop((one, full, third));
        assert_eq!(kind(&places.take(address(1), false)), Some(Kind::Full), "room again");
        assert_eq!(places.refused().full.load(Ordering::Relaxed), 1);
        assert_eq!(places.refused().of_address.load(Ordering::Relaxed), 1);
        drop((two, other));
        let taken = places.taken.lock();
        assert_eq!((taken.all, taken.spare, taken.of.len()), (0, 0, 0), "nothing is kept");
    }

    #[test]
    fn a_flood_leaves_spare_places_to_others_and_a_proxy_is_no_flood() {
        let places = Places::new(PlaceLimits { all: 1000, of_address: Some(1) });
        let flood: Vec<_> = (0..100).filter_map(|_| places.take(address(1), false)).collect();
        assert_eq!(flood.len(), 1 + SPARE_OF_ADDRESS);
        let proxied: Vec<_> = (0..100).filter_map(|_| places.take(address(2), true)).collect();
        assert!(proxied.len() == 100 && proxied.iter().all(|place| place.kind == Kind::Full));
    }
}
