//! Keeps a session alive while the thread that serves is in a handler.
//!
//! Pings and cancels are answered by whoever reads, and the serving thread reads only between two
//! handlers. So a server that serves has a second thread, the attendant, which reads while a
//! handler takes its time. It is there from the first request until serving ends, sleeps without a
//! timer while the server is idle, and costs a request two additions: it looks for itself, every
//! few milliseconds, whether the same handler still runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::responder::Machine;
use crate::blocking::turn::{Shared, Turn};
use crate::core::errand::Listening;
use crate::core::server::Answerer;
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::front::Term;
use crate::pipe::{Opener, Sink, Source};
use crate::sync;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::thread::{self, JoinHandle};

/// The attendant's thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Attendant<S: Attended = Machine> {
    duty: Arc<Duty<S>>,
    thread: Option<JoinHandle<()>>,
}

/// What the two threads know of each other.
#[derive(Debug)]
struct Duty<S> {
    turn: Arc<Turn<S>>,
    /// Counts the beginnings and the ends of handlers: odd while one runs.
    handlers: AtomicU64,
    /// Whether the attendant sleeps until it is called.
    asleep: AtomicBool,
    over: AtomicBool,
}

/// How long a handler may run before the attendant reads in its stead: control that comes in a long
/// handler is answered within two of these.
const TICK: Duration = Duration::from_millis(5);

/// Ticks without a handler after which the attendant sleeps until one begins.
const IDLE_TICKS: u32 = 4;

/// A session that has an attendant.
pub(super) trait Attended: Shared + Send + Sized + 'static {
    /// Reads until `ended` says so, which is asked whenever something has come.
    fn listen(turn: &Turn<Self>, ended: impl FnMut() -> bool, term: Term) -> Result<()>;

    /// Has whoever reads so ask once more.
    fn call_listener(&mut self);
}

impl<S: Attended> Attendant<S> {
    /// The attendant of a server, started where there is none yet.
    pub(super) fn at<'a>(attendant: &'a mut Option<Self>, turn: &Arc<Turn<S>>) -> Result<&'a Self> {
        match attendant {
            Some(attendant) => Ok(attendant),
            None => Ok(attendant.insert(Self::start(turn)?)),
        }
    }

    #[cold]
    fn start(turn: &Arc<Turn<S>>) -> Result<Self> {
        let duty = Arc::new(Duty {
            turn: Arc::clone(turn),
            handlers: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&duty);
        let spawned = thread::Builder::new().name("fifowire".into()).spawn(move || theirs.attend());
        let thread = spawned.map_err(|error| Error::system(error, Phase::Read))?;
        Ok(Self { duty, thread: Some(thread) })
    }

    /// A handler begins.
    pub(super) fn begin(&self) {
        self.duty.handlers.fetch_add(1, Ordering::SeqCst);
        if self.duty.asleep.load(Ordering::SeqCst) {
            self.call();
        }
    }

    /// The handler has ended, if one ran.
    pub(super) fn end(&self) {
        // Nobody else counts, and the attendant looks under the lock that the next request is taken
        // under: a store will do, which costs less than an addition that others could cut into.
        let handlers = self.duty.handlers.load(Ordering::Relaxed);
        self.duty.handlers.store(handlers + handlers % 2, Ordering::Release);
    }

    #[cold]
    fn call(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl<S: Attended> Drop for Attendant<S> {
    fn drop(&mut self) {
        self.duty.over.store(true, Ordering::SeqCst);
        self.call();
        self.duty.turn.with(|answerer| answerer.call_listener());
        if let Some(thread) = self.thread.take() {
            // Should it have panicked, there is nothing left of it to mend.
            let _ = thread.join();
        }
    }
}

impl<S: Attended> Duty<S> {
    fn attend(&self) {
        let (mut seen, mut idle) = (0, 0);
        while !self.is_over() {
            let handlers = self.handlers.load(Ordering::SeqCst);
            if handlers % 2 == 1 && handlers == seen {
                idle = 0;
                // Who is told of long waits is the host's, and may panic; the server goes on.
                if catch_unwind(AssertUnwindSafe(|| self.listen(handlers))).is_err() {
                    thread::park_timeout(TICK);
                }
                continue;
            }
            idle = if handlers == seen { idle + 1 } else { 0 };
            seen = handlers;
            if idle < IDLE_TICKS {
                thread::park_timeout(TICK);
            } else {
                self.sleep(handlers);
                idle = 0;
            }
        }
    }

    /// Sleeps until a handler begins.
    fn sleep(&self, handlers: u64) {
        self.asleep.store(true, Ordering::SeqCst);
        // Whoever begins from here on calls.
        if self.handlers.load(Ordering::SeqCst) == handlers && !self.is_over() {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Reads for as long as this handler runs, and until something comes after it.
    fn listen(&self, handlers: u64) {
        let ended = || self.is_over() || self.handlers.load(Ordering::SeqCst) != handlers;
        // A failure of the connection is met by the serving thread.
        if S::listen(&self.turn, ended, Term::until(sync::now(), Deadline::NEVER)).is_err() {
            thread::park_timeout(TICK);
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

impl<R, W> Attended for Answerer<R, W>
where
    R: Opener<End: Source> + 'static,
    W: Opener<End: Sink> + 'static,
    Self: Shared + Send,
{
    fn listen(turn: &Turn<Self>, ended: impl FnMut() -> bool, term: Term) -> Result<()> {
        turn.run(Listening::until(ended), term.began, term, Phase::Read)
    }

    fn call_listener(&mut self) {
        self.call_listener();
    }
}
