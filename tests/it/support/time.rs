//! Deadlines that are checked, events that are waited for, processor time that is counted.

use std::fs;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use nix::unistd::gettid;

/// By how much any call may outlast its deadline.
pub(crate) const OVERSHOOT: Duration = Duration::from_millis(50);

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Makes a call that must use up its timeout and outlast it by no more than [`OVERSHOOT`].
pub(crate) fn on_time<T>(timeout: Duration, call: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let answer = call();
    let took = began.elapsed();
    assert!(took >= timeout, "it gave up after {took:?} of {timeout:?}");
    assert!(took <= timeout + OVERSHOOT, "it took {took:?} of {timeout:?}");
    answer
}

/// Waits for a state that nothing announces; where it does not come, the test fails.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}: not so after {PATIENCE:?}");
        thread::park_timeout(ms(1));
    }
}

/// How long a state is waited for: a hundred times what a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets time pass where time itself is under test: a reader that is late, a pause that must not
/// end anything.
pub(crate) fn let_pass(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|l| !l.is_zero()) {
        thread::park_timeout(left);
    }
}

/// The processor time that this thread has used.
pub(crate) fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// A call on a thread of its own.
#[derive(Debug)]
pub(crate) struct Aside<T> {
    thread: JoinHandle<T>,
    task: i32,
}

/// Makes a call on a thread of its own, and comes back when that thread sleeps inside it.
pub(crate) fn asleep<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Aside<T> {
    let aside = aside(call);
    until("the call sleeps", || aside.thread.is_finished() || aside.sleeps());
    aside
}

/// Makes a call on a thread of its own.
pub(crate) fn aside<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Aside<T> {
    let (begun, begins) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        begun.send(gettid().as_raw()).unwrap();
        call()
    });
    Aside { thread, task: begins.recv().unwrap() }
}

impl<T> Aside<T> {
    fn sleeps(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/self/task/{}/stat", self.task));
        // Behind the name, which is in brackets, stands the state.
        stat.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')))
    }

    /// What the call answered.
    pub(crate) fn join(self) -> T {
        match self.thread.join() {
            Ok(answer) => answer,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
