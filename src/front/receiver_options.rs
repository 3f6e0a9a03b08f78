//! How a receiver is opened.

use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use super::common::{Common, Observer, Waiting};
use crate::blocking::Blocking;
use crate::codec::Json;
use crate::core::recv::{EndOfWriters, Incoming};
use crate::framing::{Framing, Native};
use crate::node::{Held, ReadOpener, Trust};

/// How a receiver is opened: a [`Receiver`](crate::Receiver), or that of another front end `E`.
#[derive(Clone, Debug)]
pub struct ReceiverOptions<T, C = Json, F = Native, E = Blocking> {
    pub(crate) common: Common,
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_end: EndOfWriters,
    pub(crate) codec: C,
    pub(crate) framing: F,
    types: PhantomData<fn() -> (T, E)>,
}

impl<T, E> ReceiverOptions<T, Json, Native, E> {
    pub(crate) fn new() -> Self {
        Self {
            common: Common::default(),
            timeout: None,
            on_end: EndOfWriters::default(),
            codec: Json,
            framing: Native::default(),
            types: PhantomData,
        }
    }
}

impl<T, C, F, E> ReceiverOptions<T, C, F, E> {
    /// How bytes become values. Default: [`Json`].
    pub fn codec<Other>(self, codec: Other) -> ReceiverOptions<T, Other, F, E> {
        let Self { common, timeout, on_end, framing, .. } = self;
        ReceiverOptions { common, timeout, on_end, codec, framing, types: PhantomData }
    }

    /// Where a message ends. Default: [`Native`].
    pub fn framing<Other>(self, framing: Other) -> ReceiverOptions<T, C, Other, E> {
        let Self { common, timeout, on_end, codec, .. } = self;
        ReceiverOptions { common, timeout, on_end, codec, framing, types: PhantomData }
    }

    /// How long opening waits for the FIFO to exist and for another receiver to give it up.
    /// Default: 30 s.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.common.open_timeout = timeout;
        self
    }

    /// How long one receive waits for a value. Default: without end, because that a value comes is
    /// what it waits for.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What happens once the last writer has left. Default: [`EndOfWriters::Wait`].
    pub fn end_of_writers(mut self, on_end: EndOfWriters) -> Self {
        self.on_end = on_end;
        self
    }

    /// The largest message, in bytes before decoding; larger ones are refused before memory is
    /// taken for them. A receiver takes at most this and 64 KiB, whatever it is sent. Default:
    /// 16 MiB; at most 4 GiB less 1 KiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.common.limit_messages(bytes);
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

    /// The receiving machine over the FIFO at `path`.
    pub(crate) fn machine<H: Held>(&self, path: &Path) -> Incoming<ReadOpener<H>, F>
    where
        F: Framing,
    {
        let Common { trust, capacity, max_message, .. } = self.common;
        let opener = ReadOpener::new(path, trust, capacity);
        Incoming::new(opener, self.framing.clone(), max_message, self.on_end)
    }
}
