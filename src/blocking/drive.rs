//! The loop that waits: step, and sleep until what the step asked for.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::options::{Common, Observer, Term, Waiting};
use super::pause::Pause;
use crate::core::recv::Incoming;
use crate::core::send::Outgoing;
use crate::core::step::{Step, Wait};
use crate::error::{Error, Phase, Result};
use crate::framing::Framing;
use crate::node::{ReadOpener, WriteOpener};
use crate::sys::{self, Ends};

/// What can be waited on.
pub(crate) trait Endpoint {
    fn path(&self) -> &Path;

    /// The descriptors that are open now.
    fn ends(&self) -> Ends<'_>;
}

/// How one endpoint waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    pause: Pause,
    observer: Observer,
}

impl Waiter {
    pub(crate) fn new(common: &Common) -> Self {
        Self { pause: Pause::new(common.spin), observer: common.observer.clone() }
    }
}

/// Steps `endpoint` until it is done or fails; its own deadline is what bounds this.
pub(crate) fn drive<E: Endpoint, T>(
    waiter: &mut Waiter,
    endpoint: &mut E,
    term: Term,
    phase: Phase,
    mut step: impl FnMut(&mut E, Instant) -> Result<Step<T>>,
) -> Result<T> {
    let mut now = term.began;
    let mut spell = None;
    let mut notices = None;
    loop {
        let wait = match step(endpoint, now) {
            Err(error) => return Err(term.sign(error, endpoint.path())),
            Ok(Step::Done(value)) => {
                if let Some(spell) = &spell {
                    waiter.pause.end(spell, Instant::now());
                }
                return Ok(value);
            }
            Ok(Step::Wait(wait)) => wait,
        };
        if wait.readable {
            let spell = spell.get_or_insert_with(|| waiter.pause.begin(now));
            if let Some(moment) = waiter.pause.look_again(spell, now) {
                moment.pass();
                now = Instant::now();
                continue;
            }
        }
        let notices = notices.get_or_insert_with(|| Notices::new(&waiter.observer, term.began));
        let until = notices.tell(now, endpoint.path(), phase, wait);
        sleep(endpoint.ends(), until, now).map_err(|error| term.sign(error, endpoint.path()))?;
        now = Instant::now();
    }
}

/// Sleeps until one of the ends that `wait` names is ready, or its time comes.
pub(crate) fn sleep(ends: Ends<'_>, wait: Wait, now: Instant) -> Result<()> {
    let ends = Ends {
        reader: ends.reader.filter(|_| wait.readable),
        writer: ends.writer.filter(|_| wait.writable),
        watch: ends.watch,
    };
    sys::wait(ends, wait.until.remaining(now)).map_err(|error| Error::system(error, Phase::Read))
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

    /// Tells, where it is time; answers the wait cut so that the next notice is in time too.
    pub(crate) fn tell(&mut self, now: Instant, path: &Path, phase: Phase, wait: Wait) -> Wait {
        let Some(observer) = &self.observer else { return wait };
        if now >= self.next {
            self.next = now + Self::EVERY;
            let elapsed = now.saturating_duration_since(self.began);
            observer.tell(&Waiting { path, phase, elapsed });
        }
        wait.no_later_than(self.next.into())
    }
}

impl<F: Framing> Endpoint for Incoming<ReadOpener, F> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn ends(&self) -> Ends<'_> {
        let reader = self.end().map(|end| end.as_fd());
        Ends { reader, writer: None, watch: self.opener().watch().map(|watch| watch.as_fd()) }
    }
}

impl<F: Framing> Endpoint for Outgoing<WriteOpener, F> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn ends(&self) -> Ends<'_> {
        let writer = self.end().map(|end| end.as_fd());
        Ends { reader: None, writer, watch: self.opener().watch().map(|watch| watch.as_fd()) }
    }
}
