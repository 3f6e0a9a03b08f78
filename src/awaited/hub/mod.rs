//! Several tasks, one connection, and no task of its own: whatever wakes the connection steps it.
//!
//! Every waiting task leaves its waker here. The runtime knows one waker for the whole connection,
//! the hub's; when a descriptor or the timer calls it, the session is stepped there and then, and
//! those for whom something has come are woken. So no task depends on another being polled: one
//! that is woken and never looks, because it waits for something else meanwhile, holds up nobody.
//! Whoever finds the hub taken leaves word ([`Hub::again`]), and the one that has it looks once
//! more.

#[cfg(test)]
#[cfg(shuttle)]
mod checked;
mod handle;
mod visit;

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::hash::BuildHasherDefault;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant};

use super::alarm::Alarm;
use super::runtime::{Ready, Runtime};
use crate::core::calls::Spread;
use crate::core::errand::{Errand, Key};
use crate::core::link::Directions;
use crate::core::session::Session;
use crate::core::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::front::{Common, LinkNews, LinkReport, Notice, Notices, Pause, Term};
use crate::pipe::Opener;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};
pub(super) use handle::Handle;
pub(super) use visit::Visit;

/// What tasks share: a session over ends that a runtime keeps.
pub(super) trait Shared:
    Session<R: Opener<End: Ready>, W: Opener<End: Ready>> + Send + 'static
{
}

impl<S: Session<R: Opener<End: Ready>, W: Opener<End: Ready>> + Send + 'static> Shared for S {}

/// A session and the tasks that wait on it.
pub(super) struct Hub<R: Runtime, S> {
    state: Mutex<State<R, S>>,
    /// Whether somebody came for a turn while another had it.
    again: AtomicBool,
    /// Gives the hub a turn.
    waker: Waker,
    /// Where ends and timers are registered, whichever thread opens them.
    place: R::Place,
}

struct State<R: Runtime, S> {
    session: S,
    alarm: Alarm<R::Timer>,
    pause: Pause,
    notices: Notices,
    news: LinkNews,
    waiting: HashMap<Key, Waiting, BuildHasherDefault<Spread>>,
    /// When the first of those that wait wants to look; it may have left since.
    soonest: Deadline,
    /// Wakers of tasks that wait no longer: to be dropped outside of the lock, because they may own
    /// their tasks, and those may own what takes the lock.
    discarded: Vec<Waker>,
}

struct Waiting {
    waker: Waker,
    deadline: Deadline,
}

/// No waiter has this key.
const NOBODY: Key = Key::MAX;

/// Steps without a pause before other tasks have their turn. Under the checker so few that every
/// turn uses them up.
const STEPS_A_TURN: usize = if cfg!(all(test, shuttle)) { 1 } else { 16 };

/// When a turn that used up its steps goes on, should no task do so before.
const BREATH: Duration = Duration::from_millis(1);

impl<R: Runtime, S: Shared> Hub<R, S> {
    /// Opens a session that tasks can then share.
    pub(super) async fn open(mut session: S, common: &Common, term: Term) -> Result<Handle<R, S>> {
        let mut alarm = Alarm::<R::Timer>::new();
        let mut notices = Notices::new(&common.observer);
        poll_fn(|cx| {
            loop {
                let now = R::now();
                let wait = match session.step_open(now, term.deadline) {
                    Ok(Step::Done(())) => return Poll::Ready(Ok(())),
                    Ok(Step::Wait(wait)) => wait,
                    Err(error) => return Poll::Ready(Err(term.sign(error, now))),
                };
                notices.begin(NOBODY, term.began, Phase::Open);
                let (notice, wait) = notices.due(now, wait);
                notice.inspect(|notice| notice.tell(session.path(Phase::Read)));
                ready!(alarm.poll_by(wait.until, now, cx));
            }
        })
        .await?;
        notices.end(NOBODY);
        let state = State {
            session,
            alarm,
            pause: Pause::of_a_task(common.spin),
            notices,
            news: LinkNews::default(),
            waiting: HashMap::default(),
            soonest: Deadline::NEVER,
            discarded: Vec::new(),
        };
        Ok(Handle::new(Arc::new_cyclic(|hub: &Weak<Self>| Self {
            state: Mutex::new(state),
            again: AtomicBool::new(false),
            waker: Waker::from(Arc::new(Turn(hub.clone()))),
            place: R::place(),
        })))
    }

