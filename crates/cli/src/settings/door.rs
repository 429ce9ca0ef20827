//! Settings of the door: who may come in over HTTP, how many, and how long they may take.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc};

use clap::Args;
use fillstream_http_edge::{Hosts, LEAST_BURST, Network, Origins, Proxies, Rate, Rates};
use fillstream_http_server::{PlaceLimits, Times, Tls};

use super::{
    HttpSettings, Span,
    address::{ANY_ORIGIN, host, host_of, origin, origin_of},
    span::at_least,
};
use crate::Failure;

/// Requests a second of one address, with authentication: a few hundred clients behind one address, and their pages.
const REQUESTS_OF_ADDRESS: u32 = 2000;
/// Requests a second of one user, with authentication: the orders, their cancels, and looking after them.
const REQUESTS_OF_USER: u32 = 500;
/// Orders a second of one user, with authentication.
const ORDERS_OF_USER: u32 = 100;
/// Cancels a second of one user, with authentication: whoever placed them must get rid of them at least as fast.
const CANCELS_OF_USER: u32 = 200;
/// Connections of one address, with authentication.
const CONNECTIONS_OF_ADDRESS: usize = 2000;
/// Descriptors that are kept for NATS, the read model, files and the listening port itself.
const KEPT_DESCRIPTORS: u64 = 256;
/// Connections there may be however few descriptors there are.
const LEAST_CONNECTIONS: u64 = 64;

/// See the module's first line.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoorSettings {
    /// Web origins that may call, such as https://desk.example; several separated by commas; * for any, null included
    /// [default: own pages; without authentication also those of this machine, on any port]
    #[arg(
        long,
        env = "FILLSTREAM_ALLOW_ORIGIN",
        value_parser = origin,
        value_delimiter = ',',
        value_name = "ORIGIN",
        help_heading = "HTTP"
    )]
    allow_origin: Vec<String>,

    /// Names under which clients ask this server, such as orders.example; several separated by commas. Addresses,
    /// localhost, and the hosts of --public-url and --allow-origin always are; any other name is answered 421
    #[arg(
        long,
        env = "FILLSTREAM_ALLOW_HOST",
        value_parser = host,
        value_delimiter = ',',
        value_name = "NAME",
        help_heading = "HTTP"
    )]
    allow_host: Vec<String>,

    /// Proxies that are believed about the client's address (X-Forwarded-For), and how it asked (X-Forwarded-Host,
    /// X-Forwarded-Proto): addresses or networks, several separated by commas [default: those on this machine]
    #[arg(
        long,
        env = "FILLSTREAM_TRUSTED_PROXY",
        value_delimiter = ',',
        value_name = "NETWORK",
        help_heading = "HTTP"
    )]
    trusted_proxy: Vec<Network>,

    /// Certificate chain for HTTPS, PEM, the server's own first; read again when it changes
    #[arg(
        long,
        env = "FILLSTREAM_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "HTTP"
    )]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate, PEM
    #[arg(
        long,
        env = "FILLSTREAM_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "HTTP"
    )]
    tls_key: Option<PathBuf>,

    /// For a request's head, from its first byte; a connection that says nothing is closed after it
    #[arg(
        long,
        env = "FILLSTREAM_HEADER_TIMEOUT",
        value_parser = at_least::<10>,
        default_value = "10s",
        value_name = "TIME",
        help_heading = "HTTP"
    )]
    header_timeout: Span,

    /// For a request's body as a whole; 408 after it
    #[arg(
        long,
        env = "FILLSTREAM_BODY_TIMEOUT",
        value_parser = at_least::<10>,
        default_value = "30s",
        value_name = "TIME",
        help_heading = "HTTP"
    )]
    body_timeout: Span,

    /// A connection is closed when nothing is asked over it for this long; above what load balancers keep theirs for
    #[arg(
        long,
        env = "FILLSTREAM_IDLE_TIMEOUT",
        value_parser = at_least::<10>,
        default_value = "75s",
        value_name = "TIME",
        help_heading = "HTTP"
    )]
    idle_timeout: Span,

    /// Connections at the same time, sockets included [default: what the limit of open files leaves]
    #[arg(long, env = "FILLSTREAM_MAX_CONNECTIONS", value_name = "N", value_parser = super::at_least_one(), help_heading = "Limits")]
    max_connections: Option<usize>,

    /// Connections of one address at the same time; 0: no limit [default: 2000 with authentication, else none]
    #[arg(long, env = "FILLSTREAM_CONNECTIONS_PER_ADDRESS", value_name = "N", help_heading = "Limits")]
    connections_per_address: Option<usize>,

    /// Requests of one address a second, ten times as many at once; 0: no limit [default: 2000 with authentication,
    /// else none]
    #[arg(long, env = "FILLSTREAM_REQUESTS_PER_ADDRESS", value_name = "N", help_heading = "Limits")]
    requests_per_address: Option<u32>,

    /// Requests of one user a second, ten times as many at once; 0: no limit [default: 500 with authentication, else none]
    #[arg(long, env = "FILLSTREAM_REQUESTS_PER_USER", value_name = "N", help_heading = "Limits")]
    requests_per_user: Option<u32>,

    /// Orders of one user a second, ten times as many at once and never fewer than a batch holds, which costs its orders;
    /// 0: no limit [default: 100 with authentication, else none]
    #[arg(long, env = "FILLSTREAM_ORDERS_PER_USER", value_name = "N", help_heading = "Limits")]
    orders_per_user: Option<u32>,

    /// Cancels of one user a second, ten times as many at once; 0: no limit [default: 200 with authentication, else none]
    #[arg(long, env = "FILLSTREAM_CANCELS_PER_USER", value_name = "N", help_heading = "Limits")]
    cancels_per_user: Option<u32>,
}

