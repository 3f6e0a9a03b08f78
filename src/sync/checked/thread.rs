//! Threads, for which no time passes by itself.
//!
//! The checker's own parking place may be left for no reason, as the standard library's may. That
//! would make up for a call that was lost, so here it is not.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::Wake;
use std::time::Duration;

use super::Call;
pub(crate) use shuttle::thread::{spawn, yield_now};

shuttle::thread_local! {
    static PLACE: RefCell<Arc<Call>> = RefCell::default();
}

/// A thread of a test.
pub(crate) type Spawned = shuttle::thread::JoinHandle<()>;

/// As that of the standard library.
#[derive(Debug, Default)]
pub(crate) struct Builder(shuttle::thread::Builder);

/// As that of the standard library.
#[derive(Debug)]
pub(crate) struct JoinHandle<T> {
    thread: Thread,
    inner: shuttle::thread::JoinHandle<T>,
}

/// A thread that can be called from where it is parked.
#[derive(Debug)]
pub(crate) struct Thread(Arc<Call>);

impl Builder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn name(self, name: String) -> Self {
        Self(self.0.name(name))
    }

    pub(crate) fn spawn<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let place = Arc::new(Call::default());
        let theirs = Arc::clone(&place);
        let inner = self.0.spawn(move || {
            PLACE.with(|place| *place.borrow_mut() = theirs);
            work()
        })?;
        Ok(JoinHandle { thread: Thread(place), inner })
    }
}

impl<T> JoinHandle<T> {
    pub(crate) fn thread(&self) -> &Thread {
        &self.thread
    }

    pub(crate) fn join(self) -> shuttle::thread::Result<T> {
        self.inner.join()
    }
}

impl Thread {
    pub(crate) fn unpark(&self) {
        Arc::clone(&self.0).wake();
    }
}

/// Waits until the thread is called, or was since it last parked.
pub(crate) fn park() {
    let place = PLACE.with(|place| Arc::clone(&place.borrow()));
    place.wait();
}

/// Lets others go on, for as long as the checker likes.
pub(crate) fn park_timeout(_most: Duration) {
    yield_now();
}
