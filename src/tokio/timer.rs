//! Timers in tokio's keeping.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use ::tokio::task::unconstrained;
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
        // Out of budget it would not remember the task.
        pin!(unconstrained(self.0.as_mut())).poll(cx)
    }
}
