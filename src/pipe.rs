//! What the core needs of an end of a FIFO: non-blocking reads and writes, and where it stands.
//!
//! A FIFO is one kind of such an end; a scripted pipe in a test is another, and a child's standard
//! streams will be a third.

use std::io;
use std::path::Path;

use crate::error::Error;

/// An end that is read from. No method waits.
pub(crate) trait Source {
    /// Reads what is there into `buffer`, which is not empty.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Read>;

    /// Whether there were writers, all have left, and everything they wrote is read.
    fn has_hung_up(&self) -> bool;

    /// Whether the path still leads to this FIFO.
    fn standing(&self) -> io::Result<Standing>;

    /// Exchanges the descriptor for a fresh one of the same FIFO, so that the departure of the
    /// last writers is no longer reported, without ever letting go of what is in the pipe.
    fn renew(&mut self) -> Result<Standing, Error>;
}

/// An end that is written to. No method waits.
pub(crate) trait Sink {
    /// Writes `bytes`, or as much of them as there is room for.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<Write>;

    /// Whether the path still leads to this FIFO.
    fn standing(&self) -> io::Result<Standing>;

    /// Whether anybody has the other end open.
    fn has_reader(&self) -> bool;

    /// How many bytes the pipe holds, where that is known.
    fn capacity(&self) -> Option<usize>;
}

/// Something that opens an end. One attempt, no waiting.
pub(crate) trait Opener {
    /// What it opens.
    type End: std::fmt::Debug;

    /// The name of what it opens.
    fn path(&self) -> &Path;

    /// Tries once. `Err` is for what waiting will not mend.
    fn attempt(&mut self) -> Result<Attempt<Self::End>, Error>;

    /// The end has been open for a while: lets go of what only opening needed.
    fn settle(&mut self) {}
}

/// The outcome of one attempt to open.
#[derive(Debug)]
pub(crate) enum Attempt<End> {
    Open(End),
    /// Not now; it may work later.
    Refused(Refusal),
}

/// Why an end cannot be opened just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The path names a FIFO that nobody reads.
    NoReader,
    /// The path names nothing.
    NotFound,
    /// Another endpoint holds the end alone.
    Busy,
}

/// The outcome of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// These many bytes, at least one.
    Bytes(usize),
    /// A writer is there and has written nothing more.
    Empty,
    /// No writer has come since this end was opened.
    NoWriterYet,
    /// There were writers; all have left, and everything they wrote has been read.
    WritersGone,
}

/// The outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// These many bytes were accepted, at least one.
    Bytes(usize),
    /// There is no room now.
    Full,
    /// Nobody has the other end open.
    NoReader,
}

/// Whether a path still leads to the FIFO that an end holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Same,
    /// The path leads to another file.
    Replaced,
    /// The path leads nowhere.
    Missing,
}
