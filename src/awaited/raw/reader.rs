//! The reading end of a FIFO, as bytes.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::awaited::drive::{Waiter, Wake, drive};
use crate::awaited::runtime::Runtime;
use crate::core::raw::RawReading;
use crate::error::{Error, Phase, Result};
use crate::front::{FifoReaderOptions, Term};
use crate::node::{self, ReadEnd, ReadOpener, Trust};
use crate::stats::FifoReaderStats;

/// Reads bytes from a FIFO, for a protocol of one's own; the awaited form of
/// [`FifoReader`](crate::FifoReader), and an `AsyncRead` of its runtime.
///
/// It opens as a [`Receiver`](crate::awaited::Receiver) does. Before the first writer a read waits;
/// once the last has left, it answers zero bytes, or waits for the next
/// ([`FifoReaderOptions::end_of_writers`]). Where the path comes to name another FIFO, a read that
/// waits fails.
///
/// # Cancel safety
/// A read that is dropped while it waits has taken no byte. The next goes on with its wait, and has
/// what is left of its time; once nobody has polled for a second, it has a time of its own.
pub struct FifoReader<R: Runtime> {
    reading: RawReading<ReadOpener<R::Reader>>,
    timeout: Option<Duration>,
    waiter: Waiter<R>,
    /// The wait of the read at hand, from its first poll to its last.
    wake: Option<Wake>,
}

impl<R: Runtime> FifoReader<R> {
    /// Opens the FIFO at `path` for reading; a writer need not be there yet.
    ///
    /// # Errors
    /// As [`FifoReaderOptions::open`].
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path).await
    }

    /// Options.
    pub fn options() -> FifoReaderOptions<R> {
        FifoReaderOptions::new()
    }

    /// How many bytes the FIFO holds, where the platform says.
    pub fn capacity(&self) -> Option<usize> {
        self.reading.end().capacity()
    }

    /// What was read so far.
    pub fn stats(&self) -> FifoReaderStats {
        self.reading.stats()
    }

    /// Reads what is there into `buffer`; zero is the end.
    pub(crate) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let Self { reading, timeout, waiter, wake } = self;
        ready!(waiter.poll_turn(cx));
        if waiter.was_given_up() {
            *wake = None;
        }
        let begin = || waiter.wake(Term::within(R::now(), *timeout), Phase::Read);
        let waiting = wake.get_or_insert_with(begin);
        let deadline = waiting.term().deadline;
        let polled =
            waiter.poll(waiting, reading, cx, |reading, now| reading.step(buffer, now, deadline));
        if polled.is_ready() {
            *wake = None;
        }
        polled
    }
}

impl<R: Runtime> AsFd for FifoReader<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reading.end().as_fd()
    }
}

/// Takes over a descriptor of a FIFO, or of an anonymous pipe, that is open for reading alone.
///
/// It is made non-blocking, which every duplicate of it is then too, and close-on-exec. It has no
/// path: no lock is taken, and a replacement is not noticed. One that is refused is closed, and
/// what its duplicates share is as it was.
///
/// # Errors
/// [`ErrorKind::NotAFifo`](crate::ErrorKind::NotAFifo), and
/// [`ErrorKind::WrongEnd`](crate::ErrorKind::WrongEnd) for one that is open for the other
/// direction, for both or for neither. On tokio, [`ErrorKind::System`](crate::ErrorKind::System)
/// outside of a runtime.
///
/// # Panics
/// On tokio, in a runtime that was built without `enable_io`.
impl<R: Runtime> TryFrom<OwnedFd> for FifoReader<R> {
    type Error = Error;

    fn try_from(fd: OwnedFd) -> Result<Self> {
        let options = Self::options();
        let opener = ReadOpener::new(&node::name_of(&fd), Trust::default(), None);
        let end = ReadEnd::adopt(fd)?;
        Ok(Self {
            reading: RawReading::new(opener, end, options.on_end, R::now()),
            timeout: options.timeout,
            waiter: Waiter::new(&options.common),
            wake: None,
        })
    }
}

impl<R: Runtime> fmt::Debug for FifoReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FifoReader").finish_non_exhaustive()
    }
}

impl<R: Runtime> FifoReaderOptions<R> {
    /// Opens the FIFO at `path` for reading; a writer need not be there yet.
    ///
    /// # Errors
    /// As [`ReceiverOptions::open`](crate::ReceiverOptions#method.open).
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<FifoReader<R>> {
        let Self { common, timeout, on_end, .. } = &self;
        let mut waiter = Waiter::new(common);
        let mut unopened = self.machine(path.as_ref());
        let term = Term::timeout(R::now(), common.open_timeout);
        let opened = drive(&mut waiter, &mut unopened, term, Phase::Open, |unopened, now| {
            unopened.step(now, term.deadline)
        });
        let end = opened.await?;
        let reading = RawReading::new(unopened.into_opener(), end, *on_end, R::now());
        Ok(FifoReader { reading, timeout: *timeout, waiter, wake: None })
    }
}
