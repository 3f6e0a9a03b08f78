//! The calling side of a pair.

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::InFlight;
use super::Runtime;
use super::hub::{Handle, Hub, Visit};
#[cfg(feature = "tower")]
use super::service::Readiness;
use crate::codec::{self, Codec, Json};
use crate::core::client::Caller;
use crate::core::errand::{Attending, Calling, Cancelling, Ending, Key, Reserving};
use crate::core::event::Event;
use crate::core::session::Session;
use crate::core::streams::WINDOW;
use crate::core::wire::Head;
use crate::deadline::Deadline;
use crate::error::{Fate, Phase, Result};
use crate::front::{Asking, CallId, ClientOptions, Limit, Pong, Retries, Term};
use crate::node::{Pair, ReadOpener, WriteOpener};
use crate::pipe::Opener;
use crate::probe::Probe;
use crate::stats::LinkStats;
use crate::sys;
use crate::trace::Span;

/// Calls a [`Server`](super::Server) over a [`Pair`]; the awaited form of
/// [`Client`](crate::Client).
///
/// Its clones are one client: any number of tasks may call at once, each reply finds its call, and
/// the timeout or the drop of one harms no other. Nothing is spawned; the last clone that is
/// dropped ends the connection.
pub struct Client<R: Runtime, Req, Rep, C = Json> {
    pub(super) hub: Handle<R, Machine<R>>,
    codec: C,
    pub(super) timeout: Duration,
    cancel_timeout: Duration,
    pub(super) max_message: usize,
    wait_when_full: bool,
    /// That of this clone as a service.
    #[cfg(feature = "tower")]
    pub(super) readiness: Readiness<R>,
    types: PhantomData<fn(&Req) -> Rep>,
}

pub(super) type Machine<R> =
    Caller<ReadOpener<<R as Runtime>::Reader>, WriteOpener<<R as Runtime>::Writer>>;

impl<R: Runtime, Req, Rep> Client<R, Req, Rep> {
    /// Opens the client's side of a pair; see [`ClientOptions::open`].
    ///
    /// # Errors
    /// As [`ClientOptions::open`].
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
    pub fn options() -> ClientOptions<Req, Rep, Json, R> {
        ClientOptions::new()
    }
}

impl<R: Runtime, Req, Rep, C: Codec<Req> + Codec<Rep>> Client<R, Req, Rep, C> {
    /// Sends a request and waits for its reply: one deadline over everything, 30 s unless told
    /// otherwise ([`ClientOptions::timeout`]), which starts with the first poll.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    ///
    /// # Cancel safety
    /// The call is given up. What of its request is unwritten never will be, the server is told so
    /// ([`ClientOptions::cancel_abandoned`]), its reply is dropped should it come, and no other
    /// call is touched.
    pub async fn call(&self, request: &Req) -> Result<Rep> {
        self.request(request).call().await
    }

    /// Sends a request that wants no reply; see [`Client::notify`](crate::Client::notify).
    ///
    /// # Errors
    /// As [`Client::notify`](crate::Client::notify).
    ///
    /// # Cancel safety
    /// What of the request is unwritten never will be. One of which the last byte was written is
    /// delivered.
    pub async fn notify(&self, request: &Req) -> Result<()> {
        self.request(request).notify().await
    }

    /// A call with a timeout or a deadline of its own.
    pub fn request<'c, 'r>(&'c self, request: &'r Req) -> Call<'c, 'r, R, Req, Rep, C> {
        let (limit, retries) = (Limit::Timeout(self.timeout), Retries::default());
        Call { client: self, request, limit, retries, window: WINDOW as u32 }
    }

    /// Has a call stopped, and waits until the server has acknowledged that; see
    /// [`Client::cancel`](crate::Client::cancel).
    ///
    /// # Errors
    /// As [`Client::cancel`](crate::Client::cancel).
    ///
    /// # Cancel safety
    /// The call is cancelled all the same, and nobody waits for the acknowledgement.
    pub async fn cancel(&self, call: CallId) -> Result<()> {
        let term = Term::timeout(self.hub.now(), self.cancel_timeout);
        self.hub.run(Cancelling::new(call.0, term.deadline), term, Phase::Cancel).await
    }

