//! Timers in tokio's keeping.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use ::tokio::time::{Sleep, sleep_until};

use crate::awaited;

/// Pinned once, and set anew in place.
#[derive(Debug)]
pub struct Timer(Pin<Box<Sleep>>);

impl awaited::Timer for Timer {
    fn new(at: Instant) -> Self {
        Self(Box::pin(sleep_until(at.into())))
    }

    fn reset(&mut self, at: Instant) {
        self.0.as_mut().reset(at.into());
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
