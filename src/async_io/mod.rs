//! The endpoints of this crate, awaited on [async-io](https://docs.rs/async-io), the reactor of
//! smol and of whatever executor one likes: [`Sender`], [`Receiver`], [`Client`], [`Server`],
//! [`FifoReader`] and [`FifoWriter`], with the names and options of the blocking ones. This module
//! needs the feature `async-io`.

mod held;
mod io;
mod timer;

use std::time::Instant;

use crate::awaited::{self, Runtime, sealed};
pub use crate::awaited::{Context, Payload};
use crate::codec::Json;
use crate::framing::Native;
use held::End;
use timer::Timer;

/// The runtime of this module's endpoints.
#[derive(Clone, Copy, Debug)]
pub enum AsyncIo {}

/// Sends values into a FIFO: a [`Sender`](awaited::Sender) on async-io.
pub type Sender<T, C = Json, F = Native> = awaited::Sender<AsyncIo, T, C, F>;

/// Receives values from a FIFO: a [`Receiver`](awaited::Receiver) on async-io.
pub type Receiver<T, C = Json, F = Native> = awaited::Receiver<AsyncIo, T, C, F>;

/// Calls a server over a pair: a [`Client`](awaited::Client) on async-io.
pub type Client<Req, Rep, C = Json> = awaited::Client<AsyncIo, Req, Rep, C>;

/// A call that was begun: an [`InFlight`](awaited::InFlight) on async-io.
pub type InFlight<'a, Req, Rep, C = Json> = awaited::InFlight<'a, AsyncIo, Req, Rep, C>;

/// Answers calls over a pair: a [`Server`](awaited::Server) on async-io.
pub type Server<Req, Rep, C = Json> = awaited::Server<AsyncIo, Req, Rep, C>;

/// Reads bytes from a FIFO: a [`FifoReader`](awaited::FifoReader) on async-io.
pub type FifoReader = awaited::FifoReader<AsyncIo>;

/// Writes bytes into a FIFO: a [`FifoWriter`](awaited::FifoWriter) on async-io.
pub type FifoWriter = awaited::FifoWriter<AsyncIo>;

/// A call that is about to be made: a [`Call`](awaited::Call) on async-io.
pub type Call<'c, 'r, Req, Rep, C = Json> = awaited::Call<'c, 'r, AsyncIo, Req, Rep, C>;

/// The requests that come to a server: [`Requests`](awaited::Requests) on async-io.
pub type Requests<'a, Req, Rep, C = Json> = awaited::Requests<'a, AsyncIo, Req, Rep, C>;

/// A request and the means to answer it: a [`Request`](awaited::Request) on async-io.
pub type Request<Req, Rep, C = Json> = awaited::Request<AsyncIo, Req, Rep, C>;

/// Answers one request: a [`Responder`](awaited::Responder) on async-io.
pub type Responder<Rep, C = Json> = awaited::Responder<AsyncIo, Rep, C>;

/// Many replies to one call: [`Replies`](awaited::Replies) on async-io.
pub type Replies<Req, Rep, C = Json> = awaited::Replies<AsyncIo, Req, Rep, C>;

/// The bytes that answer a call: a [`Download`](awaited::Download) on async-io.
pub type Download = awaited::Download<AsyncIo>;

/// A call that brings bytes: an [`Upload`](awaited::Upload) on async-io.
pub type Upload<Req, Rep, C = Json> = awaited::Upload<AsyncIo, Req, Rep, C>;

/// Answers one request by many replies: a [`ReplySink`](awaited::ReplySink) on async-io.
pub type ReplySink<Rep, C = Json> = awaited::ReplySink<AsyncIo, Rep, C>;

/// Writes bytes as replies: a [`ReplyWriter`](awaited::ReplyWriter) on async-io.
pub type ReplyWriter<'s, Rep, C = Json> = awaited::ReplyWriter<'s, AsyncIo, Rep, C>;

/// A call of a client that was made as a tower service, on async-io.
#[cfg(feature = "tower")]
pub type ServiceCall<Req, Rep, C = Json> = awaited::ServiceCall<AsyncIo, Req, Rep, C>;

impl sealed::Sealed for AsyncIo {}

impl Runtime for AsyncIo {
    type Reader = End<held::ForReading>;
    type Writer = End<held::ForWriting>;
    type Timer = Timer;
    type Place = ();

    fn place() {}

    fn within<T>((): &(), work: impl FnOnce() -> T) -> T {
        work()
    }

    fn now() -> Instant {
        Instant::now()
    }
}
