//! One thread's errand at a shared session: look, rest, look again, leave.

use std::time::{Duration, Instant};

use super::{LOOK_UP, NOBODY, Shared, SleptOn, State, Turn};
use crate::core::errand::{Errand, Key};
use crate::core::step::Wait;
use crate::error::{Error, Phase, Result};
use crate::front::{Spell, Term};
use crate::sync::{self, MutexGuard};

/// A thread and its errand. Whatever ends the visit, a panic in a codec or an observer included,
/// the errand leaves.
pub(crate) struct Visit<'a, S: Shared, E: Errand<S>> {
    turn: &'a Turn<S>,
    errand: E,
    key: Key,
    here: bool,
    term: Term,
    phase: Phase,
    now: Instant,
    /// Whether the next look reads too.
    read: bool,
    spell: Option<Spell>,
}

/// How long nobody may have looked for something to read before a visit looks first.
const SILENCE: Duration = Duration::from_millis(1);

impl<'a, S: Shared, E: Errand<S>> Visit<'a, S, E> {
    pub(super) fn new(
        turn: &'a Turn<S>,
        errand: E,
        now: Instant,
        term: Term,
        phase: Phase,
    ) -> Self {
        let (key, here, read) = (NOBODY, false, false);
        Self { turn, errand, key, here, term, phase, now, read, spell: None }
    }

    pub(super) fn begin(&mut self, state: &mut State<S>) -> Result<Key> {
        self.key =
            self.errand.begin(&mut state.session).map_err(|error| self.sign(state, error))?;
        self.here = true;
        // What was just queued is written first, and nothing is read: an answer cannot be there
        // before its request is. After a silence it is the other way round, because what is there
        // to be read may be that the peer has left.
        let heard_at = state.session.link().heard_at();
        self.read = heard_at.is_none_or(|at| self.now >= at + SILENCE);
        Ok(self.key)
    }

    /// By which key the session knows the errand.
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// Waits for the answer of an errand that was begun some time ago.
    pub(crate) fn finish(mut self) -> Result<E::Answer> {
        self.now = sync::now();
        self.read = true;
        let turn = self.turn;
        self.stay(turn.lock())
    }

    /// Waits for the answer.
    pub(super) fn stay(&mut self, mut state: MutexGuard<'a, State<S>>) -> Result<E::Answer> {
        loop {
            match self.look(&mut state) {
                Ok(answer) => {
                    self.leave(&mut state);
                    state.news.ended(&answer);
                    let report = state.report();
                    let answer = answer.map_err(|error| self.sign(&state, error));
                    drop(state);
                    if let Some(report) = report {
                        report.tell();
                    }
                    return answer;
                }
                Err(wait) => state = self.rest(state, wait)?,
            }
        }
    }

    /// Adds to an error where and when it came.
    #[cold]
    fn sign(&self, state: &State<S>, error: Error) -> Error {
        self.term.sign(state.session.place(error, self.phase), sync::now())
    }

    /// Moves what there is to move, for nobody to wait for. A failure of the step is met again by
    /// whoever steps next.
    pub(super) fn write(&self, state: &mut State<S>) {
        if state.session.has_output() {
            let _ = state.step(self.now, false);
            state.wake_ready(self.key, &self.turn.bell);
        }
    }

    /// Steps the session and looks for the answer; `Err` is what to wait for.
    fn look(&mut self, state: &mut State<S>) -> Result<Result<E::Answer>, Wait> {
        let stepped = match self.read || state.session.has_output() {
            true => state.step(self.now, self.read),
            false => Ok(Wait::until(self.now)),
        };
        state.wake_ready(self.key, &self.turn.bell);
        let wait = match stepped {
            Ok(wait) => wait,
            Err(error) => return Ok(Err(self.errand.fail(&mut state.session, error))),
        };
        self.errand
            .look(&mut state.session, self.now)
            .ok_or_else(|| wait.no_later_than(self.term.deadline))
    }

