//! The calling side of a pair.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use super::InFlight;
use super::turn::Turn;
use crate::codec::{self, Codec, Json};
use crate::core::client::Caller;
use crate::core::errand::{Attending, Calling, Cancelling, Ending, Key, Reserving};
use crate::core::event::Event;
use crate::core::session::Session;
use crate::core::streams::WINDOW;
use crate::core::wire::Head;
use crate::deadline::Deadline;
use crate::error::{Error, Fate, Phase, Result};
use crate::front::{Asking, CallId, ClientOptions, Limit, Pong, Retries, Term};
use crate::node::{Pair, ReadOpener, WriteOpener};
use crate::pipe::Opener;
use crate::probe::Probe;
use crate::stats::LinkStats;
use crate::sys;
use crate::trace::Span;

/// Calls a [`Server`](super::Server) over a [`Pair`]: requests of type `Req`, replies of type
/// `Rep`.
///
/// A client can be shared by threads; each reply finds its call, and the timeout of one harms no
/// other. No thread runs behind it: a thread that waits moves the bytes of all. One client at a
/// time holds a pair, by advisory locks on both FIFOs.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// use fifowire::{Client, ErrorKind, Pair};
/// use std::time::Duration;
///
/// let pair = Pair::create(directory.path(), "agent")?;
/// let client = Client::<String, u64>::open(&pair)?;
/// // Nobody serves this pair, and the call says so at its deadline.
/// let error = client
///     .request(&"count".to_owned())
///     .timeout(Duration::from_millis(20))
///     .call()
///     .unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NoReader);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Client<Req, Rep, C = Json> {
    pub(super) turn: Turn<Machine>,
    codec: C,
    timeout: Duration,
    cancel_timeout: Duration,
    pub(super) max_message: usize,
    wait_when_full: bool,
    types: PhantomData<fn(&Req) -> Rep>,
}

pub(super) type Machine = Caller<ReadOpener, WriteOpener>;

impl<Req, Rep> Client<Req, Rep> {
    /// Opens the client's side of a pair; see [`ClientOptions::open`].
    ///
    /// # Errors
    /// As [`ClientOptions::open`].
    pub fn open(pair: &Pair) -> Result<Self>
    where
        Json: Codec<Req> + Codec<Rep>,
    {
        Self::options().open(pair)
    }

    /// Options, among them the codec.
    pub fn options() -> ClientOptions<Req, Rep> {
        ClientOptions::new()
    }
}

