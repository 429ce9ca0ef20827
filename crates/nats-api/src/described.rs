//! Descriptions of the subjects: what is told about the requests that they stand for.

use fillstream_http_edge::described::{Channel, Described};

use crate::routes::{ROUTES, Route};

/// The subjects whose requests are among these.
#[must_use]
pub fn channels(described: &[Described]) -> Vec<Channel> {
    ROUTES.iter().filter_map(|route| channel(route, described)).collect()
}

fn channel(route: &Route, described: &[Described]) -> Option<Channel> {
    let path = route.path.replace("{orderId}", "{order_id}");
    let renamed: &[_] = if path == route.path { &[] } else { &[("order_id", "orderId")] };
    let found = described.iter().find(|one| one.path == path && one.method == route.method)?;
    let about = "Request-reply of the service `fillstream` (NATS services convention), as over HTTP. The reply's header \
                 `Http-Status` is HTTP's status; from 400 on `Nats-Service-Error-Code` and `Nats-Service-Error` as well.";
    Some(found.over(route.subject, route.about, renamed).about(about))
}
