//! Rate at which one socket's client may speak.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::Rate;

/// See the module's first line.
#[derive(Debug)]
pub struct Pace(Option<Box<DefaultDirectRateLimiter>>);

impl Pace {
    /// At this rate, or without a limit.
    #[must_use]
    pub fn new(rate: Option<Rate>) -> Self {
        let limiter =
            |rate: Rate| RateLimiter::direct(Quota::per_second(rate.per_second).allow_burst(rate.burst));
        Self(rate.map(|rate| Box::new(limiter(rate))))
    }

    /// Takes a message out of the bucket; false when it is empty.
    #[must_use]
    pub fn take(&self) -> bool {
        self.0.as_ref().is_none_or(|limiter| matches!(limiter.check_n(NonZeroU32::MIN), Ok(Ok(()))))
    }
}
