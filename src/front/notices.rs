//! Telling the observer of an endpoint about long waits.

use std::path::Path;
use std::time::{Duration, Instant};

use super::common::{Observer, Waiting};
use crate::core::step::Wait;
use crate::error::Phase;

/// A wait that is to be told of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice {
    elapsed: Duration,
}

/// Tells the observer of a long wait, at most once a second.
#[derive(Debug)]
pub(crate) struct Notices {
    observer: Option<Observer>,
    began: Instant,
    next: Instant,
}

impl Notices {
    const EVERY: Duration = Duration::from_secs(1);

    pub(crate) fn new(observer: &Observer, began: Instant) -> Self {
        let observer = observer.is_set().then(|| observer.clone());
        Self { observer, began, next: began + Self::EVERY }
    }

    /// Tells, where it is time.
    pub(crate) fn tell(&self, notice: Notice, path: &Path, phase: Phase) {
        if let Some(observer) = &self.observer {
            observer.tell(&Waiting { path, phase, elapsed: notice.elapsed });
        }
    }

    /// A notice, where it is time for one, and the wait cut so that the next is in time too.
    pub(crate) fn due(&mut self, now: Instant, wait: Wait) -> (Option<Notice>, Wait) {
        if self.observer.is_none() {
            return (None, wait);
        }
        let notice = (now >= self.next).then(|| {
            self.next = now + Self::EVERY;
            Notice { elapsed: now.saturating_duration_since(self.began) }
        });
        (notice, wait.no_later_than(self.next.into()))
    }
}
