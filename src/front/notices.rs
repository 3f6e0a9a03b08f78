//! Telling the observer of an endpoint, and whoever traces, about long waits: at most once a
//! second, however many wait.

use std::path::Path;
use std::time::{Duration, Instant};

use super::common::{Observer, Waiting};
use crate::core::step::Wait;
use crate::error::Phase;
use crate::trace;

/// Who waits on one endpoint, and when that was told last. Where nobody is told, it keeps nothing.
#[derive(Debug)]
pub(crate) struct Notices {
    observer: Observer,
    waits: Vec<Started>,
    next: Option<Instant>,
}

#[derive(Debug)]
struct Started {
    key: u64,
    began: Instant,
    phase: Phase,
}

/// A wait that is to be told of; outside of any lock, because the observer is the host's.
#[derive(Debug)]
pub(crate) struct Notice {
    observer: Observer,
    phase: Phase,
    elapsed: Duration,
}

impl Notices {
    const EVERY: Duration = Duration::from_secs(1);

    pub(crate) fn new(observer: &Observer) -> Self {
        Self { observer: observer.clone(), waits: Vec::new(), next: None }
    }

    /// Whether there is nothing to tell of, now and later.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// A call waits that began then; `key` tells it from others that wait here.
    pub(crate) fn begin(&mut self, key: u64, began: Instant, phase: Phase) {
        if !self.observer.is_set() && !trace::may_tell_waits() {
            return;
        }
        match self.waits.iter_mut().find(|wait| wait.key == key) {
            Some(wait) => *wait = Started { key, began, phase },
            None => self.waits.push(Started { key, began, phase }),
        }
    }

    /// The call has ended.
    pub(crate) fn end(&mut self, key: u64) {
        if !self.waits.is_empty() {
            self.waits.retain(|wait| wait.key != key);
        }
    }

    /// A notice of the longest wait, where it is time for one; and `wait` cut so that the next is
    /// in time too.
    pub(crate) fn due(&mut self, now: Instant, wait: Wait) -> (Option<Notice>, Wait) {
        let Some(longest) = self.waits.iter().min_by_key(|wait| wait.began) else {
            return (None, wait);
        };
        let first = longest.began + Self::EVERY;
        let at = self.next.map_or(first, |next| next.max(first));
        if now < at {
            return (None, wait.no_later_than(at.into()));
        }
        let elapsed = now.saturating_duration_since(longest.began);
        let notice = Notice { observer: self.observer.clone(), phase: longest.phase, elapsed };
        let next = now + Self::EVERY;
        self.next = Some(next);
        (Some(notice), wait.no_later_than(next.into()))
    }
}

impl Notice {
    /// In which phase the wait is.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The same wait, which is for something else by now.
    pub(crate) fn in_phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    pub(crate) fn tell(&self, path: &Path) {
        let Self { observer, phase, elapsed } = self;
        observer.tell(&Waiting { path, phase: *phase, elapsed: *elapsed });
        trace::waiting(path, *phase, *elapsed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::deadline::Deadline;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn many_that_wait_are_told_of_once_a_second_by_the_longest() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sees = told.clone();
        let observer = Observer::new(move |waiting| sees.lock().unwrap().push(waiting.elapsed));
        let mut notices = Notices::new(&observer);
        let start = Instant::now();
        let step = SECOND / 10;
        for tenth in 0..=30 {
            let now = start + step * tenth;
            // Somebody new each time, and whoever waited since the last time leaves; one stays.
            notices.begin(u64::from(tenth), now, Phase::Reply);
            notices.end(u64::from(tenth).wrapping_sub(1).max(1));
            let (notice, wait) = notices.due(now, Wait::readable(Deadline::NEVER));
            assert!(!wait.until.passed(now));
            notice.inspect(|notice| notice.tell(Path::new("a.fifo")));
        }
        assert_eq!(*told.lock().unwrap(), [SECOND, SECOND * 2, SECOND * 3]);
    }

    #[test]
    fn where_nobody_is_told_nothing_is_kept() {
        let mut notices = Notices::new(&Observer::default());
        notices.begin(1, Instant::now(), Phase::Read);
        assert!(notices.waits.is_empty());
    }
}
