//! Who waits: the front ends of the library, and what tokio has without it.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fifowire::async_io::AsyncIo;
use fifowire::tokio::Tokio;
use futures_util::future::select;

use super::shared::executor::Executor;
use super::shared::waits::{Telling, Word, bare, ours};
use super::{bare_calls, blocking};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Blocking,
    CurrentThread,
    MultiThread,
    AsyncIo,
    /// Tokio's pipe, current-thread: wait until it is ready, then try.
    BareReady,
    /// The same, by its `read` and `write`.
    BareCalls,
}

/// What went on beside the wait.
pub(crate) type Ticks = Arc<AtomicU32>;

/// The timer that has to go on.
const TICK: Duration = Duration::from_millis(20);

impl Column {
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::Blocking, "blocking"),
        (Self::CurrentThread, "tokio current-thread"),
        (Self::MultiThread, "tokio multi-thread"),
        (Self::AsyncIo, "async-io"),
        (Self::BareReady, "bare tokio pipe, readable and try_read"),
        (Self::BareCalls, "bare tokio pipe, read"),
    ];

    pub(crate) fn to_argument(self) -> &'static str {
        Self::ALL.iter().find(|(column, _)| *column == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn from_argument(argument: &str) -> Self {
        Self::ALL.iter().find(|(_, name)| *name == argument).expect("one of the six").0
    }

    /// Whether a timer can go on beside the wait.
    pub(crate) fn has_timer(self) -> bool {
        self != Self::Blocking
    }

    /// Receives on this thread.
    pub(crate) fn receive(self, path: PathBuf, telling: Telling, ticks: Ticks) {
        use Executor::{AsyncIo as OnAsyncIo, CurrentThread, MultiThread};
        match self {
            Self::Blocking => blocking::receive(&path, &telling),
            Self::CurrentThread => {
                beside(CurrentThread, ticks, ours::receive::<Tokio>(path, telling));
            }
            Self::MultiThread => beside(MultiThread, ticks, ours::receive::<Tokio>(path, telling)),
            Self::AsyncIo => beside(OnAsyncIo, ticks, ours::receive::<AsyncIo>(path, telling)),
            Self::BareReady => beside(CurrentThread, ticks, bare::receive(path, telling)),
            Self::BareCalls => beside(CurrentThread, ticks, bare_calls::receive(path, telling)),
        }
    }

    /// Sends on this thread, when told to.
    pub(crate) fn send(self, path: PathBuf, word: Word, telling: Telling, ticks: Ticks) {
        use Executor::{AsyncIo as OnAsyncIo, CurrentThread, MultiThread};
        match self {
            Self::Blocking => blocking::send(&path, word, &telling),
            Self::CurrentThread => {
                beside(CurrentThread, ticks, ours::send::<Tokio>(path, word, telling));
            }
            Self::MultiThread => {
                beside(MultiThread, ticks, ours::send::<Tokio>(path, word, telling));
            }
            Self::AsyncIo => beside(OnAsyncIo, ticks, ours::send::<AsyncIo>(path, word, telling)),
            Self::BareReady => beside(CurrentThread, ticks, bare::send(path, word, telling)),
            Self::BareCalls => beside(CurrentThread, ticks, bare_calls::send(path, word, telling)),
        }
    }
}

/// Runs a wait and the timer beside it: as a task where there are tasks.
fn beside(executor: Executor, ticks: Ticks, wait: impl Future<Output = ()> + Send + 'static) {
    executor.run(async move {
        if executor == Executor::AsyncIo {
            select(pin!(tick(executor, ticks)), pin!(wait)).await;
        } else {
            tokio::spawn(tick(executor, ticks));
            wait.await;
        }
    });
}

async fn tick(executor: Executor, ticks: Ticks) {
    loop {
        if executor == Executor::AsyncIo {
            async_io::Timer::after(TICK).await;
        } else {
            tokio::time::sleep(TICK).await;
        }
        ticks.fetch_add(1, Ordering::Relaxed);
    }
}