    /// Asks the server for a sign of life; answers how long the round trip took, and how much the
    /// server has to do.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    ///
    /// # Cancel safety
    /// As [`call`](Self::call).
    pub async fn ping(&self, timeout: Duration) -> Result<Pong> {
        let term = Term::timeout(self.hub.now(), timeout);
        let span = self.span();
        let pong = self.run(&span, Calling::ping(term.deadline), term, Phase::Reply);
        let pong = span.clone().around(pong).await?;
        let answer = Pong::new(term.elapsed(self.hub.now()), &pong.body);
        self.hub.with(|caller| caller.link_mut().recycle(pong.body));
        Ok(answer)
    }

    /// What this side knows of the connection without asking the server: at once, also where the
    /// FIFO itself is stuck.
    pub fn probe(&self) -> Probe {
        self.hub.nudge(|_| {});
        let now = self.hub.now();
        self.hub.with(|caller| caller.probe(now))
    }

    /// Closes the connection within this time; see [`Client::close`](crate::Client::close).
    ///
    /// # Cancel safety
    /// Calls are still refused. The connection is closed by another `close`, by
    /// [`abort`](Self::abort), or when the last clone is dropped.
    pub async fn close(&self, drain: Duration) -> bool {
        let term = Term::timeout(self.hub.now(), drain);
        self.hub.run(Ending::new(term.deadline), term, Phase::Close).await.unwrap_or(false)
    }

    /// Closes both FIFOs at once; see [`Client::abort`](crate::Client::abort).
    pub fn abort(&self) {
        self.hub.with(Session::abort);
    }

    /// Looks after the connection for as long as it is awaited; see
    /// [`Client::attend`](crate::Client::attend).
    ///
    /// # Errors
    /// As [`Client::attend`](crate::Client::attend).
    ///
    /// # Cancel safety
    /// The connection is looked after by whoever waits on the client for something else.
    pub async fn attend(&self) -> Result<()> {
        let term = Term::until(self.hub.now(), Deadline::NEVER);
        self.hub.run(Attending::default(), term, Phase::Open).await
    }

    /// Calls that have not returned to their callers; places that are held for calls to come count
    /// against the limit, and not here.
    pub fn in_flight(&self) -> usize {
        self.hub.with(|caller| caller.in_flight())
    }

    /// What this client has counted so far.
    pub fn stats(&self) -> LinkStats {
        self.hub.with(|caller| caller.stats())
    }

    async fn call_within(&self, request: &Req, retries: Retries, term: Term) -> Result<Rep> {
        let span = self.span();
        let called = async {
            let asking = self.asking(retries);
            let reply = self.run_in(&span, request, asking, term, Phase::Reply).await?;
            self.decode(reply.body, term)
        };
        span.clone().around(called).await
    }

    /// What a call asks for that may be made again, or not.
    fn asking(&self, retries: Retries) -> Asking {
        match retries.is_plain() {
            true => Asking::default(),
            false => self.hub.with(|caller| retries.asking(caller)),
        }
    }

    async fn notify_within(&self, request: &Req, term: Term) -> Result<()> {
        let span = self.span();
        let quiet = Asking::quiet();
        let notified = self.run_in(&span, request, quiet, term, Phase::Write);
        span.clone().around(notified).await.map(drop)
    }

    /// The span of a call.
    pub(super) fn span(&self) -> Span {
        Span::call(|| self.hub.with(|caller| caller.link().outgoing().path().to_path_buf()))
    }

    async fn run_in(
        &self,
        span: &Span,
        request: &Req,
        asking: Asking,
        term: Term,
        phase: Phase,
    ) -> Result<Event> {
        let calling = self.calling(request, asking, term)?;
        let (calling, _place) = self.turn_to_call(calling, term).await?;
        self.run(span, calling, term, phase).await
    }

