//! Answering one request, from any task.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::context::{Context, Interest, Stop};
use super::{Payload, ReplySink};
use crate::awaited::Runtime;
use crate::awaited::hub::Handle;
use crate::codec::{self, Codec, Json};
use crate::core::errand::{Answer, Replying, Watching};
use crate::core::server::{Answerer, Asker};
use crate::core::wire::FailureCode;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::front::{IdempotencyKey, Term};
use crate::node::{ReadOpener, WriteOpener};
use crate::pipe::Opener;
use crate::trace::Span;

/// A request, and the means to answer it.
pub struct Request<R: Runtime, Req, Rep, C: Codec<Rep> = Json> {
    /// What was asked.
    pub value: Req,
    /// Answers it.
    pub responder: Responder<R, Rep, C>,
}

/// Without the value, which may be a secret.
impl<R: Runtime, Req, Rep, C: Codec<Rep>> fmt::Debug for Request<R, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("responder", &self.responder).finish_non_exhaustive()
    }
}

/// Answers one request, from any task. Dropped without an answer, it tells the caller so.
pub struct Responder<R: Runtime, Rep, C: Codec<Rep> = Json> {
    /// Taken by the answer.
    shared: Option<Arc<Shared<R, C>>>,
    asker: Asker,
    /// That of a short request, for a short reply.
    memory: Vec<u8>,
    replies: PhantomData<fn(&Rep)>,
}

impl<R: Runtime, Rep, C: Codec<Rep>> Responder<R, Rep, C> {
    pub(super) fn new(shared: Arc<Shared<R, C>>, asker: Asker, memory: Vec<u8>) -> Self {
        Self { shared: Some(shared), asker, memory, replies: PhantomData }
    }

    /// The span of this request.
    pub(super) fn span(&self) -> Span {
        let Some(shared) = &self.shared else { return Span::none() };
        let path = |answerer: &mut Machine<R>| answerer.link().incoming().path().to_path_buf();
        Span::request(|| shared.hub.with(path), self.asker.caller.id())
    }

    /// What the handler of this request knows.
    pub(super) fn context(&self, shared: &Shared<R, C>, stop: &Arc<Stop>) -> Context {
        let (interest, stop) = (Arc::clone(&shared.interest), Arc::clone(stop));
        Context::new(self.asker, R::now, interest, stop)
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
    /// has left. An answer that comes all the same is dropped.
    pub fn is_cancelled(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|it| it.hub.with(|answerer| answerer.is_settled(self.asker.caller)))
    }

