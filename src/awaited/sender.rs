//! The writing end of a FIFO, one way.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::sink::Sink;

use super::Runtime;
use super::drive::{Waiter, Wake, drive};
use crate::codec::{self, Codec, Json};
use crate::core::send::Outgoing;
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::framing::{Framing, Native};
use crate::front::{Limit, SenderOptions, Term};
use crate::node::WriteOpener;
use crate::pipe::Opener;
use crate::stats::SenderStats;

/// Sends values of `T` into a FIFO; the awaited form of [`Sender`](crate::Sender), and a sink for
/// values.
///
/// A send that is dropped before it is done is given up, as one that has timed out: its message is
/// never delivered later. One that was cut midway leaves the end closed, and the next opens it
/// anew under another epoch.
pub struct Sender<R: Runtime, T, C = Json, F = Native> {
    outgoing: Outgoing<WriteOpener<R::Writer>, F>,
    codec: C,
    /// The message at hand, encoded.
    message: Vec<u8>,
    /// Whether not all of the message at hand is framed.
    feeding: bool,
    max_message: usize,
    timeout: Duration,
    waiter: Waiter<R>,
    /// The wait of the sink, from the first poll that had to wait to the last.
    wake: Option<Wake>,
    values: PhantomData<fn(&T)>,
}

impl<R: Runtime, T> Sender<R, T> {
    /// Opens the FIFO at `path` for writing as soon as somebody reads it.
    ///
    /// # Errors
    /// As [`SenderOptions::open`].
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
    pub fn options() -> SenderOptions<T, Json, Native, R> {
        SenderOptions::new()
    }
}

impl<R: Runtime, T, C: Codec<T>, F: Framing> Sender<R, T, C, F> {
    /// Sends one value: `Ok` means that the FIFO has accepted every byte of it.
    ///
    /// # Errors
    /// As [`Sender::send`](crate::Sender::send).
    ///
    /// # Cancel safety
    /// The value is not delivered, and nothing that was fed before it and was not written either.
    /// Where the whole of it was accepted already, it is delivered all the same.
    pub async fn send(&mut self, value: &T) -> Result<()> {
        self.send_within(value, Limit::Timeout(self.timeout)).await
    }

    /// As [`send`](Self::send), with a timeout of its own.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn send_timeout(&mut self, value: &T, timeout: Duration) -> Result<()> {
        self.send_within(value, Limit::Timeout(timeout)).await
    }

    /// As [`send`](Self::send), by a deadline of its own.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn send_deadline(&mut self, value: &T, deadline: impl Into<Deadline>) -> Result<()> {
        self.send_within(value, Limit::Deadline(deadline.into())).await
    }

    /// Adds a value to a batch that [`flush`](Self::flush) writes; a batch that is full is written
    /// on the way. What is fed and never flushed is dropped with the sender.
    ///
    /// # Errors
    /// As [`send`](Self::send). A failure ends the batch: what of it was not written never will be.
    ///
    /// # Cancel safety
    /// As [`send`](Self::send), for the batch as a whole.
    pub async fn feed(&mut self, value: &T) -> Result<()> {
        self.frame(value, Limit::Timeout(self.timeout)).await.map(drop)
    }

    /// Writes the values that were fed.
    ///
    /// # Errors
    /// As [`send`](Self::send), for the batch as a whole.
    ///
    /// # Cancel safety
    /// As [`send`](Self::send), for the batch as a whole.
    pub async fn flush(&mut self) -> Result<()> {
        self.begin_anew();
        self.flush_within(None, Limit::Timeout(self.timeout)).await
    }

    /// Writes the values that were fed and closes the end, which a reader sees as this writer's
    /// end. It can be called again, and does nothing then; sending again opens the end anew.
    ///
    /// Dropping the sender closes the end too, and drops what was fed and not written.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); the end stays as a failed flush leaves it.
    ///
    /// # Cancel safety
    /// As [`flush`](Self::flush); the end is closed by nothing but the last poll.
    pub async fn close(&mut self) -> Result<()> {
        self.flush().await?;
        self.outgoing.close();
        Ok(())
    }

    /// How many bytes the FIFO holds, where the platform says and a reader is there.
    pub fn capacity(&self) -> Option<usize> {
        self.outgoing.capacity()
    }

    /// What this sender has done so far.
    pub fn stats(&self) -> SenderStats {
        self.outgoing.stats()
    }

    async fn send_within(&mut self, value: &T, limit: Limit) -> Result<()> {
        let wake = self.frame(value, limit).await?;
        self.flush_within(wake, limit).await
    }

    /// Frames a value; answers the wait of the call, if it had to wait.
    async fn frame(&mut self, value: &T, limit: Limit) -> Result<Option<Wake>> {
        self.begin_anew();
        let mut sending = Sending { sender: self, wake: None, done: false };
        poll_fn(|cx| sending.poll(limit, cx, Self::poll_fed)).await?;
        if let Err(refused) = sending.sender.start(value, limit) {
            // Nothing of it is in the batch, which goes on without it.
            sending.done = true;
            return Err(refused);
        }
        poll_fn(|cx| sending.poll(limit, cx, Self::poll_fed)).await?;
        sending.done = true;
        Ok(sending.wake.take())
    }

    async fn flush_within(&mut self, wake: Option<Wake>, limit: Limit) -> Result<()> {
        let mut sending = Sending { sender: self, wake, done: false };
        poll_fn(|cx| sending.poll(limit, cx, Self::poll_flushed)).await?;
        sending.done = true;
        Ok(())
    }

    /// Encodes a value and frames as much of it as the batch takes.
    fn start(&mut self, value: &T, limit: Limit) -> Result<()> {
        let encoded = codec::encode_anew(&self.codec, value, &mut self.message, self.max_message);
        let framed = encoded.and_then(|()| self.outgoing.offer(&self.message));
        let signed = |error: Error| limit.sign(error.at(self.outgoing.opener().path()), R::now());
        self.feeding = !framed.map_err(signed)?;
        Ok(())
    }

    /// Frames the rest of the message at hand, writing full batches on the way.
    fn poll_fed(
        &mut self,
        limit: Limit,
        wake: &mut Option<Wake>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        if !self.feeding {
            return Poll::Ready(Ok(()));
        }
        let begin = || self.waiter.wake(limit.begin(R::now()), Phase::Write);
        let wake = wake.get_or_insert_with(begin);
        let (deadline, message) = (wake.term().deadline, &self.message);
        let step = |outgoing: &mut Outgoing<_, F>, now| outgoing.step_feed(message, now, deadline);
        let fed = ready!(self.waiter.poll(wake, &mut self.outgoing, cx, step));
        self.feeding = false;
        Poll::Ready(fed)
    }

    /// Frames and writes everything.
    fn poll_flushed(
        &mut self,
        limit: Limit,
        wake: &mut Option<Wake>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        ready!(self.waiter.poll_turn(cx));
        ready!(self.poll_fed(limit, wake, cx))?;
        let begin = || self.waiter.wake(limit.begin(R::now()), Phase::Write);
        let wake = wake.get_or_insert_with(begin);
        let deadline = wake.term().deadline;
        let step = |outgoing: &mut Outgoing<_, F>, now| outgoing.step_flush(now, deadline);
        self.waiter.poll(wake, &mut self.outgoing, cx, step)
    }

    /// Another wait begins: what one of the sink has waited, and nobody goes on with, is not its.
    fn begin_anew(&mut self) {
        self.wake = None;
        self.outgoing.stop_waiting();
    }

    fn abandon(&mut self) {
        self.feeding = false;
        self.outgoing.abandon();
    }
}

