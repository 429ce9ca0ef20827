//! Rights of the user at the server: each thing is tried, and nothing is stored by it.

use fillstream_event_log::{Inspector, Probe, Right};

use super::finding::Finding;

/// Right that is needed: the pattern that a server's permissions name, a probe under it, and who needs it.
struct Need {
    pattern: &'static str,
    subject: &'static str,
    is_append: bool,
    who: &'static str,
}

const fn append(pattern: &'static str, subject: &'static str, who: &'static str) -> Need {
    Need { pattern, subject, is_append: true, who }
}

const fn request(pattern: &'static str, subject: &'static str, who: &'static str) -> Need {
    Need { pattern, subject, is_append: false, who }
}

/// To be published to; answers come to `_INBOX_fillstream.>`. Some name what does not exist: no order and no consumer is touched.
const NEEDS: &[Need] = &[
    append("orders.>", "orders.swap.doctor.placed", "api, executor, matcher"),
    append("markets.>", "markets.doctor", "matcher"),
    append("parked.>", "parked.doctor.0", "executor, matcher, projector"),
    append("$O.fillstream-snapshots.>", "$O.fillstream-snapshots.M.doctor", "matcher"),
    request("$JS.API.STREAM.CREATE.ORDERS", "$JS.API.STREAM.CREATE.ORDERS", "whoever starts first"),
    request("$JS.API.STREAM.MSG.GET.ORDERS", "$JS.API.STREAM.MSG.GET.ORDERS", "all"),
    request("$JS.API.DIRECT.GET.ORDERS", "$JS.API.DIRECT.GET.ORDERS", "all"),
    request("$JS.API.DIRECT.GET.ORDERS.>", "$JS.API.DIRECT.GET.ORDERS.doctor", "all"),
    request("$JS.API.CONSUMER.CREATE.ORDERS.>", "$JS.API.CONSUMER.CREATE.ORDERS.doctor", "all"),
    request("$JS.API.CONSUMER.DELETE.ORDERS.>", "$JS.API.CONSUMER.DELETE.ORDERS.doctor", "all but executor"),
    request(
        "$JS.API.CONSUMER.MSG.NEXT.ORDERS.executor",
        "$JS.API.CONSUMER.MSG.NEXT.ORDERS.executor",
        "executor",
    ),
    request("$JS.ACK.ORDERS.executor.>", "$JS.ACK.ORDERS.executor.doctor", "executor"),
    request(
        "$JS.API.STREAM.PURGE.OBJ_fillstream-snapshots",
        "$JS.API.STREAM.PURGE.OBJ_fillstream-snapshots",
        "matcher",
    ),
];

/// Tries everything at once.
pub(super) async fn look(inspector: &Inspector) -> Vec<Finding> {
    let probes: Vec<_> = NEEDS
        .iter()
        .map(|need| match need.is_append {
            true => Probe::Append(need.subject.to_owned()),
            false => Probe::Request(need.subject.to_owned()),
        })
        .collect();
    let rights = inspector.may(&probes).await;
    let refused: Vec<_> = NEEDS
        .iter()
        .zip(&rights)
        .filter(|(_, right)| **right == Right::Refused)
        .map(|(need, _)| {
            Finding::wrong(
                "permissions",
                format!("this user may not publish to {}", need.subject),
                format!("publish to {} and hear _INBOX_fillstream.> (needed by: {})", need.pattern, need.who),
                "allow both in the permissions of the user, in the server's configuration or account",
            )
        })
        .collect();
    if !refused.is_empty() {
        return refused;
    }
    let silent = rights.iter().filter(|right| **right == Right::Silent).count();
    if silent > 0 {
        return vec![Finding::warning(
            "permissions",
            format!("{silent} of {} probes were not answered in time", NEEDS.len()),
            "every one is",
            "look whether the server is overloaded: nats server report jetstream",
        )];
    }
    vec![Finding::ok("permissions", format!("all {} that the parts need were tried", NEEDS.len()))]
}