    /// Waits until nobody wants the answer any more; see [`is_cancelled`](Self::is_cancelled).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn cancelled(&self) {
        let Some(shared) = &self.shared else { return };
        let term = Term::until(shared.hub.now(), Deadline::NEVER);
        // A failure of the connection ends the wait too: the server itself is told of it.
        let _ = shared.hub.run(Watching::new(self.asker.caller), term, Phase::Read).await;
    }

    /// Whether the caller takes many replies; one that does takes a single one as well.
    pub fn wants_stream(&self) -> bool {
        self.asker.options.window.is_some()
    }

    /// Answers with many replies, for a caller that [asked for them](crate::awaited::Call::stream).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: the caller has asked for one reply, and is told so.
    pub fn stream(self) -> Result<ReplySink<R, Rep, C>> {
        let Some(shared) = self.shared.clone() else {
            unreachable!("a responder that has not answered")
        };
        // What is sent in answer to a notification is dropped.
        if self.wants_stream() || !self.wants_reply() {
            return Ok(ReplySink::new(shared, self.asker, self));
        }
        let words = "this server answers by many replies: call it by stream, not by call";
        let term = Term::until(shared.hub.now(), self.asker.deadline);
        let error = Error::new(ErrorKind::Unsupported, Phase::Write).detailed(words);
        let signed = shared.hub.sign(error, Phase::Write, term);
        self.refuse(FailureCode::Unsupported, words.to_owned());
        Err(signed)
    }

    /// The bytes that the request brings beside its message; read them with one of these, because
    /// one that is dropped drops what it has of them.
    pub fn payload(&self) -> Payload {
        match &self.shared {
            Some(shared) => Payload::new(Arc::clone(&shared.interest), self.asker),
            None => unreachable!("a responder that has not answered"),
        }
    }

    /// Sends the reply; `Ok` means that the FIFO has accepted every byte of it.
    ///
    /// # Errors
    /// As [`Responder::send`](crate::Responder::send).
    ///
    /// # Cancel safety
    /// The reply is given up, and its caller told so, unless all of it was accepted already.
    pub async fn send(mut self, reply: &Rep) -> Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let term = self.term(shared);
        let mut body = std::mem::take(&mut self.memory);
        match codec::encode(&shared.codec, reply, &mut body, shared.max_message) {
            Ok(()) => self.answer(Answer::Reply(body), term).await,
            Err(refused) => {
                let signed = shared.hub.sign(refused, Phase::Encode, term);
                let words = signed.detail().unwrap_or("the reply has no form in the codec");
                let code = match signed.kind() {
                    ErrorKind::TooLarge => FailureCode::TooLarge,
                    _ => FailureCode::Codec,
                };
                // What is wrong with the reply is the news here, whether the caller hears of it or
                // not.
                let told = self.answer(Answer::Failure(code, words.to_owned()), term).await;
                drop(told);
                Err(signed)
            }
        }
    }

    /// Tells the caller that its request failed, in these words.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn fail(self, why: impl fmt::Display) -> Result<()> {
        self.failed(FailureCode::Handler, why.to_string()).await
    }

    pub(super) async fn panicked(self, panic: Box<dyn Any + Send>) -> Result<()> {
        let words = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(words), _) => (*words).to_owned(),
            (None, Some(words)) => words.clone(),
            (None, None) => String::new(),
        };
        drop(panic);
        self.failed(FailureCode::Panic, format!("the handler panicked: {words}")).await
    }

    /// Answers in place of the handler: queues the news and writes it if there is room.
    pub(super) fn refuse(mut self, code: FailureCode, words: String) {
        self.queue_refusal(code, words);
    }

    fn queue_refusal(&mut self, code: FailureCode, words: String) {
        if let Some(shared) = self.shared.take() {
            shared.hub.nudge(|answerer| answerer.refuse(self.asker.caller, code, words));
        }
    }

    async fn failed(self, code: FailureCode, words: String) -> Result<()> {
        self.answer_now(Answer::Failure(code, words)).await
    }

    pub(super) async fn answer_now(self, answer: Answer) -> Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let term = self.term(shared);
        self.answer(answer, term).await
    }

    async fn answer(mut self, answer: Answer, term: Term) -> Result<()> {
        // From here on it is the errand that tells the caller, should it be dropped.
        let Some(shared) = self.shared.take() else { return Ok(()) };
        let replying = Replying::new(self.asker.caller, answer, term.deadline);
        shared.hub.run(replying, term, Phase::Write).await
    }

    /// The reply is given up when nobody waits for it any more, or when its own time is over.
    fn term(&self, shared: &Shared<R, C>) -> Term {
        let reply_by = Term::timeout(shared.hub.now(), shared.timeout);
        Term { deadline: reply_by.deadline.earlier(self.asker.deadline), ..reply_by }
    }
}

impl<R: Runtime, Rep, C: Codec<Rep>> Drop for Responder<R, Rep, C> {
    fn drop(&mut self) {
        if self.shared.is_some() {
            let words = "the request was dropped without an answer";
            self.queue_refusal(FailureCode::Dropped, words.to_owned());
        }
    }
}

impl<R: Runtime, Rep, C: Codec<Rep>> fmt::Debug for Responder<R, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("deadline", &self.asker.deadline).finish_non_exhaustive()
    }
}

/// What a server shares with the replies that are under way.
pub(super) struct Shared<R: Runtime, C> {
    pub(super) hub: Handle<R, Machine<R>>,
    pub(super) interest: Arc<dyn Interest>,
    pub(super) codec: C,
    pub(super) timeout: Duration,
    pub(super) max_message: usize,
}

pub(super) type Machine<R> =
    Answerer<ReadOpener<<R as Runtime>::Reader>, WriteOpener<<R as Runtime>::Writer>>;
