//! How a server is opened.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::Server;
use super::responder::Shared;
use crate::blocking::options::{Common, Observer, TIMEOUT, Term, Waiting};
use crate::blocking::turn::Turn;
use crate::codec::{Codec, Json};
use crate::core::link::Link;
use crate::core::recv::EndOfWriters;
use crate::core::server::Answerer;
use crate::error::Result;
use crate::node::{Pair, ReadOpener, Trust, WriteOpener};

/// How a [`Server`] is opened.
#[derive(Clone, Debug)]
pub struct ServerOptions<Req, Rep, C = Json> {
    common: Common,
    reply_timeout: Duration,
    on_end: EndOfWriters,
    codec: C,
    types: PhantomData<fn(Req) -> Rep>,
}

impl<Req, Rep> ServerOptions<Req, Rep> {
    pub(super) fn new() -> Self {
        Self {
            common: Common::default(),
            reply_timeout: TIMEOUT,
            on_end: EndOfWriters::default(),
            codec: Json,
            types: PhantomData,
        }
    }
}

impl<Req, Rep, C> ServerOptions<Req, Rep, C> {
    /// How values become bytes; the client's must be the same. Default: [`Json`].
    pub fn codec<Other>(self, codec: Other) -> ServerOptions<Req, Rep, Other> {
        let Self { common, reply_timeout, on_end, types, .. } = self;
        ServerOptions { common, reply_timeout, on_end, codec, types }
    }

    /// How long [`open`](Self::open) waits for the pair to exist and for another server to give it
    /// up. Default: 30 s.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.common.open_timeout = timeout;
        self
    }

    /// How long writing one reply may take in all, where the caller waits longer. Default: 30 s.
    pub fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = timeout;
        self
    }

    /// How long no byte of a reply may move while the client does not read. Default: 10 s.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.common.stall = timeout;
        self
    }

    /// What happens once the last client has left. Default: [`EndOfWriters::Wait`].
    pub fn end_of_writers(mut self, on_end: EndOfWriters) -> Self {
        self.on_end = on_end;
        self
    }

    /// The largest request and reply, in bytes as encoded. A server holds at most this much of
    /// requests that nobody has taken. Default: 16 MiB; at
    /// most 4 GiB less 1 KiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.common.limit_messages(bytes);
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
    /// paid lately. Zero turns it off. Default: 50 us.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.common.spin = limit;
        self
    }

    /// Is told of waits that last longer than a second, at most once a second.
    pub fn on_waiting(mut self, told: impl Fn(&Waiting<'_>) + Send + Sync + 'static) -> Self {
        self.common.observer = Observer::new(told);
        self
    }

    /// Opens the request FIFO, so that clients can call. The reply FIFO is opened when there is
    /// something to answer: then a client reads it.
    ///
    /// # Errors
    /// By the open timeout: [`ErrorKind::NotFound`](crate::ErrorKind::NotFound), or
    /// [`ErrorKind::Busy`](crate::ErrorKind::Busy) where another server holds the pair. At once:
    /// [`ErrorKind::NotAFifo`](crate::ErrorKind::NotAFifo),
    /// [`ErrorKind::Untrusted`](crate::ErrorKind::Untrusted),
    /// [`ErrorKind::Permission`](crate::ErrorKind::Permission).
    pub fn open(self, pair: &Pair) -> Result<Server<Req, Rep, C>>
    where
        C: Codec<Req> + Codec<Rep>,
    {
        let Common { trust, capacity, max_message, stall, open_timeout, .. } = self.common;
        let incoming = ReadOpener::new(pair.input(), trust, capacity);
        let outgoing = WriteOpener::new(pair.output(), trust, capacity, true);
        let link = Link::new(incoming, outgoing, max_message, crate::new_epoch());
        let shared = Shared {
            turn: Turn::new(Answerer::new(link, stall, self.on_end), &self.common),
            codec: self.codec,
            timeout: self.reply_timeout,
            max_message,
        };
        shared.turn.open(Term::timeout(open_timeout))?;
        Ok(Server { shared: Arc::new(shared), types: PhantomData })
    }
}
