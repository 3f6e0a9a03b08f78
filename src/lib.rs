#![doc = include_str!("../README.md")]
#![doc = include_str!("../docs/TRACING.md")]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used)]

#[cfg(feature = "async-io")]
pub mod async_io;
#[cfg(any(feature = "tokio", feature = "async-io"))]
pub mod awaited;
mod blocking;
pub mod codec;
mod core;
mod deadline;
mod error;
#[cfg(feature = "codec")]
pub mod framed;
pub mod framing;
mod front;
mod node;
mod pipe;
mod probe;
mod stats;
mod sync;
mod sys;
#[cfg(feature = "tokio")]
pub mod tokio;
mod trace;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;

pub use crate::core::reconnect::Reconnect;
pub use crate::core::recv::EndOfWriters;
pub use blocking::*;
pub use deadline::Deadline;
pub use error::{Error, ErrorKind, Fate, Phase, Progress, Result};
pub use front::{
    CallId, ClientOptions, FifoReaderOptions, FifoWriterOptions, IdempotencyKey, Pong,
    ReceiverOptions, SenderOptions, ServerLoad, ServerOptions, Waiting,
};
pub use node::{Fifo, FifoOptions, Owner, Pair, Trust};
pub use probe::Probe;
pub use stats::{
    FifoReaderStats, FifoWriterStats, LinkStats, ReceiverStats, RoundTrips, SenderStats,
};

/// A number for a new life of an endpoint, unlike those of its earlier lives.
fn new_epoch() -> u64 {
    crate::core::wire::epoch_from(sys::random_u64())
}
