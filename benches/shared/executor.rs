//! What runs the futures.

use std::future::Future;

use tokio::runtime::Builder;

/// An executor, and the reactor that comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Executor {
    /// Tokio's, on the thread that runs it and no other.
    CurrentThread,
    /// Tokio's, of two worker threads.
    MultiThread,
    /// async-io's, beside its reactor's thread.
    AsyncIo,
}

impl Executor {
    /// Runs a future to its end. The threads that this takes are made here, on the cores of the
    /// thread that calls.
    pub(crate) fn run<T: Send + 'static>(
        self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        match self {
            Self::CurrentThread => start(Builder::new_current_thread()).block_on(future),
            Self::MultiThread => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(WORKERS);
                // As a task: what `block_on` is given itself runs outside of the workers, and each
                // of its wake-ups would cross to another thread.
                let runtime = start(builder);
                let task = runtime.spawn(future);
                runtime.block_on(task).expect("the task does not panic")
            }
            Self::AsyncIo => async_io::block_on(future),
        }
    }
}

const WORKERS: usize = 2;

fn start(mut builder: Builder) -> tokio::runtime::Runtime {
    builder.enable_all().build().expect("a runtime")
}
