//! The writing end of a FIFO, one way.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::time::{Duration, Instant};

use super::drive::{Endpoint, Waiter, drive};
use crate::codec::{self, Codec, Json};
use crate::core::retry::STANDING_CHECK;
use crate::core::send::Outgoing;
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::framing::{Framing, Native};
use crate::front::{Limit, SenderOptions, Term};
use crate::node::WriteOpener;
use crate::stats::SenderStats;
use crate::sys;

/// Sends values of `T` into a FIFO.
///
/// The value owns the writing end: no other thread can write into the middle of a message, because
/// sending takes `&mut self`. By default other *processes* may write to the same FIFO; what each
/// writes stays whole (see [`SenderOptions::exclusive`]).
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("events.fifo");
/// use fifowire::{Fifo, Receiver, Sender};
/// use std::time::Duration;
///
/// let fifo = Fifo::create(&path)?;
/// let mut receiver = Receiver::<String>::open(fifo.path())?;
/// let mut sender = Sender::<String>::options()
///     .open_timeout(Duration::from_secs(5))
///     .open(fifo.path())?;
/// sender.send(&"ready".to_owned())?;
/// assert_eq!(receiver.recv()?, "ready");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sender<T, C = Json, F = Native> {
    outgoing: Outgoing<WriteOpener, F>,
    codec: C,
    /// The message at hand, encoded.
    message: Vec<u8>,
    max_message: usize,
    timeout: Duration,
    waiter: Waiter,
    /// When a write last went through the machine that looks at the path too.
    driven_at: Duration,
    values: PhantomData<fn(&T)>,
}

impl<T> Sender<T> {
    /// Opens the FIFO at `path` for writing as soon as somebody reads it; see
    /// [`SenderOptions::open`].
    ///
    /// # Errors
    /// As [`SenderOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self>
    where
        Json: Codec<T>,
    {
        Self::options().open(path)
    }

    /// Options, among them the codec and the framing.
    pub fn options() -> SenderOptions<T> {
        SenderOptions::new()
    }
}