impl DoorSettings {
    /// Refuses what cannot hold.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let any = self.allow_origin.iter().any(|origin| origin == ANY_ORIGIN);
        if any && self.allow_origin.len() > 1 {
            return Err(
                "--allow-origin names * and others, but * is all of them: leave out one or the others".into(),
            );
        }
        Ok(())
    }

    pub(crate) fn proxies(&self) -> Proxies {
        match self.trusted_proxy.as_slice() {
            [] => Proxies::Loopback,
            listed => Proxies::Listed(listed.to_vec()),
        }
    }

    pub(crate) fn times(&self) -> Times {
        Times {
            head: self.header_timeout.get(),
            body: self.body_timeout.get(),
            idle: self.idle_timeout.get(),
            ..Times::default()
        }
    }

    /// What the connections are encrypted with.
    pub(crate) fn tls(&self) -> Result<Option<Arc<Tls>>, Failure> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Ok(Some(Tls::open(certificate, key)?)),
            // Neither goes without the other.
            (_, _) => Ok(None),
        }
    }
}

impl HttpSettings {
    /// The pages that may ask. Those that come from the public address are our own.
    pub(crate) fn origins(&self) -> Origins {
        let listed = &self.door.allow_origin;
        if listed.iter().any(|origin| origin == ANY_ORIGIN) {
            return Origins::Any;
        }
        let own = self.public_url.as_deref().and_then(origin_of);
        let listed = listed.iter().cloned().chain(own).collect();
        if self.auth.is_on() { Origins::Listed(listed) } else { Origins::Loopback(listed) }
    }

    /// The names under which this server is asked.
    pub(crate) fn hosts(&self) -> Hosts {
        let urls = self.door.allow_origin.iter().chain(&self.public_url);
        Hosts::named(urls.filter_map(|url| host_of(url)).chain(self.door.allow_host.iter().cloned()))
    }

    /// Connections that there may be, of `descriptors` that the process has.
    pub(crate) fn places(&self, descriptors: u64) -> PlaceLimits {
        let room = descriptors.saturating_sub(KEPT_DESCRIPTORS).max(LEAST_CONNECTIONS);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let by_default = if self.auth.is_on() { CONNECTIONS_OF_ADDRESS } else { 0 };
        let of_address = self.door.connections_per_address.unwrap_or(by_default);
        PlaceLimits {
            all: self.door.max_connections.map_or(room, |most| most.min(room)),
            of_address: Some(of_address).filter(|most| *most > 0),
        }
    }

    /// How much one address and one user may ask.
    pub(crate) fn rates(&self) -> Rates {
        let rate = |set: Option<u32>, by_default: u32, least: u32| {
            let per_second = set.unwrap_or(if self.auth.is_on() { by_default } else { 0 });
            NonZeroU32::new(per_second).map(|per_second| Rate::with_burst_of(per_second, least))
        };
        Rates {
            requests_of_address: rate(self.door.requests_per_address, REQUESTS_OF_ADDRESS, 1),
            requests_of_user: rate(self.door.requests_per_user, REQUESTS_OF_USER, 1),
            orders_of_user: rate(self.door.orders_per_user, ORDERS_OF_USER, LEAST_BURST),
            cancels_of_user: rate(self.door.cancels_per_user, CANCELS_OF_USER, LEAST_BURST),
        }
    }
}
