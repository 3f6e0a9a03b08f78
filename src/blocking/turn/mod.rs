//! Several threads, one connection, and no thread of its own: whoever waits takes a turn at
//! waiting for all.
//!
//! Every step is taken under the lock and waits for nothing; sleeping happens outside of it. A
//! thread whose event has not come either *leads*, that is sleeps on the descriptors, or *parks*
//! until a leader has stepped its event in. The one rule that keeps anybody from being forgotten:
//! a thread parks only while leaders watch for everything the session waits for, and a leader that
//! leaves wakes another to take its place. A leader for whom something has come while it sleeps is
//! called by a bell that all leaders listen to. A single caller never meets any of this: it leads,
//! alone.

#[cfg(test)]
#[cfg(shuttle)]
mod checked;
mod ends;
mod visit;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::core::errand::{Errand, Key};
use crate::core::link::Directions;
use crate::core::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::front::{Common, LinkNews, LinkReport, Notices, Pause, Term};
use crate::sync::{self, Bell, Condvar, Mutex, MutexGuard};
use crate::trace::Span;
pub(crate) use ends::{Shared, SleptOn};
pub(crate) use visit::Visit;

/// A session and the threads that wait on it.
#[derive(Debug)]
pub(crate) struct Turn<S> {
    state: Mutex<State<S>>,
    /// Rung while a leader is called.
    bell: Bell,
}

#[derive(Debug)]
struct State<S> {
    session: S,
    pause: Pause,
    notices: Notices,
    news: LinkNews,
    /// What the session waited for as of the last step.
    wanted: Wait,
    leaders: Vec<Leader>,
    parked: BTreeMap<Key, Arc<Condvar>>,
    spare: Vec<Arc<Condvar>>,
}

/// A thread that sleeps on the descriptors.
#[derive(Debug)]
struct Leader {
    key: Key,
    /// What it sleeps for.
    wait: Wait,
    /// Whether it is to wake and look: the bell rings until it does.
    called: bool,
}

/// How many parking places are kept for reuse.
const SPARES: usize = 16;

/// No waiter has this key.
const NOBODY: Key = Key::MAX;

/// How long a thread parks at most before it looks for itself.
const LOOK_UP: Duration = Duration::from_secs(1);

impl<S: Shared> Turn<S> {
    pub(crate) fn new(session: S, common: &Common) -> Result<Self> {
        let state = State {
            session,
            pause: Pause::of_a_thread(common.spin),
            notices: Notices::new(&common.observer),
            news: LinkNews::default(),
            wanted: Wait::readable(Deadline::NEVER),
            leaders: Vec::new(),
            parked: BTreeMap::new(),
            spare: Vec::new(),
        };
        let bell = Bell::new().map_err(|error| Error::system(error, Phase::Open))?;
        Ok(Self { state: Mutex::new(state), bell })
    }

    /// Opens the session, before anybody else can wait on it.
    pub(crate) fn open(&self, term: Term) -> Result<()> {
        let mut now = term.began;
        loop {
            let mut state = self.lock();
            state.notices.begin(NOBODY, term.began, Phase::Open);
            let wait = match state.session.step_open(now, term.deadline) {
                Ok(Step::Done(())) => {
                    state.notices.end(NOBODY);
                    return Ok(());
                }
                Ok(Step::Wait(wait)) => wait,
                Err(error) => return Err(term.sign(state.session.place(error, Phase::Open), now)),
            };
            let (notice, wait) = state.notices.due(now, wait);
            let (path, ends) =
                (state.session.path(Phase::Read).to_path_buf(), state.session.ends());
            drop(state);
            if let Some(notice) = notice {
                notice.tell(&path);
            }
            let slept = ends.sleep(&self.bell, wait, now);
            slept.map_err(|error| term.sign(error.at(&path), sync::now()))?;
            now = sync::now();
        }
    }

