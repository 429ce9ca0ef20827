//! Reach of the server: who else may get to it.

use std::net::IpAddr;

use super::JetStreamLog;

impl JetStreamLog {
    /// The address on which the server says that it listens, when others than this machine reach it: dialled at
    /// 127.0.0.1, it may still listen everywhere, which is its default.
    #[must_use]
    pub fn reached_by_others(&self) -> Option<String> {
        let host = self.0.requests.client().server_info().host;
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        (!is_here).then_some(host)
    }
}
