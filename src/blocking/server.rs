//! The answering side of a pair.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::options::{Common, Observer, TIMEOUT, Term, Waiting};
use super::turn::{HeldEnds, Session, Turn};
use crate::codec::{Codec, Json};
use crate::core::link::{Directions, Link};
use crate::core::outbox::Ticket;
use crate::core::recv::EndOfWriters;
use crate::core::server::{Answerer, Asked, Caller, NEXT_REQUEST};
use crate::core::step::{Step, Wait};
use crate::core::wire::FailureCode;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::node::{Pair, ReadOpener, Trust, WriteOpener};
use crate::stats::LinkStats;
use crate::sys;

/// Answers the calls of a [`Client`](super::Client) over a [`Pair`]: requests of type `Req`,
/// replies of type `Rep`.
///
/// [`serve`](Self::serve) runs a handler on this thread; [`requests`](Self::requests) hands out
/// requests whose replies may be sent from any thread. Clients come and go; by default a server
/// waits for the next.
pub struct Server<Req, Rep, C = Json> {
    shared: Arc<Shared<C>>,
    types: PhantomData<fn(Req) -> Rep>,
}

/// What a server shares with the replies that are under way.
struct Shared<C> {
    turn: Turn<Answerer<ReadOpener, WriteOpener>>,
    codec: C,
    timeout: Duration,
    max_message: usize,
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
        ServerOptions {
            common: Common::default(),
            reply_timeout: TIMEOUT,
            on_end: EndOfWriters::default(),
            codec: Json,
            types: PhantomData,
        }
    }
}

impl<Req, Rep, C: Codec<Req> + Codec<Rep>> Server<Req, Rep, C> {
    /// Answers requests one after the other until the handler says stop, or until the last client
    /// has left where that is the end ([`ServerOptions::end_of_writers`]).
    ///
    /// A handler's error and a handler's panic reach the caller as [`ErrorKind::Remote`] with
    /// their words, and the server goes on. So it does when a client dies before its reply.
    ///
    /// # Errors
    /// What ends the server itself, such as a path that is no longer a FIFO.
    pub fn serve<E: fmt::Display>(
        &mut self,
        mut handler: impl FnMut(Req, &Context) -> Result<Rep, E>,
    ) -> Result<()> {
        let stop = Cell::new(false);
        while let Some(request) = self.next(Term::until(Deadline::NEVER))? {
            let Incoming { value, responder } = request;
            let context = Context { deadline: responder.deadline, stop: &stop };
            // The handler is the user's; what it left half done is the user's to know.
            let outcome = catch_unwind(AssertUnwindSafe(|| handler(value, &context)));
            let sent = match outcome {
                Ok(Ok(reply)) => responder.send(&reply),
                Ok(Err(error)) => responder.fail(error),
                Err(panic) => responder.panicked(&*panic),
            };
            // The client that asked may be gone or stuck; the next one is not.
            drop(sent);
            if stop.get() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The requests to come, each with a handle for its reply that can go to another thread. Ends
    /// as [`serve`](Self::serve) does. An error concerns the server itself.
    pub fn requests(&mut self) -> Requests<'_, Req, Rep, C> {
        Requests { server: self }
    }

    /// The next request, waiting at most this long for it.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] or [`ErrorKind::NoWriter`] where none came,
    /// [`ErrorKind::PeerClosed`] where the last client has left and that is the end.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Incoming<Req, Rep, C>> {
        match self.next(Term::timeout(timeout)) {
            Ok(Some(request)) => Ok(request),
            Ok(None) => Err(Error::new(ErrorKind::PeerClosed, Phase::Read)),
            Err(error) => Err(error),
        }
    }

    /// What this server has seen so far.
    pub fn stats(&self) -> LinkStats {
        self.shared.turn.with(|answerer| answerer.link().stats)
    }

