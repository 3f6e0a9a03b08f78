//! How a client is opened.

use std::marker::PhantomData;
use std::time::Duration;

use super::Client;
use crate::blocking::options::{Common, Observer, TIMEOUT, Term, Waiting};
use crate::blocking::turn::Turn;
use crate::codec::{Codec, Json};
use crate::core::client::Caller;
use crate::core::link::Link;
use crate::error::Result;
use crate::node::{Pair, ReadOpener, Trust, WriteOpener};

/// How a [`Client`] is opened.
#[derive(Clone, Debug)]
pub struct ClientOptions<Req, Rep, C = Json> {
    common: Common,
    timeout: Duration,
    max_in_flight: usize,
    codec: C,
    types: PhantomData<fn(&Req) -> Rep>,
}

/// Calls in flight, unless told otherwise: far more than threads make sense, and a bound on what a
/// stuck server can pile up.
const MAX_IN_FLIGHT: usize = 1024;

impl<Req, Rep> ClientOptions<Req, Rep> {
    pub(super) fn new() -> Self {
        Self {
            common: Common::default(),
            timeout: TIMEOUT,
            max_in_flight: MAX_IN_FLIGHT,
            codec: Json,
            types: PhantomData,
        }
    }
}

impl<Req, Rep, C> ClientOptions<Req, Rep, C> {
    /// How values become bytes; the server's must be the same. Default: [`Json`].
    pub fn codec<Other>(self, codec: Other) -> ClientOptions<Req, Rep, Other> {
        let Self { common, timeout, max_in_flight, types, .. } = self;
        ClientOptions { common, timeout, max_in_flight, codec, types }
    }

    /// The time one call may take in all. Default: 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long [`open`](Self::open) waits for the pair to exist and for another client to give it
    /// up. Default: 30 s.
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

    /// The largest request and reply, in bytes as encoded. Default: 16 MiB; at
    /// most 4 GiB less 1 KiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.common.limit_messages(bytes);
        self
    }

    /// The most calls in flight; one more is refused at once with
    /// [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded). Default: 1024.
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls;
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
    /// paid lately. Zero turns it off. Default: 50 us.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.common.spin = limit;
        self
    }

    /// Is told of calls that wait longer than a second, at most once a second each.
    pub fn on_waiting(mut self, told: impl Fn(&Waiting<'_>) + Send + Sync + 'static) -> Self {
        self.common.observer = Observer::new(told);
        self
    }

    /// Opens the reply FIFO, so that a server can answer. The request FIFO is opened by the first
    /// call, under that call's deadline: a server need not be there yet.
    ///
    /// # Errors
    /// By the open timeout: [`ErrorKind::NotFound`](crate::ErrorKind::NotFound), or
    /// [`ErrorKind::Busy`](crate::ErrorKind::Busy) where another client holds the pair. At once:
    /// [`ErrorKind::NotAFifo`](crate::ErrorKind::NotAFifo),
    /// [`ErrorKind::Untrusted`](crate::ErrorKind::Untrusted),
    /// [`ErrorKind::Permission`](crate::ErrorKind::Permission).
    pub fn open(self, pair: &Pair) -> Result<Client<Req, Rep, C>>
    where
        C: Codec<Req> + Codec<Rep>,
    {
        let Common { trust, capacity, max_message, stall, open_timeout, .. } = self.common;
        let incoming = ReadOpener::new(pair.output(), trust, capacity);
        let outgoing = WriteOpener::new(pair.input(), trust, capacity, true);
        let link = Link::new(incoming, outgoing, max_message, crate::new_epoch());
        let client = Client {
            turn: Turn::new(Caller::new(link, self.max_in_flight, stall), &self.common),
            codec: self.codec,
            timeout: self.timeout,
            max_message,
            types: PhantomData,
        };
        client.turn.open(Term::timeout(open_timeout))?;
        Ok(client)
    }
}
