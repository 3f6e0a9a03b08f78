//! A reading end that is open: what is known of its writers, and whether its path still leads here.

use std::io;
use std::time::Instant;

use super::retry::next_check;
use super::step::Wait;
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::pipe::{Read, Source, Standing};

/// A reading end from its opening on.
#[derive(Debug)]
pub(crate) struct ReadingEnd<E> {
    end: E,
    next_check: Instant,
    had_writer: bool,
    /// Whether all writers have left, as of the last read.
    deserted: bool,
    /// Whether the last writers' departure is latched on a descriptor that cannot be renewed,
    /// because the path is gone: waiting for it to become readable would spin.
    latched: bool,
}

impl<E: Source> ReadingEnd<E> {
    /// An end that was opened at `now`.
    pub(crate) fn new(end: E, now: Instant) -> Self {
        let next_check = next_check(now);
        Self { end, next_check, had_writer: false, deserted: false, latched: false }
    }

    pub(crate) fn end(&self) -> &E {
        &self.end
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn end_mut(&mut self) -> &mut E {
        &mut self.end
    }

    /// Whether anybody has had the FIFO open for writing since this end was opened.
    pub(crate) fn had_writer(&self) -> bool {
        self.had_writer
    }

    /// Whether there were writers and all of them have left.
    pub(crate) fn is_deserted(&self) -> bool {
        self.deserted
    }

    /// Reads once, by `fill`, into whatever it fills.
    pub(crate) fn read(&mut self, fill: impl FnOnce(&mut E) -> io::Result<Read>) -> Result<Read> {
        let read = fill(&mut self.end).map_err(|error| Error::system(error, Phase::Read))?;
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
            // Nobody is there now. A writer that came and left while this descriptor was being
            // exchanged for a fresh one is seen by its bytes alone.
            Read::NoWriterYet => self.deserted = self.had_writer,
        }
        Ok(read)
    }

    /// Whether a read would say that all writers have left.
    pub(crate) fn has_hung_up(&self) -> bool {
        self.end.has_hung_up()
    }

    /// After the last writer left: a descriptor that is quiet again, on the FIFO that the path
    /// names now. One that was replaced is not exchanged.
    pub(crate) fn renew(&mut self) -> Result<Standing> {
        let standing = self.end.renew()?;
        self.latched = standing == Standing::Missing;
        Ok(standing)
    }

    /// Whether it is time to look at the path again.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.next_check
    }

    /// Looks whether the path still leads here.
    pub(crate) fn check(&mut self, now: Instant) -> Result<Standing> {
        self.next_check = next_check(now);
        self.end.standing().map_err(|error| Error::system(error, Phase::Read))
    }

    /// Whether the path still leads here, as far as it is time to know. Where it does not, it is
    /// time to [`check`](Self::check).
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn still_stands(&mut self, now: Instant) -> bool {
        if !self.is_due(now) {
            return true;
        }
        let same = matches!(self.end.standing(), Ok(Standing::Same));
        if same {
            self.next_check = next_check(now);
        }
        same
    }

    /// What to wait for, where there is nothing to read now.
    pub(crate) fn wait(&self) -> Wait {
        let until = Deadline::at(self.next_check);
        Wait { readable: !self.latched, writable: false, until }
    }
}
