//! The answering side of a pair.

mod context;
mod payload;
mod responder;
mod sink;

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::thread;
use std::time::Duration;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, Stream, StreamExt};

use super::Runtime;
use super::hub::{Hub, Visit};
use crate::codec::{Codec, CodecError, Json};
use crate::core::errand::{Answer, Ending, Listening, Receiving};
use crate::core::server::Asked;
use crate::core::session::Session;
use crate::core::wire::FailureCode;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::front::{ServerOptions, Term};
use crate::node::Pair;
use crate::probe::Probe;
use crate::stats::LinkStats;
use crate::sys;
pub use context::Context;
use context::{AtServer, Stop};
pub use payload::Payload;
use responder::{Machine, Shared};
pub use responder::{Request, Responder};
pub use sink::{ReplySink, ReplyWriter};

/// Answers the calls of a [`Client`](super::Client) over a [`Pair`]; the awaited form of
/// [`Server`](crate::Server).
///
/// [`serve`](Self::serve) runs handlers side by side, as many as
/// [`ServerOptions::max_handlers`] allows; [`requests`](Self::requests) is a stream of requests
/// whose replies may be sent from any task.
pub struct Server<R: Runtime, Req, Rep, C = Json> {
    shared: Arc<Shared<R, C>>,
    max_handlers: usize,
    types: PhantomData<fn(Req) -> Rep>,
}

impl<R: Runtime, Req, Rep> Server<R, Req, Rep> {
    /// Opens the server's side of a pair; see [`ServerOptions::open`].
    ///
    /// # Errors
    /// As [`ServerOptions::open`].
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn open(pair: &Pair) -> Result<Self>
    where
        Json: Codec<Req> + Codec<Rep>,
    {
        Self::options().open(pair).await
    }

    /// Options, among them the codec.
    pub fn options() -> ServerOptions<Req, Rep, Json, R> {
        ServerOptions::new()
    }
}

impl<R: Runtime, Req, Rep, C: Codec<Req> + Codec<Rep>> Server<R, Req, Rep, C> {
    /// Answers requests, handlers running side by side within this future, until a handler says
    /// stop, or until the last client has left where that is the end
    /// ([`ServerOptions::end_of_writers`]). Handlers that run then are awaited.
    ///
    /// A handler's error and a handler's panic reach the caller as [`ErrorKind::Remote`] with
    /// their words, and the server goes on. So it does when a client dies before its reply.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # async fn main_of(pair: fifowire::Pair) -> fifowire::Result<()> {
    /// use fifowire::tokio::Server;
    ///
    /// let mut server = Server::<String, usize>::open(&pair).await?;
    /// let serve = server.serve(|text, context| async move {
    ///     if text == "stop" {
    ///         context.stop();
    ///     }
    ///     Ok::<_, String>(text.len()) // an error's words reach the caller
    /// });
    /// serve.await
    /// # }
    /// ```
    ///
    /// # Errors
    /// What ends the server itself, such as a path that is no longer a FIFO.
    ///
    /// # Cancel safety
    /// The handlers that run are dropped, and their callers told so. Requests that have come and
    /// were not handed out are there for the next call.
    pub async fn serve<E, Handled>(
        &mut self,
        mut handler: impl FnMut(Req, Context) -> Handled,
    ) -> Result<()>
    where
        E: fmt::Display,
        Handled: Future<Output = Result<Rep, E>>,
    {
        self.answer_all(|Request { value, responder }, context| {
            let begun = catch_unwind(AssertUnwindSafe(|| handler(value, context)));
            async move {
                match outcome_of(begun).await {
                    Ok(Ok(reply)) => responder.send(&reply).await,
                    Ok(Err(words)) => responder.fail(words).await,
                    Err(panic) => responder.panicked(panic).await,
                }
            }
        })
        .await
    }

