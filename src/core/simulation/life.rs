//! A life of an endpoint, driven as the front ends drive it: a step is due when what the last one
//! asked for has come, and a waiter looks when it was woken or when its time is over.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::process::{Process, ReadOpener, WriteOpener};
use crate::core::errand::{Errand, Key};
use crate::core::link::Directions;
use crate::core::script::wakes;
use crate::core::session::Session;
use crate::core::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::Result;

/// A session in the hands of a process.
#[derive(Debug)]
pub(super) struct Life<S> {
    pub(super) session: S,
    pub(super) process: Rc<Process>,
    /// What the last step asked to wait for; `None` where another is due at once.
    wait: Option<Wait>,
    opened: bool,
    /// Whether each step waits for what the last one asked for. A life that does not is stepped at
    /// any time, as threads that share a session step it.
    pub(super) patient: bool,
    /// Until this action of the run the process is not given the processor.
    pub(super) asleep_until: u64,
}

/// An errand on its way.
#[derive(Debug)]
pub(super) struct Visit<E> {
    pub(super) errand: E,
    pub(super) key: Key,
    pub(super) deadline: Deadline,
    /// Whether there may be something to look at.
    pub(super) woken: bool,
    /// Whether it may look once more when its time is over, after another step.
    pub(super) lingers: bool,
}

/// How long nobody may have looked for something to read before a visit looks first, as in the
/// front ends.
const SILENCE: Duration = Duration::from_millis(1);

impl<S: Session<R = ReadOpener, W = WriteOpener>> Life<S> {
    pub(super) fn new(session: S, process: Rc<Process>, patient: bool) -> Self {
        Self { session, process, wait: None, opened: false, patient, asleep_until: 0 }
    }

    /// Whether a front end would step now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.wait.is_none_or(|wait| wakes(self.session.link(), wait, now))
    }

    /// What it waits for.
    pub(super) fn wait(&self) -> Option<Wait> {
        self.wait
    }

    /// There is something to do that no end tells of.
    pub(super) fn rouse(&mut self) {
        self.wait = None;
    }

    /// From here on nothing happens to it, and it is stepped when it is due and at no other time.
    pub(super) fn make_peace(&mut self) {
        self.process.spare();
        self.asleep_until = 0;
        if !std::mem::replace(&mut self.patient, true) {
            self.rouse();
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.opened && !self.process.is_dead()
    }

    /// One step; what was opened before the process died is of no use to it.
    pub(super) fn step(&mut self, now: Instant, directions: Directions) {
        if !self.opened {
            return self.step_open(now);
        }
        match self.session.step(now, directions) {
            // Whoever has left reading out is to hear of what there is to read all the same.
            Ok(wait) => {
                self.wait = Some(Wait { readable: wait.readable || !directions.read, ..wait })
            }
            Err(error) => assert!(self.process.is_dead(), "a step fails: {error:?}"),
        }
    }

    fn step_open(&mut self, now: Instant) {
        match self.session.step_open(now, Deadline::NEVER) {
            Ok(Step::Done(())) => (self.opened, self.wait) = (true, None),
            Ok(Step::Wait(wait)) => self.wait = Some(wait),
            Err(error) => assert!(self.process.is_dead(), "opening fails: {error:?}"),
        }
    }

    /// The first step of somebody who has just begun an errand: what was queued is written, and
    /// only after a silence is there anything to read.
    pub(super) fn step_first(&mut self, now: Instant) {
        let heard_at = self.session.link().heard_at();
        let read = heard_at.is_none_or(|at| now >= at + SILENCE);
        self.step(now, Directions { read, write: true });
        if !read {
            self.rouse();
        }
    }

    /// Begins an errand; a step is due then.
    pub(super) fn begin<E: Errand<S>>(
        &mut self,
        mut errand: E,
        deadline: Deadline,
    ) -> Result<Visit<E>> {
        let key = errand.begin(&mut self.session)?;
        self.rouse();
        Ok(Visit { errand, key, deadline, woken: true, lingers: false })
    }

    /// Looks for the answer; with it the errand leaves. The dead see nothing.
    pub(super) fn look<E: Errand<S>>(
        &mut self,
        visit: &mut Visit<E>,
        now: Instant,
    ) -> Option<Result<E::Answer>> {
        visit.woken = false;
        let answer = visit.errand.look(&mut self.session, now);
        if self.process.is_dead() {
            return None;
        }
        let late = visit.deadline.passed(now) && answer.is_none();
        assert!(!late || visit.lingers, "an errand outlives its deadline");
        if late {
            visit.lingers = false;
            self.rouse();
        }
        if answer.is_some() {
            self.leave(visit);
        }
        answer
    }

    /// An errand leaves. What that had to say to the peer is written with the next step.
    pub(super) fn leave<E: Errand<S>>(&mut self, visit: &mut Visit<E>) {
        visit.errand.leave(&mut self.session);
        if self.session.has_output() {
            self.rouse();
        }
    }

    /// Who is to look, as the session says since this was asked last.
    pub(super) fn wakeups(&mut self) -> Vec<Key> {
        std::mem::take(self.session.wakeups())
    }
}

impl<E> Visit<E> {
    /// Hears of the wake-ups.
    pub(super) fn hear(&mut self, keys: &[Key]) {
        self.woken |= keys.contains(&self.key);
    }

    pub(super) fn may_look(&self, now: Instant) -> bool {
        self.woken || self.deadline.passed(now)
    }
}
