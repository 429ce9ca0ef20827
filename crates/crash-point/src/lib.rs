//! Numbered places in an order's life where a process may die. In a release build each is nothing; in a build with
//! debug assertions, a process that reaches the place for the nth time (1 when it is left out)
//!
//! ```text
//!  FILLSTREAM_CRASH_AT=<name>[:<n>]    kills itself with SIGKILL
//!  FILLSTREAM_FREEZE_AT=<name>[:<n>]   stops itself with SIGSTOP: after SIGCONT it goes on with what it knew before
//! ```

#[cfg(debug_assertions)]
mod armed;

macro_rules! boundaries {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// The boundaries of an order's life, in the order in which a good life meets them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names say what has just happened or is about to")]
        pub enum Boundary { $($variant),* }

        impl Boundary {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name, as `FILLSTREAM_CRASH_AT` takes it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

boundaries! {
    BeforePlaced = "before-placed",
    AfterPlaced = "after-placed",
    TakenUp = "taken-up",
    HistoryRead = "history-read",
    BeforeBegin = "before-begin",
    AfterBegin = "after-begin",
    QuotesIn = "quotes-in",
    BeforeRouted = "before-routed",
    AfterRouted = "after-routed",
    Built = "built",
    BeforePrepared = "before-prepared",
    AfterPrepared = "after-prepared",
    BeforeSubmit = "before-submit",
    AfterSubmit = "after-submit",
    BeforeObserve = "before-observe",
    AfterObserve = "after-observe",
    BeforeRetry = "before-retry",
    AfterRetry = "after-retry",
    BeforeWait = "before-wait",
    AfterWait = "after-wait",
    BeforeReview = "before-review",
    AfterReview = "after-review",
    BeforeDecision = "before-decision",
    AfterDecision = "after-decision",
    BeforeEnd = "before-end",
    AfterEnd = "after-end",
    BeforeAck = "before-ack",
    AfterAck = "after-ack",
    InputsRead = "inputs-read",
    InputsApplied = "inputs-applied",
    BeforeCommit = "before-commit",
    AfterCommit = "after-commit",
    BeforeSnapshot = "before-snapshot",
    AfterSnapshot = "after-snapshot",
    BeforeClock = "before-clock",
    AfterClock = "after-clock",
}

/// This place is reached.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn reach(_: Boundary) {}

#[cfg(debug_assertions)]
pub use armed::reach;
