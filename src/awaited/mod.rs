//! The endpoints that are awaited, whatever the runtime.
//!
//! Use them by the names in `fifowire::tokio` and `fifowire::async_io`; this is where they are
//! documented. As in the blocking front end, every rule lives in the core: what stands here steps
//! it, and has the runtime call when there is reason to step again. An endpoint that one task owns
//! is stepped by that task; a connection that tasks share is stepped by whoever wakes it, and
//! nothing is spawned.
//!
//! Every future may be dropped at any point, and says what that means under *Cancel safety*. The
//! sink of a [`Sender`] is the exception by its nature: what it was given lives in the sender.
//!
//! With the feature `tower` a [`Client`] is a `tower_service::Service` too.

mod alarm;
mod client;
mod drive;
mod hub;
mod in_flight;
mod raw;
mod receiver;
mod retries;
mod runtime;
mod sender;
mod server;
#[cfg(feature = "tower")]
mod service;
mod streaming;

pub use client::{Call, Client};
pub use in_flight::InFlight;
pub use raw::{FifoReader, FifoWriter};
pub use receiver::Receiver;
pub use runtime::Runtime;
pub(crate) use runtime::{Ready, Timer, sealed};
pub use sender::Sender;
pub use server::{Context, Payload, ReplySink, ReplyWriter, Request, Requests, Responder, Server};
#[cfg(feature = "tower")]
pub use service::ServiceCall;
pub use streaming::{Download, Replies, Upload};
