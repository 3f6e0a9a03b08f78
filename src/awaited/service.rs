//! The client as a [`tower_service::Service`], whose readiness is the limit of calls in flight.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tower_service::Service;

use super::client::{Client, Machine, Place, poll_call};
use super::hub::{Handle, Visit};
use super::runtime::Runtime;
use crate::codec::Codec;
use crate::core::errand::{Calling, Reserving};
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::front::{Asking, Term};
use crate::trace::Span;

/// Ready once there is a place for one more call, which is then held for this clone until it calls
/// or is dropped. Places are given in the order in which they were asked for. A clone is not ready
/// because its original is.
///
/// Every call has the client's timeout, which starts with [`call`](Service::call); readiness has no
/// deadline of its own, and a layer above gives it one. A call without readiness is refused with
/// [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded) where there is no place, whatever
/// [`wait_when_full`](crate::ClientOptions::wait_when_full) says.
///
/// [`Client::call`] is another method of the same name, and the one that `client.call(..)` means:
/// write `Service::call(&mut client, request)` where no layer stands between.
///
/// # Cancel safety
/// As [`Client::call`]; a client that is dropped gives its place back.
impl<R, Req, Rep, C> Service<Req> for Client<R, Req, Rep, C>
where
    R: Runtime,
    C: Codec<Req> + Codec<Rep> + Clone,
{
    type Response = Rep;
    type Error = Error;
    type Future = ServiceCall<R, Req, Rep, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let place = |key| Place::new(self.hub.clone(), key);
        if let Readiness::Idle = self.readiness {
            self.readiness = match self.hub.with(|caller| caller.try_reserve()) {
                Some(key) => Readiness::Ready(Some(place(key))),
                None => {
                    let (hub, never) = (self.hub.clone(), Deadline::NEVER);
                    let (reserving, term) = (Reserving::new(never), Term::until(hub.now(), never));
                    Readiness::Waiting(Visit::new(hub, reserving, term, Phase::Write))
                }
            };
        }
        if let Readiness::Waiting(visit) = &mut self.readiness {
            let reserved = ready!(Pin::new(visit).poll(cx));
            // A connection that fails meanwhile is the news of the calls in flight, and of the one
            // to come; it makes no client unusable.
            self.readiness = Readiness::Ready(reserved.ok().map(place));
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let term = Term::timeout(self.hub.now(), self.timeout);
        let place = std::mem::take(&mut self.readiness).into_place();
        let span = self.span();
        let state = match span.enter(|| self.calling(&request, Asking::default(), term)) {
            Ok(calling) => {
                let calling = calling.at(place.as_ref().map(Place::key));
                let visit = Visit::new(self.hub.clone(), calling, term, Phase::Reply);
                State::Called { visit, _place: place }
            }
            Err(error) => State::Refused(Some(error)),
        };
        ServiceCall { client: self.clone(), term, span, state }
    }
}

/// Whether a clone of a client is ready to call.
#[derive(Default)]
pub(super) enum Readiness<R: Runtime> {
    #[default]
    Idle,
    Waiting(AtClient<R, Reserving>),
    Ready(Option<Place<R>>),
}

type AtClient<R, E> = Visit<Handle<R, Machine<R>>, R, Machine<R>, E>;

impl<R: Runtime> Readiness<R> {
    fn into_place(self) -> Option<Place<R>> {
        match self {
            Self::Ready(place) => place,
            Self::Idle | Self::Waiting(_) => None,
        }
    }
}

/// A call of a [`Client`] that was made as a service.
pub struct ServiceCall<R: Runtime, Req, Rep, C> {
    client: Client<R, Req, Rep, C>,
    term: Term,
    span: Span,
    state: State<R>,
}

enum State<R: Runtime> {
    /// The place is the call's from its first poll on; dropped before, it is given back.
    Called { visit: AtClient<R, Calling>, _place: Option<Place<R>> },
    /// Taken by the first poll.
    Refused(Option<Error>),
}

impl<R, Req, Rep, C> Future for ServiceCall<R, Req, Rep, C>
where
    R: Runtime,
    C: Codec<Req> + Codec<Rep>,
{
    type Output = Result<Rep>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Rep>> {
        let this = &mut *self;
        this.span.enter(|| match &mut this.state {
            State::Called { visit, .. } => {
                let reply = ready!(poll_call(visit, &this.span, cx))?;
                Poll::Ready(this.client.decode(reply.body, this.term))
            }
            State::Refused(error) => error.take().map_or(Poll::Pending, |e| Poll::Ready(Err(e))),
        })
    }
}

/// Nothing in it is pinned.
impl<R: Runtime, Req, Rep, C> Unpin for ServiceCall<R, Req, Rep, C> {}

impl<R: Runtime, Req, Rep, C> fmt::Debug for ServiceCall<R, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceCall").finish_non_exhaustive()
    }
}
