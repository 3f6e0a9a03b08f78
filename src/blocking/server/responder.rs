//! Answering one request, from any thread.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::blocking::options::Term;
use crate::blocking::turn::Turn;
use crate::codec::{Codec, Json};
use crate::core::outbox::Ticket;
use crate::core::server::{Answerer, Caller};
use crate::core::wire::FailureCode;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::node::{ReadOpener, WriteOpener};

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
    caller: Caller,
    deadline: Deadline,
    replies: PhantomData<fn(&Rep)>,
}

enum Answer<'a, Rep> {
    Reply(&'a Rep),
    Failed(FailureCode, String),
}

impl<Rep, C: Codec<Rep>> Responder<Rep, C> {
    pub(super) fn new(shared: Arc<Shared<C>>, caller: Caller, deadline: Deadline) -> Self {
        Self { shared: Some(shared), caller, deadline, replies: PhantomData }
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Sends the reply; `Ok` means that the FIFO has accepted every byte of it.
    ///
    /// It is given up when the caller has stopped waiting, or after
    /// [`ServerOptions::reply_timeout`](crate::ServerOptions::reply_timeout).
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

    pub(super) fn panicked(self, panic: &(dyn Any + Send)) -> Result<()> {
        let words = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(words), _) => (*words).to_owned(),
            (None, Some(words)) => words.clone(),
            (None, None) => String::new(),
        };
        self.answer(Answer::Failed(FailureCode::Panic, format!("the handler panicked: {words}")))
    }

    /// Answers in place of the handler: queues the news and writes it if there is room. It waits
    /// for nothing, because a client that does not read must not hold up the next request.
    pub(super) fn refuse(mut self, code: FailureCode, words: String) {
        self.queue_refusal(code, words);
    }

    fn queue_refusal(&mut self, code: FailureCode, words: String) {
        if let Some(shared) = self.shared.take() {
            shared.turn.nudge(|answerer| answerer.refuse(self.caller, code, words));
        }
    }

    fn answer(mut self, answer: Answer<'_, Rep>) -> Result<()> {
        let Some(shared) = self.shared.take() else { return Ok(()) };
        let reply_by = Term::timeout(shared.timeout);
        let term = Term { deadline: reply_by.deadline.earlier(self.deadline), ..reply_by };
        let (ticket, refused) = shared.queue(self.caller, answer);
        let sent = shared.turn.wait(ticket, term, Phase::Write, |answerer, now| {
            let outcome = answerer.outcome(ticket, now, term.deadline)?;
            // What fails here is the reply, and not the FIFO that the server is known by.
            Some(outcome.map_err(|error| error.at(answerer.link().outgoing().path())))
        });
        shared.turn.with(|answerer| {
            answerer.give_up(ticket);
            answerer.link_mut().stats.unanswered += u64::from(sent.is_err());
        });
        match refused {
            Some(error) => Err(shared
                .turn
                .with(|answerer| term.sign(error, answerer.link().outgoing().path()))),
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
    fn drop(&mut self) {
        if self.shared.is_some() {
            let words = "the request was dropped without an answer";
            self.queue_refusal(FailureCode::Dropped, words.to_owned());
        }
    }
}

impl<Rep, C: Codec<Rep>> fmt::Debug for Responder<Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// What a server shares with the replies that are under way.
pub(super) struct Shared<C> {
    pub(super) turn: Turn<Answerer<ReadOpener, WriteOpener>>,
    pub(super) codec: C,
    pub(super) timeout: Duration,
    pub(super) max_message: usize,
}
