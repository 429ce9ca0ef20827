//! What every HTTP answer and every socket upgrade shares: problems (RFC 9457), who asks, from which origin.

mod asker;
mod bearer;
pub mod described;
mod key_source;
mod keys;
mod named;
mod origin;
mod problem;
mod query;
mod signatures;
mod tickets;
mod tokens;

pub use asker::{Asker, Askers};
pub use key_source::{KeySourceError, REFETCH_PAUSE};
pub use origin::Origins;
pub use problem::{FieldProblem, Problem};
pub use query::{parameter, parameters};
pub use tickets::{MAX_TICKETS, TICKET_LIFE, Ticket, ticket_router};
pub use tokens::{LEEWAY, MIN_SECRET_BYTES, Tokens, TokensError};
