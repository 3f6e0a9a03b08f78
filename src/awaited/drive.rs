//! The task that waits: step, and come back when what the step asked for is there.
//!
//! What is half read or half written lives in the endpoint. A future that is dropped between two
//! polls takes nothing with it.

use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::alarm::Alarm;
use super::runtime::{Ready, Runtime};
use crate::core::recv::Incoming;
use crate::core::send::Outgoing;
use crate::core::step::{GIVEN_UP, Step, Wait};
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::framing::Framing;
use crate::front::{Common, Notices, Pause, Spell, Term};
use crate::node::{ReadOpener, WriteOpener};
use crate::pipe::Opener;
use crate::stats::Tally;
use crate::trace::News;

/// What can be waited on.
pub(super) trait Endpoint<R: Runtime> {
    fn path(&self) -> &Path;

    /// Ready once the end is, in the direction it has; pending where it is not open.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Only time has passed since the last step: what to wait for from here on, unless that is for
    /// a step to say.
    fn look(&mut self, now: Instant, deadline: Deadline) -> Option<Wait>;

    /// What it has counted, as far as that is told; one that is not open yet has not.
    fn tally(&self) -> Tally {
        Tally::default()
    }
}

/// How one endpoint waits.
#[derive(Debug)]
pub(super) struct Waiter<R: Runtime> {
    alarm: Alarm<R::Timer>,
    pause: Pause,
    notices: Notices,
    news: News,
    /// Polls in a row after which the task did not have to wait.
    at_once: u32,
    /// When the task that waits was here last.
    left: Option<Instant>,
}

/// One wait, from the first poll to the last.
#[derive(Debug)]
pub(super) struct Wake {
    term: Term,
    phase: Phase,
    spell: Option<Spell>,
    /// What the last step has asked for.
    wait: Option<Wait>,
}

/// What has ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// Whatever it was, a step finds out.
    Something,
    /// Time has passed, and the end that was waited for is as it was.
    Time,
}

/// Who waits on an endpoint that one task owns.
const ITSELF: u64 = 0;

impl Wake {
    pub(super) fn term(&self) -> Term {
        self.term
    }
}

/// Steps without a pause before other tasks have their turn.
const STEPS_A_POLL: usize = 16;

/// Polls that end at once before other tasks have their turn: as many as tokio grants a task.
const AT_ONCE: u32 = 128;

impl<R: Runtime> Waiter<R> {
    pub(super) fn new(common: &Common) -> Self {
        Self {
            alarm: Alarm::new(),
            pause: Pause::of_a_task(common.spin),
            notices: Notices::new(&common.observer),
            news: News::default(),
            at_once: 0,
            left: None,
        }
    }

    /// Whether the last wait was given up: it has not ended, and nobody has looked after it.
    ///
    /// For waits that are kept from poll to poll in the endpoint itself, where no future is dropped
    /// with them. By real time, whatever the runtime's clock: one that is moved on by a test leaves
    /// nobody the time to look.
    pub(super) fn was_given_up(&self) -> bool {
        self.left.is_some_and(|left| left.elapsed() >= GIVEN_UP)
    }