    /// Works on the session without waiting.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        let mut state = self.lock();
        let done = work(&mut state.session);
        state.wake_ready(NOBODY, &self.bell);
        done
    }

    /// Works on the session and moves what that gave to move, without waiting.
    ///
    /// A failure of the step has nobody here to be told; whoever steps next meets it again.
    pub(crate) fn nudge(&self, work: impl FnOnce(&mut S)) {
        let mut state = self.lock();
        work(&mut state.session);
        let _ = state.step(sync::now(), true);
        state.wake_ready(NOBODY, &self.bell);
        state.hand_over(&self.bell);
    }

    /// Runs an errand to its end, which comes by its deadline. `now` is the time, as the caller
    /// has just read it.
    pub(crate) fn run<E: Errand<S>>(
        &self,
        errand: E,
        now: Instant,
        term: Term,
        phase: Phase,
    ) -> Result<E::Answer> {
        self.run_in(&Span::none(), errand, now, term, phase)
    }

    /// As [`run`](Self::run), for an errand that has a span, which is told its key.
    pub(crate) fn run_in<E: Errand<S>>(
        &self,
        span: &Span,
        errand: E,
        now: Instant,
        term: Term,
        phase: Phase,
    ) -> Result<E::Answer> {
        // It stays where it is: to hand it on would be to copy it.
        let mut visit = Visit::new(self, errand, now, term, phase);
        let state = self.begin(span, &mut visit)?;
        visit.stay(state)
    }

    /// Begins an errand and moves what that gave to move, without waiting.
    pub(crate) fn begin_in<E: Errand<S>>(
        &self,
        span: &Span,
        errand: E,
        now: Instant,
        term: Term,
        phase: Phase,
    ) -> Result<Visit<'_, S, E>> {
        let mut visit = Visit::new(self, errand, now, term, phase);
        let mut state = self.begin(span, &mut visit)?;
        visit.write(&mut state);
        // Whoever watches may have to watch for more than before.
        state.hand_over(&self.bell);
        drop(state);
        Ok(visit)
    }

    fn begin<E: Errand<S>>(
        &self,
        span: &Span,
        visit: &mut Visit<'_, S, E>,
    ) -> Result<MutexGuard<'_, State<S>>> {
        let mut state = self.lock();
        let key = visit.begin(&mut state)?;
        if span.is_told() {
            drop(state);
            span.identify(key);
            state = self.lock();
        }
        Ok(state)
    }

    fn park<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<S>>,
        key: Key,
        most: Duration,
    ) -> MutexGuard<'a, State<S>> {
        let place = state.spare.pop().unwrap_or_default();
        state.parked.insert(key, Arc::clone(&place));
        let mut state = match place.wait_timeout(state, most) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        };
        state.parked.remove(&key);
        if state.spare.len() < SPARES {
            state.spare.push(place);
        }
        state
    }

    /// A panic inside a step poisons the lock; the session is in order between any two bytes, so
    /// those that wait go on.
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Shared> State<S> {
    /// Whether leaders watch for everything that `wait` names.
    fn is_led(&self, wait: Wait, own: Deadline) -> bool {
        // A parked thread keeps its own deadline itself.
        let timer = wait.until.instant().filter(|_| wait.until != own);
        let leaders = &self.leaders;
        leaders.iter().any(|leader| leader.wait.readable || !wait.readable)
            && (!wait.writable || leaders.iter().any(|leader| leader.wait.writable))
            && timer
                .is_none_or(|timer| leaders.iter().any(|leader| leader.wait.until.passed(timer)))
    }

    /// Moves bytes in the directions that nobody sleeps on.
    fn step(&mut self, now: Instant, read: bool) -> Result<Wait> {
        let directions = Directions {
            read: read && !self.leaders.iter().any(|leader| leader.wait.readable),
            write: !self.leaders.iter().any(|leader| leader.wait.writable),
        };
        let wait = self.session.step(now, directions)?;
        // Whether reading was left out or left to a leader, somebody must watch for it.
        self.wanted = Wait { readable: true, ..wait };
        Ok(wait)
    }

    /// What there is to tell of the connection.
    fn report(&mut self) -> Option<LinkReport> {
        self.news.due(&self.session, sync::now)
    }

    fn lead(&mut self, key: Key, wait: Wait) {
        self.leaders.push(Leader { key, wait, called: false });
    }

    /// A leader has woken. The bell rings on for others that are called and have not.
    fn resign(&mut self, key: Key, bell: &Bell) {
        let Some(at) = self.leaders.iter().position(|leader| leader.key == key) else { return };
        let called = self.leaders.swap_remove(at).called;
        if called && !self.leaders.iter().any(|leader| leader.called) {
            bell.silence();
        }
    }

    /// Wakes those for whom something has come, but for the one that is here anyway.
    fn wake_ready(&mut self, here: Key, bell: &Bell) {
        match self.session.wakeups().as_slice() {
            [] => {}
            [key] if *key == here => self.session.wakeups().clear(),
            _ => self.wake_others(here, bell),
        }
    }

    /// A thread that is alone never comes here, and shall not carry the code of it.
    #[inline(never)]
    fn wake_others(&mut self, here: Key, bell: &Bell) {
        let (parked, leaders) = (&self.parked, &mut self.leaders);
        for key in self.session.wakeups().drain(..).filter(|key| *key != here) {
            if let Some(place) = parked.get(&key) {
                place.notify_one();
            } else if let Some(leader) = leaders.iter_mut().find(|leader| leader.key == key) {
                leader.call(bell);
            }
        }
    }

    /// This thread leaves: where nobody watches in its place, another wakes to do so.
    fn hand_over(&mut self, bell: &Bell) {
        let alone = self.parked.is_empty() && self.leaders.is_empty();
        if !alone {
            self.hand_over_to_others(bell);
        }
    }

    /// A thread that is alone never comes here either.
    #[inline(never)]
    fn hand_over_to_others(&mut self, bell: &Bell) {
        if self.is_led(self.wanted, Deadline::NEVER) {
            return;
        }
        if let Some((_, place)) = self.parked.first_key_value() {
            place.notify_one();
        } else if let Some(leader) = self.leaders.first_mut() {
            leader.call(bell);
        }
    }
}

impl Leader {
    fn call(&mut self, bell: &Bell) {
        if !self.called {
            self.called = true;
            bell.ring();
        }
    }
}
