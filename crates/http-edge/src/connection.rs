//! A request's connection, as the listening port knows it: in the extensions of every request that came over one.
//! Requests over NATS have none.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Context,
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

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

/// Bytes of an unfinished message that each socket may hold beside all others: a message of ordinary size is never in
/// question, and ten thousand sockets hold 40 MiB.
const FREE_BYTES: u64 = 4 << 10;
/// Bytes of a control frame's head, with the mask that every client's frame has.
const CONTROL_HEAD: u64 = 6;

/// Bytes of unfinished messages of all sockets: each may be 1 MiB, so that thousands of them together need a bound. At
/// the bound the socket that holds most is given up, whoever sent last.
#[derive(Debug)]
pub struct Unfinishing {
    most: u64,
    large: Mutex<Large>,
    given_up: AtomicU64,
}

/// Sockets that hold more than what is free for each.
#[derive(Debug, Default)]
struct Large {
    /// Bytes beyond what is free, of all of them.
    held: u64,
    of: BTreeMap<u64, (u64, Arc<Reader>)>,
}

/// Where a socket is told that it is given up.
#[derive(Debug, Default)]
struct Reader {
    given_up: AtomicBool,
    waker: AtomicWaker,
}

impl Unfinishing {
    /// At most `most` bytes of all sockets together, beyond the 4 KiB that each may hold.
    #[must_use]
    pub fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most, large: Mutex::default(), given_up: AtomicU64::new(0) })
    }

    /// Number of sockets that were given up because all together held too much.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }

    /// A socket holds this much now beyond what is free. The largest go while that is too much in sum.
    fn count(&self, id: u64, reader: &Arc<Reader>, bytes: u64) {
        let mut large = self.large.lock();
        let Large { held, of } = &mut *large;
        if reader.given_up.load(Ordering::Relaxed) {
            return;
        }
        let before = match bytes {
            0 => of.remove(&id),
            bytes => of.insert(id, (bytes, Arc::clone(reader))),
        };
        *held = *held + bytes - before.map_or(0, |(bytes, _)| bytes);
        while *held > self.most
            && let Some(largest) = of.iter().max_by_key(|(_, (bytes, _))| *bytes).map(|(id, _)| *id)
            && let Some((bytes, reader)) = of.remove(&largest)
        {
            *held -= bytes;
            reader.given_up.store(true, Ordering::Relaxed);
            reader.waker.wake();
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Bytes that one socket's client has sent of a message that is not complete.
#[derive(Debug)]
pub struct Unfinished {
    id: u64,
    own: AtomicU64,
    reader: Arc<Reader>,
    all: Arc<Unfinishing>,
}

impl Unfinished {
    /// A connection's, empty.
    #[must_use]
    pub fn new(all: &Arc<Unfinishing>) -> Arc<Self> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let (id, own) = (IDS.fetch_add(1, Ordering::Relaxed), AtomicU64::new(0));
        Arc::new(Self { id, own, reader: Arc::default(), all: Arc::clone(all) })
    }

    /// Takes bytes in that have come.
    pub fn add(&self, bytes: u64) {
        self.change(|own| own.saturating_add(bytes));
    }

    /// A text, a binary message or a close is complete: what is held of it is the reader's.
    pub fn complete(&self) {
        self.change(|_| 0);
    }

    /// A ping or a pong with a payload of so many bytes is complete. It may come in the middle of a message, of which
    /// nothing is complete by that.
    pub fn control(&self, payload: u64) {
        self.change(|own| own.saturating_sub(payload + CONTROL_HEAD));
    }

    /// True when the message cannot be completed, because all sockets hold too much and this one most; else the task is
    /// woken when that comes to be.
    pub fn poll_given_up(&self, context: &Context<'_>) -> bool {
        self.reader.waker.register(context.waker());
        self.reader.given_up.load(Ordering::Relaxed)
    }

    /// One task alone reads a socket: nobody changes it meanwhile.
    fn change(&self, change: impl Fn(u64) -> u64) {
        let before = self.own.load(Ordering::Relaxed);
        let after = change(before);
        self.own.store(after, Ordering::Relaxed);
        let beyond = after.saturating_sub(FREE_BYTES);
        if beyond != before.saturating_sub(FREE_BYTES) {
            self.all.count(self.id, &self.reader, beyond);
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.complete();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    const KIB: u64 = 1 << 10;

    fn is_given_up(socket: &Unfinished) -> bool {
        socket.poll_given_up(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn at_the_bound_the_largest_goes_and_the_others_stay() {
        let all = Unfinishing::new(100 * KIB);
        let [large, small, quiet] = [(); 3].map(|()| Unfinished::new(&all));
        large.add(70 * KIB);
        small.add(38 * KIB);
        quiet.add(FREE_BYTES);
        assert!(
            ![&large, &small, &quiet].map(|socket| is_given_up(socket)).contains(&true),
            "100 KiB and 4 each"
        );
        small.add(1);
        assert_eq!([&large, &small, &quiet].map(|socket| is_given_up(socket)), [true, false, false]);
        assert_eq!(all.given_up(), 1);
        // What it had is free for others, whatever it still sends.
        large.add(200 * KIB);
        small.add(65 * KIB);
        assert!(!is_given_up(&small));
        drop((large, small, quiet));
        let large = all.large.lock();
        assert_eq!((large.held, large.of.len()), (0, 0), "nothing is kept");
    }

    #[test]
    fn a_pong_completes_no_message_and_is_not_held_itself() {
        let all = Unfinishing::new(10 * KIB);
        let socket = Unfinished::new(&all);
        for _ in 0..100_000 {
            socket.add(131);
            socket.control(125);
        }
        socket.add(14 * KIB);
        assert!(!is_given_up(&socket), "as much as it may");
        socket.add(131);
        socket.control(125);
        assert!(is_given_up(&socket), "a pong is over the bound while it is not read");
        let other = Unfinished::new(&all);
        for _ in 0..4 {
            other.add(5 * KIB);
            other.control(0);
        }
        assert!(is_given_up(&other), "pings between the parts of a message free nothing");
        let whole = Unfinished::new(&all);
        for _ in 0..4 {
            whole.add(10 * KIB);
            whole.complete();
        }
        assert!(!is_given_up(&whole));
    }
}
