//! How a reader of bytes is opened.

use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use super::common::{Common, Observer, Waiting};
use crate::blocking::Blocking;
use crate::core::raw::Unopened;
use crate::core::recv::EndOfWriters;
use crate::node::{Held, ReadOpener, Trust};

/// How a [`FifoReader`](crate::FifoReader) is opened, or that of another front end `E`.
#[derive(Clone, Debug)]
pub struct FifoReaderOptions<E = Blocking> {
    pub(crate) common: Common,
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_end: EndOfWriters,
    front: PhantomData<fn() -> E>,
}

impl<E> FifoReaderOptions<E> {
    pub(crate) fn new() -> Self {
        // Whoever reads plain bytes means the end of file by zero, as from any other file.
        let (common, on_end) = (Common::default(), EndOfWriters::End);
        Self { common, timeout: None, on_end, front: PhantomData }
    }

    /// How long opening waits for the FIFO to exist and for another reader to give it up.
    /// Default: 30 s.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.common.open_timeout = timeout;
        self
    }

    /// How long a read waits for a byte. A reader that is awaited counts from the first poll that
    /// found none, be that of a read that was dropped since: it is the silence that is bounded.
    /// Default: without end.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What happens once the last writer has left: a read answers zero bytes, or waits for the next
    /// writer. Before the first writer it always waits. Default: [`EndOfWriters::End`].
    pub fn end_of_writers(mut self, on_end: EndOfWriters) -> Self {
        self.on_end = on_end;
        self
    }

    /// Which FIFOs are opened. Default: [`Trust::default`].
    pub fn trust(mut self, trust: Trust) -> Self {
        self.common.trust = trust;
        self
    }

    /// Asks the kernel for this capacity, in bytes, when the FIFO is opened. It may grant less or
    /// nothing. Default: as it is, usually 64 KiB.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.common.capacity = Some(bytes);
        self
    }

    /// How long a wait looks again before it sleeps; it does so only while that has paid lately.
    /// Zero turns it off. Default: 50 us. An endpoint that
    /// is awaited does not spin by default, because a thread that spins runs no other task; on one
    /// core it hands the core over, twice at most.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.common.spin = Some(limit);
        self
    }

    /// Is told of waits that last longer than a second, at most once a second.
    pub fn on_waiting(mut self, told: impl Fn(&Waiting<'_>) + Send + Sync + 'static) -> Self {
        self.common.observer = Observer::new(told);
        self
    }

    /// What opens the FIFO at `path`.
    pub(crate) fn machine<H: Held>(&self, path: &Path) -> Unopened<ReadOpener<H>> {
        Unopened::new(ReadOpener::new(path, self.common.trust, self.common.capacity))
    }
}
