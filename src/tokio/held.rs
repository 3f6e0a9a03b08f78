//! Ends of FIFOs in tokio's keeping.
//!
//! Tokio remembers what was ready, and forgets it where an attempt through it is refused. What it
//! never forgets is that the other side has closed; a FIFO's other side comes back. So where it
//! says "closed" and the kernel does not, the descriptor is registered anew.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};

use ::tokio::io::Interest;
use ::tokio::net::unix::pipe;
use ::tokio::runtime::Handle;
use ::tokio::task::unconstrained;

use crate::awaited::Ready;
use crate::node::{Attempted, Held};
use crate::sys;

/// A reading end.
pub struct Reader(pipe::Receiver);

/// A writing end.
pub struct Writer(pipe::Sender);

impl Held for Reader {
    type Retired = OwnedFd;

    const WATCHES: bool = false;

    fn hold(fd: OwnedFd) -> io::Result<Self> {
        within_a_runtime()?;
        pipe::Receiver::from_owned_fd_unchecked(fd).map(Self)
    }

    fn attempt<R>(&self, mut operation: impl FnMut(BorrowedFd<'_>) -> Attempted<R>) -> R {
        let mut outcome = None;
        let tried = self.0.try_io(|| settled(operation(self.0.as_fd()), &mut outcome));
        drop(tried);
        // Tokio runs nothing where it has not heard of the descriptor yet; the kernel may know
        // more.
        outcome.unwrap_or_else(|| operation(self.0.as_fd()).into_outcome())
    }

    fn retire(self) -> io::Result<OwnedFd> {
        self.0.into_nonblocking_fd()
    }
}

impl Ready for Reader {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(poll_unconstrained(cx, |cx| self.0.poll_read_ready(cx)))?;
        let mut now = Context::from_waker(Waker::noop());
        let known = pin!(self.0.ready(Interest::READABLE)).poll(&mut now);
        let closed = matches!(known, Poll::Ready(Ok(known)) if known.is_read_closed());
        if !closed || sys::has_news(self.0.as_fd())? {
            return Poll::Ready(Ok(()));
        }
        *self = Self::hold(self.0.as_fd().try_clone_to_owned()?)?;
        poll_unconstrained(cx, |cx| self.0.poll_read_ready(cx))
    }
}

impl Held for Writer {
    type Retired = OwnedFd;

    const WATCHES: bool = false;

    fn hold(fd: OwnedFd) -> io::Result<Self> {
        within_a_runtime()?;
        pipe::Sender::from_owned_fd_unchecked(fd).map(Self)
    }

    fn attempt<R>(&self, mut operation: impl FnMut(BorrowedFd<'_>) -> Attempted<R>) -> R {
        let mut outcome = None;
        let tried = self.0.try_io(|| settled(operation(self.0.as_fd()), &mut outcome));
        drop(tried);
        outcome.unwrap_or_else(|| operation(self.0.as_fd()).into_outcome())
    }

    fn retire(self) -> io::Result<OwnedFd> {
        self.0.into_nonblocking_fd()
    }
}

impl Ready for Writer {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(poll_unconstrained(cx, |cx| self.0.poll_write_ready(cx)))?;
        let mut now = Context::from_waker(Waker::noop());
        let known = pin!(self.0.ready(Interest::WRITABLE)).poll(&mut now);
        let closed = matches!(known, Poll::Ready(Ok(known)) if known.is_write_closed());
        if !closed || !sys::has_reader(self.0.as_fd())? {
            return Poll::Ready(Ok(()));
        }
        *self = Self::hold(self.0.as_fd().try_clone_to_owned()?)?;
        poll_unconstrained(cx, |cx| self.0.poll_write_ready(cx))
    }
}

/// Where there is none, tokio would panic.
fn within_a_runtime() -> io::Result<()> {
    Handle::try_current().map(drop).map_err(io::Error::other)
}

/// Polls without regard to the task's budget: out of it, tokio would not remember the task, and a
/// connection is no task. How long a task may go on is bounded by the front end:
/// `Waiter::poll_turn`, and the steps of a turn.
fn poll_unconstrained<T>(
    cx: &mut Context<'_>,
    poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    pin!(unconstrained(poll_fn(poll))).poll(cx)
}

/// Puts the outcome aside, and tells tokio to forget what it remembers where nothing is left.
fn settled<R>(attempted: Attempted<R>, outcome: &mut Option<R>) -> io::Result<()> {
    let (told, came) = match attempted {
        Attempted::More(came) => (Ok(()), came),
        Attempted::Exhausted(came) => (Err(io::ErrorKind::WouldBlock.into()), came),
    };
    *outcome = Some(came);
    told
}

impl AsFd for Reader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for Writer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
