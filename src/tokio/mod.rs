//! The endpoints of this crate, awaited on tokio: [`Sender`], [`Receiver`], [`Client`], [`Server`],
//! [`FifoReader`] and [`FifoWriter`], with the names and options of the blocking ones. This module
//! needs the feature `tokio`.
//!
//! ```
//! use std::time::Duration;
//!
//! use fifowire::Pair;
//! use fifowire::tokio::{Client, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! let pair = Pair::create(directory, "agent")?;
//! let mut server = Server::<String, usize>::open(&pair).await?;
//! let client = Client::<String, usize>::open(&pair).await?;
//!
//! let serve = server.serve(|text, _context| async move { Ok::<_, String>(text.len()) });
//! let (short, long) = ("four".to_owned(), "eighteen".to_owned());
//! tokio::select! {
//!     ended = serve => ended?, // it never does, here
//!     replies = async { tokio::join!(client.call(&short), client.call(&long)) } => {
//!         assert_eq!((replies.0?, replies.1?), (4, 8));
//!     }
//!     () = tokio::time::sleep(Duration::from_secs(5)) => panic!("nobody answers"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Each works on a current-thread and on a multi-thread runtime, under `select!` and under
//! `timeout`; nothing is spawned. A runtime needs `enable_io` and `enable_time`. Outside of one an
//! end cannot be opened: that is an error, or, as with everything of tokio's, a panic. A panic it
//! is too in a runtime without these two.
//!
//! Timeouts, and the times in an error, go by tokio's clock, which a test may pause and advance. A
//! deadline is an instant of that clock: `tokio::time::Instant::now().into_std()`, or later. A
//! paused clock runs ahead wherever no task has anything to do, and so it does not wait for a peer
//! outside of its runtime. A request carries the time at which it was written: a server whose clock
//! was advanced takes a request by another clock for an old one, and drops it when its time is
//! over.
//!
//! A client or server belongs to the runtime that it was opened in. It can be used from any thread,
//! and awaited in another runtime, as long as its own is driven: descriptors and deadlines are
//! looked after there, by the clock of that one, and nowhere else. With its runtime gone it is of
//! no use, and panics where it would have to wait. The endpoints that one task owns are to be
//! awaited in the runtime that they were opened in.

mod held;
mod io;
mod timer;

use std::time::Instant;

use ::tokio::runtime::Handle;

use crate::awaited::{self, Runtime, sealed};
pub use crate::awaited::{Context, Payload};
use crate::codec::Json;
use crate::framing::Native;
use held::{Reader, Writer};
use timer::Timer;

/// The runtime of this module's endpoints.
#[derive(Clone, Copy, Debug)]
pub enum Tokio {}

/// Sends values into a FIFO: a [`Sender`](awaited::Sender) on tokio.
pub type Sender<T, C = Json, F = Native> = awaited::Sender<Tokio, T, C, F>;

/// Receives values from a FIFO: a [`Receiver`](awaited::Receiver) on tokio.
pub type Receiver<T, C = Json, F = Native> = awaited::Receiver<Tokio, T, C, F>;

/// Calls a server over a pair: a [`Client`](awaited::Client) on tokio.
pub type Client<Req, Rep, C = Json> = awaited::Client<Tokio, Req, Rep, C>;

/// A call that was begun: an [`InFlight`](awaited::InFlight) on tokio.
pub type InFlight<'a, Req, Rep, C = Json> = awaited::InFlight<'a, Tokio, Req, Rep, C>;

/// Answers calls over a pair: a [`Server`](awaited::Server) on tokio.
pub type Server<Req, Rep, C = Json> = awaited::Server<Tokio, Req, Rep, C>;

/// Reads bytes from a FIFO: a [`FifoReader`](awaited::FifoReader) on tokio.
pub type FifoReader = awaited::FifoReader<Tokio>;

/// Writes bytes into a FIFO: a [`FifoWriter`](awaited::FifoWriter) on tokio.
pub type FifoWriter = awaited::FifoWriter<Tokio>;

/// A call that is about to be made: a [`Call`](awaited::Call) on tokio.
pub type Call<'c, 'r, Req, Rep, C = Json> = awaited::Call<'c, 'r, Tokio, Req, Rep, C>;

/// The requests that come to a server: [`Requests`](awaited::Requests) on tokio.
pub type Requests<'a, Req, Rep, C = Json> = awaited::Requests<'a, Tokio, Req, Rep, C>;

/// A request and the means to answer it: a [`Request`](awaited::Request) on tokio.
pub type Request<Req, Rep, C = Json> = awaited::Request<Tokio, Req, Rep, C>;

/// Answers one request: a [`Responder`](awaited::Responder) on tokio.
pub type Responder<Rep, C = Json> = awaited::Responder<Tokio, Rep, C>;

/// Many replies to one call: [`Replies`](awaited::Replies) on tokio.
pub type Replies<Req, Rep, C = Json> = awaited::Replies<Tokio, Req, Rep, C>;

/// The bytes that answer a call: a [`Download`](awaited::Download) on tokio.
pub type Download = awaited::Download<Tokio>;

/// A call that brings bytes: an [`Upload`](awaited::Upload) on tokio.
pub type Upload<Req, Rep, C = Json> = awaited::Upload<Tokio, Req, Rep, C>;

/// Answers one request by many replies: a [`ReplySink`](awaited::ReplySink) on tokio.
pub type ReplySink<Rep, C = Json> = awaited::ReplySink<Tokio, Rep, C>;

/// Writes bytes as replies: a [`ReplyWriter`](awaited::ReplyWriter) on tokio.
pub type ReplyWriter<'s, Rep, C = Json> = awaited::ReplyWriter<'s, Tokio, Rep, C>;

/// A call of a client that was made as a tower service, on tokio.
#[cfg(feature = "tower")]
pub type ServiceCall<Req, Rep, C = Json> = awaited::ServiceCall<Tokio, Req, Rep, C>;

impl sealed::Sealed for Tokio {}

impl Runtime for Tokio {
    type Reader = Reader;
    type Writer = Writer;
    type Timer = Timer;
    type Place = Handle;

    fn place() -> Handle {
        Handle::current()
    }

    fn within<T>(place: &Handle, work: impl FnOnce() -> T) -> T {
        let _entered = place.enter();
        work()
    }

    fn now() -> Instant {
        ::tokio::time::Instant::now().into_std()
    }
}
