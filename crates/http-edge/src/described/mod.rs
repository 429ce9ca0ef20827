//! Routes and channels with what is told about them: no route exists without its description.
//!
//! ```text
//!  Routes::on(method, path, handler, Operation) ──▶ axum's Router
//!                                       └─────────▶ operations ──▶ OpenAPI 3.1
//!  Channel: address, messages both ways, close codes ────────────▶ AsyncAPI 3.0
//! ```
//! Answers are described by the types that handlers answer with; bodies that are read field by field have a schema
//! written next to their reader.

mod asyncapi;
mod channel;
mod openapi;
mod operation;
mod routes;

pub use asyncapi::asyncapi;
pub use channel::{Channel, Message, Reach};
pub use openapi::{About, openapi};
pub use operation::{Operation, Shape};
pub use routes::{Described, Routes};
