//! A call that was begun and is waited for later, or cancelled.

use std::fmt;
use std::time::Instant;

use super::Client;
use super::client::Machine;
use super::turn::Visit;
use crate::codec::{Codec, Json};
use crate::core::errand::Calling;
use crate::error::Result;
use crate::front::{CallId, Term};
use crate::trace::Span;

/// A call whose request is queued, and written as far as there was room; see
/// [`Call::begin`](super::Call::begin).
///
/// Dropped, it gives the call up as its deadline does.
pub struct InFlight<'a, Req, Rep, C = Json> {
    client: &'a Client<Req, Rep, C>,
    visit: Visit<'a, Machine, Calling>,
    span: Span,
    term: Term,
}

impl<'a, Req, Rep, C: Codec<Req> + Codec<Rep>> InFlight<'a, Req, Rep, C> {
    pub(super) fn new(
        client: &'a Client<Req, Rep, C>,
        visit: Visit<'a, Machine, Calling>,
        span: Span,
        term: Term,
    ) -> Self {
        Self { client, visit, span, term }
    }

    /// The name of the call, by which [`Client::cancel`] knows it.
    pub fn id(&self) -> CallId {
        CallId(self.visit.key())
    }

    /// Waits for the reply, by the deadline that began with the call.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn wait(self) -> Result<Rep> {
        let Self { client, visit, span, term } = self;
        span.enter(|| {
            let reply = visit.finish()?;
            client.decode(reply.body, term)
        })
    }

    /// Cancels the call and waits until the server has acknowledged that; see [`Client::cancel`].
    /// Answers the reply, should it have been here first.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) where the call is cancelled; whether a
    /// handler had the request is its [`fate`](crate::Error::fate). As [`Client::cancel`] where it
    /// is not acknowledged, and as [`Client::call`] where the call ended otherwise.
    pub fn cancel(self) -> Result<Rep> {
        self.client.cancel(self.id())?;
        self.wait()
    }
}

impl<Req, Rep, C> fmt::Debug for InFlight<'_, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elapsed = self.term.elapsed(Instant::now());
        f.debug_struct("InFlight")
            .field("id", &self.visit.key())
            .field("elapsed", &elapsed)
            .finish_non_exhaustive()
    }
}
