//! A writing end and its path: opened once somebody reads, and left when the path names another
//! FIFO.

use std::time::Instant;

use super::open::Opening;
use super::step::Step;
use super::writing_end::WritingEnd;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Standing};
use crate::stats::EndStats;

/// A writing end, open or not.
#[derive(Debug)]
pub(crate) struct WriteSide<O: Opener> {
    /// Before the opener, so that it is closed first: closing a watch may take the kernel a while.
    open: Option<WritingEnd<O::End>>,
    opener: O,
    opening: Opening,
    stats: EndStats,
}

impl<O: Opener<End: Sink>> WriteSide<O> {
    pub(crate) fn new(opener: O) -> Self {
        Self { open: None, opener, opening: Opening::new(), stats: EndStats::default() }
    }

    pub(crate) fn opener(&self) -> &O {
        &self.opener
    }

    pub(crate) fn stats(&self) -> EndStats {
        EndStats { refused: self.opening.refused(), ..self.stats }
    }

    pub(crate) fn end(&self) -> Option<&O::End> {
        self.open.as_ref().map(WritingEnd::end)
    }

    pub(crate) fn end_mut(&mut self) -> Option<&mut O::End> {
        self.open.as_mut().map(WritingEnd::end_mut)
    }

    /// Opens the end: done once a reader is there. Woken by the watch or by the timer, it is the
    /// same: an attempt costs microseconds.
    pub(crate) fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        if self.open.is_some() {
            return Ok(Step::Done(()));
        }
        let step = self.opening.step(&mut self.opener, now, deadline)?;
        Ok(step.map(|end| {
            self.open = Some(WritingEnd::new(end, now));
            self.opening.end();
            self.stats.opened += 1;
        }))
    }

    /// Why the end is not open, where attempts were refused.
    pub(crate) fn refusal(&self) -> Option<Error> {
        self.opening.refusal().filter(|_| self.open.is_none())
    }

    /// Whoever waited for the end has stopped; the next one begins with short delays again.
    pub(crate) fn stop_opening(&mut self) {
        self.opening.end();
    }

    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Whether the end is open and nobody reads from it.
    pub(crate) fn is_deserted(&self) -> bool {
        self.end().is_some_and(|end| !end.has_reader())
    }

    /// Whether it is time to look at the path again.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.open.as_ref().is_some_and(|open| open.is_due(now))
    }

    /// Whether the end is open and stands where its path leads, as far as it is time to know. What
    /// to do where it does not is for a [`check`](Self::check).
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn still_stands(&mut self, now: Instant) -> bool {
        self.opener.settle();
        self.open.as_mut().is_some_and(|open| open.still_stands(now))
    }

    /// Looks whether the path still leads here; an end that was replaced is closed.
    pub(crate) fn check(&mut self, now: Instant) -> Result<Standing> {
        let Some(open) = &mut self.open else { return Ok(Standing::Same) };
        self.opener.settle();
        let standing = open.check(now)?;
        if standing == Standing::Replaced {
            self.open = None;
            self.stats.replaced += 1;
        }
        Ok(standing)
    }

    /// When it is time to look at the path again; an end that is closed has nothing to be looked
    /// after.
    pub(crate) fn next_check(&self) -> Deadline {
        self.open.as_ref().map_or(Deadline::NEVER, WritingEnd::next_check)
    }
}
