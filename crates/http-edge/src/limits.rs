//! Limits of what one address and one user may ask: token buckets that refill all the time, each with its burst.
//!
//! ```text
//!  request ─▶ guard: of this address? ─▶ Askers: of this user? ─▶ handler: orders, or a cancel, of this user?
//!                   └─ no: 429, Retry-After ◀─┴───────────────────────┘       what is left: RateLimit of every answer
//! ```
//! Cancels have a bucket of their own: who has used up all orders can still take them back.

use std::{
    cell::Cell,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use fillstream_domain::UserId;
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
};

use crate::Problem;

/// Smallest burst of orders: a batch may have as many of them.
pub const LEAST_BURST: u32 = 1000;
/// Between two cleanings of a bucket's keys, in checks: keys whose bucket is full again need not be remembered.
const CLEAN_EVERY: u64 = 10_000;

/// IETF draft `ratelimit-headers`: what is left of a policy.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// IETF draft `ratelimit-headers`: the policy.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// So many a second in the long run, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Refilled every second.
    pub per_second: NonZeroU32,
    /// The bucket's size.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate whose burst is ten seconds of it, at least `least`.
    #[must_use]
    pub fn with_burst_of(per_second: NonZeroU32, least: u32) -> Self {
        let burst = per_second.get().saturating_mul(10).max(least);
        Self { per_second, burst: NonZeroU32::new(burst).unwrap_or(per_second) }
    }
}

/// Rates that hold; those that are nothing are not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Requests of one address.
    pub requests_of_address: Option<Rate>,
    /// Requests of one user.
    pub requests_of_user: Option<Rate>,
    /// Orders of one user, placed or amended; a batch costs its orders.
    pub orders_of_user: Option<Rate>,
    /// Cancels of one user.
    pub cancels_of_user: Option<Rate>,
}

/// Kind of a request, by which of a user's buckets it takes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// A request of any kind.
    Request,
    /// So many orders, placed or amended.
    Orders(u32),
    /// A cancel.
    Cancel,
}

/// Number of refusals of each limit since the start.
#[derive(Debug, Default)]
pub struct Refusals {
    /// Requests of one address.
    pub requests_of_address: AtomicU64,
    /// Requests of one user.
    pub requests_of_user: AtomicU64,
    /// Orders of one user.
    pub orders_of_user: AtomicU64,
    /// Cancels of one user.
    pub cancels_of_user: AtomicU64,
}

/// The buckets of one process.
#[derive(Debug, Default)]
pub struct Limits {
    addresses: Option<Buckets<IpAddr>>,
    requests: Option<Buckets<UserId>>,
    orders: Option<Buckets<UserId>>,
    cancels: Option<Buckets<UserId>>,
    refusals: Refusals,
}

impl Limits {
    /// Buckets for these rates, all full.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self {
            addresses: rates.requests_of_address.map(|rate| Buckets::new("address", rate)),
            requests: rates.requests_of_user.map(|rate| Buckets::new("user", rate)),
            orders: rates.orders_of_user.map(|rate| Buckets::new("orders", rate)),
            cancels: rates.cancels_of_user.map(|rate| Buckets::new("cancels", rate)),
            refusals: Refusals::default(),
        }
    }

    /// Number of refusals of each limit.
    #[must_use]
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Takes a request out of the address's bucket.
    ///
    /// # Errors
    /// 429 when it is empty.
    pub fn request_of(&self, address: IpAddr) -> Result<(), Problem> {
        let address = network(address);
        take(self.addresses.as_ref(), &self.refusals.requests_of_address, &address, NonZeroU32::MIN)
    }

    /// Takes what something costs out of the user's bucket. Without a user, which only swap orders without authentication
    /// have, all that nobody asks for shares one bucket.
    ///
    /// # Errors
    /// 429 when there is too little in it; nothing was taken then.
    pub fn charge(&self, user: Option<UserId>, cost: Cost) -> Result<(), Problem> {
        let nobody = UserId::new(uuid::Uuid::nil());
        let user = user.unwrap_or(nobody);
        let (buckets, refusals, number) = match cost {
            Cost::Request => (&self.requests, &self.refusals.requests_of_user, 1),
            Cost::Orders(number) => (&self.orders, &self.refusals.orders_of_user, number),
            Cost::Cancel => (&self.cancels, &self.refusals.cancels_of_user, 1),
        };
        let Some(number) = NonZeroU32::new(number) else { return Ok(()) };
        take(buckets.as_ref(), refusals, &user, number)
    }
}

