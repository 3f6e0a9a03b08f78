//! The reading end of a FIFO, one way.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::time::{Duration, Instant};

use super::drive::{Endpoint, Waiter, drive};
use crate::codec::{self, Codec, Json};
use crate::core::recv::Incoming;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::framing::{Framing, Native};
use crate::front::{Limit, ReceiverOptions, Term};
use crate::node::ReadOpener;
use crate::stats::ReceiverStats;

/// Receives values of `T` from a FIFO.
///
/// It holds the reading end alone, by an advisory lock, so that no second receiver steals bytes.
/// The end of one writer is not the end of the stream: unless told otherwise
/// ([`ReceiverOptions::end_of_writers`]), a receiver waits for the next.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("events.fifo");
/// use fifowire::{EndOfWriters, Fifo, Receiver, Sender};
/// use std::time::Duration;
///
/// let fifo = Fifo::create(&path)?;
/// let mut receiver = Receiver::<(String, u32)>::options()
///     .timeout(Duration::from_secs(5))
///     .end_of_writers(EndOfWriters::End)
///     .open(fifo.path())?;
/// let mut sender = Sender::<(String, u32)>::open(fifo.path())?;
/// sender.send(&("door".to_owned(), 1))?;
/// sender.send(&("door".to_owned(), 0))?;
/// assert_eq!(receiver.recv()?, ("door".to_owned(), 1));
///
/// // The last writer leaves, and here that is the end.
/// drop(sender);
/// let rest: Vec<_> = receiver.messages().collect::<Result<_, _>>()?;
/// assert_eq!(rest, [("door".to_owned(), 0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Receiver<T, C = Json, F = Native> {
    incoming: Incoming<ReadOpener, F>,
    codec: C,
    timeout: Option<Duration>,
    waiter: Waiter,
    values: PhantomData<fn() -> T>,
}

impl<T> Receiver<T> {
    /// Opens the FIFO at `path` for reading; a writer need not be there yet.
    ///
    /// # Errors
    /// As [`ReceiverOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self>
    where
        Json: Codec<T>,
    {
        Self::options().open(path)
    }

    /// Options, among them the codec and the framing.
    pub fn options() -> ReceiverOptions<T> {
        ReceiverOptions::new()
    }
}

impl<T, C: Codec<T>, F: Framing> Receiver<T, C, F> {
    /// Receives the next value; waits for it without end unless
    /// [`timeout`](ReceiverOptions::timeout) was set.
    ///
    /// # Errors
    /// [`ErrorKind::NoWriter`] or [`ErrorKind::TimedOut`]: nothing came by the deadline.
    /// [`ErrorKind::PeerClosed`]: the last writer has left, and that is the end.
    /// [`ErrorKind::Codec`], [`ErrorKind::TooLarge`], [`ErrorKind::Torn`]: one message, or
    /// something that is none, was refused; the next call goes on behind it.
    pub fn recv(&mut self) -> Result<T> {
        self.recv_within(self.limit())
    }

    /// As [`recv`](Self::recv), with a timeout of its own.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T> {
        self.recv_within(Limit::Timeout(timeout))
    }

    /// As [`recv`](Self::recv), by a deadline of its own.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_deadline(&mut self, deadline: impl Into<Deadline>) -> Result<T> {
        self.recv_within(Limit::Deadline(deadline.into()))
    }

    /// Receives a value that is there already, without waiting; `None` where there is none.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), but nothing about time.
    pub fn try_recv(&mut self) -> Result<Option<T>> {
        match self.recv_within(Limit::Timeout(Duration::ZERO)) {
            Err(error) if is_silence(&error) => Ok(None),
            received => received.map(Some),
        }
    }

    /// The values to come, until the last writer leaves (where that is the end). An error does not
    /// end the iterator: the next value is read behind it.
    pub fn messages(&mut self) -> Messages<'_, T, C, F> {
        Messages { receiver: self }
    }

    /// How many bytes the FIFO holds, where the platform says.
    pub fn capacity(&self) -> Option<usize> {
        self.incoming.end().and_then(|end| end.capacity())
    }

    /// What this receiver has seen so far.
    pub fn stats(&self) -> ReceiverStats {
        self.incoming.stats()
    }

    fn limit(&self) -> Limit {
        self.timeout.map_or(Limit::Deadline(Deadline::NEVER), Limit::Timeout)
    }

    fn recv_within(&mut self, limit: Limit) -> Result<T> {
        // A message that is here already is taken without a look at the clock.
        let found = match self.incoming.buffered() {
            Ok(Some(found)) => found,
            Err(error) => return Err(self.sign(error, limit)),
            Ok(None) => {
                let term = limit.begin(Instant::now());
                drive(&mut self.waiter, &mut self.incoming, term, Phase::Read, |incoming, now| {
                    incoming.step(now, term.deadline)
                })?
            }
        };
        codec::decode(&self.codec, self.incoming.message(found))
            .map_err(|error| self.sign(error, limit))
    }

    fn sign(&self, error: Error, limit: Limit) -> Error {
        limit.sign(error.at(self.incoming.path()), Instant::now())
    }
}

/// Whether an error only says that nothing has come yet.
fn is_silence(error: &Error) -> bool {
    error.phase() == Phase::Read
        && matches!(error.kind(), ErrorKind::NoWriter | ErrorKind::TimedOut | ErrorKind::NotFound)
}

impl<T, C, F> fmt::Debug for Receiver<T, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// The values that come to a [`Receiver`].
#[derive(Debug)]
pub struct Messages<'a, T, C, F> {
    receiver: &'a mut Receiver<T, C, F>,
}

impl<T, C: Codec<T>, F: Framing> Iterator for Messages<'_, T, C, F> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.receiver.recv() {
            Err(error) if error.kind() == ErrorKind::PeerClosed => None,
            received => Some(received),
        }
    }
}

impl<T, C, F> ReceiverOptions<T, C, F> {
    /// Opens the FIFO at `path` for reading; a writer need not be there yet.
    ///
    /// # Errors
    /// By the open timeout: [`ErrorKind::NotFound`], [`ErrorKind::Busy`]. At once:
    /// [`ErrorKind::NotAFifo`], [`ErrorKind::Untrusted`], [`ErrorKind::Permission`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Receiver<T, C, F>>
    where
        C: Codec<T>,
        F: Framing,
    {
        let mut receiver = Receiver {
            incoming: self.machine(path.as_ref()),
            codec: self.codec,
            timeout: self.timeout,
            waiter: Waiter::new(&self.common),
            values: PhantomData,
        };
        let term = Term::timeout(Instant::now(), self.common.open_timeout);
        drive(&mut receiver.waiter, &mut receiver.incoming, term, Phase::Open, |incoming, now| {
            incoming.step_open(now, term.deadline)
        })?;
        Ok(receiver)
    }
}