impl<T, C: Codec<T>, F: Framing> Sender<T, C, F> {
    /// Sends one value: `Ok` means that the FIFO has accepted every byte of it.
    /// Its time begins when the value is encoded.
    ///
    /// Where the reader has left since the last value, this waits for the next reader first; what
    /// the last reader had not read is gone with it. Values that were [fed](Self::feed) before are
    /// written first, in their order.
    ///
    /// # Errors
    /// [`ErrorKind::NoReader`](crate::ErrorKind::NoReader),
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound): nobody came in time; not sent.
    ///
    /// [`ErrorKind::WriteStalled`](crate::ErrorKind::WriteStalled),
    /// [`ErrorKind::PeerClosed`](crate::ErrorKind::PeerClosed),
    /// [`ErrorKind::Replaced`](crate::ErrorKind::Replaced): not sent, or cut midway, as
    /// [`Error::fate`](crate::Error::fate) and [`Error::progress`](crate::Error::progress) say; the
    /// next call opens the FIFO anew.
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec),
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge),
    /// [`ErrorKind::WouldTear`](crate::ErrorKind::WouldTear): refused before the first byte.
    pub fn send(&mut self, value: &T) -> Result<()> {
        self.send_within(value, Limit::Timeout(self.timeout))
    }

    /// As [`send`](Self::send), with a timeout of its own.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_timeout(&mut self, value: &T, timeout: Duration) -> Result<()> {
        self.send_within(value, Limit::Timeout(timeout))
    }

    /// As [`send`](Self::send), by a deadline of its own.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_deadline(&mut self, value: &T, deadline: impl Into<Deadline>) -> Result<()> {
        self.send_within(value, Limit::Deadline(deadline.into()))
    }

    /// Adds a value to a batch that [`flush`](Self::flush) writes; a batch that is full is written
    /// on the way. Many small values in one write are about ten times cheaper than a write each.
    ///
    /// What was fed and not flushed is lost when the sender is dropped. A [`send`](Self::send)
    /// flushes too: it writes what was fed before it, and then its own value.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.fifo");
    /// use fifowire::{Fifo, Receiver, Sender};
    ///
    /// let fifo = Fifo::create(&path)?;
    /// let mut receiver = Receiver::<u32>::open(fifo.path())?;
    /// let mut sender = Sender::<u32>::open(fifo.path())?;
    /// sender.feed(&1)?;
    /// sender.feed(&2)?;
    /// assert_eq!(receiver.try_recv()?, None);
    /// sender.send(&3)?;
    /// assert_eq!([receiver.recv()?, receiver.recv()?, receiver.recv()?], [1, 2, 3]);
    ///
    /// sender.feed(&4)?;
    /// drop(sender);
    /// assert_eq!(receiver.try_recv()?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send). A write that fails ends the batch: what of it was not written never
    /// will be. A value that is refused before its first byte leaves those before it as they were.
    pub fn feed(&mut self, value: &T) -> Result<()> {
        self.frame(value, Limit::Timeout(self.timeout)).map(drop)
    }

    /// Writes the values that were fed.
    ///
    /// # Errors
    /// As [`send`](Self::send), for the batch as a whole.
    pub fn flush(&mut self) -> Result<()> {
        self.flush_within(Term::timeout(Instant::now(), self.timeout))
    }

    /// Writes the values that were fed and closes the end, which a reader sees as this writer's
    /// end. It can be called again, and does nothing then; sending again opens the end anew.
    ///
    /// Dropping the sender closes the end too, and drops what was fed and not written.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); the end stays as a failed flush leaves it.
    pub fn close(&mut self) -> Result<()> {
        self.flush()?;
        self.outgoing.close();
        Ok(())
    }

    /// How many bytes the FIFO holds, where the platform says and a reader is there.
    pub fn capacity(&self) -> Option<usize> {
        self.outgoing.capacity()
    }

    /// What this sender has done so far.
    pub fn stats(&self) -> SenderStats {
        self.outgoing.stats()
    }

    fn send_within(&mut self, value: &T, limit: Limit) -> Result<()> {
        let begun = self.frame(value, limit)?;
        // Mostly there is room, and then nothing needs to know what time it is, except for the look
        // now and then whether the path still leads here.
        if begun.is_none() && self.is_fresh() && self.outgoing.try_flush() {
            return Ok(());
        }
        self.flush_within(begun.unwrap_or_else(|| limit.begin(Instant::now())))
    }

    /// Frames a value. Answers the term of the call, if it had to wait and so has begun.
    fn frame(&mut self, value: &T, limit: Limit) -> Result<Option<Term>> {
        let encoded = codec::encode_anew(&self.codec, value, &mut self.message, self.max_message);
        let framed = encoded.and_then(|()| self.outgoing.offer(&self.message));
        let signed = |error: Error| limit.sign(error.at(self.outgoing.path()), Instant::now());
        if framed.map_err(signed)? {
            return Ok(None);
        }
        let (term, message) = (limit.begin(Instant::now()), &self.message);
        drive(&mut self.waiter, &mut self.outgoing, term, Phase::Write, |outgoing, now| {
            outgoing.step_feed(message, now, term.deadline)
        })?;
        Ok(Some(term))
    }

    fn flush_within(&mut self, term: Term) -> Result<()> {
        self.driven_at = sys::coarse_clock();
        drive(&mut self.waiter, &mut self.outgoing, term, Phase::Write, |outgoing, now| {
            outgoing.step_flush(now, term.deadline)
        })
    }

    /// Whether the last look at the path is recent.
    fn is_fresh(&self) -> bool {
        sys::coarse_clock().saturating_sub(self.driven_at) < STANDING_CHECK
    }
}

impl<T, C, F> fmt::Debug for Sender<T, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T, C, F> SenderOptions<T, C, F> {
    /// Opens the FIFO at `path` for writing as soon as somebody reads it.
    ///
    /// Never by a blocking `open`: attempts are repeated with a growing delay of at most 5 ms,
    /// sooner where the kernel tells of a change. A reader that is itself blocked in `open` is
    /// released by this.
    ///
    /// # Errors
    /// By the open timeout: [`ErrorKind::NoReader`](crate::ErrorKind::NoReader),
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound),
    /// [`ErrorKind::Busy`](crate::ErrorKind::Busy). At once:
    /// [`ErrorKind::NotAFifo`](crate::ErrorKind::NotAFifo),
    /// [`ErrorKind::Untrusted`](crate::ErrorKind::Untrusted),
    /// [`ErrorKind::Permission`](crate::ErrorKind::Permission). No descriptor is left behind.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Sender<T, C, F>>
    where
        C: Codec<T>,
        F: Framing,
    {
        let mut sender = Sender {
            outgoing: self.machine(path.as_ref()),
            codec: self.codec,
            message: Vec::new(),
            max_message: self.common.max_message,
            timeout: self.timeout,
            waiter: Waiter::new(&self.common),
            driven_at: Duration::ZERO,
            values: PhantomData,
        };
        let term = Term::timeout(Instant::now(), self.common.open_timeout);
        drive(&mut sender.waiter, &mut sender.outgoing, term, Phase::Open, |outgoing, now| {
            outgoing.step_open(now, term.deadline)
        })?;
        Ok(sender)
    }
}
