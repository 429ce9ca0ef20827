//! Numbered places in an order's life where a process may die. In a build without the feature `armed` each is
//! nothing; with it, `FILLSTREAM_CRASH_AT=<name>[:<n>]` makes the process kill itself with SIGKILL when it reaches
//! the place for the nth time.

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
    BeforeEnd = "before-end",
    AfterEnd = "after-end",
    BeforeAck = "before-ack",
    AfterAck = "after-ack",
}

/// This place is reached.
#[cfg(not(feature = "armed"))]
#[inline(always)]
pub const fn reach(_: Boundary) {}

/// This place is reached: the process dies here when it was told to.
#[cfg(feature = "armed")]
pub fn reach(boundary: Boundary) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };
    static TOLD: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let told = std::env::var("FILLSTREAM_CRASH_AT").ok()?;
        let (name, nth) = told.split_once(':').unwrap_or((&told, "1"));
        Some((name.to_owned(), nth.parse().ok()?))
    });
    static REACHED: AtomicU32 = AtomicU32::new(0);
    if let Some((name, nth)) = &*TOLD
        && name == boundary.name()
        && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == *nth
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
