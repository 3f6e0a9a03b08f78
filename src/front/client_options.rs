//! How a client is opened.

use std::marker::PhantomData;
use std::time::Duration;

use super::common::{Common, MAX_MESSAGE, Observer, TIMEOUT, Waiting};
use crate::blocking::Blocking;
use crate::codec::Json;
use crate::core::client::{Caller, ClientLimits, Manners};
use crate::core::inbox::Limits;
use crate::core::link::Link;
use crate::core::reconnect::Reconnect;
use crate::node::{Held, Pair, ReadOpener, Trust, WriteOpener};

/// How a client is opened: a [`Client`](crate::Client), or that of another front end `E`.
#[derive(Clone, Debug)]
pub struct ClientOptions<Req, Rep, C = Json, E = Blocking> {
    pub(crate) common: Common,
    pub(crate) timeout: Duration,
    pub(crate) max_in_flight: usize,
    max_queued_bytes: usize,
    pub(crate) wait_when_full: bool,
    pub(crate) cancel_timeout: Duration,
    cancel_abandoned: bool,
    reconnect: Reconnect,
    max_retries: u32,
    pub(crate) codec: C,
    types: PhantomData<fn(&Req, E) -> Rep>,
}

/// Calls in flight, unless told otherwise: far more than threads make sense, and a bound on what a
/// stuck server can pile up.
const MAX_IN_FLIGHT: usize = 1024;

/// Bytes of requests that wait to be written, unless told otherwise: four of the largest messages.
const MAX_QUEUED_BYTES: usize = 4 * MAX_MESSAGE;

/// How long a cancel may go without its acknowledgement, unless told otherwise: a server that reads
/// at all answers within milliseconds, whatever its handlers do.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a call is put again, unless told otherwise: a server that is started again is met by
/// the first, and a request that kills its server must not kill every next one.
const MAX_RETRIES: u32 = 3;

impl<Req, Rep, E> ClientOptions<Req, Rep, Json, E> {
    pub(crate) fn new() -> Self {
        Self {
            common: Common::default(),
            timeout: TIMEOUT,
            max_in_flight: MAX_IN_FLIGHT,
            max_queued_bytes: MAX_QUEUED_BYTES,
            wait_when_full: false,
            cancel_timeout: CANCEL_TIMEOUT,
            cancel_abandoned: true,
            reconnect: Reconnect::default(),
            max_retries: MAX_RETRIES,
            codec: Json,
            types: PhantomData,
        }
    }
}

impl<Req, Rep, C, E> ClientOptions<Req, Rep, C, E> {
    /// How values become bytes; the server's must be the same. Default: [`Json`].
    pub fn codec<Other>(self, codec: Other) -> ClientOptions<Req, Rep, Other, E> {
        ClientOptions {
            common: self.common,
            timeout: self.timeout,
            max_in_flight: self.max_in_flight,
            max_queued_bytes: self.max_queued_bytes,
            wait_when_full: self.wait_when_full,
            cancel_timeout: self.cancel_timeout,
            cancel_abandoned: self.cancel_abandoned,
            reconnect: self.reconnect,
            max_retries: self.max_retries,
            codec,
            types: PhantomData,
        }
    }

    /// The time one call may take in all. Default: 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long opening waits for the pair to exist and for another client to give it up.
    /// Default: 30 s.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.common.open_timeout = timeout;
        self
    }

    /// How long no byte of a request may move while the server does not read; then calls that are
    /// not written yet fail before their deadlines. Default: 10 s.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.common.stall = timeout;
        self
    }

    /// The largest request and reply, in bytes as encoded. Default: 16 MiB; at most 4 GiB less
    /// 1 KiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.common.limit_messages(bytes);
        self
    }

    /// The most calls in flight; one more is refused with
    /// [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded). Default: 1024.
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// The most bytes of requests that wait to be written, or are kept to be put again until their
    /// calls end; a call beyond is refused as one beyond [`max_in_flight`](Self::max_in_flight) is.
    /// Default: 64 MiB.
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.max_queued_bytes = bytes.max(1);
        self
    }

    /// Whether a call waits for its turn where the most calls are in flight, or the most bytes
    /// wait: first come, first served, and [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded)
    /// at its deadline. Default: no, it is refused at once.
    pub fn wait_when_full(mut self, wait: bool) -> Self {
        self.wait_when_full = wait;
        self
    }

    /// How long a [cancel](crate::Client::cancel) waits for the server to acknowledge it. Default:
    /// 5 s.
    pub fn cancel_timeout(mut self, timeout: Duration) -> Self {
        self.cancel_timeout = timeout;
        self
    }

    /// Whether the server is told of calls that are given up: by their deadline, or because whoever
    /// waited was dropped. It then stops work that nobody waits for; nobody waits for it to say
    /// that it has. Default: yes.
    pub fn cancel_abandoned(mut self, cancel: bool) -> Self {
        self.cancel_abandoned = cancel;
        self
    }

    /// What the client does once its server has left. Default: [`Reconnect::OnNextCall`].
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// How often a call that may be put again is: see
    /// [`Call::idempotent`](crate::Call::idempotent). Default: 3, so that a request that kills its
    /// server does not kill every next one.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
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

    /// How long a call looks again for its reply before it sleeps; it does so only while that has
    /// paid lately. Zero turns it off. Default: 50 us. An endpoint that
    /// is awaited does not spin by default, because a thread that spins runs no other task; on one
    /// core it hands the core over, twice at most.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.common.spin = Some(limit);
        self
    }

    /// Is told of the call that has waited longest, once that is longer than a second; at most once
    /// a second, however many wait.
    pub fn on_waiting(mut self, told: impl Fn(&Waiting<'_>) + Send + Sync + 'static) -> Self {
        self.common.observer = Observer::new(told);
        self
    }

    /// The calling machine over the two FIFOs of a pair.
    pub(crate) fn machine<R: Held, W: Held>(
        &self,
        pair: &Pair,
    ) -> Caller<ReadOpener<R>, WriteOpener<W>> {
        let Common { trust, capacity, max_message, stall, .. } = self.common;
        let incoming = ReadOpener::new(pair.output(), trust, capacity);
        let outgoing = WriteOpener::new(pair.input(), trust, capacity, true);
        let link = Link::new(incoming, outgoing, Limits::of(max_message), crate::new_epoch());
        let limits =
            ClientLimits { calls: self.max_in_flight, queued_bytes: self.max_queued_bytes, stall };
        let Self { cancel_abandoned, reconnect, max_retries, .. } = *self;
        Caller::new(link, limits, Manners { cancel_abandoned, reconnect, max_retries })
    }
}