    /// Works on the session without waiting.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut S) -> T) -> T {
        self.with_state(|state| work(&mut state.session))
    }

    /// Works on the session and on who waits for it, and wakes whom that gave something to look at.
    fn with_state<T>(&self, work: impl FnOnce(&mut State<R, S>) -> T) -> T {
        let mut rouse = Rouse::new(self);
        let mut state = self.lock();
        let done = work(&mut state);
        state.wake_ready(None, &mut rouse.woken);
        let discarded = std::mem::take(&mut state.discarded);
        drop(state);
        let woken = rouse.disarm();
        drop(discarded);
        wake(woken);
        self.hear_again();
        done
    }

    /// The time by the clock of its place, wherever that is asked for.
    pub(super) fn now(&self) -> Instant {
        R::within(&self.place, R::now)
    }

    /// Adds to an error what the session knows of it, and the times of its call.
    pub(super) fn sign(&self, error: Error, phase: Phase, term: Term) -> Error {
        let placed = self.with(|session| session.place(error, phase));
        term.sign(placed, self.now())
    }

    /// Works on the session and moves what that gave to move, without waiting.
    pub(super) fn nudge(&self, work: impl FnOnce(&mut S)) {
        self.with_state(|state| {
            work(&mut state.session);
            self.write(state);
        });
    }

    /// Writes what there is to write, for nobody to wait for.
    fn write(&self, state: &mut State<R, S>) {
        let only_write = Directions { read: false, write: true };
        let ready = R::within(&self.place, || {
            let now = R::now();
            // A failure has nobody here to be told; whoever steps next meets it again.
            let wait = state.session.step(now, only_write).unwrap_or(Wait::until(now));
            let mut cx = Context::from_waker(&self.waker);
            !state.waiting.is_empty() && state.is_ready(wait, now, &mut cx)
        });
        if ready {
            self.again.store(true, Ordering::SeqCst);
        }
    }

    /// Runs an errand to its end, which comes by its deadline.
    pub(super) fn run<E: Errand<S>>(
        &self,
        errand: E,
        term: Term,
        phase: Phase,
    ) -> Visit<&Self, R, S, E> {
        Visit::new(self, errand, term, phase)
    }

    /// Steps the session for those that wait, wherever this is called.
    fn turn(&self) {
        self.again.store(true, Ordering::SeqCst);
        let (mut notice, mut report) = (None, None);
        let mut discarded = Vec::new();
        let mut rouse = Rouse::new(self);
        for step in 1..=STEPS_A_TURN {
            if !self.again.load(Ordering::SeqCst) {
                break;
            }
            let mut state = match self.state.try_lock() {
                Ok(state) => state,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // Whoever has it looks for the word that was left.
                Err(TryLockError::WouldBlock) => break,
            };
            self.again.store(false, Ordering::SeqCst);
            let mut cx = Context::from_waker(&self.waker);
            notice = notice.or(state.notice());
            state.turn(&mut cx, &mut rouse.woken);
            report = report.or_else(|| state.report());
            // The runtime may ask for patience by calling at once: then a task goes on. It does so
            // after the last step too, because nobody looks here any more for a word that is left
            // from now on.
            if step == STEPS_A_TURN || self.again.load(Ordering::SeqCst) {
                state.wake_any(&mut rouse.woken);
            }
            discarded.append(&mut state.discarded);
        }
        let woken = rouse.disarm();
        drop(discarded);
        wake(woken);
        tell(notice, report);
    }

    /// After the hub was taken: takes the turn that somebody may have come for meanwhile.
    fn hear_again(&self) {
        if self.again.load(Ordering::SeqCst) {
            R::within(&self.place, || self.turn());
        }
    }

    /// A panic inside a step poisons the lock; the session is in order between any two bytes, so
    /// those that wait go on ([`Rouse`]).
    fn lock(&self) -> MutexGuard<'_, State<R, S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Runtime, S: Shared> State<R, S> {
    fn turn(&mut self, cx: &mut Context<'_>, woken: &mut Vec<Waker>) {
        for _ in 0..STEPS_A_TURN {
            if self.waiting.is_empty() {
                return;
            }
            let now = R::now();
            let stepped = self.session.step(now, Directions { read: true, write: true });
            let Ok(wait) = stepped else {
                // Each meets the failure in a step of its own.
                woken.extend(self.waiting.drain().map(|(_, waiting)| waiting.waker));
                return;
            };
            self.wake_ready(None, woken);
            self.wake_late(now, woken);
            if self.waiting.is_empty() || !self.is_ready(wait, now, cx) {
                return;
            }
        }
        self.wake_any(woken);
        let now = R::now();
        let later = Deadline::after(now, BREATH);
        // An instant that has just passed is answered for first, and leaves nothing set.
        if self.alarm.poll_by(later, now, cx).is_ready() {
            let _ = self.alarm.poll_by(later, now, cx);
        }
    }

    /// Whether it is time for another step; where it is not, the hub is called when it is.
    fn is_ready(&mut self, wait: Wait, now: Instant, cx: &mut Context<'_>) -> bool {
        let (_, wait) = self.notices.due(now, wait);
        let until = wait.until.earlier(self.soonest);
        if until.passed(now) {
            return true;
        }
        // All are asked, so that all remember the hub. A failure is met by the next step.
        let (reader, writer) = self.session.link_mut().ends_mut();
        let reader = reader.filter(|_| wait.readable);
        let writer = writer.filter(|_| wait.writable);
        let readable = reader.is_some_and(|end| is_some_news(end.poll_ready(cx)));
        let writable = writer.is_some_and(|end| is_some_news(end.poll_ready(cx)));
        let late = self.alarm.poll_by(until, now, cx).is_ready();
        readable || writable || late
    }

    /// Takes the wakers of those for whom something has come, but for the one that is here anyway.
    fn wake_ready(&mut self, here: Option<Key>, woken: &mut Vec<Waker>) {
        let waiting = &mut self.waiting;
        for key in self.session.wakeups().drain(..).filter(|key| Some(*key) != here) {
            woken.extend(waiting.remove(&key).map(|waiting| waiting.waker));
        }
    }

    /// Takes the wakers of those whose deadlines have come.
    fn wake_late(&mut self, now: Instant, woken: &mut Vec<Waker>) {
        if !self.soonest.passed(now) {
            return;
        }
        self.waiting.retain(|_, waiting| {
            let late = waiting.deadline.passed(now);
            woken.extend(late.then(|| waiting.waker.clone()));
            !late
        });
        let deadlines = self.waiting.values().map(|waiting| waiting.deadline);
        self.soonest = deadlines.fold(Deadline::NEVER, Deadline::earlier);
    }

    /// A notice that is due, and the FIFO it is about.
    fn notice(&mut self) -> Option<(PathBuf, Notice)> {
        if self.notices.is_empty() {
            return None;
        }
        let (notice, _) = self.notices.due(R::now(), Wait::readable(Deadline::NEVER));
        notice.map(|notice| {
            let phase = self.session.waits_in(notice.phase());
            (self.session.path(phase).to_path_buf(), notice.in_phase(phase))
        })
    }

    /// What there is to tell of the connection.
    fn report(&mut self) -> Option<LinkReport> {
        self.news.due(&self.session, R::now)
    }

    fn wake_any(&mut self, woken: &mut Vec<Waker>) {
        let any = self.waiting.keys().next().copied();
        woken.extend(any.and_then(|key| self.waiting.remove(&key)).map(|waiting| waiting.waker));
    }

    /// Whether the hub is called when something comes, by this deadline at the latest, because
    /// others wait for that.
    fn listens_until(&self, deadline: Deadline) -> bool {
        !self.waiting.is_empty() && self.soonest.earlier(deadline) == self.soonest
    }

    fn wait(&mut self, key: Key, waker: &Waker, deadline: Deadline) {
        self.soonest = self.soonest.earlier(deadline);
        let before = self.waiting.insert(key, Waiting { waker: waker.clone(), deadline });
        self.discarded.extend(before.map(|waiting| waiting.waker));
    }

    /// Whoever has this key waits no longer.
    fn stop_waiting(&mut self, key: Key) {
        self.discarded.extend(self.waiting.remove(&key).map(|waiting| waiting.waker));
    }
}

