//! The answering side of a pair.

mod attendant;
#[cfg(test)]
#[cfg(shuttle)]
mod checked;
mod payload;
mod responder;
mod sink;

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use payload::Payload;
pub use responder::{Request, Responder};
pub use sink::{ReplySink, ReplyWriter};

use super::turn::Turn;
use crate::codec::{Codec, CodecError, Json};
use crate::core::errand::{Ending, Receiving};
use crate::core::server::{Asked, Asker};
use crate::core::session::Session;
use crate::core::wire::FailureCode;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::front::{IdempotencyKey, ServerOptions, Term};
use crate::node::Pair;
use crate::probe::Probe;
use crate::stats::LinkStats;
use attendant::Attendant;
use responder::{Machine, Shared};

/// Answers the calls of a [`Client`](super::Client) over a [`Pair`]: requests of type `Req`,
/// replies of type `Rep`.
///
/// [`serve`](Self::serve) runs a handler on this thread; [`requests`](Self::requests) hands out
/// requests whose replies may be sent from any thread. Clients come and go, one at a time; by
/// default a server waits for the next.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// use fifowire::{Client, EndOfWriters, ErrorKind, Pair, Server};
///
/// let pair = Pair::create(directory.path(), "agent")?;
/// let mut server =
///     Server::<String, usize>::options().end_of_writers(EndOfWriters::End).open(&pair)?;
/// let service = std::thread::spawn(move || {
///     server.serve(|text, _| match text.chars().count() {
///         0 => Err("nothing to count"),
///         count => Ok(count),
///     })
/// });
///
/// let client = Client::<String, usize>::open(&pair)?;
/// assert_eq!(client.call(&"four".to_owned())?, 4);
/// let error = client.call(&String::new()).unwrap_err();
/// assert_eq!((error.kind(), error.detail()), (ErrorKind::Remote, Some("nothing to count")));
///
/// // The last client leaves, and here that is the end.
/// drop(client);
/// service.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server<Req, Rep, C = Json> {
    shared: Arc<Shared<C>>,
    types: PhantomData<fn(Req) -> Rep>,
}

impl<Req, Rep> Server<Req, Rep> {
    /// Opens the server's side of a pair; see [`ServerOptions::open`].
    ///
    /// # Errors
    /// As [`ServerOptions::open`].
    pub fn open(pair: &Pair) -> Result<Self>
    where
        Json: Codec<Req> + Codec<Rep>,
    {
        Self::options().open(pair)
    }

    /// Options, among them the codec.
    pub fn options() -> ServerOptions<Req, Rep> {
        ServerOptions::new()
    }
}

