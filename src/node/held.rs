//! How a front end keeps an open descriptor.
//!
//! One that waits with `poll` needs the number and nothing else. A reactor remembers what was ready
//! when, and must be told of every attempt that found it otherwise: so each attempt goes through
//! whatever holds the descriptor.

// Bounds of the public, sealed trait that tells the front ends apart; without those it is not seen.
#![cfg_attr(not(any(feature = "tokio", feature = "async-io")), allow(unreachable_pub))]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A descriptor in the keeping of a front end.
pub trait Held: AsFd + fmt::Debug + Send + Sync + Unpin + Sized + 'static {
    /// A descriptor that is only kept open and never tried again.
    type Retired: fmt::Debug + Send + Sync + Unpin;

    /// Whether the front end listens to a watch over a path that cannot be opened yet.
    const WATCHES: bool;

    /// Takes a descriptor that is non-blocking, or is made so before it is tried. One that is
    /// refused is closed, and its flags are as they were.
    fn hold(fd: OwnedFd) -> io::Result<Self>;

    /// Runs `operation` once.
    fn attempt<R>(&self, operation: impl FnMut(BorrowedFd<'_>) -> Attempted<R>) -> R;

    /// Stops listening to the descriptor and keeps it open.
    fn retire(self) -> io::Result<Self::Retired>;
}

/// What came of an attempt.
#[derive(Debug)]
pub enum Attempted<R> {
    /// Another attempt at once may have more.
    More(R),
    /// There is nothing more to be had from the descriptor until it becomes ready again.
    Exhausted(R),
}

impl<R> Attempted<R> {
    pub(crate) fn new(outcome: R, more: bool) -> Self {
        if more { Self::More(outcome) } else { Self::Exhausted(outcome) }
    }

    pub(crate) fn into_outcome(self) -> R {
        match self {
            Self::More(outcome) | Self::Exhausted(outcome) => outcome,
        }
    }
}

/// Shared with threads that sleep on it while another exchanges it.
pub(crate) type Shared = Arc<OwnedFd>;

impl Held for Shared {
    type Retired = Self;

    const WATCHES: bool = true;

    fn hold(fd: OwnedFd) -> io::Result<Self> {
        Ok(Arc::new(fd))
    }

    fn attempt<R>(&self, mut operation: impl FnMut(BorrowedFd<'_>) -> Attempted<R>) -> R {
        operation(self.as_fd()).into_outcome()
    }

    fn retire(self) -> io::Result<Self> {
        Ok(self)
    }
}
