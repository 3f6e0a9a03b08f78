//! Answering one request, from any thread.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Payload, ReplySink};
use crate::blocking::turn::Turn;
use crate::codec::{self, Codec, Json};
use crate::core::errand::{Answer, Replying};
use crate::core::server::{Answerer, Asker};
use crate::core::session::Session;
use crate::core::wire::FailureCode;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::front::{IdempotencyKey, Term};
use crate::node::{ReadOpener, WriteOpener};
use crate::pipe::Opener;
use crate::trace::Span;

/// A request, and the means to answer it.
pub struct Request<Req, Rep, C: Codec<Rep> = Json> {
    /// What was asked.
    pub value: Req,
    /// Answers it.
    pub responder: Responder<Rep, C>,
}

/// Without the value, which may be a secret.
impl<Req, Rep, C: Codec<Rep>> fmt::Debug for Request<Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("responder", &self.responder).finish_non_exhaustive()
    }
}

/// Answers one request, from any thread. Dropped without an answer, it tells the caller so.
pub struct Responder<Rep, C: Codec<Rep> = Json> {
    /// Taken by the answer.
    shared: Option<Arc<Shared<C>>>,
    asker: Asker,
    /// That of a short request, for a short reply.
    memory: Vec<u8>,
    replies: PhantomData<fn(&Rep)>,
}

impl<Rep, C: Codec<Rep>> Responder<Rep, C> {
    pub(super) fn new(shared: Arc<Shared<C>>, asker: Asker, memory: Vec<u8>) -> Self {
        Self { shared: Some(shared), asker, memory, replies: PhantomData }
    }

    /// The span of this request.
    pub(super) fn span(&self) -> Span {
        let Some(shared) = &self.shared else { return Span::none() };
        let path = |answerer: &mut Machine| answerer.link().incoming().path().to_path_buf();
        Span::request(|| shared.turn.with(path), self.asker.caller.id())
    }

    pub(super) fn asker(&self) -> Asker {
        self.asker
    }

    /// Whether the caller waits for an answer; one to a [notification](crate::Client::notify) is
    /// dropped.
    pub fn wants_reply(&self) -> bool {
        !self.asker.options.quiet
    }

    /// The key of the request, where it has one: for a server that keeps for itself what it has
    /// done, so that it does so once in all its lives.
    pub fn idempotency_key(&self) -> Option<IdempotencyKey> {
        self.asker.options.key.filter(|_| self.wants_reply()).map(Into::into)
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Deadline {
        self.asker.deadline
    }

    /// Whether nobody wants the answer any more: the call was cancelled or given up, or its client
    /// has left. What has come from the client is known as of the last time that somebody waited on
    /// this server.
    pub fn is_cancelled(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|it| it.turn.with(|answerer| answerer.is_settled(self.asker.caller)))
    }

    /// Whether the caller takes many replies; one that does takes a single one as well.
    pub fn wants_stream(&self) -> bool {
        self.asker.options.window.is_some()
    }

    /// Answers with many replies, for a caller that [asked for them](crate::Call::stream).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: the caller has asked for one reply, and is told so.
    pub fn stream(self) -> Result<ReplySink<Rep, C>> {
        let Some(shared) = self.shared.clone() else {
            unreachable!("a responder that has not answered")
        };
        // What is sent in answer to a notification is dropped.
        if self.wants_stream() || !self.wants_reply() {
            return Ok(ReplySink::new(shared, self));
        }
        let words = "this server answers by many replies: call it by stream, not by call";
        let term = Term::until(Instant::now(), self.asker.deadline);
        let error = Error::new(ErrorKind::Unsupported, Phase::Write).detailed(words);
        let error = shared.turn.with(|answerer| answerer.place(error, Phase::Write));
        self.refuse(FailureCode::Unsupported, words.to_owned());
        Err(term.sign(error, term.began))
    }