    async fn begin(
        &self,
        request: &Req,
        retries: Retries,
        term: Term,
    ) -> Result<InFlight<'_, R, Req, Rep, C>> {
        let span = self.span();
        let begun = async {
            let calling = self.calling(request, self.asking(retries), term)?;
            let (calling, _place) = self.turn_to_call(calling, term).await?;
            InFlight::begin(self, calling, span.clone(), term).await
        };
        span.clone().around(begun).await
    }

    /// Waits for a place among the calls in flight, where calls do that.
    pub(super) async fn turn_to_call(
        &self,
        calling: Calling,
        term: Term,
    ) -> Result<(Calling, Option<Place<R>>)> {
        if !self.wait_when_full {
            return Ok((calling, None));
        }
        let place = self.place(term).await?;
        Ok((calling.at(Some(place.key())).since(self.hub.now()), Some(place)))
    }

    async fn run(&self, span: &Span, calling: Calling, term: Term, phase: Phase) -> Result<Event> {
        let mut visit = self.hub.run(calling, term, phase);
        poll_fn(|cx| poll_call(&mut visit, span, cx)).await
    }

    /// A place among the calls in flight, waited for if need be.
    async fn place(&self, term: Term) -> Result<Place<R>> {
        let key = match self.hub.with(|caller| caller.try_reserve()) {
            Some(key) => key,
            None => self.hub.run(Reserving::new(term.deadline), term, Phase::Write).await?,
        };
        Ok(Place::new(self.hub.clone(), key))
    }

    /// A call as it will be begun.
    pub(super) fn calling(
        &self,
        request: &Req,
        asking: impl Into<Asking>,
        term: Term,
    ) -> Result<Calling> {
        let Asking { options, promise } = asking.into();
        let mut body = self.hub.with(|caller| caller.request_body(&options));
        codec::encode(&self.codec, request, &mut body, self.max_message)
            .map_err(|error| self.hub.sign(error, Phase::Reply, term))?;
        let now = term.after_encoding(body.len(), || self.hub.now());
        // A notification that was written is to be worked on, however late.
        let left = term.deadline.remaining(now).filter(|_| !options.quiet);
        let head = Head::new(left, sys::monotonic_ns(now), options);
        Ok(Calling::request(body, &head, term.deadline).promising(promise).since(now))
    }

    /// The value that a call was answered with.
    pub(super) fn decode(&self, mut reply: Vec<u8>, term: Term) -> Result<Rep> {
        let value: Result<Rep, _> = self.codec.decode_owned(&mut reply);
        self.hub.with(|caller| caller.link_mut().recycle(reply));
        value.map_err(|error| {
            let unreadable = codec::unreadable(error).with_fate(Fate::Delivered);
            self.hub.sign(unreadable, Phase::Reply, term)
        })
    }
}

impl<R: Runtime, Req, Rep, C: Clone> Clone for Client<R, Req, Rep, C> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
            codec: self.codec.clone(),
            timeout: self.timeout,
            cancel_timeout: self.cancel_timeout,
            max_message: self.max_message,
            wait_when_full: self.wait_when_full,
            #[cfg(feature = "tower")]
            readiness: Readiness::default(),
            types: PhantomData,
        }
    }
}

impl<R: Runtime, Req, Rep, C> fmt::Debug for Client<R, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl<R: Runtime, Req, Rep, C> ClientOptions<Req, Rep, C, R> {
    /// Opens the reply FIFO, so that a server can answer. The request FIFO is opened by the first
    /// call, under that call's deadline: a server need not be there yet.
    ///
    /// # Errors
    /// As the blocking [`ClientOptions::open`](crate::ClientOptions#method.open).
    ///
    /// # Cancel safety
    /// Nothing stays open.
    pub async fn open(self, pair: &Pair) -> Result<Client<R, Req, Rep, C>>
    where
        C: Codec<Req> + Codec<Rep>,
    {
        let term = Term::timeout(R::now(), self.common.open_timeout);
        Ok(Client {
            hub: Hub::open(self.machine(pair), &self.common, term).await?,
            codec: self.codec,
            timeout: self.timeout,
            cancel_timeout: self.cancel_timeout,
            max_message: self.common.max_message,
            wait_when_full: self.wait_when_full,
            #[cfg(feature = "tower")]
            readiness: Readiness::default(),
            types: PhantomData,
        })
    }
}

