//! What every HTTP answer and every socket upgrade shares: problems (RFC 9457), who asks, from which origin.

mod asker;
mod origin;
mod problem;
mod query;

pub use asker::asker;
pub use origin::Origins;
pub use problem::{FieldProblem, Problem};
pub use query::{parameter, parameters};
