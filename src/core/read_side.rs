//! A reading end and its path: opened when it can be, renewed when the writers have left, and left
//! itself when the path names another FIFO.

use std::io;
use std::time::Instant;

use super::open::Opening;
use super::reading_end::ReadingEnd;
use super::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::pipe::{Opener, Read, Source, Standing};
use crate::stats::EndStats;

/// A reading end, open or not.
#[derive(Debug)]
pub(crate) struct ReadSide<O: Opener> {
    /// Before the opener, so that it is closed first: closing a watch may take the kernel a while.
    open: Option<ReadingEnd<O::End>>,
    opener: O,
    opening: Opening,
    stats: EndStats,
}

impl<O: Opener<End: Source>> ReadSide<O> {
    pub(crate) fn new(opener: O) -> Self {
        Self { open: None, opener, opening: Opening::new(), stats: EndStats::default() }
    }

    pub(crate) fn opener(&self) -> &O {
        &self.opener
    }

    pub(crate) fn end(&self) -> Option<&O::End> {
        self.open.as_ref().map(ReadingEnd::end)
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn end_mut(&mut self) -> Option<&mut O::End> {
        self.open.as_mut().map(ReadingEnd::end_mut)
    }

    pub(crate) fn stats(&self) -> EndStats {
        EndStats { refused: self.opening.refused(), ..self.stats }
    }

    /// Whether anybody has had the FIFO open for writing since this end was opened.
    pub(crate) fn had_writer(&self) -> bool {
        self.open.as_ref().is_some_and(ReadingEnd::had_writer)
    }

    /// Whether there were writers and all of them have left.
    pub(crate) fn is_deserted(&self) -> bool {
        self.open.as_ref().is_some_and(ReadingEnd::is_deserted)
    }

    /// Opens the end, so that a writer can come.
    pub(crate) fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        if self.open.is_some() {
            return Ok(Step::Done(()));
        }
        let step = self.opening.step(&mut self.opener, now, deadline)?;
        Ok(step.map(|end| {
            self.open = Some(ReadingEnd::new(end, now));
            self.opening.end();
            self.stats.opened += 1;
        }))
    }

    /// Reads once, by `fill`, into whatever it fills; an end that is not open has no writer.
    pub(crate) fn read(
        &mut self,
        fill: impl FnOnce(&mut O::End) -> io::Result<Read>,
    ) -> Result<Read> {
        self.open.as_mut().map_or(Ok(Read::NoWriterYet), |open| open.read(fill))
    }

    /// Whether a read would say that all writers have left.
    pub(crate) fn has_hung_up(&self) -> bool {
        self.open.as_ref().is_some_and(ReadingEnd::has_hung_up)
    }

    /// After the last writer left: a descriptor that is quiet again, on the FIFO that the path
    /// names now. One that was replaced is closed.
    pub(crate) fn renew(&mut self) -> Result<Standing> {
        let Some(open) = &mut self.open else { return Ok(Standing::Missing) };
        let standing = open.renew()?;
        self.stats.renewed += u64::from(standing == Standing::Same);
        self.leave_replaced(standing);
        Ok(standing)
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
        self.leave_replaced(standing);
        Ok(standing)
    }

    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    fn leave_replaced(&mut self, standing: Standing) {
        if standing == Standing::Replaced {
            self.open = None;
            self.stats.replaced += 1;
        }
    }

    /// What to wait for, where there is nothing to read now.
    pub(crate) fn wait(&self) -> Wait {
        // An end that was closed has nothing to be looked after, and nobody is to wake for it.
        let never = Wait::readable(Deadline::NEVER);
        self.open.as_ref().map_or(never, ReadingEnd::wait)
    }
}
