//! Promises of a read model, over SQLite and over PostgreSQL.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

/// Each case as two tests, one for each database.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&crate::place::Place::sqlite()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                if let Some(place) = crate::place::Place::postgres().await {
                    super::$case(&place).await;
                }
            })+
        }
    };
}

mod apply;
mod faults;
mod lives;
mod market_reads;
mod markets;
mod open;
mod place;
mod rebuild;
mod side_by_side;
