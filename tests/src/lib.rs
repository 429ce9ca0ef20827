//! The harness of the end-to-end tests: the real binary as a process, a real nats-server, clients that know nothing
//! of our code.
//!
//! ```text
//!  World ── nats-server, data directory
//!    └── Process (fillstream up | serve …) ── killed on drop, dies with its parent
//!          └── http::request, socket::Client, nats::Client
//! ```

pub mod http;
pub mod nats;
pub mod node;
pub mod process;
pub mod raw;
pub mod scratch;
pub mod socket;
pub mod stream;
pub mod tools;

pub use process::{Process, binary};
pub use scratch::{Scratch, free_port};