    /// As [`serve`](Self::serve), with a handler that answers each request by many replies. A
    /// caller that has asked for one reply is told that it should [ask for
    /// many](crate::awaited::Call::stream), and the handler does not see its request.
    ///
    /// The stream ends when the handler's future does: regularly, or with the error's words.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # async fn main_of(pair: fifowire::Pair) -> fifowire::Result<()> {
    /// use fifowire::tokio::Server;
    ///
    /// let mut server = Server::<u32, u32>::open(&pair).await?;
    /// let serve = server.serve_streams(|upto, mut replies, _| async move {
    ///     for number in 1..=upto {
    ///         replies.send(&number).await?;
    ///     }
    ///     Ok::<_, fifowire::Error>(())
    /// });
    /// serve.await
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    ///
    /// # Cancel safety
    /// As [`serve`](Self::serve).
    pub async fn serve_streams<E, Handled>(
        &mut self,
        mut handler: impl FnMut(Req, ReplySink<R, Rep, C>, Context) -> Handled,
    ) -> Result<()>
    where
        E: fmt::Display,
        Handled: Future<Output = Result<(), E>>,
    {
        self.answer_all(|Request { value, responder }, context| {
            let begun = responder.stream().map(|replies| {
                let last = replies.last();
                (catch_unwind(AssertUnwindSafe(|| handler(value, replies, context))), last)
            });
            async move {
                let (begun, last) = begun?;
                let outcome = outcome_of(begun).await;
                // Where it is said already, or bytes are missing, there is no more to say.
                let Some(responder) = last.take() else { return Ok(()) };
                match outcome {
                    Ok(Ok(())) => responder.answer_now(Answer::End).await,
                    Ok(Err(words)) => responder.fail(words).await,
                    Err(panic) => responder.panicked(panic).await,
                }
            }
        })
        .await
    }

    /// Has requests answered side by side.
    async fn answer_all<Answered>(
        &mut self,
        mut answer: impl FnMut(Request<R, Req, Rep, C>, Context) -> Answered,
    ) -> Result<()>
    where
        Answered: Future<Output = Result<()>>,
    {
        let stop = Arc::new(Stop::default());
        let mut running = FuturesUnordered::new();
        let mut wait = Wanted { request: None, nothing: None };
        let ended = loop {
            let came = poll_fn(|cx| match stop.poll(cx) {
                true => Poll::Ready(Came::End(Ok(()))),
                false => self.poll_next_or_done(&mut wait, &mut running, cx),
            });
            match came.await {
                Came::Done => {}
                Came::Request(request) => {
                    let context = request.responder.context(&self.shared, &stop);
                    let span = request.responder.span();
                    let answered = span.enter(|| answer(request, context));
                    // The client that asked may be gone or stuck; the next one is not. A codec may
                    // panic too.
                    let answered = AssertUnwindSafe(answered).catch_unwind().map(drop);
                    running.push(span.around(answered));
                }
                Came::End(end) => break end,
            }
        };
        while running.next().await.is_some() {}
        ended
    }