/// One call that is about to be made.
pub struct Call<'c, 'r, R: Runtime, Req, Rep, C = Json> {
    pub(super) client: &'c Client<R, Req, Rep, C>,
    pub(super) request: &'r Req,
    pub(super) limit: Limit,
    pub(super) retries: Retries,
    /// Room for items, in bytes.
    pub(super) window: u32,
}

impl<'c, R: Runtime, Req, Rep, C: Codec<Req> + Codec<Rep>> Call<'c, '_, R, Req, Rep, C> {
    /// The whole time the call may take; it starts with the first poll of [`call`](Self::call).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limit = Limit::Timeout(timeout);
        self
    }

    /// The instant by which the call must have ended.
    pub fn deadline(mut self, deadline: impl Into<Deadline>) -> Self {
        self.limit = Limit::Deadline(deadline.into());
        self
    }

    /// Makes the call.
    ///
    /// # Errors
    /// As [`Client::call`].
    ///
    /// # Cancel safety
    /// As [`Client::call`].
    pub async fn call(self) -> Result<Rep> {
        let Self { client, request, limit, retries, .. } = self;
        client.call_within(request, retries, limit.begin(client.hub.now())).await
    }

    /// Sends the request, and wants no reply. The timeout is for the FIFO to accept it.
    ///
    /// # Errors
    /// As [`Client::notify`](crate::Client::notify).
    ///
    /// # Cancel safety
    /// As [`Client::notify`].
    pub async fn notify(self) -> Result<()> {
        let Self { client, request, limit, .. } = self;
        client.notify_within(request, limit.begin(client.hub.now())).await
    }

    /// Queues the request, writes what there is room for, and does not wait for the reply: that can
    /// be [waited for](InFlight::wait) later, or [cancelled](InFlight::cancel). It waits for its
    /// turn where that was [asked for](ClientOptions::wait_when_full), and otherwise for nothing.
    ///
    /// # Errors
    /// As the blocking [`Call::begin`](crate::Call::begin).
    ///
    /// # Cancel safety
    /// As [`Client::call`].
    pub async fn begin(self) -> Result<InFlight<'c, R, Req, Rep, C>> {
        let Self { client, request, limit, retries, .. } = self;
        client.begin(request, retries, limit.begin(client.hub.now())).await
    }
}

/// Without the request, which may be a secret.
impl<R: Runtime, Req, Rep, C> fmt::Debug for Call<'_, '_, R, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Polls a call inside of its span, which is told the call's number once that is queued.
pub(super) fn poll_call<H, R>(
    visit: &mut Visit<H, R, Machine<R>, Calling>,
    span: &Span,
    cx: &mut Context<'_>,
) -> Poll<Result<Event>>
where
    H: Deref<Target = Hub<R, Machine<R>>> + Unpin,
    R: Runtime,
{
    let before = visit.errand().id();
    let polled = Pin::new(&mut *visit).poll(cx);
    if let (None, Some(id)) = (before, visit.errand().id()) {
        span.identify(id);
    }
    polled
}

/// A place among the calls in flight, given back when it is dropped, unless a call has begun there.
pub(super) struct Place<R: Runtime> {
    hub: Handle<R, Machine<R>>,
    key: Key,
}

impl<R: Runtime> Place<R> {
    pub(super) fn new(hub: Handle<R, Machine<R>>, key: Key) -> Self {
        Self { hub, key }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }
}

impl<R: Runtime> Drop for Place<R> {
    fn drop(&mut self) {
        // Where a call has begun, the key means nothing any more.
        self.hub.with(|caller| caller.give_place_back(self.key));
    }
}
