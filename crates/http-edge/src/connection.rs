//! A request's connection, as the listening port knows it: in the extensions of every request that came over one.
//! Requests over NATS have none.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// See the module's first line.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Address at the other end: of a client, or a proxy.
    pub peer: IpAddr,
    /// It is encrypted up to here.
    pub secure: bool,
    /// Bytes held of a message that is not complete, once it has become a socket.
    pub unfinished: Arc<Unfinished>,
}

/// A request's body that does not come: reading it ends with this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body did not come in time")]
pub struct BodyTooLate;

/// An IPv4 address as such, also where a listener for both families shows it inside an IPv6 one.
#[must_use]
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Bytes of unfinished messages of all sockets: each may be 1 MiB, so that thousands of them together need a bound.
#[derive(Debug)]
pub struct Unfinishing {
    held: AtomicU64,
    most: u64,
    refused: AtomicU64,
}

impl Unfinishing {
    /// At most `most` bytes of all sockets together.
    #[must_use]
    pub fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { held: AtomicU64::new(0), most, refused: AtomicU64::new(0) })
    }

    /// Bytes that are held now.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Number of sockets that were closed because there was no room for more of their message.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Bytes that one socket's client has sent of a message that is not complete.
#[derive(Debug)]
pub struct Unfinished {
    own: AtomicU64,
    all: Arc<Unfinishing>,
}

impl Unfinished {
    /// A connection's, empty.
    #[must_use]
    pub fn new(all: &Arc<Unfinishing>) -> Arc<Self> {
        Arc::new(Self { own: AtomicU64::new(0), all: Arc::clone(all) })
    }

    /// Takes bytes in. False when there is no room for them: the message cannot be completed.
    #[must_use]
    pub fn add(&self, bytes: u64) -> bool {
        self.own.fetch_add(bytes, Ordering::Relaxed);
        let before = self.all.held.fetch_add(bytes, Ordering::Relaxed);
        let fits = before + bytes <= self.all.most;
        if !fits {
            self.all.refused.fetch_add(1, Ordering::Relaxed);
        }
        fits
    }

    /// A message is complete: what is held of it is the reader's.
    pub fn complete(&self) {
        let own = self.own.swap(0, Ordering::Relaxed);
        self.all.held.fetch_sub(own, Ordering::Relaxed);
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.complete();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sockets_together_hold_no_more_than_that() {
        let all = Unfinishing::new(100);
        let (one, other) = (Unfinished::new(&all), Unfinished::new(&all));
        assert!(one.add(60) && other.add(40));
        assert!(!other.add(1), "there is no room");
        assert_eq!((all.held(), all.refused()), (101, 1));
        drop(other);
        assert!(one.add(40), "room again");
        one.complete();
        assert_eq!(all.held(), 0);
    }
}
