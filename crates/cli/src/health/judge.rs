//! Verdicts on each part, by what users expect of it: facts in, verdicts out.
//!
//! ```text
//!  stream's leader ── does it answer, where does it end ──┐
//!  appends ────────── the last one, or a probe ───────────┤
//!  a part ─────────── position, oldest event it lacks ────┼──▶ judge ──▶ caught up, or the reason why not
//!  a market ───────── oldest input without an outcome ────┤
//!  obstacles ──────── what does not succeed, since when ──┘
//! ```
//! Time counts, never a number of events: a thousand events behind under load are nothing, one that nobody takes in for a
//! minute is an outage.

use std::time::Duration;

use fillstream_domain::Seq;

use crate::node::Role;

/// The stream as its leader has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    /// End of the stream, or the reason why it is not known.
    pub(crate) last: Result<Seq, String>,
    /// Reason why an append would fail, as far as the last one, or a probe since, tells.
    pub(crate) cannot_append: Option<String>,
}

/// Records that something has not taken in although the stream holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lacks {
    /// It has reached the stream's end.
    Nothing,
    /// The oldest such record, and how long it has been in the stream.
    Since(Seq, Duration),
    /// The leader could not be asked, with the reason.
    NotKnown(String),
}

impl Lacks {
    /// Its age; zero when nothing is lacking, nothing when that is not known.
    pub(crate) const fn age(&self) -> Option<Duration> {
        match self {
            Self::Nothing => Some(Duration::ZERO),
            Self::Since(_, age) => Some(*age),
            Self::NotKnown(_) => None,
        }
    }
}

/// Something that does not succeed at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) what: String,
    pub(crate) lasts: Duration,
    pub(crate) reason: String,
    /// It keeps the part from its work; what does not is told, and not judged.
    pub(crate) hinders: bool,
}

/// A market of this process's matcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Market {
    pub(crate) symbol: String,
    pub(crate) loaded: bool,
    pub(crate) position: Seq,
    /// The oldest input behind the last commit, whoever commits.
    pub(crate) waits: Lacks,
    /// Trouble that the market itself tells of.
    pub(crate) reason: Option<String>,
}

/// Facts known of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Facts {
    /// The api: it appends.
    Intake,
    /// The projector or the bridge.
    View { position: Seq, lacks: Lacks },
    /// The matcher.
    Markets(Vec<Market>),
    /// The executor: the oldest swap order that nobody works on, and the one in hand that stands still.
    Queue { waits: Lacks, hangs: Lacks },
    /// Its role is none of this process's.
    Absent,
}

/// A part, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The last sequence that it has taken in, where it has such a place.
    pub(crate) position: Option<Seq>,
    /// Age of the oldest event that it lacks, where that is known.
    pub(crate) lag: Option<Duration>,
    /// Reason why it is not caught up; nothing when it is.
    pub(crate) reason: Option<String>,
}

/// Judges a part. What waits for `late` or longer is an outage.
pub(crate) fn judge(
    role: Role,
    facts: &Facts,
    obstacles: &[Obstacle],
    stream: &Stream,
    late: Duration,
) -> Verdict {
    let (position, lag) = match facts {
        Facts::Intake => (stream.last.as_ref().ok().copied(), Some(Duration::ZERO)),
        Facts::View { position, lacks } => (Some(*position), lacks.age()),
        Facts::Markets(markets) => {
            let ages = markets.iter().map(|market| market.waits.age());
            let oldest = ages.collect::<Option<Vec<_>>>().and_then(|ages| ages.into_iter().max());
            (markets.iter().map(|market| market.position).max(), oldest)
        }
        Facts::Queue { waits, .. } => (stream.last.as_ref().ok().copied(), waits.age()),
        Facts::Absent => (None, None),
    };
    let reason = why_not(role, facts, stream, late).map(|reason| explained(reason, obstacles));
    Verdict { position, lag, reason: reason.or_else(|| lasting(obstacles, late)) }
}

/// The reason, with what most likely is behind it.
fn explained(reason: String, obstacles: &[Obstacle]) -> String {
    match obstacles.iter().max_by_key(|obstacle| obstacle.lasts) {
        Some(Obstacle { what, reason: cause, .. }) => format!("{reason}; {what}: {cause}"),
        None => reason,
    }
}

