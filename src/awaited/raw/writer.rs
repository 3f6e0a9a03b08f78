//! The writing end of a FIFO, as bytes.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::task::{Context, Poll, ready};

use crate::awaited::drive::{Waiter, Wake, drive};
use crate::awaited::runtime::Runtime;
use crate::core::raw::RawWriting;
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::front::{FifoWriterOptions, Term};
use crate::node::{self, Trust, WriteEnd, WriteOpener};
use crate::pipe::Sink;
use crate::stats::FifoWriterStats;

/// Writes bytes into a FIFO, for a protocol of one's own; the awaited form of
/// [`FifoWriter`](crate::FifoWriter), and an `AsyncWrite` of its runtime.
///
/// A write that finds no room waits for it, and fails once no byte has moved for the
/// [`stall_timeout`](FifoWriterOptions::stall_timeout); one that finds no reader fails at once.
/// Nothing is kept back, so flushing does nothing; shutting down does nothing either, and dropping
/// the value is what closes the end.
///
/// # Cancel safety
/// A write that is dropped while it waits has written nothing.
pub struct FifoWriter<R: Runtime> {
    writing: RawWriting<WriteOpener<R::Writer>>,
    waiter: Waiter<R>,
    /// The wait of the write at hand, from its first poll to its last.
    wake: Option<Wake>,
}

impl<R: Runtime> FifoWriter<R> {
    /// Opens the FIFO at `path` for writing as soon as somebody reads it.
    ///
    /// # Errors
    /// As [`FifoWriterOptions::open`].
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path).await
    }

    /// Options.
    pub fn options() -> FifoWriterOptions<R> {
        FifoWriterOptions::new()
    }

    /// How many bytes the FIFO holds, where the platform says.
    pub fn capacity(&self) -> Option<usize> {
        self.writing.end().capacity()
    }

    /// What was written so far.
    pub fn stats(&self) -> FifoWriterStats {
        self.writing.stats()
    }

    /// Writes as much of `bytes` as there is room for.
    pub(crate) fn poll_write_from(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let Self { writing, waiter, wake } = self;
        ready!(waiter.poll_turn(cx));
        if waiter.was_given_up() {
            *wake = None;
        }
        let begin = || waiter.wake(Term::until(R::now(), Deadline::NEVER), Phase::Write);
        let waiting = wake.get_or_insert_with(begin);
        let polled = waiter.poll(waiting, writing, cx, |writing, now| writing.step(bytes, now));
        if polled.is_ready() {
            *wake = None;
        }
        polled
    }
}

impl<R: Runtime> AsFd for FifoWriter<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.writing.end().as_fd()
    }
}

/// Takes over a descriptor of a FIFO, or of an anonymous pipe, that is open for writing alone.
///
/// It is made non-blocking, which every duplicate of it is then too, and close-on-exec. It has no
/// path: no lock is taken, and a replacement is not noticed. One that is refused is closed, and
/// what its duplicates share is as it was.
///
/// # Errors
/// [`ErrorKind::NotAFifo`](crate::ErrorKind::NotAFifo), and
/// [`ErrorKind::WrongEnd`](crate::ErrorKind::WrongEnd) for one that is open for the other
/// direction, for both or for neither. On tokio, [`ErrorKind::System`](crate::ErrorKind::System)
/// outside of a runtime.
///
/// # Panics
/// On tokio, in a runtime that was built without `enable_io`.
impl<R: Runtime> TryFrom<OwnedFd> for FifoWriter<R> {
    type Error = Error;

    fn try_from(fd: OwnedFd) -> Result<Self> {
        let options = Self::options();
        let opener = WriteOpener::new(&node::name_of(&fd), Trust::default(), None, false);
        let end = WriteEnd::adopt(fd)?;
        Ok(Self {
            writing: RawWriting::new(opener, end, options.common.stall, R::now()),
            waiter: Waiter::new(&options.common),
            wake: None,
        })
    }
}

impl<R: Runtime> fmt::Debug for FifoWriter<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FifoWriter").finish_non_exhaustive()
    }
}

impl<R: Runtime> FifoWriterOptions<R> {
    /// Opens the FIFO at `path` for writing as soon as somebody reads it.
    ///
    /// # Errors
    /// As [`SenderOptions::open`](crate::SenderOptions#method.open).
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<FifoWriter<R>> {
        let mut waiter = Waiter::new(&self.common);
        let mut unopened = self.machine(path.as_ref());
        let term = Term::timeout(R::now(), self.common.open_timeout);
        let opened = drive(&mut waiter, &mut unopened, term, Phase::Open, |unopened, now| {
            unopened.step(now, term.deadline)
        });
        let end = opened.await?;
        let (opener, stall) = (unopened.into_opener(), self.common.stall);
        let writing = RawWriting::new(opener, end, stall, R::now());
        Ok(FifoWriter { writing, waiter, wake: None })
    }
}