impl<Req, Rep, C: Codec<Req> + Codec<Rep>> Client<Req, Rep, C> {
    /// Sends a request and waits for its reply: one deadline over everything, 30 s unless told
    /// otherwise ([`ClientOptions::timeout`]).
    ///
    /// # Errors
    /// What became of the request is in [`Error::fate`].
    ///
    /// Not sent: [`ErrorKind::NoReader`](crate::ErrorKind::NoReader) (no server),
    /// [`ErrorKind::PeerClosed`](crate::ErrorKind::PeerClosed) (the server has left after a
    /// goodbye, or declined the request), [`ErrorKind::Closed`](crate::ErrorKind::Closed) (this
    /// client), [`ErrorKind::Busy`](crate::ErrorKind::Busy) (another client),
    /// [`ErrorKind::WriteStalled`](crate::ErrorKind::WriteStalled) (the server does not read),
    /// [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded),
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge),
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec) in [`Phase::Encode`].
    ///
    /// Maybe delivered: [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) (no reply in time),
    /// [`ErrorKind::NoWriter`](crate::ErrorKind::NoWriter) (and the server never opened the reply
    /// FIFO), [`ErrorKind::PeerClosed`](crate::ErrorKind::PeerClosed) (the server died),
    /// [`ErrorKind::Poisoned`](crate::ErrorKind::Poisoned) (a [cancel](Self::cancel) was not
    /// acknowledged).
    ///
    /// Delivered: [`ErrorKind::Remote`](crate::ErrorKind::Remote) (the handler failed or panicked),
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec).
    ///
    /// As its [fate](Error::fate) says: [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    pub fn call(&self, request: &Req) -> Result<Rep> {
        self.request(request).call()
    }

    /// Sends a request that wants no reply. `Ok` means that the FIFO has accepted every byte of it;
    /// what becomes of it at the server, nobody is told. It takes a place among the calls in flight
    /// until then.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use fifowire::{Client, Pair, Server};
    /// use std::time::Duration;
    ///
    /// let pair = Pair::create(directory.path(), "agent")?;
    /// let mut server = Server::<String, ()>::open(&pair)?;
    /// let client = Client::<String, ()>::open(&pair)?;
    ///
    /// client.notify(&"a window was closed".to_owned())?;
    /// let request = server.recv_timeout(Duration::from_secs(1))?;
    /// assert_eq!(request.value, "a window was closed");
    /// assert!(!request.responder.wants_reply());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As those of [`call`](Self::call) whose request was not sent.
    pub fn notify(&self, request: &Req) -> Result<()> {
        self.request(request).notify()
    }

    /// A call with a timeout or a deadline of its own.
    pub fn request<'c, 'r>(&'c self, request: &'r Req) -> Call<'c, 'r, Req, Rep, C> {
        let (limit, retries) = (Limit::Timeout(self.timeout), Retries::default());
        Call { client: self, request, limit, retries, window: WINDOW as u32 }
    }

    /// Has a call stopped, and waits until the server has acknowledged that: from then on nothing
    /// of the call comes any more. Whoever waits for the call is told
    /// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled), unless its reply was here first. No
    /// other call is touched.
    ///
    /// A request that is not written yet never is; one that the server has not begun to work on is
    /// dropped there; a handler learns of it through its context. The cancel goes ahead of
    /// everything that waits to be written. A call that has ended is cancelled at once.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use fifowire::{Client, ErrorKind, Fate, Pair, Server};
    /// use std::thread;
    ///
    /// let pair = Pair::create(directory.path(), "agent")?;
    /// let mut server = Server::<u32, u32>::open(&pair)?;
    /// let service = thread::spawn(move || {
    ///     server.serve(|number, context| {
    ///         context.stop();
    ///         // Work that looks now and then whether anybody still wants it.
    ///         while !context.is_cancelled() {
    ///             thread::yield_now();
    ///         }
    ///         Ok::<_, String>(number)
    ///     })
    /// });
    ///
    /// let client = Client::<u32, u32>::open(&pair)?;
    /// let call = client.request(&7).begin()?;
    /// let error = call.cancel().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Cancelled);
    /// # assert_ne!(error.fate(), Some(Fate::MaybeDelivered));
    /// # if error.fate() == Some(Fate::NotSent) { client.request(&7).begin()?.cancel().unwrap_err(); }
    /// # drop(client);
    /// # drop(service);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) in [`Phase::Cancel`] where the server
    /// does not acknowledge it within [`ClientOptions::cancel_timeout`]. It is then not known what
    /// the server still says to this client, so the client begins another life: all calls that were
    /// written end as [`ErrorKind::Poisoned`](crate::ErrorKind::Poisoned), what comes for them is
    /// dropped as late, and later calls go on.
    pub fn cancel(&self, call: CallId) -> Result<()> {
        let now = Instant::now();
        let term = Term::timeout(now, self.cancel_timeout);
        self.turn.run(Cancelling::new(call.0, term.deadline), now, term, Phase::Cancel)
    }

    /// Asks the server for a sign of life: a round trip, because a path that exists proves nothing.
    /// Answers how long it took, and how much the server has to do.
    ///
    /// The server answers as soon as it reads, ahead of all requests and behind no handler: one
    /// that is in the handler of `serve` does so within 10 ms.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn ping(&self, timeout: Duration) -> Result<Pong> {
        let term = Term::timeout(Instant::now(), timeout);
        let (span, ping) = (self.span(), Calling::ping(term.deadline));
        let pong = span.enter(|| self.turn.run_in(&span, ping, term.began, term, Phase::Reply))?;
        let answer = Pong::new(term.elapsed(Instant::now()), &pong.body);
        self.turn.with(|caller| caller.link_mut().recycle(pong.body));
        Ok(answer)
    }

    /// What this side knows of the connection without asking the server: at once, also where the
    /// FIFO itself is stuck.
    pub fn probe(&self) -> Probe {
        self.turn.nudge(|_| {});
        self.turn.with(|caller| caller.probe(Instant::now()))
    }

    /// Closes the connection within this time: no more calls are begun, those in flight come to
    /// their ends, the server is told goodbye and read to its own end. Answers whether all of that
    /// was done by then; what was not is cut off, and its callers told
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) and what became of it. Closing again is no
    /// error.
    ///
    /// Dropping a client is [`abort`](Self::abort).
    pub fn close(&self, drain: Duration) -> bool {
        let now = Instant::now();
        let term = Term::timeout(now, drain);
        self.turn.run(Ending::new(term.deadline), now, term, Phase::Close).unwrap_or(false)
    }

    /// Closes both FIFOs at once: a server that is blocked in writing goes on, and calls in flight
    /// end as [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn abort(&self) {
        self.turn.with(Session::abort);
    }

    /// Looks after the connection for as long as this thread has nothing better to do: notices that
    /// the server has left, and opens the request FIFO again where that is wanted
    /// ([`Reconnect::InBackground`](crate::Reconnect::InBackground)). Calls of other threads go on
    /// meanwhile. Returns once the client is closed.
    ///
    /// # Errors
    /// What waiting does not mend, such as a path that is no longer a FIFO.
    pub fn attend(&self) -> Result<()> {
        let now = Instant::now();
        let term = Term::until(now, Deadline::NEVER);
        self.turn.run(Attending::default(), now, term, Phase::Open)
    }

    /// Calls that have not returned to their callers.
    pub fn in_flight(&self) -> usize {
        self.turn.with(|caller| caller.in_flight())
    }

    /// What this client has counted so far.
    pub fn stats(&self) -> LinkStats {
        self.turn.with(|caller| caller.stats())
    }

    fn call_within(&self, request: &Req, retries: Retries, term: Term) -> Result<Rep> {
        let span = self.span();
        span.enter(|| {
            let asking = self.asking(retries);
            let reply = self.run_in(&span, request, asking, term, Phase::Reply)?;
            self.decode(reply.body, term)
        })
    }

    /// What a call asks for that may be made again, or not.
    fn asking(&self, retries: Retries) -> Asking {
        match retries.is_plain() {
            true => Asking::default(),
            false => self.turn.with(|caller| retries.asking(caller)),
        }
    }

    fn notify_within(&self, request: &Req, term: Term) -> Result<()> {
        let span = self.span();
        let quiet = Asking::quiet();
        span.enter(|| self.run_in(&span, request, quiet, term, Phase::Write)).map(drop)
    }

    pub(super) fn span(&self) -> Span {
        Span::call(|| self.turn.with(|caller| caller.link().outgoing().path().to_path_buf()))
    }

    fn run_in(
        &self,
        span: &Span,
        request: &Req,
        asking: Asking,
        term: Term,
        phase: Phase,
    ) -> Result<Event> {
        let (calling, now) = self.calling(request, asking, term)?;
        self.turn.run_in(span, calling, now, term, phase)
    }

    fn begin(
        &self,
        request: &Req,
        retries: Retries,
        term: Term,
    ) -> Result<InFlight<'_, Req, Rep, C>> {
        let span = self.span();
        let visit = span.enter(|| {
            let (calling, now) = self.calling(request, self.asking(retries), term)?;
            self.turn.begin_in(&span, calling, now, term, Phase::Reply)
        })?;
        Ok(InFlight::new(self, visit, span, term))
    }

    /// A call as it will be begun, and the time by now.
    pub(super) fn calling(
        &self,
        request: &Req,
        asking: impl Into<Asking>,
        term: Term,
    ) -> Result<(Calling, Instant)> {
        let Asking { options, promise } = asking.into();
        let mut body = self.turn.with(|caller| caller.request_body(&options));
        codec::encode(&self.codec, request, &mut body, self.max_message)
            .map_err(|error| self.sign(error, term))?;
        let mut now = term.after_encoding(body.len(), Instant::now);
        let mut place = None;
        if self.wait_when_full {
            place = Some(self.place(now, term)?);
            now = Instant::now();
        }
        // A notification that was written is to be worked on, however late.
        let left = term.deadline.remaining(now).filter(|_| !options.quiet);
        let head = Head::new(left, sys::monotonic_ns(now), options);
        let calling = Calling::request(body, &head, term.deadline).promising(promise).since(now);
        Ok((calling.at(place), now))
    }

    /// A place among the calls in flight, waited for if need be.
    fn place(&self, now: Instant, term: Term) -> Result<Key> {
        match self.turn.with(|caller| caller.try_reserve()) {
            Some(place) => Ok(place),
            None => self.turn.run(Reserving::new(term.deadline), now, term, Phase::Write),
        }
    }

    pub(super) fn decode(&self, mut reply: Vec<u8>, term: Term) -> Result<Rep> {
        let value: Result<Rep, _> = self.codec.decode_owned(&mut reply);
        self.turn.with(|caller| caller.link_mut().recycle(reply));
        value.map_err(|error| self.sign(codec::unreadable(error).with_fate(Fate::Delivered), term))
    }

    fn sign(&self, error: Error, term: Term) -> Error {
        let placed = self.turn.with(|caller| caller.place(error, Phase::Reply));
        term.sign(placed, Instant::now())
    }
}

