//! What tests ask of an outbox.

use super::{Cause, Outbox, Ticket};
use crate::core::event::Verb;

impl Outbox {
    /// What is not wholly written and somebody waits for: whether a byte of it was accepted.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = (Ticket, bool)> {
        let awaited = self.entries().filter(|entry| entry.cause == Cause::Caller);
        awaited.map(|entry| (entry.ticket, entry.begun))
    }

    /// The calls of which the news that they failed is not wholly written, where nobody waits for
    /// that: the life of the caller, and the number.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (u64, u64)> {
        let failed = |verb: Verb, cause: Cause| verb == Verb::Failure && cause != Cause::Caller;
        let refused = self.entries().filter(move |entry| failed(entry.event.verb, entry.cause));
        refused.map(|entry| (entry.event.to, entry.event.id))
    }
}
