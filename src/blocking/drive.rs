//! The loop that waits: step, and sleep until what the step asked for.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use crate::core::recv::Incoming;
use crate::core::send::Outgoing;
use crate::core::step::{Step, Wait};
use crate::error::{Error, Phase, Result};
use crate::framing::Framing;
use crate::front::{Common, Notices, Pause, Term};
use crate::node::{ReadOpener, WriteOpener};
use crate::pipe::Opener;
use crate::stats::Tally;
use crate::sys::{self, Ends};
use crate::trace::News;

/// What can be waited on.
pub(crate) trait Endpoint {
    fn path(&self) -> &Path;

    /// The descriptors that are open now.
    fn ends(&self) -> Ends<'_>;

    /// What it has counted, as far as that is told; one that is not open yet has not.
    fn tally(&self) -> Tally {
        Tally::default()
    }
}

/// How one endpoint waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    pause: Pause,
    notices: Notices,
    news: News,
}

impl Waiter {
    pub(crate) fn new(common: &Common) -> Self {
        Self {
            pause: Pause::of_a_thread(common.spin),
            notices: Notices::new(&common.observer),
            news: News::default(),
        }
    }
}

/// Steps `endpoint` until it is done or fails; its own deadline is what bounds this.
pub(crate) fn drive<E: Endpoint, T>(
    waiter: &mut Waiter,
    endpoint: &mut E,
    term: Term,
    phase: Phase,
    step: impl FnMut(&mut E, Instant) -> Result<Step<T>>,
) -> Result<T> {
    waiter.tell_news(endpoint);
    let done = waiter.drive(endpoint, term, phase, step);
    waiter.notices.end(ITSELF);
    waiter.news.ended(&done);
    // A subscriber is the host's and may panic. What has come is not put at risk: the news that
    // came with it are told with the next step.
    if done.is_err() {
        waiter.tell_news(endpoint);
    }
    done.map_err(|error| term.sign(error.at(endpoint.path()), Instant::now()))
}

/// Who waits on an endpoint that one thread owns.
const ITSELF: u64 = 0;

impl Waiter {
    fn drive<E: Endpoint, T>(
        &mut self,
        endpoint: &mut E,
        term: Term,
        phase: Phase,
        mut step: impl FnMut(&mut E, Instant) -> Result<Step<T>>,
    ) -> Result<T> {
        let mut now = term.began;
        let mut spell = None;
        loop {
            let wait = match step(endpoint, now)? {
                Step::Wait(wait) => wait,
                Step::Done(value) => {
                    if let Some(spell) = &spell {
                        self.pause.end(spell, Instant::now());
                    }
                    return Ok(value);
                }
            };
            // Before the next step, which may find something.
            self.tell_news(endpoint);
            if wait.readable {
                let spell = spell.get_or_insert_with(|| self.pause.begin(now));
                if let Some(moment) = self.pause.look_again(spell, now) {
                    moment.pass();
                    now = Instant::now();
                    continue;
                }
            }
            self.notices.begin(ITSELF, term.began, phase);
            let (notice, until) = self.notices.due(now, wait);
            if let Some(notice) = notice {
                notice.tell(endpoint.path());
            }
            sleep(endpoint.ends(), until, now)?;
            now = Instant::now();
        }
    }

    fn tell_news(&mut self, endpoint: &impl Endpoint) {
        let news = self.news.due(endpoint.path(), || endpoint.tally(), Instant::now);
        if let Some(news) = news {
            news.tell();
        }
    }
}

/// Sleeps until one of the ends that `wait` names is ready, or its time comes.
pub(crate) fn sleep(ends: Ends<'_>, wait: Wait, now: Instant) -> Result<()> {
    let ends = Ends {
        reader: ends.reader.filter(|_| wait.readable),
        writer: ends.writer.filter(|_| wait.writable),
        ..ends
    };
    sys::wait(ends, wait.until.remaining(now)).map_err(|error| Error::system(error, Phase::Read))
}

impl<F: Framing> Endpoint for Incoming<ReadOpener, F> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn ends(&self) -> Ends<'_> {
        let reader = self.end().map(|end| end.as_fd());
        let watch = self.opener().watch().map(|watch| watch.as_fd());
        Ends { reader, watch, ..Ends::default() }
    }

    fn tally(&self) -> Tally {
        self.tally()
    }
}

impl<F: Framing> Endpoint for Outgoing<WriteOpener, F> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn ends(&self) -> Ends<'_> {
        let writer = self.end().map(|end| end.as_fd());
        let watch = self.opener().watch().map(|watch| watch.as_fd());
        Ends { writer, watch, ..Ends::default() }
    }

    fn tally(&self) -> Tally {
        self.tally()
    }
}