    /// The bytes that the request brings beside its message; read them with one of these, because
    /// one that is dropped drops what it has of them.
    pub fn payload(&self) -> Payload<'_> {
        match &self.shared {
            Some(shared) => Payload::new(&shared.turn, self.asker),
            None => unreachable!("a responder that has not answered"),
        }
    }

    /// Sends the reply; `Ok` means that the FIFO has accepted every byte of it.
    ///
    /// It is given up when the caller's [deadline](Self::deadline) has come, or after
    /// [`ServerOptions::reply_timeout`](crate::ServerOptions::reply_timeout). Where the caller has
    /// stopped waiting before, one attempt is made: a reply for which there is room is written and
    /// `Ok`, and its client drops it as late; any other is given up at once.
    ///
    /// The answer to a request with a [key](Self::idempotency_key) is kept for whoever asks again,
    /// whatever comes of sending it; where its client has left before, that is all there is to do,
    /// and `Ok`.
    ///
    /// # Errors
    /// [`ErrorKind::NoReader`], [`ErrorKind::PeerClosed`]: the client is gone.
    /// [`ErrorKind::Cancelled`]: it has cancelled the call.
    /// [`ErrorKind::WriteStalled`]: it does not read, or did not in time. [`ErrorKind::Codec`],
    /// [`ErrorKind::TooLarge`]: the reply cannot be sent; the caller is told so.
    pub fn send(mut self, reply: &Rep) -> Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let term = self.term(shared);
        let mut body = std::mem::take(&mut self.memory);
        match codec::encode(&shared.codec, reply, &mut body, shared.max_message) {
            Ok(()) => self.answer(Answer::Reply(body), term),
            Err(refused) => {
                let placed = shared.turn.with(|answerer| answerer.place(refused, Phase::Encode));
                let signed = term.sign(placed, Instant::now());
                let words = signed.detail().unwrap_or("the reply has no form in the codec");
                let code = match signed.kind() {
                    ErrorKind::TooLarge => FailureCode::TooLarge,
                    _ => FailureCode::Codec,
                };
                // What is wrong with the reply is the news here, whether the caller hears of it or
                // not.
                let told = self.answer(Answer::Failure(code, words.to_owned()), term);
                drop(told);
                Err(signed)
            }
        }
    }

    /// Tells the caller that its request failed, in these words: they reach it in
    /// [`Error::detail`](crate::Error::detail), cut to 2 KiB.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn fail(self, why: impl fmt::Display) -> Result<()> {
        self.failed(FailureCode::Handler, why.to_string())
    }

    #[cold]
    pub(super) fn panicked(self, panic: &(dyn Any + Send)) -> Result<()> {
        let words = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(words), _) => (*words).to_owned(),
            (None, Some(words)) => words.clone(),
            (None, None) => String::new(),
        };
        self.failed(FailureCode::Panic, format!("the handler panicked: {words}"))
    }

    /// Answers in place of the handler: queues the news and writes it if there is room. It waits
    /// for nothing, because a client that does not read must not hold up the next request.
    pub(super) fn refuse(mut self, code: FailureCode, words: String) {
        self.queue_refusal(code, words);
    }

    #[cold]
    fn queue_refusal(&mut self, code: FailureCode, words: String) {
        if let Some(shared) = self.shared.take() {
            shared.turn.nudge(|answerer| answerer.refuse(self.asker.caller, code, words));
        }
    }

    #[cold]
    fn failed(self, code: FailureCode, words: String) -> Result<()> {
        self.answer_now(Answer::Failure(code, words))
    }

    pub(super) fn answer_now(self, answer: Answer) -> Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let term = self.term(shared);
        self.answer(answer, term)
    }

    fn answer(mut self, answer: Answer, term: Term) -> Result<()> {
        let Some(shared) = self.shared.take() else { return Ok(()) };
        let now = term.after_encoding(answer.len(), Instant::now);
        shared.turn.run(
            Replying::new(self.asker.caller, answer, term.deadline),
            now,
            term,
            Phase::Write,
        )
    }

    /// The reply is given up when nobody waits for it any more, or when its own time is over.
    pub(super) fn term(&self, shared: &Shared<C>) -> Term {
        let reply_by = Term::timeout(Instant::now(), shared.timeout);
        Term { deadline: reply_by.deadline.earlier(self.asker.deadline), ..reply_by }
    }
}

impl<Rep, C: Codec<Rep>> Drop for Responder<Rep, C> {
    fn drop(&mut self) {
        if self.shared.is_some() {
            let words = "the request was dropped without an answer";
            self.queue_refusal(FailureCode::Dropped, words.to_owned());
        }
    }
}

impl<Rep, C: Codec<Rep>> fmt::Debug for Responder<Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("deadline", &self.asker.deadline).finish_non_exhaustive()
    }
}

/// What a server shares with the replies that are under way.
pub(super) struct Shared<C> {
    pub(super) turn: Arc<Turn<Machine>>,
    pub(super) codec: C,
    pub(super) timeout: Duration,
    pub(super) max_message: usize,
}

pub(super) type Machine = Answerer<ReadOpener, WriteOpener>;
