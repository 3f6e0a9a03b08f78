//! Ends of FIFOs in async-io's keeping. It remembers nothing between two waits, so there is nothing
//! to be told of an attempt.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

use ::async_io::Async;

use crate::awaited::Ready;
use crate::node::{Attempted, Held};

/// An end that is waited for in one direction.
pub struct End<Direction> {
    fd: Async<OwnedFd>,
    direction: PhantomData<fn() -> Direction>,
}

#[derive(Debug)]
pub enum ForReading {}

#[derive(Debug)]
pub enum ForWriting {}

impl<Direction: 'static> Held for End<Direction> {
    type Retired = OwnedFd;

    const WATCHES: bool = false;

    fn hold(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd: Async::new_nonblocking(fd)?, direction: PhantomData })
    }

    fn attempt<R>(&self, mut operation: impl FnMut(BorrowedFd<'_>) -> Attempted<R>) -> R {
        operation(self.as_fd()).into_outcome()
    }

    fn retire(self) -> io::Result<OwnedFd> {
        self.fd.into_inner()
    }
}

impl Ready for End<ForReading> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fd.poll_readable(cx)
    }
}

impl Ready for End<ForWriting> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fd.poll_writable(cx)
    }
}

impl<Direction> AsFd for End<Direction> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl<Direction> fmt::Debug for End<Direction> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fd.fmt(f)
    }
}