    /// Pending now and then, where nothing else is: a peer that never stops must not keep the
    /// thread from its other tasks and its timers.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.at_once < AT_ONCE {
            self.at_once += 1;
            return Poll::Ready(());
        }
        self.at_once = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    pub(super) fn wake(&self, term: Term, phase: Phase) -> Wake {
        Wake { term, phase, spell: None, wait: None }
    }

    /// Steps `endpoint` until it is done, fails, or has to wait; its own deadline bounds the whole.
    pub(super) fn poll<E: Endpoint<R>, T>(
        &mut self,
        wake: &mut Wake,
        endpoint: &mut E,
        cx: &mut Context<'_>,
        step: impl FnMut(&mut E, Instant) -> Result<Step<T>>,
    ) -> Poll<Result<T>> {
        let polled = self.poll_done(wake, endpoint, cx, step);
        if polled.is_pending() {
            self.at_once = 0;
            self.left = Some(Instant::now());
        }
        let done = ready!(polled);
        self.left = None;
        // What comes under the same term is another operation, and waits for nothing yet.
        wake.wait = None;
        self.notices.end(ITSELF);
        self.news.ended(&done);
        // A subscriber is the host's and may panic. What has come is not put at risk: the news that
        // came with it are told with the next step.
        if done.is_err() {
            self.tell_news(endpoint);
        }
        Poll::Ready(done.map_err(|error| wake.term.sign(error.at(endpoint.path()), R::now())))
    }

    fn poll_done<E: Endpoint<R>, T>(
        &mut self,
        wake: &mut Wake,
        endpoint: &mut E,
        cx: &mut Context<'_>,
        mut step: impl FnMut(&mut E, Instant) -> Result<Step<T>>,
    ) -> Poll<Result<T>> {
        let mut came = match wake.wait {
            Some(wait) => ready!(self.poll_wait(endpoint, wait, R::now(), cx)),
            None => {
                self.tell_news(endpoint);
                Ok(Came::Something)
            }
        };
        for _ in 0..STEPS_A_POLL {
            let now = R::now();
            let quiet = match came.map_err(|error| Error::system(error, wake.phase))? {
                // Spares a step and its system calls.
                Came::Time => endpoint.look(now, wake.term.deadline),
                Came::Something => None,
            };
            let wait = match quiet {
                Some(wait) => wait,
                None => match step(endpoint, now)? {
                    Step::Wait(wait) => wait,
                    Step::Done(value) => {
                        if let Some(spell) = &wake.spell {
                            self.pause.end(spell, now);
                        }
                        return Poll::Ready(Ok(value));
                    }
                },
            };
            // Before the next step, which may find something.
            self.tell_news(endpoint);
            if wait.readable {
                let spell = wake.spell.get_or_insert_with(|| self.pause.begin(now));
                if let Some(moment) = self.pause.look_again(spell, now) {
                    moment.pass();
                    came = Ok(Came::Something);
                    continue;
                }
            }
            self.notices.begin(ITSELF, wake.term.began, wake.phase);
            let (notice, wait) = self.notices.due(now, wait);
            if let Some(notice) = notice {
                notice.tell(endpoint.path());
            }
            if wait.until.passed(now) {
                break;
            }
            wake.wait = Some(wait);
            came = ready!(self.poll_wait(endpoint, wait, now, cx));
        }
        // There is more to do, and other tasks come first.
        wake.wait = None;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn tell_news(&mut self, endpoint: &impl Endpoint<R>) {
        let news = self.news.due(endpoint.path(), || endpoint.tally(), R::now);
        if let Some(news) = news {
            news.tell();
        }
    }

    fn poll_wait(
        &mut self,
        endpoint: &mut impl Endpoint<R>,
        wait: Wait,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Came>> {
        let ends = wait.readable || wait.writable;
        if ends {
            if let Poll::Ready(ready) = endpoint.poll_ready(cx) {
                return Poll::Ready(ready.map(|()| Came::Something));
            }
        }
        let came = if ends { Came::Time } else { Came::Something };
        self.alarm.poll_by(wait.until, now, cx).map(|()| Ok(came))
    }
}

/// Steps `endpoint` until it is done or fails.
pub(super) async fn drive<R: Runtime, E: Endpoint<R>, T>(
    waiter: &mut Waiter<R>,
    endpoint: &mut E,
    term: Term,
    phase: Phase,
    mut step: impl FnMut(&mut E, Instant) -> Result<Step<T>>,
) -> Result<T> {
    let mut wake = waiter.wake(term, phase);
    poll_fn(|cx| waiter.poll(&mut wake, endpoint, cx, &mut step)).await
}

impl<R: Runtime, F: Framing> Endpoint<R> for Incoming<ReadOpener<R::Reader>, F> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_mut().map_or(Poll::Pending, |end| end.held_mut().poll_ready(cx))
    }

    fn look(&mut self, now: Instant, deadline: Deadline) -> Option<Wait> {
        self.look(now, deadline)
    }

    fn tally(&self) -> Tally {
        self.tally()
    }
}

impl<R: Runtime, F: Framing> Endpoint<R> for Outgoing<WriteOpener<R::Writer>, F> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_mut().map_or(Poll::Pending, |end| end.held_mut().poll_ready(cx))
    }

    fn look(&mut self, now: Instant, deadline: Deadline) -> Option<Wait> {
        self.look(now, deadline)
    }

    fn tally(&self) -> Tally {
        self.tally()
    }
}
