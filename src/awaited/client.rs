//! The calling side of a pair.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::Runtime;
use super::hub::Hub;
use crate::codec::{self, Codec, Json};
use crate::core::client::Caller;
use crate::core::errand::Calling;
use crate::core::event::Event;
use crate::core::session::Session;
use crate::deadline::Deadline;
use crate::error::{Error, Fate, Phase, Result};
use crate::front::{ClientOptions, Limit, Term};
use crate::node::{Pair, ReadOpener, WriteOpener};
use crate::stats::LinkStats;
use crate::sys;

/// Calls a [`Server`](super::Server) over a [`Pair`]; the awaited form of
/// [`Client`](crate::Client).
///
/// Its clones are one client: any number of tasks may call at once, each reply finds its call, and
/// the timeout or the drop of one harms no other. Nothing is spawned; the last clone that is
/// dropped ends the connection.
pub struct Client<R: Runtime, Req, Rep, C = Json> {
    hub: Arc<Hub<R, Machine<R>>>,
    codec: C,
    timeout: Duration,
    max_message: usize,
    types: PhantomData<fn(&Req) -> Rep>,
}

type Machine<R> = Caller<ReadOpener<<R as Runtime>::Reader>, WriteOpener<<R as Runtime>::Writer>>;

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
        ClientOptions::new().spin(Duration::ZERO)
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
    /// The call is given up. What of its request is unwritten never will be, its reply is dropped
    /// when it comes, and no other call is touched.
    pub async fn call(&self, request: &Req) -> Result<Rep> {
        self.request(request).call().await
    }

    /// A call with a timeout or a deadline of its own.
    pub fn request<'a>(&'a self, request: &'a Req) -> Call<'a, R, Req, Rep, C> {
        Call { client: self, request, limit: Limit::Timeout(self.timeout) }
    }

    /// Asks the server for a sign of life; answers how long the round trip took.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    ///
    /// # Cancel safety
    /// As [`call`](Self::call).
    pub async fn ping(&self, timeout: Duration) -> Result<Duration> {
        let term = Term::timeout(timeout);
        let pong = self.hub.run(Calling::ping(term.deadline), term, Phase::Reply).await?;
        self.hub.with(|caller| caller.link_mut().recycle(pong.body));
        Ok(term.began.elapsed())
    }

    /// Calls that have not returned to their callers.
    pub fn in_flight(&self) -> usize {
        self.hub.with(|caller| caller.in_flight())
    }

    /// What this client has seen so far.
    pub fn stats(&self) -> LinkStats {
        self.hub.with(|caller| caller.link().stats())
    }

    async fn call_within(&self, request: &Req, term: Term) -> Result<Rep> {
        let mut body = self.hub.with(|caller| caller.request_body());
        codec::encode(&self.codec, request, &mut body, self.max_message)
            .map_err(|error| self.sign(error, term))?;
        let now = term.after_encoding(body.len());
        let calling = Calling::request(body, now, sys::monotonic_ns(now), term.deadline);
        let reply = self.hub.run(calling, term, Phase::Reply).await?;
        self.decode(reply).map_err(|error| self.sign(error, term))
    }

    fn decode(&self, mut reply: Event) -> Result<Rep> {
        let value: Result<Rep, _> = self.codec.decode_owned(&mut reply.body);
        self.hub.with(|caller| caller.link_mut().recycle(reply.body));
        value.map_err(|error| codec::unreadable(error).with_fate(Fate::Delivered))
    }

    fn sign(&self, error: Error, term: Term) -> Error {
        term.sign(self.hub.with(|caller| caller.place(error, Phase::Reply)))
    }
}

impl<R: Runtime, Req, Rep, C: Clone> Clone for Client<R, Req, Rep, C> {
    fn clone(&self) -> Self {
        let Self { hub, codec, timeout, max_message, .. } = self;
        let (hub, codec) = (Arc::clone(hub), codec.clone());
        let (timeout, max_message) = (*timeout, *max_message);
        Self { hub, codec, timeout, max_message, types: PhantomData }
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
        let term = Term::timeout(self.common.open_timeout);
        Ok(Client {
            hub: Hub::open(self.machine(pair), &self.common, term).await?,
            codec: self.codec,
            timeout: self.timeout,
            max_message: self.common.max_message,
            types: PhantomData,
        })
    }
}

/// One call that is about to be made.
pub struct Call<'a, R: Runtime, Req, Rep, C = Json> {
    client: &'a Client<R, Req, Rep, C>,
    request: &'a Req,
    limit: Limit,
}

impl<R: Runtime, Req, Rep, C: Codec<Req> + Codec<Rep>> Call<'_, R, Req, Rep, C> {
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
        self.client.call_within(self.request, self.limit.begin()).await
    }
}

/// Without the request, which may be a secret.
impl<R: Runtime, Req, Rep, C> fmt::Debug for Call<'_, R, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("limit", &self.limit).finish_non_exhaustive()
    }
}
