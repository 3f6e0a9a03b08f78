//! What a handler knows beside the request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use super::payload::{NextPart, Payload};
use super::responder::Machine;
use crate::awaited::Runtime;
use crate::awaited::hub::{Hub, Visit};
use crate::core::errand::{self, Watching};
use crate::core::server::{Asker, Caller};
use crate::core::streams::WINDOW;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase};
use crate::front::{IdempotencyKey, Term};

/// What a handler knows beside the request.
#[derive(Clone)]
pub struct Context {
    asker: Asker,
    /// The clock that the deadline is an instant of.
    now: fn() -> Instant,
    interest: Arc<dyn Interest>,
    stop: Arc<Stop>,
}

impl Context {
    pub(super) fn new(
        asker: Asker,
        now: fn() -> Instant,
        interest: Arc<dyn Interest>,
        stop: Arc<Stop>,
    ) -> Self {
        Self { asker, now, interest, stop }
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Deadline {
        self.asker.deadline
    }

    /// How long the caller will still wait; `None` for without end.
    pub fn remaining(&self) -> Option<Duration> {
        self.asker.deadline.remaining((self.now)())
    }

    /// Whether nobody wants the answer any more: the call was cancelled or given up, its client has
    /// left, or it is answered. An answer that comes all the same is dropped.
    pub fn is_cancelled(&self) -> bool {
        self.interest.is_gone(self.asker.caller)
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

    /// Waits until nobody wants the answer any more; see [`is_cancelled`](Self::is_cancelled).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn cancelled(&self) {
        Arc::clone(&self.interest).gone(self.asker.caller).await;
    }

    /// Whether the caller takes many replies; one that does takes a single one as well.
    pub fn wants_stream(&self) -> bool {
        self.asker.options.window.is_some()
    }

    /// The bytes that the request brings beside its message; read them with one of these, because
    /// one that is dropped drops what it has of them.
    pub fn payload(&self) -> Payload {
        Payload::new(Arc::clone(&self.interest), self.asker)
    }

    /// Ends [`Server::serve`](super::Server::serve) once the handlers that run are answered. It can
    /// be called from anywhere, and at any time. Requests that have come and were not handed out
    /// are there for the next `serve`, and unanswered if there is none.
    pub fn stop(&self) {
        self.stop.asked.store(true, Ordering::Release);
        self.stop.waker.wake();
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("deadline", &self.asker.deadline).finish_non_exhaustive()
    }
}

/// Whether the server is to stop, and whom to tell.
#[derive(Debug, Default)]
pub(super) struct Stop {
    asked: AtomicBool,
    waker: AtomicWaker,
}

impl Stop {
    /// Whether the server is to stop; where it is not, the task is woken when it is.
    pub(super) fn poll(&self, cx: &task::Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.asked.load(Ordering::Acquire)
    }
}

/// Whether anybody is interested in an answer, for contexts, which name no runtime.
pub(super) trait Interest: Send + Sync {
    fn is_gone(&self, caller: Caller) -> bool;

    fn gone(self: Arc<Self>, caller: Caller) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// The next part of what the request brings.
    fn next_part(self: Arc<Self>, asker: Asker) -> NextPart;
}

/// A server, for as long as it is there: a context keeps no connection open.
pub(super) struct AtServer<R: Runtime>(pub(super) Weak<Hub<R, Machine<R>>>);

impl<R: Runtime> Interest for AtServer<R> {
    fn is_gone(&self, caller: Caller) -> bool {
        let server = self.0.upgrade();
        server.is_none_or(|hub| hub.with(|answerer| answerer.is_settled(caller)))
    }

    fn gone(self: Arc<Self>, caller: Caller) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let Some(hub) = self.0.upgrade() else { return };
            let term = Term::until(hub.now(), Deadline::NEVER);
            // A failure of the connection ends the wait too: the server itself is told of it.
            let _ = Visit::new(hub, Watching::new(caller), term, Phase::Read).await;
        })
    }

    fn next_part(self: Arc<Self>, asker: Asker) -> NextPart {
        Box::pin(async move {
            let Some(hub) = self.0.upgrade() else {
                return Err(Error::new(ErrorKind::Closed, Phase::Read));
            };
            let term = Term::until(hub.now(), asker.deadline);
            let next = errand::NextPart::new(asker.caller, WINDOW, term.deadline);
            Visit::new(hub, next, term, Phase::Read).await
        })
    }
}
