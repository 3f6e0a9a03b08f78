//! Options that every endpoint has, and the term of one call.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pause::SPIN;
use crate::deadline::Deadline;
use crate::error::{Error, Phase};
use crate::node::Trust;

/// The largest message, unless told otherwise: more than commands, events and documents need, and
/// little enough that a hostile peer cannot exhaust a small machine with a few endpoints.
pub(crate) const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The largest message that can be asked for: the frames carry lengths of four bytes.
const MESSAGE_CEILING: usize = u32::MAX as usize - 1024;

/// The time a call has, unless told otherwise.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a write may move no byte, unless told otherwise: a reader that pauses for garbage
/// collection or a page fault is back long before.
pub(crate) const STALL: Duration = Duration::from_secs(10);

/// Encoding as many bytes takes a few microseconds at most.
const SHORT: usize = 4096;

/// Options of all endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) open_timeout: Duration,
    pub(crate) max_message: usize,
    pub(crate) trust: Trust,
    pub(crate) capacity: Option<usize>,
    pub(crate) spin: Duration,
    pub(crate) stall: Duration,
    pub(crate) observer: Observer,
}

impl Common {
    pub(crate) fn limit_messages(&mut self, bytes: usize) {
        self.max_message = bytes.min(MESSAGE_CEILING);
    }
}

impl Default for Common {
    fn default() -> Self {
        Self {
            open_timeout: TIMEOUT,
            max_message: MAX_MESSAGE,
            trust: Trust::default(),
            capacity: None,
            spin: SPIN,
            stall: STALL,
            observer: Observer::default(),
        }
    }
}

/// A wait that has gone on for a while; given to the observer of an endpoint at most once a second
/// per wait. It never carries payload.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Waiting<'a> {
    /// The FIFO that is waited for.
    pub path: &'a Path,
    /// What the call is doing.
    pub phase: Phase,
    /// How long it has run.
    pub elapsed: Duration,
}

/// Who is told of waits.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<Told>>);

type Told = dyn Fn(&Waiting<'_>) + Send + Sync;

impl Observer {
    pub(crate) fn new(told: impl Fn(&Waiting<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn tell(&self, waiting: &Waiting<'_>) {
        if let Some(told) = &self.0 {
            told(waiting);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "Observer(set)" } else { "Observer(none)" })
    }
}

/// How a call is bounded, before it has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Timeout(Duration),
    Deadline(Deadline),
}

impl Limit {
    /// The call begins.
    pub(crate) fn begin(self) -> Term {
        match self {
            Self::Timeout(timeout) => Term::timeout(timeout),
            Self::Deadline(deadline) => Term::until(deadline),
        }
    }
}

/// When a call began and when it must end. Made once, at its very start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) began: Instant,
    pub(crate) deadline: Deadline,
}

impl Term {
    pub(crate) fn timeout(timeout: Duration) -> Self {
        let began = Instant::now();
        Self { began, deadline: Deadline::after(began, timeout) }
    }

    pub(crate) fn until(deadline: Deadline) -> Self {
        Self { began: Instant::now(), deadline }
    }

    /// The time once a message of this many bytes is encoded. A short one takes less than the clock
    /// can say; for a long one it is read again.
    pub(crate) fn after_encoding(self, bytes: usize) -> Instant {
        if bytes <= SHORT { self.began } else { Instant::now() }
    }

    /// Adds path and times to an error of this call.
    pub(crate) fn sign(self, error: Error, path: &Path) -> Error {
        error.at(path).timed(self.began.elapsed(), self.deadline.remaining(self.began))
    }
}