/// The clients behind one address, or of one network where each client has a network: IPv6 hands out /64s.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

fn take<K: Hash + Eq + Copy>(
    buckets: Option<&Buckets<K>>,
    refusals: &AtomicU64,
    key: &K,
    number: NonZeroU32,
) -> Result<(), Problem> {
    let Some(buckets) = buckets else { return Ok(()) };
    buckets.take(key, number).inspect_err(|_| {
        refusals.fetch_add(1, Ordering::Relaxed);
    })
}

/// One rate for many keys.
#[derive(Debug)]
struct Buckets<K: Hash + Eq + Clone> {
    /// The policy's name on the wire.
    name: &'static str,
    rate: Rate,
    limiter: DefaultKeyedRateLimiter<K, StateInformationMiddleware>,
    clock: DefaultClock,
    checks: AtomicU64,
}

impl<K: Hash + Eq + Copy> Buckets<K> {
    fn new(name: &'static str, rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        let limiter = RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>();
        Self { name, rate, limiter, clock: DefaultClock::default(), checks: AtomicU64::new(0) }
    }

    fn take(&self, key: &K, number: NonZeroU32) -> Result<(), Problem> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % CLEAN_EVERY == CLEAN_EVERY - 1 {
            self.limiter.retain_recent();
        }
        match self.limiter.check_key_n(key, number) {
            Ok(Ok(left)) => {
                Standing { name: self.name, rate: self.rate, left: left.remaining_burst_capacity() }.tell();
                Ok(())
            }
            Ok(Err(not_until)) => Err(self.refused(not_until.wait_time_from(self.clock.now()))),
            // More than the bucket ever holds: a batch never is, so that this is a burst set below it.
            Err(_) => Err(self.refused(Duration::from_secs(1))),
        }
    }

    fn refused(&self, wait: Duration) -> Problem {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let Rate { per_second, burst } = self.rate;
        let detail = format!(
            "More than {per_second} a second (limit {:?}, {burst} at once). Nothing is stored; repeat it after \
             {seconds} s.",
            self.name
        );
        let standing = Standing { name: self.name, rate: self.rate, left: 0 };
        let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
            .header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        for (name, value) in standing.headers(seconds) {
            problem = problem.header(name, value);
        }
        problem
    }
}

/// Rest of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    name: &'static str,
    rate: Rate,
    left: u32,
}

tokio::task_local! {
    /// The limit of the request at work of which the smallest part is left: only told, it decides nothing.
    static TIGHTEST: Cell<Option<Standing>>;
}

impl Standing {
    /// Tells the answer to the request at work of it, when it is the tightest so far.
    fn tell(self) {
        // Outside of a request nobody is told.
        let _ = TIGHTEST.try_with(|tightest| {
            let share =
                |one: &Self| u64::from(one.left) * u64::from(u32::MAX) / u64::from(one.rate.burst.get());
            if tightest.get().is_none_or(|known| share(&self) <= share(&known)) {
                tightest.set(Some(self));
            }
        });
    }

    /// `after` seconds there is more.
    fn headers(self, after: u64) -> [(HeaderName, HeaderValue); 2] {
        let Self { name, rate, left } = self;
        let window = rate.burst.get().div_ceil(rate.per_second.get());
        let value = |text: String| HeaderValue::try_from(text).expect("digits and a plain name");
        [
            (RATE_LIMIT, value(format!("\"{name}\";r={left};t={after}"))),
            (RATE_LIMIT_POLICY, value(format!("\"{name}\";q={};w={window}", rate.burst))),
        ]
    }

    /// Adds to an answer what is left, unless it says so itself.
    pub(crate) fn add_to(self, headers: &mut HeaderMap) {
        if headers.contains_key(RATE_LIMIT) {
            return;
        }
        let missing = self.rate.burst.get() - self.left.min(self.rate.burst.get());
        headers.extend(self.headers(u64::from(missing.div_ceil(self.rate.per_second.get()))));
    }
}

