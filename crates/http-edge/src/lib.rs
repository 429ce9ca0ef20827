//! Parts that every HTTP answer and every socket upgrade share: problems (RFC 9457), who asks, from where, how much.

mod asker;
mod bearer;
mod connection;
pub mod described;
mod guard;
mod host;
mod key_source;
mod keys;
mod limits;
mod named;
mod origin;
mod pace;
mod problem;
mod proxies;
mod query;
mod signatures;
mod tickets;
mod tokens;

pub use asker::{Asker, Askers, Lease};
pub use connection::{BodyTooLate, Connection, Unfinished, Unfinishing, canonical};
pub use guard::{ClientAddress, Guard, OPERATIONS, guard};
pub use host::Hosts;
pub use key_source::{KeySourceError, KeyTimes, REFETCH_PAUSE};
pub use limits::{Cost, LEAST_BURST, Limits, Rate, Rates, Refusals, network};
pub use origin::Origins;
pub use pace::Pace;
pub use problem::{FieldProblem, Problem};
pub use proxies::{Network, NotANetwork, Proxies};
pub use query::{parameter, parameters};
pub use tickets::{MAX_TICKETS, TICKET_LIFE, Ticket, ticket_router};
pub use tokens::{LEEWAY, MIN_SECRET_BYTES, Tokens, TokensError};
