//! Receiving one-way messages: read, find the next message, or say what to wait for.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::assembly::{Added, Assembly, Part};
use super::buffer::Buffer;
use super::open::Opening;
use super::step::{Step, Wait};
use super::wire::SkipReason;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::framing::{Decoded, Framing};
use crate::pipe::{Opener, Read, Source, Standing};
use crate::stats::ReceiverStats;

/// What a receiver does once the last writer has left and everything is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndOfWriters {
    /// Wait for the next writer: what a daemon wants. A FIFO outlives its writers.
    #[default]
    Wait,
    /// End: what a pipeline wants. Receiving answers [`ErrorKind::PeerClosed`] from then on.
    End,
}

/// How long a waiting end may hold a FIFO that its path no longer names. A check is one `lstat`,
/// about a microsecond; a replaced FIFO is to be noticed within 100 ms.
pub(crate) const STANDING_CHECK: Duration = Duration::from_millis(50);

/// Reads between two looks at the clock: at most 1 MiB, well under a millisecond.
const READS_A_STEP: usize = 16;

/// The receiving machine.
#[derive(Debug)]
pub(crate) struct Incoming<O: Opener, F> {
    /// Before the opener, so that it is closed first: closing a watch may take the kernel a while.
    end: Option<O::End>,
    opener: O,
    opening: Opening,
    next_check: Option<Instant>,
    on_end: EndOfWriters,
    ended: bool,
    had_writer: bool,
    /// Whether the last writers' departure is latched on a descriptor that cannot be renewed,
    /// because the path is gone: waiting for it to become readable would spin.
    latched: bool,
    inbox: Inbox<F>,
}

impl<O: Opener<End: Source>, F: Framing> Incoming<O, F> {
    pub(crate) fn new(opener: O, framing: F, limit: usize, on_end: EndOfWriters) -> Self {
        Self {
            opener,
            end: None,
            opening: Opening::new(),
            next_check: None,
            on_end,
            ended: false,
            had_writer: false,
            latched: false,
            inbox: Inbox::new(framing, limit),
        }
    }

    pub(crate) fn opener(&self) -> &O {
        &self.opener
    }

    pub(crate) fn end(&self) -> Option<&O::End> {
        self.end.as_ref()
    }

    pub(crate) fn stats(&self) -> ReceiverStats {
        self.inbox.stats
    }

