//! A call that was begun and is awaited later, or cancelled.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use super::Runtime;
use super::client::{Client, Machine, poll_call};
use super::hub::{Hub, Visit};
use crate::codec::{Codec, Json};
use crate::core::errand::Calling;
use crate::core::event::Event;
use crate::error::{Phase, Result};
use crate::front::{CallId, Term};
use crate::trace::Span;

/// A call whose request is queued, and written as far as there was room; see
/// [`Call::begin`](super::Call::begin).
///
/// Dropped, it gives the call up as its deadline does.
pub struct InFlight<'a, R: Runtime, Req, Rep, C = Json> {
    client: &'a Client<R, Req, Rep, C>,
    visit: Visit<&'a Hub<R, Machine<R>>, R, Machine<R>, Calling>,
    id: CallId,
    /// How it ended while it was begun, if it has.
    ended: Option<Result<Event>>,
    span: Span,
    term: Term,
}

impl<'a, R: Runtime, Req, Rep, C: Codec<Req> + Codec<Rep>> InFlight<'a, R, Req, Rep, C> {
    /// Begins a call.
    pub(super) async fn begin(
        client: &'a Client<R, Req, Rep, C>,
        calling: Calling,
        span: Span,
        term: Term,
    ) -> Result<Self> {
        let mut visit = client.hub.run(calling, term, Phase::Reply);
        let polled = poll_fn(|cx| Poll::Ready(poll_call(&mut visit, &span, cx))).await;
        let ended = match polled {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => {
                // Where others are about to write too, its first step was left to them.
                client.hub.nudge(|_| {});
                None
            }
        };
        match (visit.errand().id(), ended) {
            (Some(id), ended) => Ok(Self { client, visit, id: CallId(id), ended, span, term }),
            (None, Some(Err(refused))) => Err(refused),
            (None, _) => unreachable!("a call that was polled is queued or refused"),
        }
    }

    /// The name of the call, by which [`Client::cancel`] knows it.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// Waits for the reply, by the deadline that began with the call.
    ///
    /// # Errors
    /// As [`Client::call`].
    ///
    /// # Cancel safety
    /// As [`Client::call`].
    pub async fn wait(self) -> Result<Rep> {
        let Self { client, mut visit, ended, span, term, .. } = self;
        let inner = span.clone();
        span.around(async move {
            let reply = match ended {
                Some(ended) => ended?,
                None => poll_fn(|cx| poll_call(&mut visit, &inner, cx)).await?,
            };
            client.decode(reply.body, term)
        })
        .await
    }

    /// Cancels the call and waits until the server has acknowledged that; see [`Client::cancel`].
    /// Answers the reply, should it have been here first.
    ///
    /// # Errors
    /// As [`InFlight::cancel`](crate::InFlight::cancel).
    ///
    /// # Cancel safety
    /// The call is given up, and nobody waits for the acknowledgement.
    pub async fn cancel(self) -> Result<Rep> {
        self.client.cancel(self.id).await?;
        self.wait().await
    }
}

impl<R: Runtime, Req, Rep, C> fmt::Debug for InFlight<'_, R, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").field("id", &self.id).finish_non_exhaustive()
    }
}
