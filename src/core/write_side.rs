//! A writing end and its path: opened once somebody reads, and left when the path names another
//! FIFO.

use std::time::Instant;

use super::open::Opening;
use super::retry::next_check;
use super::step::Step;
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::pipe::{Opener, Sink, Standing};

/// A writing end, open or not.
#[derive(Debug)]
pub(crate) struct WriteSide<O: Opener> {
    /// Before the opener, so that it is closed first: closing a watch may take the kernel a while.
    end: Option<O::End>,
    opener: O,
    opening: Opening,
    next_check: Option<Instant>,
}

impl<O: Opener<End: Sink>> WriteSide<O> {
    pub(crate) fn new(opener: O) -> Self {
        Self { end: None, opener, opening: Opening::new(), next_check: None }
    }

    pub(crate) fn opener(&self) -> &O {
        &self.opener
    }

    pub(crate) fn end(&self) -> Option<&O::End> {
        self.end.as_ref()
    }

    pub(crate) fn end_mut(&mut self) -> Option<&mut O::End> {
        self.end.as_mut()
    }

    /// Opens the end: done once a reader is there. Woken by the watch or by the timer, it is the
    /// same: an attempt costs microseconds.
    pub(crate) fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        if self.end.is_some() {
            return Ok(Step::Done(()));
        }
        let step = self.opening.step(&mut self.opener, now, deadline)?;
        Ok(step.map(|end| {
            self.end = Some(end);
            self.opening = Opening::new();
            self.next_check = Some(next_check(now));
        }))
    }

    /// Why the end is not open, where attempts were refused.
    pub(crate) fn refusal(&self) -> Option<Error> {
        self.opening.refusal().filter(|_| self.end.is_none())
    }

    /// Whoever waited for the end has stopped; the next one begins with short delays again.
    pub(crate) fn stop_opening(&mut self) {
        self.opening = Opening::new();
    }

    pub(crate) fn close(&mut self) {
        self.end = None;
        // Nothing is left to look after, and nobody is to wake for it.
        self.next_check = None;
    }

    /// Whether the end is open and nobody reads from it.
    pub(crate) fn is_deserted(&self) -> bool {
        self.end.as_ref().is_some_and(|end| !end.has_reader())
    }

    /// Whether it is time to look at the path again.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.end.is_some() && self.next_check.is_none_or(|at| now >= at)
    }

    /// Looks whether the path still leads here; an end that was replaced is closed.
    pub(crate) fn check(&mut self, now: Instant) -> Result<Standing> {
        let Some(end) = &self.end else { return Ok(Standing::Same) };
        self.next_check = Some(next_check(now));
        self.opener.settle();
        let standing = end.standing().map_err(|error| Error::system(error, Phase::Write))?;
        if standing == Standing::Replaced {
            self.close();
        }
        Ok(standing)
    }

    /// When it is time to look at the path again.
    pub(crate) fn next_check(&self) -> Deadline {
        self.next_check.map_or(Deadline::NEVER, Deadline::at)
    }
}
