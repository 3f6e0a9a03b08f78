//! Timers in async-io's keeping.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::awaited;

/// A timer of async-io's.
#[derive(Debug)]
pub struct Timer(::async_io::Timer);

impl awaited::Timer for Timer {
    fn new(at: Instant) -> Self {
        Self(::async_io::Timer::at(at))
    }

    fn reset(&mut self, at: Instant) {
        self.0.set_at(at);
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}
