//! One timer that is set anew as seldom as possible: setting one takes a lock of the runtime, and
//! nearly every wait ends long before its deadline.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::runtime::{Runtime, Timer};
use crate::deadline::Deadline;

/// Wakes a task by an instant; now and then earlier, and the task then looks for itself.
#[derive(Debug)]
pub(super) struct Alarm<R: Runtime> {
    timer: Option<R::Timer>,
    /// When the timer goes off; never once it has.
    set_for: Deadline,
    /// Whom the timer wakes.
    waker: Option<Waker>,
}

impl<R: Runtime> Alarm<R> {
    pub(super) fn new() -> Self {
        Self { timer: None, set_for: Deadline::NEVER, waker: None }
    }

    /// Ready where the timer has gone off, which need not mean that `until` has come.
    pub(super) fn poll_by(
        &mut self,
        until: Deadline,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(at) = until.instant() else { return Poll::Pending };
        let set = self.set_for.passed(at);
        if set && !self.set_for.passed(now) && self.wakes(cx) {
            // It is set, it cannot have gone off yet, and it knows this task.
            return Poll::Pending;
        }
        if !set {
            match &mut self.timer {
                Some(timer) => timer.reset(at),
                None => self.timer = Some(Timer::new(at)),
            }
            self.set_for = until;
        }
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        let fired = timer.poll_fired(cx);
        if fired.is_ready() {
            self.set_for = Deadline::NEVER;
        } else if !self.wakes(cx) {
            self.waker = Some(cx.waker().clone());
        }
        fired
    }

    fn wakes(&self, cx: &Context<'_>) -> bool {
        self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
    }
}
