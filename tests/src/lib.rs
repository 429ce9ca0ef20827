//! The harness of the end-to-end tests: the real binary as a process, a real nats-server, clients that know nothing
//! of our code.
//!
//! ```text
//!  World ── nats-server, data directory
//!    └── Process (fillstream up | serve …) ── killed on drop, dies with its parent
//!          └── http::request, socket::Client
//! ```

pub mod http;
pub mod process;
pub mod scratch;
pub mod socket;
pub mod stream;

pub use process::{Process, binary};
pub use scratch::{Scratch, free_port};
