//! How a writer of bytes is opened.

use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use super::common::{Common, Observer, Waiting};
use crate::blocking::Blocking;
use crate::core::raw::Unopened;
use crate::node::{Held, Trust, WriteOpener};

/// How a [`FifoWriter`](crate::FifoWriter) is opened, or that of another front end `E`.
#[derive(Clone, Debug)]
pub struct FifoWriterOptions<E = Blocking> {
    pub(crate) common: Common,
    exclusive: bool,
    front: PhantomData<fn() -> E>,
}

impl<E> FifoWriterOptions<E> {
    pub(crate) fn new() -> Self {
        Self { common: Common::default(), exclusive: false, front: PhantomData }
    }

    /// How long opening waits for the FIFO and its reader. Default: 30 s.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.common.open_timeout = timeout;
        self
    }

    /// How long a write may move no byte while the reader makes no room. Default: 10 s.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.common.stall = timeout;
        self
    }

    /// Holds the writing end alone, by an advisory lock; see
    /// [`SenderOptions::exclusive`](crate::SenderOptions::exclusive). Default: shared.
    pub fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
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

    /// Is told of waits that last longer than a second, at most once a second.
    pub fn on_waiting(mut self, told: impl Fn(&Waiting<'_>) + Send + Sync + 'static) -> Self {
        self.common.observer = Observer::new(told);
        self
    }

    /// What opens the FIFO at `path`.
    pub(crate) fn machine<H: Held>(&self, path: &Path) -> Unopened<WriteOpener<H>> {
        let Common { trust, capacity, .. } = self.common;
        Unopened::new(WriteOpener::new(path, trust, capacity, self.exclusive))
    }
}
