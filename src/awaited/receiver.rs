//! The reading end of a FIFO, one way.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::stream::{FusedStream, Stream};

use super::Runtime;
use super::drive::{Waiter, Wake, drive};
use crate::codec::{self, Codec, Json};
use crate::core::messages::Found;
use crate::core::recv::Incoming;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::framing::{Framing, Native};
use crate::front::{Limit, ReceiverOptions, Term};
use crate::node::ReadOpener;
use crate::pipe::Opener;
use crate::stats::ReceiverStats;

/// Receives values of `T` from a FIFO; the awaited form of [`Receiver`](crate::Receiver), and a
/// stream of values.
///
/// What is half read lives here and in no future: a receive that is dropped loses nothing.
pub struct Receiver<R: Runtime, T, C = Json, F = Native> {
    incoming: Incoming<ReadOpener<R::Reader>, F>,
    codec: C,
    timeout: Option<Duration>,
    waiter: Waiter<R>,
    /// The wait of the stream, from the first poll for a value to the last.
    wake: Option<Wake>,
    ended: bool,
    values: PhantomData<fn() -> T>,
}

impl<R: Runtime, T> Receiver<R, T> {
    /// Opens the FIFO at `path` for reading; a writer need not be there yet.
    ///
    /// # Errors
    /// As [`ReceiverOptions::open`].
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self>
    where
        Json: Codec<T>,
    {
        Self::options().open(path).await
    }

    /// Options, among them the codec and the framing.
    pub fn options() -> ReceiverOptions<T, Json, Native, R> {
        ReceiverOptions::new()
    }
}

impl<R: Runtime, T, C: Codec<T>, F: Framing> Receiver<R, T, C, F> {
    /// Receives the next value; waits for it without end unless
    /// [`timeout`](ReceiverOptions::timeout) was set.
    ///
    /// # Errors
    /// As [`Receiver::recv`](crate::Receiver::recv).
    ///
    /// # Cancel safety
    /// No value is lost: what has come is there for the next call.
    pub async fn recv(&mut self) -> Result<T> {
        self.recv_within(self.limit()).await
    }

    /// As [`recv`](Self::recv), with a timeout of its own.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// As [`recv`](Self::recv).
    pub async fn recv_timeout(&mut self, timeout: Duration) -> Result<T> {
        self.recv_within(Limit::Timeout(timeout)).await
    }

    /// As [`recv`](Self::recv), by a deadline of its own.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// As [`recv`](Self::recv).
    pub async fn recv_deadline(&mut self, deadline: impl Into<Deadline>) -> Result<T> {
        self.recv_within(Limit::Deadline(deadline.into())).await
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

    async fn recv_within(&mut self, limit: Limit) -> Result<T> {
        // A wait of the stream that was given up meanwhile takes no time from the next.
        self.wake = None;
        let mut wake = None;
        poll_fn(|cx| self.poll_recv(limit, &mut wake, cx)).await
    }

    fn poll_recv(
        &mut self,
        limit: Limit,
        wake: &mut Option<Wake>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T>> {
        ready!(self.waiter.poll_turn(cx));
        // A message that is here already is taken without a look at the clock.
        let found = match self.incoming.buffered() {
            Ok(Some(found)) => Ok(found),
            Ok(None) => {
                let (term, wake) = self.wake(limit, wake);
                let step = |incoming: &mut Incoming<_, F>, now| incoming.step(now, term.deadline);
                match self.waiter.poll(wake, &mut self.incoming, cx, step) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(found) => found,
                }
            }
            Err(error) => Err(limit.sign(error.at(self.incoming.opener().path()), R::now())),
        };
        *wake = None;
        Poll::Ready(found.and_then(|found| self.decode(found, limit)))
    }

    fn wake<'w>(&self, limit: Limit, wake: &'w mut Option<Wake>) -> (Term, &'w mut Wake) {
        let wake = wake.get_or_insert_with(|| self.waiter.wake(limit.begin(R::now()), Phase::Read));
        (wake.term(), wake)
    }

    fn decode(&mut self, found: Found, limit: Limit) -> Result<T> {
        let value = codec::decode(&self.codec, self.incoming.message(found));
        let path = self.incoming.opener().path();
        value.map_err(|error| limit.sign(error.at(path), R::now()))
    }
}

/// The values to come, until the last writer leaves (where that is the end). An error does not end
/// the stream: the next value is read behind it.
///
/// # Cancel safety
/// As [`Receiver::recv`]. The next poll goes on with the wait, and has what is left of its time,
/// until nobody has polled for a second.
impl<R: Runtime, T, C: Codec<T> + Unpin, F: Framing + Unpin> Stream for Receiver<R, T, C, F> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let mut wake = this.wake.take().filter(|_| !this.waiter.was_given_up());
        let polled = this.poll_recv(this.limit(), &mut wake, cx);
        this.wake = wake;
        polled.map(|received| {
            this.ended = is_end(&received);
            (!this.ended).then_some(received)
        })
    }
}

impl<R: Runtime, T, C: Codec<T> + Unpin, F: Framing + Unpin> FusedStream for Receiver<R, T, C, F> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

fn is_end<T>(received: &Result<T, Error>) -> bool {
    matches!(received, Err(error) if error.kind() == ErrorKind::PeerClosed)
}

impl<R: Runtime, T, C, F> fmt::Debug for Receiver<R, T, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<R: Runtime, T, C, F> ReceiverOptions<T, C, F, R> {
    /// Opens the FIFO at `path` for reading; a writer need not be there yet.
    ///
    /// # Errors
    /// As the blocking [`ReceiverOptions::open`](crate::ReceiverOptions#method.open).
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<Receiver<R, T, C, F>>
    where
        C: Codec<T>,
        F: Framing,
    {
        let mut receiver = Receiver {
            incoming: self.machine(path.as_ref()),
            codec: self.codec,
            timeout: self.timeout,
            waiter: Waiter::new(&self.common),
            wake: None,
            ended: false,
            values: PhantomData,
        };
        let term = Term::timeout(R::now(), self.common.open_timeout);
        drive(&mut receiver.waiter, &mut receiver.incoming, term, Phase::Open, |incoming, now| {
            incoming.step_open(now, term.deadline)
        })
        .await?;
        Ok(receiver)
    }
}