    /// The requests to come, each with a handle for its reply that can go to another task. Ends as
    /// [`serve`](Self::serve) does. An error concerns the server itself.
    ///
    /// Pings and cancels are answered while somebody waits on this server: for the next request,
    /// for a reply to be written, or for a [cancel](Responder::cancelled).
    pub fn requests(&mut self) -> Requests<'_, R, Req, Rep, C> {
        Requests { wait: None, server: self }
    }

    /// The next request, waiting at most this long for it.
    ///
    /// # Errors
    /// As [`Server::recv_timeout`](crate::Server::recv_timeout).
    ///
    /// # Cancel safety
    /// No request is lost: what has come is there for the next call.
    pub async fn recv_timeout(&mut self, timeout: Duration) -> Result<Request<R, Req, Rep, C>> {
        let term = Term::timeout(self.shared.hub.now(), timeout);
        let mut wait = None;
        match poll_fn(|cx| self.poll_request(&mut wait, Some(term), cx)).await {
            Ok(Some(request)) => Ok(request),
            Ok(None) => Err(self.sign(Error::new(ErrorKind::PeerClosed, Phase::Read), term)),
            Err(error) => Err(error),
        }
    }

    /// Closes the connection within this time; see [`Server::close`](crate::Server::close).
    ///
    /// # Cancel safety
    /// The connection is closed with the last responder.
    pub async fn close(self, drain: Duration) -> bool {
        let hub = &self.shared.hub;
        let term = Term::timeout(hub.now(), drain);
        hub.run(Ending::new(term.deadline), term, Phase::Close).await.unwrap_or(false)
    }

    /// Closes both FIFOs at once; see [`Server::abort`](crate::Server::abort).
    pub fn abort(self) {
        self.shared.hub.with(Session::abort);
    }

    /// What this side knows of the connection without asking the client: at once, also where the
    /// FIFO itself is stuck.
    pub fn probe(&self) -> Probe {
        let hub = &self.shared.hub;
        hub.nudge(|_| {});
        let now = hub.now();
        hub.with(|answerer| answerer.probe(now))
    }

    /// What this server has counted so far.
    pub fn stats(&self) -> LinkStats {
        self.shared.hub.with(|answerer| answerer.stats())
    }

    /// The next request as long as there are fewer handlers than may run, or the next handler that
    /// is done. Requests that have come already are handed out first, so that those that came
    /// together are answered together; the wait for more comes last.
    fn poll_next_or_done<'a>(
        &'a self,
        wait: &mut Wanted<'a, R>,
        running: &mut FuturesUnordered<impl Future<Output = ()>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Came<R, Req, Rep, C>> {
        let room = running.len() < self.max_handlers;
        if let Some(request) = room.then(|| self.ready_request()).flatten() {
            return Poll::Ready(Came::Request(request));
        }
        if let Poll::Ready(Some(())) = running.poll_next_unpin(cx) {
            return Poll::Ready(Came::Done);
        }
        if !room {
            // No request is wanted, and control is answered all the same. A failure is met by the
            // wait for the next request.
            let begin = || {
                let term = Term::until(self.shared.hub.now(), Deadline::NEVER);
                self.shared.hub.run(Idle::until(never), term, Phase::Read)
            };
            if Pin::new(wait.nothing.get_or_insert_with(begin)).poll(cx).is_ready() {
                wait.nothing = None;
            }
            return Poll::Pending;
        }
        wait.nothing = None;
        self.poll_request(&mut wait.request, None, cx).map(|next| match next {
            Ok(Some(request)) => Came::Request(request),
            Ok(None) => Came::End(Ok(())),
            Err(error) => Came::End(Err(error)),
        })
    }

    /// A request that has come already.
    fn ready_request(&self) -> Option<Request<R, Req, Rep, C>> {
        loop {
            let (asked, is_due) = self.shared.hub.with(|answerer| {
                if !answerer.link().has_events() {
                    return (None, false);
                }
                let now = self.shared.hub.now();
                // The end of the clients is for a wait to tell.
                let asked = answerer.next_request(now, sys::monotonic_ns(now)).ok().flatten();
                (asked, answerer.made_room())
            });
            if asked.is_none() && is_due {
                // Whoever waits for the next request is woken by it, where more have come.
                self.shared.hub.nudge(|_| {});
            }
            if let Some(request) = self.receive(asked?) {
                return Some(request);
            }
        }
    }

    /// The next request that can be read, by the end of a term or without end; `wait` is where the
    /// wait for it is kept meanwhile.
    fn poll_request<'a>(
        &'a self,
        wait: &mut Option<Wait<'a, R>>,
        term: Option<Term>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Next<R, Req, Rep, C>> {
        loop {
            let begin = || {
                let term =
                    term.unwrap_or_else(|| Term::until(self.shared.hub.now(), Deadline::NEVER));
                let receiving = Receiving::new(term.deadline);
                self.shared.hub.run(receiving, term, Phase::Read)
            };
            let asked = ready!(Pin::new(wait.get_or_insert_with(begin)).poll(cx));
            *wait = None;
            let asked = match asked {
                Err(error) if error.kind() == ErrorKind::PeerClosed => {
                    return Poll::Ready(Ok(None));
                }
                asked => asked?,
            };
            if let Some(request) = asked.and_then(|asked| self.receive(asked)) {
                return Poll::Ready(Ok(Some(request)));
            }
            if let Some(term) = term.filter(|term| term.deadline.passed(self.shared.hub.now())) {
                let silence = self.shared.hub.with(|answerer| answerer.silence());
                return Poll::Ready(Err(self.sign(silence, term)));
            }
        }
    }

    fn sign(&self, error: Error, term: Term) -> Error {
        self.shared.hub.sign(error, Phase::Read, term)
    }

    /// Reads a request; one that cannot be read is answered here and now.
    fn receive(&self, asked: Asked) -> Option<Request<R, Req, Rep, C>> {
        let codec = &self.shared.codec;
        let value: Result<Req, _> =
            catch_unwind(AssertUnwindSafe(|| codec.decode(asked.message())))
                .unwrap_or_else(|_| Err(CodecError::new("the codec panicked")));
        let asker = asked.asker();
        let memory = asked.into_memory().unwrap_or_else(|long| {
            self.shared.hub.with(|answerer| answerer.link_mut().recycle(long));
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

/// What a serving server waits for from its clients.
struct Wanted<'a, R: Runtime> {
    request: Option<Wait<'a, R>>,
    /// While as many handlers run as may.
    nothing: Option<Wait<'a, R, Idle>>,
}

/// Listens for as long as it is awaited.
type Idle = Listening<fn() -> bool>;

fn never() -> bool {
    false
}

/// The next request, or the end of them.
type Next<R, Req, Rep, C> = Result<Option<Request<R, Req, Rep, C>>>;

/// What a serving server waits for.
enum Came<R: Runtime, Req, Rep, C: Codec<Rep>> {
    Request(Request<R, Req, Rep, C>),
    /// A handler has been answered for.
    Done,
    End(Result<()>),
}

/// How a handler ends. It is the user's, and so are its error's words; what it has left half done
/// is the user's to know.
async fn outcome_of<T, E: fmt::Display>(
    begun: thread::Result<impl Future<Output = Result<T, E>>>,
) -> thread::Result<Result<T, String>> {
    let handled = async {
        match begun {
            Ok(handled) => handled.await.map_err(|error| error.to_string()),
            Err(panic) => resume_unwind(panic),
        }
    };
    AssertUnwindSafe(handled).catch_unwind().await
}

/// The requests that come to a [`Server`], as a stream.
///
/// # Cancel safety
/// No request is lost when the stream is dropped: what has come is there for the next.
pub struct Requests<'a, R: Runtime, Req, Rep, C> {
    wait: Option<Wait<'a, R>>,
    server: &'a Server<R, Req, Rep, C>,
}

type Wait<'a, R, E = Receiving> = Visit<&'a Hub<R, Machine<R>>, R, Machine<R>, E>;

impl<R: Runtime, Req, Rep, C: Codec<Req> + Codec<Rep>> Stream for Requests<'_, R, Req, Rep, C> {
    type Item = Result<Request<R, Req, Rep, C>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.server.poll_request(&mut this.wait, None, cx).map(Result::transpose)
    }
}