/// Something that does not succeed for so long, although nothing is late yet.
fn lasting(obstacles: &[Obstacle], late: Duration) -> Option<String> {
    let longest = obstacles.iter().filter(|obstacle| obstacle.hinders).max_by_key(|obstacle| obstacle.lasts);
    longest
        .filter(|obstacle| obstacle.lasts >= late)
        .map(|Obstacle { what, lasts, reason, .. }| format!("{what}: {reason}, for {} s", lasts.as_secs()))
}

fn why_not(role: Role, facts: &Facts, stream: &Stream, late: Duration) -> Option<String> {
    if let Facts::Absent = facts {
        return Some(format!("this process does not run the {}", role.name()));
    }
    let last = match &stream.last {
        Ok(last) => *last,
        Err(reason) => return Some(reason.clone()),
    };
    match facts {
        Facts::Intake => stream.cannot_append.clone(),
        Facts::View { position, lacks } => {
            beyond(*position, last).or_else(|| overdue("the oldest event that it lacks", lacks, late))
        }
        Facts::Markets(markets) if markets.is_empty() => Some("no market has been found yet".to_owned()),
        Facts::Markets(markets) => markets.iter().find_map(|market| {
            market_is_stuck(market, last, late).map(|reason| format!("{}: {reason}", market.symbol))
        }),
        Facts::Queue { waits, hangs } => overdue("the oldest order that nobody works on", waits, late)
            .or_else(|| overdue("the order in hand that stands still", hangs, late)),
        Facts::Absent => None,
    }
}

fn market_is_stuck(market: &Market, last: Seq, late: Duration) -> Option<String> {
    let stuck = beyond(market.position, last)
        .or_else(|| overdue("the oldest input without an outcome", &market.waits, late));
    match (&market.reason, stuck) {
        (Some(reason), Some(stuck)) => Some(format!("{stuck}; {reason}")),
        (None, Some(stuck)) => Some(stuck),
        (Some(reason), None) if !market.loaded => Some(reason.clone()),
        (None, None) if !market.loaded => Some("it is being loaded".to_owned()),
        (Some(_) | None, None) => None,
    }
}

/// A place that the stream does not have: it lost its end, or was put back.
fn beyond(position: Seq, last: Seq) -> Option<String> {
    (position > last).then(|| {
        format!(
            "its position {position} is beyond the stream's end {last}: the stream lost its end, or an older one was put \
             back"
        )
    })
}

