//! Checks that every request passes before it is routed.
//!
//! ```text
//!  request ─▶ proxies: who is the client ─▶ Host: one of ours? ─▶ Origin: may it change things? ─▶ rate of the address ─▶ router
//!                                              └─ 421                └─ 403                           └─ 429
//! ```
//! Requests over NATS come from no address and name neither: they pass.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::HeaderValue,
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    Problem,
    connection::Connection,
    host::Hosts,
    limits::{Limits, standing},
    origin::Origins,
    proxies::{FORWARDED_PROTO, Proxies},
};

/// What operators and load balancers ask, under whatever name they have for the process: nothing in the answers is a
/// user's.
pub const OPERATIONS: [&str; 3] = ["/health", "/ready", "/metrics"];

/// The client that a request comes from, in the request's extensions; absent over NATS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Settings of the checks.
#[derive(Debug)]
pub struct Guard {
    /// The names under which this server is asked.
    pub hosts: Hosts,
    /// The pages that may ask.
    pub origins: Origins,
    /// Proxies that are believed about the client.
    pub proxies: Proxies,
    /// Limits of an address.
    pub limits: Arc<Limits>,
}

impl Guard {
    /// Lets a request pass, or says why not.
    fn admit(&self, request: &mut Request) -> Result<(), Problem> {
        let connection = request.extensions().get::<Connection>();
        let mut client = None;
        if let Some((peer, secure)) = connection.map(|connection| (connection.peer, connection.secure)) {
            let address = self.proxies.client(peer, request.headers());
            self.proxies.strip(peer, request.headers_mut(), |host| self.hosts.allow(host));
            request.extensions_mut().insert(ClientAddress(address));
            if secure {
                // A proxy that says otherwise speaks of its client; without one it is we who know.
                let https = HeaderValue::from_static("https");
                request.headers_mut().entry(FORWARDED_PROTO).or_insert(https);
            }
            client = Some(address);
        }
        if !OPERATIONS.contains(&request.uri().path()) {
            self.hosts.check(request.uri(), request.headers())?;
        }
        self.origins.check_unsafe(request.method(), request.headers())?;
        client.map_or(Ok(()), |address| self.limits.request_of(address))
    }
}

/// The middleware.
pub async fn guard(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let answering = async {
        match guard.admit(&mut request) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    };
    let (mut response, tightest) = standing(answering).await;
    if let Some(tightest) = tightest {
        tightest.add_to(response.headers_mut());
    }
    response
}