    pub(crate) fn message(&mut self, found: Found) -> Message<'_> {
        self.inbox.message(found)
    }

    /// The memory taken for what has come, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        let assembly = &self.inbox.assembly;
        self.inbox.buffer.held() + assembly.held() + assembly.kept()
    }

    /// Bytes that were read and are of no message yet.
    #[cfg(test)]
    pub(crate) fn unread(&mut self) -> usize {
        self.inbox.buffer.unread().len()
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
            self.latched = false;
            self.next_check = Some(now + STANDING_CHECK);
        }))
    }

    /// The next message, if it has been read already.
    pub(crate) fn buffered(&mut self) -> Result<Option<Found>> {
        self.inbox.next()
    }

    /// Finds the next message.
    pub(crate) fn step(&mut self, now: Instant, deadline: Deadline) -> Result<Step<Found>> {
        for _ in 0..READS_A_STEP {
            if let Some(found) = self.inbox.next()? {
                return Ok(Step::Done(found));
            }
            if self.ended {
                return Err(Error::new(ErrorKind::PeerClosed, Phase::Read));
            }
            if let Step::Wait(wait) = self.step_open(now, deadline)? {
                return Ok(Step::Wait(wait));
            }
            match self.fill()? {
                Read::Bytes(_) => {
                    self.had_writer = true;
                    self.latched = false;
                }
                Read::Empty => {
                    self.had_writer = true;
                    self.latched = false;
                    return self.wait(now, deadline);
                }
                Read::NoWriterYet => return self.wait(now, deadline),
                Read::WritersGone => {
                    self.had_writer = true;
                    if self.on_end == EndOfWriters::End {
                        self.end_stream()?;
                        continue;
                    }
                    // What was begun is kept: the end of file is no boundary, and a writer may
                    // well open, write and close for every piece of one message. Native frames
                    // tell a new beginning from the rest of an old one; a line cannot.
                    if self.renew()? == Standing::Same {
                        return self.wait(now, deadline);
                    }
                }
            }
        }
        // A peer that writes without end and never completes a message must not outrun the
        // deadline: the front end comes back at once, with the time of then.
        if deadline.passed(now) {
            return Err(Error::new(ErrorKind::TimedOut, Phase::Read));
        }
        Ok(Step::Wait(Wait::until(now)))
    }

    fn fill(&mut self) -> Result<Read> {
        let Some(end) = &mut self.end else { return Ok(Read::NoWriterYet) };
        let read = self.inbox.buffer.fill(end);
        let read = read.map_err(|error| Error::system(error, Phase::Read))?;
        // A full window always holds a message, a part, or something to skip.
        Ok(read.unwrap_or(Read::Empty))
    }

    fn end_stream(&mut self) -> Result<()> {
        self.ended = true;
        if self.inbox.discard() {
            return Err(Error::new(ErrorKind::Torn, Phase::Read)
                .detailed("the writers left inside a message"));
        }
        Ok(())
    }

    /// After the last writer left: a descriptor that is quiet again, on the FIFO that the path
    /// names now.
    fn renew(&mut self) -> Result<Standing> {
        let Some(end) = &mut self.end else { return Ok(Standing::Missing) };
        match end.renew()? {
            Standing::Replaced => {
                self.leave_replaced();
                Ok(Standing::Replaced)
            }
            Standing::Missing => {
                self.latched = true;
                Ok(Standing::Same)
            }
            Standing::Same => {
                self.latched = false;
                self.inbox.stats.renewals += 1;
                Ok(Standing::Same)
            }
        }
    }

    /// Nothing to read now: wait, or fail if the deadline has come. A FIFO that was replaced is
    /// left as soon as it has nothing more to give.
    fn wait<T>(&mut self, now: Instant, deadline: Deadline) -> Result<Step<T>> {
        let mut standing = Standing::Same;
        // At the deadline too, so that its error does not depend on when the last check was.
        if self.next_check.is_none_or(|at| now >= at) || deadline.passed(now) {
            self.next_check = Some(now + STANDING_CHECK);
            if let Some(end) = &self.end {
                self.opener.settle();
                standing = end.standing().map_err(|error| Error::system(error, Phase::Read))?;
            }
        }
        if standing == Standing::Replaced {
            self.leave_replaced();
            return Ok(Step::Wait(Wait::until(now)));
        }
        if deadline.passed(now) {
            return Err(self.nothing_came(standing));
        }
        let until = self.next_check.map_or(deadline, |at| deadline.earlier(Deadline::at(at)));
        Ok(Step::Wait(Wait { readable: !self.latched, writable: false, until }))
    }

    fn leave_replaced(&mut self) {
        self.end = None;
        self.inbox.stats.replaced += 1;
        self.inbox.discard();
    }

    fn nothing_came(&self, standing: Standing) -> Error {
        let kind = match (standing, self.had_writer) {
            (Standing::Missing, _) => ErrorKind::NotFound,
            (_, true) => ErrorKind::TimedOut,
            (_, false) => ErrorKind::NoWriter,
        };
        Error::new(kind, Phase::Read)
    }
}

/// Unread bytes, and the messages in them.
#[derive(Debug)]
pub(crate) struct Inbox<F> {
    buffer: Buffer,
    framing: F,
    assembly: Assembly,
    limit: usize,
    /// Bytes skipped since the last frame: beyond the window, the stream is not what we think.
    astray: usize,
    stats: ReceiverStats,
}

/// Where a message was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// In the window, at this range of positions.
    Window(Range<usize>),
    /// Put together from parts.
    Assembled,
}

/// The bytes of a message.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Borrowed(&'a [u8]),
    /// May be taken.
    Owned(&'a mut Vec<u8>),
}