/// What one poll of a wait answers.
type Polled = Poll<Result<()>>;

/// One poll of a sender, whose wait is kept by the caller.
type PollOne<S> = fn(&mut S, Limit, &mut Option<Wake>, &mut Context<'_>) -> Polled;

/// A call that is under way. Dropped before it is done, it is given up.
struct Sending<'a, R: Runtime, T, C: Codec<T>, F: Framing> {
    sender: &'a mut Sender<R, T, C, F>,
    wake: Option<Wake>,
    done: bool,
}

impl<R: Runtime, T, C: Codec<T>, F: Framing> Sending<'_, R, T, C, F> {
    fn poll(
        &mut self,
        limit: Limit,
        cx: &mut Context<'_>,
        poll: PollOne<Sender<R, T, C, F>>,
    ) -> Polled {
        poll(self.sender, limit, &mut self.wake, cx)
    }
}

impl<R: Runtime, T, C: Codec<T>, F: Framing> Drop for Sending<'_, R, T, C, F> {
    fn drop(&mut self) {
        if !self.done {
            self.sender.abandon();
        }
    }
}

/// Values are fed and flushed, each wait under the sender's timeout; closing flushes.
///
/// A sink is not told where a flush is given up: its next poll goes on with that wait, and has what
/// is left of its time. The wait is over, and the next has the whole of both timeouts, where a
/// method of the sender is called, or where nobody has polled for a second.
///
/// # Cancel safety
/// What was started lives in the sender, and goes on with the next poll.
impl<R: Runtime, T, C: Codec<T> + Unpin, F: Framing + Unpin> Sink<T> for Sender<R, T, C, F> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_sink(cx, Self::poll_fed)
    }

    fn start_send(mut self: Pin<&mut Self>, value: T) -> Result<()> {
        let limit = Limit::Timeout(self.timeout);
        self.start(&value, limit)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_sink(cx, Self::poll_flushed)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_sink(cx, Self::poll_flushed))?;
        self.outgoing.close();
        Poll::Ready(Ok(()))
    }
}

impl<R: Runtime, T, C: Codec<T>, F: Framing> Sender<R, T, C, F> {
    fn poll_sink(&mut self, cx: &mut Context<'_>, poll: PollOne<Self>) -> Polled {
        if self.waiter.was_given_up() {
            self.begin_anew();
        }
        let mut wake = self.wake.take();
        let polled = poll(self, Limit::Timeout(self.timeout), &mut wake, cx);
        if polled.is_pending() {
            self.wake = wake;
        }
        polled
    }
}

impl<R: Runtime, T, C, F> fmt::Debug for Sender<R, T, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<R: Runtime, T, C, F> SenderOptions<T, C, F, R> {
    /// Opens the FIFO at `path` for writing as soon as somebody reads it; never by a blocking
    /// `open`, and without a thread.
    ///
    /// # Errors
    /// As the blocking [`SenderOptions::open`](crate::SenderOptions#method.open).
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<Sender<R, T, C, F>>
    where
        C: Codec<T>,
        F: Framing,
    {
        let mut sender = Sender {
            outgoing: self.machine(path.as_ref()),
            codec: self.codec,
            message: Vec::new(),
            feeding: false,
            max_message: self.common.max_message,
            timeout: self.timeout,
            waiter: Waiter::new(&self.common),
            wake: None,
            values: PhantomData,
        };
        let term = Term::timeout(R::now(), self.common.open_timeout);
        drive(&mut sender.waiter, &mut sender.outgoing, term, Phase::Open, |outgoing, now| {
            outgoing.step_open(now, term.deadline)
        })
        .await?;
        Ok(sender)
    }
}