/// Answers a request, and says which limit was the tightest.
pub(crate) async fn standing<T>(answering: impl Future<Output = T>) -> (T, Option<Standing>) {
    let told = async {
        let answer = answering.await;
        (answer, TIGHTEST.with(Cell::take))
    };
    TIGHTEST.scope(Cell::new(None), told).await
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn rate(per_second: u32, burst: u32) -> Option<Rate> {
        let number = |number| NonZeroU32::new(number).unwrap();
        Some(Rate { per_second: number(per_second), burst: number(burst) })
    }

    fn user(number: u128) -> Option<UserId> {
        Some(UserId::new(uuid::Uuid::from_u128(number)))
    }

    fn code(outcome: Result<(), Problem>) -> &'static str {
        outcome.map_or_else(|problem| problem.code(), |()| "taken")
    }

    #[test]
    fn a_batch_costs_its_orders_and_cancels_cost_none() {
        let limits = Limits::new(Rates {
            orders_of_user: rate(1, 1000),
            cancels_of_user: rate(1, 2),
            ..Rates::default()
        });
        assert_eq!(code(limits.charge(user(1), Cost::Orders(999))), "taken");
        assert_eq!(code(limits.charge(user(1), Cost::Orders(2))), "rate_limited");
        assert_eq!(
            code(limits.charge(user(1), Cost::Orders(1))),
            "taken",
            "nothing was taken by the refused one"
        );
        assert_eq!(code(limits.charge(user(1), Cost::Orders(0))), "taken", "an empty batch");
        assert_eq!(code(limits.charge(user(2), Cost::Orders(1000))), "taken", "another user's bucket");
        for outcome in ["taken", "taken", "rate_limited"] {
            assert_eq!(code(limits.charge(user(1), Cost::Cancel)), outcome);
        }
        assert_eq!(code(limits.charge(user(1), Cost::Request)), "taken", "what is not set is not limited");
        assert_eq!(limits.refusals().orders_of_user.load(Ordering::Relaxed), 1);
        assert_eq!(limits.refusals().cancels_of_user.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_address_is_a_network_where_each_client_has_one() {
        let limits = Limits::new(Rates { requests_of_address: rate(1, 1), ..Rates::default() });
        for (address, outcome) in [
            ("192.0.2.1", "taken"),
            ("192.0.2.2", "taken"),
            ("::ffff:192.0.2.2", "rate_limited"),
            ("2001:db8:0:1::1", "taken"),
            ("2001:db8:0:1::2", "rate_limited"),
            ("2001:db8:0:2::1", "taken"),
        ] {
            assert_eq!(code(limits.request_of(address.parse().unwrap())), outcome, "{address}");
        }
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let limits = Limits::new(Rates { orders_of_user: rate(10, 1000), ..Rates::default() });
        limits.charge(user(1), Cost::Orders(1000)).unwrap();
        let refused = limits.charge(user(1), Cost::Orders(50)).unwrap_err().into_response();
        assert_eq!(refused.status(), 429);
        let header = |name: &str| refused.headers()[name].to_str().unwrap();
        assert_eq!(header("retry-after"), "5");
        assert_eq!(header("ratelimit"), "\"orders\";r=0;t=5");
        assert_eq!(header("ratelimit-policy"), "\"orders\";q=1000;w=100");
    }

    #[tokio::test]
    async fn answers_tell_of_the_tightest_limit() {
        let limits = Limits::new(Rates {
            requests_of_user: rate(50, 500),
            orders_of_user: rate(100, 1000),
            ..Rates::default()
        });
        let (_, told) = standing(async {
            limits.charge(user(1), Cost::Request).unwrap();
            limits.charge(user(1), Cost::Orders(400)).unwrap();
        })
        .await;
        let mut headers = HeaderMap::new();
        told.unwrap().add_to(&mut headers);
        assert_eq!(headers["ratelimit"], "\"orders\";r=600;t=4");
        assert_eq!(headers["ratelimit-policy"], "\"orders\";q=1000;w=10");
        assert_eq!(standing(async {}).await.1, None);
    }
}