    fn next(&mut self, term: Term) -> Result<Option<Incoming<Req, Rep, C>>> {
        loop {
            let asked = self.shared.turn.wait(NEXT_REQUEST, term, Phase::Read, |answerer, now| {
                match answerer.next_request(sys::monotonic_ns()) {
                    Ok(Some(asked)) => Some(Ok(asked)),
                    Ok(None) if term.deadline.passed(now) => Some(Err(answerer.silence())),
                    Ok(None) => None,
                    Err(error) => Some(Err(error)),
                }
            });
            let asked = match asked {
                Err(error) if error.kind() == ErrorKind::PeerClosed => return Ok(None),
                asked => asked?,
            };
            if let Some(request) = self.receive(asked) {
                return Ok(Some(request));
            }
        }
    }

    /// Reads a request; one that cannot be read is answered here and now.
    fn receive(&self, asked: Asked) -> Option<Incoming<Req, Rep, C>> {
        let responder = Responder {
            shared: Some(Arc::clone(&self.shared)),
            caller: asked.caller,
            deadline: asked
                .left
                .map_or(Deadline::NEVER, |left| Deadline::after(Instant::now(), left)),
            replies: PhantomData,
        };
        let value: Result<Req, _> = self.shared.codec.decode(asked.message());
        self.shared.turn.with(|answerer| answerer.link_mut().recycle(asked.into_body()));
        match value {
            Ok(value) => Some(Incoming { value, responder }),
            Err(error) => {
                drop(responder.answer(Answer::Failed(FailureCode::Codec, error.to_string())));
                None
            }
        }
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
    deadline: Deadline,
    stop: &'a Cell<bool>,
}

impl Context<'_> {
    /// When the caller stops waiting.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// How long the caller will still wait; `None` for without end.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.remaining(Instant::now())
    }

    /// Ends [`Server::serve`] once this request is answered.
    pub fn stop(&self) {
        self.stop.set(true);
    }
}

/// The requests that come to a [`Server`].
#[derive(Debug)]
pub struct Requests<'a, Req, Rep, C> {
    server: &'a mut Server<Req, Rep, C>,
}

impl<Req, Rep, C: Codec<Req> + Codec<Rep>> Iterator for Requests<'_, Req, Rep, C> {
    type Item = Result<Incoming<Req, Rep, C>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.server.next(Term::until(Deadline::NEVER)).transpose()
    }
}

/// A request, and the means to answer it.
#[derive(Debug)]
pub struct Incoming<Req, Rep, C: Codec<Rep> = Json> {
    /// What was asked.
    pub value: Req,
    /// Answers it.
    pub responder: Responder<Rep, C>,
}

/// Answers one request, from any thread. Dropped without an answer, it tells the caller so.
pub struct Responder<Rep, C: Codec<Rep> = Json> {
    /// Taken by the answer.
    shared: Option<Arc<Shared<C>>>,
    caller: Caller,
    deadline: Deadline,
    replies: PhantomData<fn(&Rep)>,
}

enum Answer<'a, Rep> {
    Reply(&'a Rep),
    Failed(FailureCode, String),
}

impl<Rep, C: Codec<Rep>> Responder<Rep, C> {
    /// When the caller stops waiting.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Sends the reply; `Ok` means that the FIFO has accepted every byte of it.
    ///
    /// It is given up when the caller has stopped waiting, or after
    /// [`ServerOptions::reply_timeout`].
    ///
    /// # Errors
    /// [`ErrorKind::NoReader`], [`ErrorKind::PeerClosed`]: the client is gone.
    /// [`ErrorKind::WriteStalled`]: it does not read. [`ErrorKind::Codec`],
    /// [`ErrorKind::TooLarge`]: the reply cannot be sent; the caller is told so.
    pub fn send(self, reply: &Rep) -> Result<()> {
        self.answer(Answer::Reply(reply))
    }

    /// Tells the caller that its request failed, in these words: they reach it in
    /// [`Error::detail`], cut to 2 KiB.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn fail(self, why: impl fmt::Display) -> Result<()> {
        self.answer(Answer::Failed(FailureCode::Handler, why.to_string()))
    }

    fn panicked(self, panic: &(dyn Any + Send)) -> Result<()> {
        let words = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(words), _) => (*words).to_owned(),
            (None, Some(words)) => words.clone(),
            (None, None) => String::new(),
        };
        self.answer(Answer::Failed(FailureCode::Panic, format!("the handler panicked: {words}")))
    }

    fn answer(mut self, answer: Answer<'_, Rep>) -> Result<()> {
        let Some(shared) = self.shared.take() else { return Ok(()) };
        let reply_by = Term::timeout(shared.timeout);
        let term = Term { deadline: reply_by.deadline.earlier(self.deadline), ..reply_by };
        let (ticket, refused) = shared.queue(self.caller, answer);
        let sent = shared.turn.wait(ticket, term, Phase::Write, |answerer, now| {
            answerer.outcome(ticket, now, term.deadline)
        });
        shared.turn.with(|answerer| answerer.give_up(ticket));
        match refused {
            Some(error) => Err(shared.turn.with(|answerer| term.sign(error, answerer.path()))),
            None => sent,
        }
    }
}