impl<Req, Rep, C: Codec<Req> + Codec<Rep>> Server<Req, Rep, C> {
    /// Answers requests one after the other until the handler says stop, or until the last client
    /// has left where that is the end ([`ServerOptions::end_of_writers`]).
    ///
    /// A handler's error and a handler's panic reach the caller as [`ErrorKind::Remote`] with
    /// their words, and the server goes on. So it does when a client dies before its reply.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use fifowire::{Client, Pair, Server};
    /// use std::convert::Infallible;
    ///
    /// let pair = Pair::create(directory.path(), "agent")?;
    /// let mut server = Server::<u32, u32>::open(&pair)?;
    /// let service = std::thread::spawn(move || {
    ///     server.serve(|number, context| {
    ///         context.stop(); // after this request
    ///         Ok::<_, Infallible>(number + 1) // this handler cannot fail
    ///     })
    /// });
    ///
    /// assert_eq!(Client::<u32, u32>::open(&pair)?.call(&41)?, 42);
    /// service.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What ends the server itself, such as a path that is no longer a FIFO.
    pub fn serve<E: fmt::Display>(
        &mut self,
        mut handler: impl FnMut(Req, &Context) -> Result<Rep, E>,
    ) -> Result<()> {
        self.answer_all(|Request { value, responder }, context| {
            // The handler is the user's, and so are its error's words and its reply's bytes; what
            // they left half done is the user's to know.
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                handler(value, context).map_err(|error| error.to_string())
            }));
            match outcome {
                Ok(Ok(reply)) => responder.send(&reply),
                Ok(Err(words)) => responder.fail(words),
                Err(panic) => responder.panicked(&*panic),
            }
        })
    }

    /// As [`serve`](Self::serve), with a handler that answers each request by many replies. A
    /// caller that has asked for one reply is told that it should [ask for
    /// many](crate::Call::stream), and the handler does not see its request.
    ///
    /// What it sends in answer to a [notification](crate::Client::notify) is dropped. A server that
    /// answers some requests by one reply and others by many takes them by
    /// [`requests`](Self::requests): see [`Responder::wants_stream`].
    ///
    /// The stream ends when the handler returns: regularly, or with the error's words. See
    /// [`Call::stream`](crate::Call::stream) for an example.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub fn serve_streams<E: fmt::Display>(
        &mut self,
        mut handler: impl FnMut(Req, &mut ReplySink<Rep, C>, &Context) -> Result<(), E>,
    ) -> Result<()> {
        self.answer_all(|Request { value, responder }, context| {
            let mut replies = responder.stream()?;
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                handler(value, &mut replies, context).map_err(|error| error.to_string())
            }));
            match outcome {
                Ok(Ok(())) => replies.end(),
                Ok(Err(words)) => replies.fail(words),
                Err(panic) => replies.panicked(&*panic),
            }
        })
    }

    /// Has each request answered, one after the other.
    fn answer_all(
        &mut self,
        mut answer: impl FnMut(Request<Req, Rep, C>, &Context) -> Result<()>,
    ) -> Result<()> {
        let stop = Cell::new(false);
        let mut attendant = None;
        while let Some(request) = self.next(Term::until(Instant::now(), Deadline::NEVER))? {
            let context = Context::of(&self.shared.turn, &request.responder, &stop);
            let attendant = Attendant::at(&mut attendant, &self.shared.turn)?;
            attendant.begin();
            let span = request.responder.span();
            // The client that asked may be gone or stuck; the next one is not. A codec may panic
            // too.
            drop(span.enter(|| catch_unwind(AssertUnwindSafe(|| answer(request, &context)))));
            attendant.end();
            if stop.get() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The requests to come, each with a handle for its reply that can go to another thread. Ends
    /// as [`serve`](Self::serve) does. An error concerns the server itself.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use fifowire::{Client, EndOfWriters, Pair, Request, Server};
    /// use std::thread;
    ///
    /// let pair = Pair::create(directory.path(), "agent")?;
    /// let options = Server::<u32, u32>::options().end_of_writers(EndOfWriters::End);
    /// let mut server = options.open(&pair)?;
    /// let service = thread::spawn(move || {
    ///     for request in server.requests() {
    ///         let Request { value, responder } = request?;
    ///         // Answered from a thread of its own, while the next request is taken here.
    ///         thread::spawn(move || responder.send(&(value + 1)));
    ///     }
    ///     Ok::<_, fifowire::Error>(())
    /// });
    ///
    /// let client = Client::<u32, u32>::open(&pair)?;
    /// assert_eq!(client.call(&41)?, 42);
    /// drop(client);
    /// service.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn requests(&mut self) -> Requests<'_, Req, Rep, C> {
        Requests { attendant: None, server: self }
    }

    /// The next request, waiting at most this long for it.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] or [`ErrorKind::NoWriter`] where none came,
    /// [`ErrorKind::PeerClosed`] where the last client has left and that is the end.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Request<Req, Rep, C>> {
        let term = Term::timeout(Instant::now(), timeout);
        match self.next(term) {
            Ok(Some(request)) => Ok(request),
            Ok(None) => Err(self.sign(Error::new(ErrorKind::PeerClosed, Phase::Read), term)),
            Err(error) => Err(error),
        }
    }

    /// Closes the connection within this time: no more requests are taken, those in hand are
    /// answered, the client is told goodbye. Answers whether all of that was done by then; what was
    /// not is cut off. Requests that were not taken are declined, which their callers are told as
    /// [`ErrorKind::PeerClosed`], not sent.
    ///
    /// Dropping a server and all its [responders](Responder) is [`abort`](Self::abort).
    pub fn close(self, drain: Duration) -> bool {
        let now = Instant::now();
        let term = Term::timeout(now, drain);
        let ending = Ending::new(term.deadline);
        self.shared.turn.run(ending, now, term, Phase::Close).unwrap_or(false)
    }

    /// Closes both FIFOs at once: a client that is blocked in writing goes on, and requests in hand
    /// cannot be answered any more.
    pub fn abort(self) {
        self.shared.turn.with(Session::abort);
    }

    /// What this side knows of the connection without asking the client: at once, also where the
    /// FIFO itself is stuck.
    pub fn probe(&self) -> Probe {
        self.shared.turn.nudge(|_| {});
        self.shared.turn.with(|answerer| answerer.probe(Instant::now()))
    }

    /// What this server has counted so far.
    pub fn stats(&self) -> LinkStats {
        self.shared.turn.with(|answerer| answerer.stats())
    }

    fn next(&mut self, term: Term) -> Result<Option<Request<Req, Rep, C>>> {
        let mut now = term.began;
        loop {
            let receiving = Receiving::new(term.deadline);
            let asked = match self.shared.turn.run(receiving, now, term, Phase::Read) {
                Err(error) if error.kind() == ErrorKind::PeerClosed => return Ok(None),
                asked => asked?,
            };
            if let Some(request) = asked.and_then(|asked| self.receive(asked)) {
                return Ok(Some(request));
            }
            now = Instant::now();
            if term.deadline.passed(now) {
                return Err(self.silence(term));
            }
        }
    }

    fn silence(&self, term: Term) -> Error {
        let silence = self.shared.turn.with(|answerer| answerer.silence());
        self.sign(silence, term)
    }

    fn sign(&self, error: Error, term: Term) -> Error {
        let placed = self.shared.turn.with(|answerer| answerer.place(error, Phase::Read));
        term.sign(placed, Instant::now())
    }

    /// Reads a request; one that cannot be read is answered here and now.
    fn receive(&self, asked: Asked) -> Option<Request<Req, Rep, C>> {
        let codec = &self.shared.codec;
        let value: Result<Req, _> =
            catch_unwind(AssertUnwindSafe(|| codec.decode(asked.message())))
                .unwrap_or_else(|_| Err(CodecError::new("the codec panicked")));
        let asker = asked.asker();
        let memory = asked.into_memory().unwrap_or_else(|long| {
            self.shared.turn.with(|answerer| answerer.link_mut().recycle(long));
            Vec::new()
        });
        let responder = Responder::new(Arc::clone(&self.shared), asker, memory);
        match value {
            Ok(value) => Some(Request { value, responder }),
            Err(error) => {
                responder.refuse(FailureCode::Codec, error.to_string());
                None
            }
        }
    }
}

