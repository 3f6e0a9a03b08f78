//! One timer that is set anew as seldom as possible: setting one takes a lock of the runtime, and
//! nearly every wait ends long before its deadline.

use std::task::{Context, Poll};

use super::runtime::{Runtime, Timer};
use crate::deadline::Deadline;

/// Wakes a task by an instant; now and then earlier, and the task then looks for itself.
#[derive(Debug)]
pub(super) struct Alarm<R: Runtime> {
    timer: Option<R::Timer>,
    /// When the timer goes off; never once it has.
    set_for: Deadline,
}

impl<R: Runtime> Alarm<R> {
    pub(super) fn new() -> Self {
        Self { timer: None, set_for: Deadline::NEVER }
    }

    /// Ready where the timer has gone off, which need not mean that `until` has come.
    pub(super) fn poll_by(&mut self, until: Deadline, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = until.instant() else { return Poll::Pending };
        if !self.set_for.passed(at) {
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
        }
        fired
    }
}