impl<R: Runtime, Req, Rep, C> fmt::Debug for Server<R, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl<R: Runtime, Req, Rep, C> fmt::Debug for Requests<'_, R, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

impl<R: Runtime, Req, Rep, C> ServerOptions<Req, Rep, C, R> {
    /// The most handlers of [`Server::serve`] that run at once; further requests wait to be handed
    /// out ([`max_waiting`](Self::max_waiting)).
    /// Default: 64.
    pub fn max_handlers(mut self, handlers: usize) -> Self {
        self.max_handlers = handlers.max(1);
        self
    }

    /// Opens the request FIFO, so that clients can call.
    ///
    /// # Errors
    /// As the blocking [`ServerOptions::open`](crate::ServerOptions#method.open).
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn open(self, pair: &Pair) -> Result<Server<R, Req, Rep, C>>
    where
        C: Codec<Req> + Codec<Rep>,
    {
        let term = Term::timeout(R::now(), self.common.open_timeout);
        let hub = Hub::open(self.machine(pair), &self.common, term).await?;
        let shared = Shared {
            interest: Arc::new(AtServer(hub.downgrade())),
            hub,
            codec: self.codec,
            timeout: self.reply_timeout,
            max_message: self.common.max_message,
        };
        let max_handlers = self.max_handlers;
        Ok(Server { shared: Arc::new(shared), max_handlers, types: PhantomData })
    }
}