impl<Req, Rep, C> ClientOptions<Req, Rep, C> {
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
        let client = Client {
            turn: Turn::new(self.machine(pair), &self.common)?,
            codec: self.codec,
            timeout: self.timeout,
            cancel_timeout: self.cancel_timeout,
            max_message: self.common.max_message,
            wait_when_full: self.wait_when_full,
            types: PhantomData,
        };
        client.turn.open(Term::timeout(Instant::now(), self.common.open_timeout))?;
        Ok(client)
    }
}

impl<Req, Rep, C> fmt::Debug for Client<Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// One call that is about to be made.
pub struct Call<'c, 'r, Req, Rep, C = Json> {
    pub(super) client: &'c Client<Req, Rep, C>,
    pub(super) request: &'r Req,
    pub(super) limit: Limit,
    pub(super) retries: Retries,
    /// Room for items, in bytes.
    pub(super) window: u32,
}

/// Without the request, which may be a secret.
impl<Req, Rep, C> fmt::Debug for Call<'_, '_, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl<'c, Req, Rep, C: Codec<Req> + Codec<Rep>> Call<'c, '_, Req, Rep, C> {
    /// The whole time the call may take; it starts with [`call`](Self::call).
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
    pub fn call(self) -> Result<Rep> {
        let term = self.limit.begin(Instant::now());
        self.client.call_within(self.request, self.retries, term)
    }

    /// Sends the request, and wants no reply. The timeout is for the FIFO to accept it.
    ///
    /// # Errors
    /// As [`Client::notify`].
    pub fn notify(self) -> Result<()> {
        self.client.notify_within(self.request, self.limit.begin(Instant::now()))
    }

    /// Queues the request, writes what there is room for, and does not wait for the reply: that can
    /// be [waited for](InFlight::wait) later, or [cancelled](InFlight::cancel). It waits for its
    /// turn where that was [asked for](ClientOptions::wait_when_full), and otherwise for nothing.
    ///
    /// Nobody looks after the call until somebody waits on this client, for this call or another.
    ///
    /// # Errors
    /// [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded),
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge), and
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec), as [`Client::call`].
    pub fn begin(self) -> Result<InFlight<'c, Req, Rep, C>> {
        let term = self.limit.begin(Instant::now());
        self.client.begin(self.request, self.retries, term)
    }
}
