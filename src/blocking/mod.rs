//! The blocking front end: waits, and nothing else.
//!
//! Every rule lives in the core; what stands here steps it and sleeps in between ([`drive`]), or
//! does so for several threads that share one connection ([`turn`]).

mod client;
mod drive;
mod in_flight;
mod raw;
mod receiver;
mod retries;
mod sender;
mod server;
mod streaming;
pub(crate) mod turn;

pub use client::{Call, Client};
pub use in_flight::InFlight;
pub use raw::{FifoReader, FifoWriter};
pub use receiver::{Messages, Receiver};
pub use sender::Sender;
pub use server::{Context, Payload, ReplySink, ReplyWriter, Request, Requests, Responder, Server};
pub use streaming::{Download, Replies, Upload};

/// The front end whose calls block the thread: what options are for unless told otherwise.
#[derive(Clone, Copy, Debug)]
pub enum Blocking {}
