//! Orders that nobody can decide: they wait on the operators' list, whoever died, and end by the operator's word.

use std::time::{Duration, Instant};

use fillstream_crash_point::Boundary;
use fillstream_domain::{OrderId, swap::Phase};
use fillstream_tests::http::get;
use rustix::process::Signal;
use tokio::time::sleep;

use super::{
    plan::Point,
    slot::{assert_died, ended},
    stage::{Stage, Told},
    witness::Witness,
};

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// What the operator finds out, and says.
#[derive(Debug, Clone, Copy)]
enum Decision {
    /// The venue tells nobody, but it has landed.
    Landed,
    /// It never arrived.
    Dead,
}

/// Who is there when the operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crew {
    /// The process after the one that died.
    Next,
    /// Nobody; the next process comes later.
    Nobody,
    /// A process that stands still at the point, and goes on later.
    Frozen,
}

/// Where the executor dies or stands still, and where the operator's command dies.
const CASES: [(Boundary, Crew, Option<Boundary>); 10] = [
    (Boundary::AfterReview, Crew::Nobody, None),
    (Boundary::AfterReview, Crew::Nobody, Some(Boundary::AfterDecision)),
    (Boundary::AfterReview, Crew::Frozen, None),
    (Boundary::BeforeAck, Crew::Frozen, None),
    (Boundary::AfterObserve, Crew::Next, None),
    (Boundary::BeforeReview, Crew::Next, None),
    (Boundary::AfterReview, Crew::Next, None),
    (Boundary::BeforeAck, Crew::Next, None),
    (Boundary::BeforeAck, Crew::Next, Some(Boundary::BeforeDecision)),
    (Boundary::BeforeAck, Crew::Next, Some(Boundary::AfterDecision)),
];

/// Goes through the points; their number.
pub(super) async fn sweep(stage: &Stage, witness: &Witness<'_>) -> usize {
    let mut points = 0;
    for (boundary, crew, command) in CASES {
        for decision in [Decision::Landed, Decision::Dead] {
            let case = Case { stage, witness, decision, command };
            case.run(&at(boundary), crew).await;
            points += 1 + usize::from(command.is_some());
        }
    }
    // Everybody who was late has had the time to say something.
    let _executor = stage.executor("", None);
    stage.place("DUST").await;
    witness.settle().await;
    assert_eq!(stage.printed(&["parked", "list"]), "nothing is parked\n");
    points
}

const fn at(boundary: Boundary) -> Point {
    Point { boundary, nth: 1, token_in: "SOL" }
}

struct Case<'a> {
    stage: &'a Stage,
    witness: &'a Witness<'a>,
    decision: Decision,
    command: Option<Boundary>,
}

impl Case<'_> {
    async fn run(&self, point: &Point, crew: Crew) {
        let faults = match self.decision {
            Decision::Landed => "unknowable=1000",
            Decision::Dead => "unknowable=1000,drop=1000",
        };
        let told = if crew == Crew::Frozen { Told::Freeze(point) } else { Told::Die(point) };
        let mut process = self.stage.executor(faults, Some(told));
        let order = self.stage.place("SOL").await;
        if crew == Crew::Frozen {
            until(|| process.is_frozen(), point).await;
        } else {
            let status = ended(&mut process, PATIENCE).await.expect("the executor has died");
            assert_died(status, point, &process);
        }
        let _next = (crew == Crew::Next).then(|| self.stage.executor(faults, None));
        until(|| self.is_before_an_operator(order, crew), point).await;
        self.is_decided_once(order).await;
        if crew == Crew::Frozen {
            process.signal(Signal::CONT);
        }
        if crew != Crew::Next {
            // Whoever takes the order up now finds nothing to do.
            let _later = self.stage.executor("", None);
            self.stage.place("DUST").await;
            self.witness.settle().await;
        }
    }

    async fn is_decided_once(&self, order: OrderId) {
        let id = order.to_string();
        self.assert_shown(&id, "submitted", true).await;
        let (said, status) = match self.decision {
            Decision::Landed => (&["resolve", &id, "landed", "--amount-out", "1448.25"][..], "confirmed"),
            Decision::Dead => (&["resolve", &id, "dead"][..], "failed"),
        };
        if let Some(boundary) = self.command {
            let killed = self.stage.run(said, Some(Told::Die(&at(boundary)))).status;
            assert_eq!(killed.code(), None, "the command dies at {}", boundary.name());
        }
        // Once more after a command that died behind the decision: it has only its entry left to close.
        if self.command != Some(Boundary::AfterDecision) {
            assert_eq!(self.stage.printed(said), format!("order {id} is resolved: {status}\n"));
        }
        let again = self.stage.run(said, None);
        let refusal = format!("fillstream: order {id} is {status}, not under review");
        assert!(String::from_utf8_lossy(&again.stderr).starts_with(&refusal), "{again:?}");
        self.assert_shown(&id, status, false).await;
        assert!(!self.is_listed(order), "{id} is decided");
    }

    async fn assert_shown(&self, id: &str, status: &str, needs_review: bool) {
        let shown = get(self.stage.address(), &format!("/api/orders/{id}")).await.json();
        let found = (shown["status"].as_str(), shown["needsReview"] == true);
        assert_eq!(found, (Some(status), needs_review), "{shown}");
    }

    /// It is on the list, if there is somebody to put it there.
    fn is_before_an_operator(&self, order: OrderId, crew: Crew) -> bool {
        let reviewed =
            self.witness.order(order).is_some_and(|order| matches!(order.phase(), Phase::Review(_)));
        reviewed && (crew != Crew::Next || self.is_listed(order))
    }

    fn is_listed(&self, order: OrderId) -> bool {
        self.stage.printed(&["parked", "list"]).contains(&order.to_string())
    }
}

async fn until(is: impl Fn() -> bool, point: &Point) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{point}: it does not come to that");
        sleep(POLL).await;
    }
}