fn overdue(what: &str, lacks: &Lacks, late: Duration) -> Option<String> {
    match lacks {
        Lacks::Nothing => None,
        Lacks::Since(seq, age) => {
            (*age >= late).then(|| format!("{what}, {seq}, is {} s old", age.as_secs()))
        }
        Lacks::NotKnown(error) => Some(format!("{what} is not known: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Duration = Duration::from_secs(10);

    fn stream(last: u64) -> Stream {
        Stream { last: Ok(Seq::new(last)), cannot_append: None }
    }

    fn since(seq: u64, seconds: u64) -> Lacks {
        Lacks::Since(Seq::new(seq), Duration::from_secs(seconds))
    }

    fn obstacle(seconds: u64) -> Obstacle {
        let (what, reason) = ("projector: rows not written".to_owned(), "disk full".to_owned());
        Obstacle { what, lasts: Duration::from_secs(seconds), reason, hinders: true }
    }

    fn market(waits: Lacks) -> Market {
        let symbol = "BTC/USDT".to_owned();
        Market { symbol, loaded: true, position: Seq::new(90), waits, reason: None }
    }

    #[track_caller]
    fn check(role: Role, facts: &Facts, obstacles: &[Obstacle], stream: &Stream, expected: Option<&str>) {
        let verdict = judge(role, facts, obstacles, stream, LATE);
        let fits = match (&verdict.reason, expected) {
            (None, None) => true,
            (Some(reason), Some(words)) => reason.contains(words),
            (None, Some(_)) | (Some(_), None) => false,
        };
        assert!(fits, "{role:?} {facts:?} {stream:?}: {verdict:?}, expected {expected:?}");
    }

    #[test]
    fn a_view_is_judged_by_the_age_of_what_it_lacks() {
        let view = |position, lacks| Facts::View { position: Seq::new(position), lacks };
        let silent = Stream { last: Err("the stream does not answer".to_owned()), cannot_append: None };
        for (facts, stream, expected) in [
            (view(100, Lacks::Nothing), stream(100), None),
            // However many they are: they came in the last seconds.
            (view(100, since(101, 9)), stream(9_000_000), None),
            // However few they are: nobody takes it in.
            (view(99, since(100, 10)), stream(100), Some("100, is 10 s old")),
            (view(101, Lacks::Nothing), stream(100), Some("position 101 is beyond the stream's end 100")),
            (view(100, Lacks::NotKnown("no leader".to_owned())), stream(101), Some("no leader")),
            (view(100, Lacks::Nothing), silent.clone(), Some("does not answer")),
        ] {
            for role in [Role::Projector, Role::Bridge] {
                check(role, &facts, &[], &stream, expected);
            }
        }
    }

    #[test]
    fn an_obstacle_explains_and_counts_once_it_lasts() {
        let view = |lacks| Facts::View { position: Seq::new(99), lacks };
        let check = |facts: &Facts, seconds, expected| {
            check(Role::Projector, facts, &[obstacle(seconds)], &stream(100), expected);
        };
        check(&view(since(100, 3)), 3, None);
        check(&view(since(100, 12)), 12, Some("is 12 s old; projector: rows not written: disk full"));
        check(&view(Lacks::Nothing), 9, None);
        check(&view(Lacks::Nothing), 10, Some("projector: rows not written: disk full, for 10 s"));
        // What the part can do nothing about is told where obstacles are, and does not take it out.
        let told = Obstacle { hinders: false, ..obstacle(3_600) };
        let verdict = judge(Role::Projector, &view(Lacks::Nothing), &[told], &stream(100), LATE);
        assert_eq!(verdict.reason, None);
    }

    #[test]
    fn a_market_is_judged_by_its_oldest_input_without_an_outcome() {
        let loading = Market { loaded: false, ..market(Lacks::Nothing) };
        let stands =
            Market { loaded: false, reason: Some("it stands still".to_owned()), ..market(Lacks::Nothing) };
        let told = Market { reason: Some("commit not stored: full".to_owned()), ..market(since(91, 30)) };
        for (markets, expected) in [
            (vec![], Some("no market")),
            (vec![market(Lacks::Nothing)], None),
            (vec![market(since(91, 9))], None),
            (vec![market(Lacks::Nothing), market(since(91, 10))], Some("BTC/USDT: the oldest input")),
            (vec![loading], Some("BTC/USDT: it is being loaded")),
            (vec![stands], Some("BTC/USDT: it stands still")),
            (vec![told], Some("91, is 30 s old; commit not stored: full")),
            (vec![Market { position: Seq::new(101), ..market(Lacks::Nothing) }], Some("beyond")),
        ] {
            check(Role::Matcher, &Facts::Markets(markets), &[], &stream(100), expected);
        }
        let facts = Facts::Markets(vec![market(Lacks::Nothing), market(since(91, 10))]);
        let verdict = judge(Role::Matcher, &facts, &[], &stream(100), LATE);
        assert_eq!(verdict.lag, Some(LATE), "the oldest of all markets");
    }

    #[test]
    fn the_intake_is_judged_by_its_appends_alone() {
        let failing = Stream { cannot_append: Some("the last append failed".to_owned()), ..stream(100) };
        check(Role::Api, &Facts::Intake, &[], &stream(100), None);
        check(Role::Api, &Facts::Intake, &[], &failing, Some("the last append failed"));
        let view = Facts::View { position: Seq::new(100), lacks: Lacks::Nothing };
        check(Role::Projector, &view, &[], &failing, None);
        check(Role::Api, &Facts::Absent, &[], &stream(100), Some("does not run the api"));
    }

    #[test]
    fn an_executor_is_judged_by_the_oldest_order_that_nobody_works_on() {
        let queue = |waits| Facts::Queue { waits, hangs: Lacks::Nothing };
        check(Role::Executor, &queue(Lacks::Nothing), &[], &stream(100), None);
        check(Role::Executor, &queue(since(7, 9)), &[], &stream(100), None);
        check(Role::Executor, &queue(since(7, 11)), &[], &stream(100), Some("7, is 11 s old"));
        let hangs = |hangs| Facts::Queue { waits: Lacks::Nothing, hangs };
        check(Role::Executor, &hangs(since(8, 9)), &[], &stream(100), None);
        check(Role::Executor, &hangs(since(8, 11)), &[], &stream(100), Some("in hand that stands still, 8"));
    }
}
