use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use crate::error::Error;

/// Below the range that the kernel hands out for outgoing connections, so that none of those takes the port while the
/// server is down.
const RANGE: Range<u16> = 20_000..32_000;
/// Taken ones in a row before it is given up; with half of the range taken, one in a million starts fails.
const TRIES: u32 = 20;

/// Where a server is to listen on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortChoice {
    /// This port where it is free, else any.
    Prefer(u16),
    /// A random free port from 20000 to 31999.
    Any,
}

impl Default for PortChoice {
    /// The port that the nats tools try when they are told nothing.
    fn default() -> Self {
        Self::Prefer(4222)
    }
}

impl PortChoice {
    /// Ports to try, in order; each was free a moment ago.
    pub(crate) fn candidates(self) -> impl Iterator<Item = u16> {
        let preferred = match self {
            Self::Prefer(port) => Some(port),
            Self::Any => None,
        };
        preferred.into_iter().chain((0..TRIES).map(|_| random())).filter(|port| is_free(*port))
    }

    pub(crate) fn exhausted() -> Error {
        Error::NoFreePort { tries: TRIES }
    }
}

fn random() -> u16 {
    let width = u64::from(RANGE.end - RANGE.start);
    let offset = RandomState::new().hash_one(()) % width;
    RANGE.start + u16::try_from(offset).expect("less than the width of a range of u16")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preferred_port_comes_first_and_a_taken_one_not_at_all() {
        let taken =
            TcpListener::bind((Ipv4Addr::LOCALHOST, PortChoice::Any.candidates().next().unwrap())).unwrap();
        let taken_port = taken.local_addr().unwrap().port();
        let free_port = PortChoice::Any.candidates().find(|port| *port != taken_port).unwrap();

        assert_eq!(PortChoice::Prefer(free_port).candidates().next(), Some(free_port));
        let instead: Vec<u16> = PortChoice::Prefer(taken_port).candidates().collect();
        assert!(!instead.is_empty());
        assert!(instead.iter().all(|port| RANGE.contains(port) && *port != taken_port));
    }
}