impl<Req, Rep, C> ServerOptions<Req, Rep, C> {
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
        let shared = Shared {
            turn: Arc::new(Turn::new(self.machine(pair), &self.common)?),
            codec: self.codec,
            timeout: self.reply_timeout,
            max_message: self.common.max_message,
        };
        shared.turn.open(Term::timeout(Instant::now(), self.common.open_timeout))?;
        Ok(Server { shared: Arc::new(shared), types: PhantomData })
    }
}

impl<Req, Rep, C> fmt::Debug for Server<Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// What a handler knows beside the request.
#[derive(Debug)]
pub struct Context<'a> {
    turn: &'a Turn<Machine>,
    asker: Asker,
    stop: &'a Cell<bool>,
}

impl<'a> Context<'a> {
    fn of<Rep, C: Codec<Rep>>(
        turn: &'a Turn<Machine>,
        responder: &Responder<Rep, C>,
        stop: &'a Cell<bool>,
    ) -> Self {
        Self { turn, asker: responder.asker(), stop }
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Deadline {
        self.asker.deadline
    }

    /// How long the caller will still wait; `None` for without end.
    pub fn remaining(&self) -> Option<Duration> {
        self.asker.deadline.remaining(Instant::now())
    }

    /// Whether nobody wants the answer any more: the call was cancelled or given up, or its client
    /// has left. Long work looks now and then; an answer that comes all the same is dropped.
    pub fn is_cancelled(&self) -> bool {
        self.turn.with(|answerer| answerer.is_settled(self.asker.caller))
    }

    /// Whether the caller waits for an answer; one to a [notification](crate::Client::notify) is
    /// dropped.
    pub fn wants_reply(&self) -> bool {
        !self.asker.options.quiet
    }

    /// Whether the caller takes many replies; one that does takes a single one as well.
    pub fn wants_stream(&self) -> bool {
        self.asker.options.window.is_some()
    }

    /// The bytes that the request brings beside its message; read them with one of these, because
    /// one that is dropped drops what it has of them.
    pub fn payload(&self) -> Payload<'_> {
        Payload::new(self.turn, self.asker)
    }

    /// The key of the request, where it has one: for a server that keeps for itself what it has
    /// done, so that it does so once in all its lives.
    pub fn idempotency_key(&self) -> Option<IdempotencyKey> {
        self.asker.options.key.filter(|_| self.wants_reply()).map(Into::into)
    }

    /// Ends [`Server::serve`] once this request is answered.
    pub fn stop(&self) {
        self.stop.set(true);
    }
}

/// The requests that come to a [`Server`].
#[derive(Debug)]
pub struct Requests<'a, Req, Rep, C> {
    attendant: Option<Attendant>,
    server: &'a mut Server<Req, Rep, C>,
}

impl<Req, Rep, C: Codec<Req> + Codec<Rep>> Iterator for Requests<'_, Req, Rep, C> {
    type Item = Result<Request<Req, Rep, C>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(attendant) = &self.attendant {
            attendant.end();
        }
        let request = match self.server.next(Term::until(Instant::now(), Deadline::NEVER)) {
            Ok(request) => request?,
            Err(error) => return Some(Err(error)),
        };
        let attendant = Attendant::at(&mut self.attendant, &self.server.shared.turn);
        Some(attendant.map(|attendant| {
            attendant.begin();
            request
        }))
    }
}