    /// Lets time pass: a moment, or until what `wait` names. Answers the lock, taken anew.
    fn rest<'s>(
        &mut self,
        mut state: MutexGuard<'s, State<S>>,
        wait: Wait,
    ) -> Result<MutexGuard<'s, State<S>>>
    where
        'a: 's,
    {
        let now = self.now;
        let spell = self.spell.get_or_insert_with(|| state.pause.begin(now));
        if !self.read {
            self.read = true;
            if let Some(moment) = state.pause.look_again(spell, now) {
                drop(state);
                moment.pass();
                state = self.turn.lock();
            }
            // Writing may have taken its time: the peer may have had this thread's core.
            self.now = sync::now();
            return Ok(state);
        }
        self.rest_longer(state, wait)
    }

    /// Lets time pass that the first look behind what was written did not save.
    #[inline(never)]
    fn rest_longer<'s>(
        &mut self,
        mut state: MutexGuard<'s, State<S>>,
        wait: Wait,
    ) -> Result<MutexGuard<'s, State<S>>>
    where
        'a: 's,
    {
        let now = self.now;
        let spell = self.spell.get_or_insert_with(|| state.pause.begin(now));
        if !E::IDLE {
            state.notices.begin(self.key, self.term.began, self.phase);
        }
        if state.is_led(wait, self.term.deadline) {
            // Without a deadline a parked thread still looks up now and then: it costs nothing,
            // and forgives whatever a host does to its threads.
            let most = self.term.deadline.remaining(now).unwrap_or(LOOK_UP).min(LOOK_UP);
            state = self.turn.park(state, self.key, most);
            self.now = sync::now();
            return Ok(state);
        }
        state.lead(self.key, wait);
        let led = Led { turn: self.turn, key: Some(self.key) };
        let moment = match wait.readable {
            true => state.pause.look_again(spell, now),
            false => None,
        };
        match moment {
            Some(moment) => {
                drop(state);
                moment.pass();
            }
            None => self.sleep(state, wait)?,
        }
        let state = led.resign();
        self.now = sync::now();
        Ok(state)
    }

    #[cold]
    fn sleep(&mut self, mut state: MutexGuard<'_, State<S>>, wait: Wait) -> Result<()> {
        let (turn, term, phase) = (self.turn, self.term, self.phase);
        let (notice, wait) = state.notices.due(self.now, wait);
        let session = &state.session;
        let notice = notice.map(|notice| {
            let phase = session.waits_in(notice.phase());
            (session.path(phase).to_path_buf(), notice.in_phase(phase))
        });
        let report = state.report();
        let ends = state.session.ends();
        drop(state);
        // Who is told is the host's: it may be slow, look at this very session, or panic.
        if let Some((path, notice)) = notice {
            notice.tell(&path);
        }
        if let Some(report) = report {
            report.tell();
        }
        let slept = ends.sleep(&turn.bell, wait, self.now);
        slept.map_err(|error| {
            let session = &mut turn.lock().session;
            let error = self.errand.fail(session, error);
            term.sign(session.place(error, phase), sync::now())
        })
    }

    /// The errand has its answer, or is given up.
    fn leave(&mut self, state: &mut State<S>) {
        self.here = false;
        state.notices.end(self.key);
        self.errand.leave(&mut state.session);
        // What it had to say to the peer at the end.
        self.write(state);
        // Its place may be another's now.
        state.wake_ready(self.key, &self.turn.bell);
        if let Some(spell) = self.spell.take() {
            state.pause.end(&spell, self.now);
        }
        state.hand_over(&self.turn.bell);
    }

    /// It was dropped without its answer.
    #[cold]
    fn abandon(&mut self) {
        // It may have been left alone for long.
        self.now = Instant::now();
        let mut state = self.turn.lock();
        self.leave(&mut state);
    }
}

impl<S: Shared, E: Errand<S>> Drop for Visit<'_, S, E> {
    fn drop(&mut self) {
        if self.here {
            self.abandon();
        }
    }
}

/// A thread that sleeps for all. Whatever ends its sleep, it resigns.
struct Led<'a, S: Shared> {
    turn: &'a Turn<S>,
    /// Taken when it resigns.
    key: Option<Key>,
}

impl<'a, S: Shared> Led<'a, S> {
    fn resign(mut self) -> MutexGuard<'a, State<S>> {
        let mut state = self.turn.lock();
        if let Some(key) = self.key.take() {
            state.resign(key, &self.turn.bell);
        }
        state
    }
}

impl<S: Shared> Drop for Led<'_, S> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let mut state = self.turn.lock();
            state.resign(key, &self.turn.bell);
            state.hand_over(&self.turn.bell);
        }
    }
}
