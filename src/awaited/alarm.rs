//! One timer that is set anew as seldom as possible: setting one takes a lock of the runtime, and
//! nearly every wait ends long before its deadline.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::runtime::Timer;
use crate::deadline::Deadline;

/// Wakes a task by an instant; now and then earlier, and the task then looks for itself.
#[derive(Debug)]
pub(super) struct Alarm<T> {
    timer: Option<T>,
    /// When the timer goes off; never once it has.
    set_for: Deadline,
    /// Whom the timer wakes.
    waker: Option<Waker>,
}

impl<T: Timer> Alarm<T> {
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
                None => self.timer = Some(T::new(at)),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    /// Fires when the test says so, and counts what is asked of it.
    #[derive(Debug)]
    struct Scripted {
        waker: Option<Waker>,
        asked: usize,
    }

    impl Timer for Scripted {
        fn new(_at: Instant) -> Self {
            Self { waker: None, asked: 0 }
        }

        fn reset(&mut self, _at: Instant) {}

        fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            self.waker = Some(cx.waker().clone());
            self.asked += 1;
            Poll::Pending
        }
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_task_that_has_polled_last_is_the_one_that_is_woken() {
        let (first, last) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let now = Instant::now();
        let until = Deadline::after(now, Duration::from_secs(1));
        let mut alarm = Alarm::<Scripted>::new();
        for task in [&first, &first, &last, &last] {
            let waker = Waker::from(task.clone());
            let mut cx = Context::from_waker(&waker);
            assert!(alarm.poll_by(until, now, &mut cx).is_pending());
        }
        let timer = alarm.timer.unwrap();
        // Once by each: a task that it knows costs nothing.
        assert_eq!(timer.asked, 2);
        timer.waker.unwrap().wake();
        assert!(last.0.load(Ordering::Relaxed) && !first.0.load(Ordering::Relaxed));
    }
}
