//! A reading end and its path: opened when it can be, renewed when the writers have left, and left
//! itself when the path names another FIFO.

use std::io;
use std::time::Instant;

use super::open::Opening;
use super::retry::next_check;
use super::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::pipe::{Opener, Read, Source, Standing};

/// A reading end, open or not.
#[derive(Debug)]
pub(crate) struct ReadSide<O: Opener> {
    /// Before the opener, so that it is closed first: closing a watch may take the kernel a while.
    end: Option<O::End>,
    opener: O,
    opening: Opening,
    next_check: Option<Instant>,
    had_writer: bool,
    /// Whether all writers have left, as of the last read.
    deserted: bool,
    /// Whether the last writers' departure is latched on a descriptor that cannot be renewed,
    /// because the path is gone: waiting for it to become readable would spin.
    latched: bool,
}

impl<O: Opener<End: Source>> ReadSide<O> {
    pub(crate) fn new(opener: O) -> Self {
        Self {
            end: None,
            opener,
            opening: Opening::new(),
            next_check: None,
            had_writer: false,
            deserted: false,
            latched: false,
        }
    }

    pub(crate) fn opener(&self) -> &O {
        &self.opener
    }

    pub(crate) fn end(&self) -> Option<&O::End> {
        self.end.as_ref()
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn end_mut(&mut self) -> Option<&mut O::End> {
        self.end.as_mut()
    }

    /// Whether anybody has had the FIFO open for writing since this end was opened.
    pub(crate) fn had_writer(&self) -> bool {
        self.had_writer
    }

    /// Whether there were writers and all of them have left.
    pub(crate) fn is_deserted(&self) -> bool {
        self.deserted
    }

    /// Opens the end, so that a writer can come.
    pub(crate) fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        if self.end.is_some() {
            return Ok(Step::Done(()));
        }
        let step = self.opening.step(&mut self.opener, now, deadline)?;
        Ok(step.map(|end| {
            self.end = Some(end);
            self.opening = Opening::new();
            self.had_writer = false;
            self.deserted = false;
            self.latched = false;
            self.next_check = Some(next_check(now));
        }))
    }

    /// Reads once, by `fill`, into whatever it fills; an end that is not open has no writer.
    pub(crate) fn read(
        &mut self,
        fill: impl FnOnce(&mut O::End) -> io::Result<Read>,
    ) -> Result<Read> {
        let Some(end) = &mut self.end else { return Ok(Read::NoWriterYet) };
        let read = fill(end).map_err(|error| Error::system(error, Phase::Read))?;
        match read {
            Read::Bytes(_) | Read::Empty => {
                self.had_writer = true;
                self.deserted = false;
                self.latched = false;
            }
            Read::WritersGone => {
                self.had_writer = true;
                self.deserted = true;
            }
            Read::NoWriterYet => {}
        }
        Ok(read)
    }

    /// Whether a read would say that all writers have left.
    pub(crate) fn has_hung_up(&self) -> bool {
        self.end.as_ref().is_some_and(Source::has_hung_up)
    }

    /// After the last writer left: a descriptor that is quiet again, on the FIFO that the path
    /// names now. One that was replaced is closed.
    pub(crate) fn renew(&mut self) -> Result<Standing> {
        let Some(end) = &mut self.end else { return Ok(Standing::Missing) };
        let standing = end.renew()?;
        self.latched = standing == Standing::Missing;
        if standing == Standing::Replaced {
            self.close();
        }
        Ok(standing)
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
        let standing = end.standing().map_err(|error| Error::system(error, Phase::Read))?;
        if standing == Standing::Replaced {
            self.close();
        }
        Ok(standing)
    }

    fn close(&mut self) {
        self.end = None;
        // Nothing is left to look after, and nobody is to wake for it.
        self.next_check = None;
    }

    /// What to wait for, where there is nothing to read now.
    pub(crate) fn wait(&self) -> Wait {
        let until = self.next_check.map_or(Deadline::NEVER, Deadline::at);
        Wait { readable: !self.latched, writable: false, until }
    }
}