impl<F: Framing> Inbox<F> {
    fn new(framing: F, limit: usize) -> Self {
        Self {
            buffer: Buffer::default(),
            framing,
            assembly: Assembly::new(limit),
            limit,
            astray: 0,
            stats: ReceiverStats::default(),
        }
    }

    fn message(&mut self, found: Found) -> Message<'_> {
        match found {
            Found::Window(range) => Message::Borrowed(self.buffer.consumed(range)),
            Found::Assembled => Message::Owned(self.assembly.done()),
        }
    }

    /// The next message among the unread bytes. Bytes that lead to an error are consumed, so that
    /// the next call goes on behind them.
    fn next(&mut self) -> Result<Option<Found>> {
        while !self.buffer.is_empty() {
            let at = self.buffer.position();
            let unread = self.buffer.unread();
            let (len, decoded) = (unread.len(), self.framing.decode(unread));
            if !decoded.fits(len) {
                self.buffer.clear();
                return Err(Error::new(ErrorKind::Torn, Phase::Read)
                    .detailed("the framing speaks of bytes that are not there"));
            }
            match decoded {
                Decoded::More => return self.more(),
                Decoded::Skip { used, reason } => {
                    self.buffer.consume(used);
                    self.skipped(used, reason)?;
                }
                Decoded::Message { body, used } => {
                    self.buffer.consume(used);
                    self.astray = 0;
                    if body.len() > self.limit {
                        return Err(self.too_large());
                    }
                    self.stats.messages += 1;
                    self.stats.bytes += body.len() as u64;
                    return Ok(Some(Found::Window(at + body.start..at + body.end)));
                }
                Decoded::Part { key, offset, total, last, body, used } => {
                    self.buffer.consume(used);
                    self.astray = 0;
                    let bytes = self.buffer.consumed(at + body.start..at + body.end);
                    let part = Part { key, offset, total, bytes, last };
                    let (added, dropped) = self.assembly.add(part);
                    self.stats.torn += dropped as u64;
                    if self.added(added)? {
                        return Ok(Some(Found::Assembled));
                    }
                }
            }
        }
        Ok(None)
    }

    fn added(&mut self, added: Added) -> Result<bool> {
        match added {
            Added::Open => Ok(false),
            Added::Complete => {
                self.stats.messages += 1;
                self.stats.bytes += self.assembly.done().len() as u64;
                Ok(true)
            }
            Added::Torn => {
                self.stats.torn += 1;
                Ok(false)
            }
            Added::TooLarge => Err(self.too_large()),
        }
    }

    /// The framing wants more bytes than there are.
    fn more(&mut self) -> Result<Option<Found>> {
        if !self.buffer.is_full() {
            return Ok(None);
        }
        // No framing of ours needs more than the window; one of a user's may.
        self.buffer.clear();
        self.stats.torn += 1;
        Err(Error::new(ErrorKind::TooLarge, Phase::Read)
            .detailed("a unit of the framing is longer than 64 KiB"))
    }

    fn skipped(&mut self, used: usize, reason: Option<SkipReason>) -> Result<()> {
        match reason {
            None => return Ok(()),
            Some(SkipReason::Garbage) => {}
            Some(SkipReason::Torn) => self.stats.torn += 1,
            Some(SkipReason::Unknown) => self.stats.unknown += 1,
        }
        self.stats.skipped_bytes += used as u64;
        self.astray += used;
        if self.astray <= Buffer::CAPACITY {
            return Ok(());
        }
        self.astray = 0;
        Err(Error::new(ErrorKind::Torn, Phase::Read)
            .detailed("64 KiB without a frame: the writer does not speak this protocol"))
    }

    fn too_large(&mut self) -> Error {
        self.stats.too_large += 1;
        Error::new(ErrorKind::TooLarge, Phase::Read)
            .detailed(format!("the limit is {} bytes", self.limit))
    }

    /// Drops what was begun; answers whether there was anything.
    fn discard(&mut self) -> bool {
        let begun = !self.buffer.is_empty() || !self.assembly.is_idle();
        self.buffer.clear();
        self.assembly = Assembly::new(self.limit);
        self.framing.begin(0);
        self.stats.torn += u64::from(begun);
        begun
    }
}
