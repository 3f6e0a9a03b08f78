//! What an asynchronous runtime is to the front ends that await: readiness, timers, a clock.

use std::fmt;
use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::node::{Held, ReadEnd, WriteEnd};

/// A runtime that endpoints can be awaited on. The ones there are: `fifowire::tokio::Tokio` and
/// `fifowire::async_io::AsyncIo`.
pub trait Runtime: sealed::Sealed + fmt::Debug + Send + Sync + Sized + Unpin + 'static {
    /// A reading end as the runtime keeps it.
    #[doc(hidden)]
    type Reader: Held + Ready;

    /// A writing end as the runtime keeps it.
    #[doc(hidden)]
    type Writer: Held + Ready;

    #[doc(hidden)]
    type Timer: Timer;

    /// Where descriptors and timers are registered: what a runtime calls its context.
    #[doc(hidden)]
    type Place: fmt::Debug + Send + Sync;

    /// The place of the task that asks.
    #[doc(hidden)]
    fn place() -> Self::Place;

    /// Does `work` as if it were there, on whatever thread.
    #[doc(hidden)]
    fn within<T>(place: &Self::Place, work: impl FnOnce() -> T) -> T;

    /// The runtime's clock.
    #[doc(hidden)]
    fn now() -> Instant;
}

/// A descriptor that a task can wait for.
pub trait Ready {
    /// Ready once an attempt may find what the last one did not. Remembers one task.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl<H: Held + Ready> Ready for ReadEnd<H> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.held_mut().poll_ready(cx)
    }
}

impl<H: Held + Ready> Ready for WriteEnd<H> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.held_mut().poll_ready(cx)
    }
}

/// A timer that a task can wait for.
pub trait Timer: fmt::Debug + Send + Unpin {
    fn new(at: Instant) -> Self;

    fn reset(&mut self, at: Instant);

    /// Ready once its instant has come. Remembers one task.
    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}