impl<C> Shared<C> {
    /// Queues an answer. A reply that cannot be sent becomes a failure, and the reason is answered
    /// too.
    fn queue<Rep>(&self, caller: Caller, answer: Answer<'_, Rep>) -> (Ticket, Option<Error>)
    where
        C: Codec<Rep>,
    {
        let refused = match answer {
            Answer::Failed(code, words) => {
                return (self.turn.with(|answerer| answerer.fail(caller, code, words)), None);
            }
            Answer::Reply(reply) => {
                let mut body = self.turn.with(|answerer| answerer.spare());
                match self.encode(reply, &mut body) {
                    Ok(()) => {
                        return (self.turn.with(|answerer| answerer.reply(caller, body)), None);
                    }
                    Err(error) => error,
                }
            }
        };
        let code = match refused.kind() {
            ErrorKind::TooLarge => FailureCode::TooLarge,
            _ => FailureCode::Codec,
        };
        let words = refused.detail().unwrap_or("the reply has no form in the codec").to_owned();
        (self.turn.with(|answerer| answerer.fail(caller, code, words)), Some(refused))
    }

    fn encode<Rep>(&self, reply: &Rep, body: &mut Vec<u8>) -> Result<()>
    where
        C: Codec<Rep>,
    {
        self.codec.encode(reply, body).map_err(|error| {
            Error::new(ErrorKind::Codec, Phase::Encode)
                .with_fate(Fate::NotSent)
                .caused_by(error.into_source())
        })?;
        if body.len() > self.max_message {
            let (len, limit) = (body.len(), self.max_message);
            return Err(Error::new(ErrorKind::TooLarge, Phase::Encode)
                .with_fate(Fate::NotSent)
                .detailed(format!("the reply has {len} bytes, the limit is {limit}")));
        }
        Ok(())
    }
}

impl<Rep, C: Codec<Rep>> Drop for Responder<Rep, C> {
    /// Queues the news and writes it if there is room; waits for nothing.
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else { return };
        let words = "the request was dropped without an answer".to_owned();
        shared.turn.nudge(|answerer| {
            let ticket = answerer.fail(self.caller, FailureCode::Dropped, words);
            answerer.forget(ticket);
        });
    }
}

impl<Rep, C: Codec<Rep>> fmt::Debug for Responder<Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// How a [`Server`] is opened.
#[derive(Clone, Debug)]
pub struct ServerOptions<Req, Rep, C = Json> {
    common: Common,
    reply_timeout: Duration,
    on_end: EndOfWriters,
    codec: C,
    types: PhantomData<fn(Req) -> Rep>,
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
    /// requests that nobody has taken. Default: 16 MiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.common.max_message = bytes;
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
    /// By the open timeout: [`ErrorKind::NotFound`], or [`ErrorKind::Busy`] where another server
    /// holds the pair. At once: [`ErrorKind::NotAFifo`], [`ErrorKind::Untrusted`],
    /// [`ErrorKind::Permission`].
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

impl Session for Answerer<ReadOpener, WriteOpener> {
    fn path(&self) -> &Path {
        self.link().incoming().path()
    }

    fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        self.link_mut().step_open(now, deadline)
    }

    fn step(&mut self, now: Instant, directions: Directions) -> Result<Wait> {
        Answerer::step(self, now, directions)
    }

    fn wakeups(&mut self) -> &mut Vec<u64> {
        Answerer::wakeups(self)
    }

    fn ends(&self) -> HeldEnds {
        HeldEnds::of(self.link())
    }
}
