//! Options that every endpoint has.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Phase;
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

/// Options of all endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) open_timeout: Duration,
    pub(crate) max_message: usize,
    pub(crate) trust: Trust,
    pub(crate) capacity: Option<usize>,
    /// As long as is usual for the front end, unless set.
    pub(crate) spin: Option<Duration>,
    pub(crate) stall: Duration,
    pub(crate) observer: Observer,
}

impl Common {
    pub(crate) fn limit_messages(&mut self, bytes: usize) {
        self.max_message = message_limit(bytes);
    }
}

/// A limit on messages that was asked for, as far as it can be had.
pub(crate) fn message_limit(bytes: usize) -> usize {
    bytes.min(MESSAGE_CEILING)
}

impl Default for Common {
    fn default() -> Self {
        Self {
            open_timeout: TIMEOUT,
            max_message: MAX_MESSAGE,
            trust: Trust::default(),
            capacity: None,
            spin: None,
            stall: STALL,
            observer: Observer::default(),
        }
    }
}

/// A wait that has gone on for a while; given to the observer of an endpoint at most once a second.
/// It never carries payload.
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
