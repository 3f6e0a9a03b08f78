//! Where threads meet: locks, parking places, threads, the bell and the clock.
//!
//! The structures that threads and tasks share (`blocking/turn`, `blocking/server/attendant.rs`,
//! `awaited/hub`) take these from here and from nowhere else, so that a concurrency checker can put
//! its own in their place and choose who goes on at each of them (`sync/checked`). In every other
//! build they are the standard library's and the system's.

#[cfg(test)]
#[cfg(shuttle)]
pub(crate) mod checked;

#[cfg(all(test, shuttle))]
pub(crate) use checked::{Bell, Condvar, Mutex, MutexGuard, atomic, now, thread};
#[cfg(not(all(test, shuttle)))]
pub(crate) use {
    crate::sys::Bell,
    std::sync::{Condvar, Mutex, MutexGuard, atomic},
    std::thread,
};

/// The time by the clock of threads.
#[cfg(not(all(test, shuttle)))]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}