/// Should a step panic, those that wait have nobody who listens for them any more: they are woken,
/// to step for themselves, and with them those for whom something had come before.
struct Rouse<'a, R: Runtime, S: Shared> {
    hub: &'a Hub<R, S>,
    woken: Vec<Waker>,
}

impl<'a, R: Runtime, S: Shared> Rouse<'a, R, S> {
    fn new(hub: &'a Hub<R, S>) -> Self {
        Self { hub, woken: Vec::new() }
    }

    /// Nothing has panicked: answers whom to wake.
    fn disarm(mut self) -> Vec<Waker> {
        let woken = std::mem::take(&mut self.woken);
        std::mem::forget(self);
        woken
    }
}

impl<R: Runtime, S: Shared> Drop for Rouse<'_, R, S> {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut self.hub.lock().waiting);
        let mut woken = std::mem::take(&mut self.woken);
        woken.extend(waiting.into_values().map(|waiting| waiting.waker));
        wake(woken);
    }
}

/// Called by the runtime. It knows the hub only as long as somebody else does: a connection that
/// nobody holds any more is gone, whatever the runtime still remembers.
struct Turn<R: Runtime, S>(Weak<Hub<R, S>>);

impl<R: Runtime, S: Shared> Wake for Turn<R, S> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(hub) = self.0.upgrade() {
            hub.turn();
        }
    }
}

impl<R: Runtime, S> fmt::Debug for Hub<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// Whether a poll answered anything at all.
fn is_some_news(polled: Poll<io::Result<()>>) -> bool {
    polled.is_ready()
}

/// Outside of the lock: who is told is the host's, and may look at this very session.
fn tell(notice: Option<(PathBuf, Notice)>, report: Option<LinkReport>) {
    notice.inspect(|(path, notice)| notice.tell(path));
    if let Some(report) = report {
        report.tell();
    }
}

/// Outside of the lock: a waker is the host's, and may do anything.
fn wake(woken: Vec<Waker>) {
    woken.into_iter().for_each(Waker::wake);
}
