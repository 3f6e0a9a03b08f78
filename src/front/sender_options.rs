//! How a sender is opened.

use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use super::common::{Common, Observer, TIMEOUT, Waiting};
use crate::blocking::Blocking;
use crate::codec::Json;
use crate::core::send::Outgoing;
use crate::framing::{Framing, Native, Room};
use crate::node::{Held, Trust, WriteOpener};

/// How a sender is opened: a [`Sender`](crate::Sender), or that of another front end `E`.
#[derive(Clone, Debug)]
pub struct SenderOptions<T, C = Json, F = Native, E = Blocking> {
    pub(crate) common: Common,
    pub(crate) timeout: Duration,
    pub(crate) exclusive: bool,
    pub(crate) codec: C,
    pub(crate) framing: F,
    types: PhantomData<fn(&T) -> E>,
}

impl<T, E> SenderOptions<T, Json, Native, E> {
    pub(crate) fn new() -> Self {
        Self {
            common: Common::default(),
            timeout: TIMEOUT,
            exclusive: false,
            codec: Json,
            framing: Native::default(),
            types: PhantomData,
        }
    }
}

impl<T, C, F, E> SenderOptions<T, C, F, E> {
    /// How values become bytes. Default: [`Json`].
    pub fn codec<Other>(self, codec: Other) -> SenderOptions<T, Other, F, E> {
        let Self { common, timeout, exclusive, framing, .. } = self;
        SenderOptions { common, timeout, exclusive, codec, framing, types: PhantomData }
    }

    /// Where a message ends. Default: [`Native`].
    pub fn framing<Other>(self, framing: Other) -> SenderOptions<T, C, Other, E> {
        let Self { common, timeout, exclusive, codec, .. } = self;
        SenderOptions { common, timeout, exclusive, codec, framing, types: PhantomData }
    }

    /// How long opening waits for the FIFO and its reader. Default: 30 s.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.common.open_timeout = timeout;
        self
    }

    /// How long one send may take in all. Default: 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a send may move no byte; every byte that the reader makes room for starts it
    /// anew, so that a slow reader is not given up. Default: 10 s.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.common.stall = timeout;
        self
    }

    /// The largest message, in bytes after encoding. Default: 16 MiB; at most 4 GiB less 1 KiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.common.limit_messages(bytes);
        self
    }

    /// Holds the writing end alone: no other exclusive or shared sender gets it meanwhile, and
    /// messages travel in large frames. Default: shared, with frames of at most `PIPE_BUF` bytes.
    ///
    /// The lock is advisory; it binds senders of this crate and is released by the kernel when the
    /// holder dies. Opening waits for it under its timeout and fails with
    /// [`ErrorKind::Busy`](crate::ErrorKind::Busy).
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

    /// The sending machine over the FIFO at `path`.
    pub(crate) fn machine<H: Held>(&self, path: &Path) -> Outgoing<WriteOpener<H>, F>
    where
        F: Framing,
    {
        let Common { trust, capacity, stall, .. } = self.common;
        let room = Room::of_end(self.exclusive);
        let opener = WriteOpener::new(path, trust, capacity, self.exclusive);
        Outgoing::new(opener, self.framing.clone(), room, stall, crate::new_epoch)
    }
}
