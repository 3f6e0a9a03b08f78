//! How a server is opened.

use std::marker::PhantomData;
use std::time::Duration;

use super::common::{Common, Observer, TIMEOUT, Waiting};
use crate::blocking::Blocking;
use crate::codec::Json;
use crate::core::inbox::Limits;
use crate::core::keys::KeyLimits;
use crate::core::link::Link;
use crate::core::recv::EndOfWriters;
use crate::core::server::Answerer;
use crate::node::{Held, Pair, ReadOpener, Trust, WriteOpener};
use crate::sys;

/// How a server is opened: a [`Server`](crate::Server), or that of another front end `E`.
#[derive(Clone, Debug)]
pub struct ServerOptions<Req, Rep, C = Json, E = Blocking> {
    pub(crate) common: Common,
    pub(crate) reply_timeout: Duration,
    pub(crate) on_end: EndOfWriters,
    max_waiting: usize,
    wait_when_full: bool,
    keys: KeyLimits,
    /// Handlers that run at once; the blocking front end runs one.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) max_handlers: usize,
    pub(crate) codec: C,
    types: PhantomData<fn(Req) -> (Rep, E)>,
}

/// Handlers that run at once, unless told otherwise: enough to wait for other things side by side,
/// and a bound on what a busy client can start.
#[cfg(any(feature = "tokio", feature = "async-io"))]
const MAX_HANDLERS: usize = 64;

/// Requests that wait to be handed out, unless told otherwise: as many as a client has in flight.
const MAX_WAITING: usize = 1024;

impl<Req, Rep, E> ServerOptions<Req, Rep, Json, E> {
    pub(crate) fn new() -> Self {
        Self {
            common: Common::default(),
            reply_timeout: TIMEOUT,
            on_end: EndOfWriters::default(),
            max_waiting: MAX_WAITING,
            wait_when_full: false,
            keys: KeyLimits::default(),
            #[cfg(any(feature = "tokio", feature = "async-io"))]
            max_handlers: MAX_HANDLERS,
            codec: Json,
            types: PhantomData,
        }
    }
}

impl<Req, Rep, C, E> ServerOptions<Req, Rep, C, E> {
    /// How values become bytes; the client's must be the same. Default: [`Json`].
    pub fn codec<Other>(self, codec: Other) -> ServerOptions<Req, Rep, Other, E> {
        ServerOptions {
            common: self.common,
            reply_timeout: self.reply_timeout,
            on_end: self.on_end,
            max_waiting: self.max_waiting,
            wait_when_full: self.wait_when_full,
            keys: self.keys,
            #[cfg(any(feature = "tokio", feature = "async-io"))]
            max_handlers: self.max_handlers,
            codec,
            types: PhantomData,
        }
    }

    /// How long opening waits for the pair to exist and for another server to give it up.
    /// Default: 30 s.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.common.open_timeout = timeout;
        self
    }

    /// How long writing one reply may take in all, where the caller waits longer. Default: 30 s.
    pub fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = timeout;
        self
    }

    /// How long no byte of a reply may move while the client does not read. Then the client is
    /// given up with all of its calls: whoever has replies for it learns so at once
    /// ([`ErrorKind::WriteStalled`](crate::ErrorKind::WriteStalled)), and it is heard again once it
    /// has noticed and begun another life. A client that reads slowly is not. Default: 10 s.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.common.stall = timeout;
        self
    }

    /// What happens once the last client has left. Default: [`EndOfWriters::Wait`].
    pub fn end_of_writers(mut self, on_end: EndOfWriters) -> Self {
        self.on_end = on_end;
        self
    }

    /// The largest request and reply, in bytes as encoded. Requests that wait to be handed out may
    /// hold as much in all, and 64 KiB at least. Default: 16 MiB; at most 4 GiB less 1 KiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.common.limit_messages(bytes);
        self
    }

    /// The most requests that wait to be handed out, beside the limit on their bytes
    /// ([`max_message`](Self::max_message)). Default: 1024.
    pub fn max_waiting(mut self, requests: usize) -> Self {
        self.max_waiting = requests.max(1);
        self
    }

    /// Whether requests for which there is no room wait in the FIFO until there is. Pings and
    /// cancels then wait behind them. Default: no, they are refused at once, and their callers told
    /// [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded).
    pub fn wait_when_full(mut self, wait: bool) -> Self {
        self.wait_when_full = wait;
        self
    }

    /// The most keys of requests that are known at a time ([`Call::key`](crate::Call::key)): of
    /// those in hand, and of those whose answers are kept. Where none of them may be forgotten, a
    /// request with another key is refused with
    /// [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded), and not run at the risk of running
    /// it twice. Default: 4096.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.keys.keys = keys;
        self
    }

    /// The most bytes of answers that are kept for requests with keys; beyond, as with
    /// [`max_keys`](Self::max_keys). An answer for which there is no room left is not kept: whoever
    /// asks again is told [`ErrorKind::Repeated`](crate::ErrorKind::Repeated). Default: 16 MiB.
    pub fn max_key_bytes(mut self, bytes: usize) -> Self {
        self.keys.bytes = bytes;
        self
    }

    /// How long a key and its answer are known at least, from the answer on. They are in any case
    /// until the request's own deadline, where it has one. Default: 60 s.
    pub fn key_retention(mut self, time: Duration) -> Self {
        self.keys.retention = time;
        self
    }

    /// Which FIFOs are opened. Default: [`Trust::default`].
    pub fn trust(mut self, trust: Trust) -> Self {
        self.common.trust = trust;
        self
    }

    /// Asks the kernel for this capacity of both FIFOs, in bytes. Default: as it is.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.common.capacity = Some(bytes);
        self
    }

    /// How long a wait looks again for a request before it sleeps; it does so only while that has
    /// paid lately. Zero turns it off. Default: 50 us. An endpoint that
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

    /// The answering machine over the two FIFOs of a pair.
    pub(crate) fn machine<R: Held, W: Held>(
        &self,
        pair: &Pair,
    ) -> Answerer<ReadOpener<R>, WriteOpener<W>> {
        let Common { trust, capacity, max_message, stall, .. } = self.common;
        let limits =
            Limits { bytes: max_message, requests: self.max_waiting, parks: self.wait_when_full };
        let incoming = ReadOpener::new(pair.input(), trust, capacity);
        let outgoing = WriteOpener::new(pair.output(), trust, capacity, true);
        let link = Link::new(incoming, outgoing, limits, crate::new_epoch());
        let mut answerer = Answerer::new(link, stall, self.on_end, sys::monotonic_ns);
        answerer.limit_keys(self.keys);
        answerer
    }
}
