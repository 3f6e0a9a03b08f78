//! What tests ask of a server.

use std::time::Instant;

use super::{Answerer, Caller};
use crate::core::closing::Stage;
use crate::core::model::{ClientLife, Request, ServerClosing};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Answerer<R, W> {
    /// The requests that this server knows of: the life of the caller, the number, and how far
    /// they are.
    pub(crate) fn requests(&mut self) -> Vec<((u64, u64), Request)> {
        let mut all: Vec<_> =
            self.link.outbox().refused().map(|key| (key, Request::Refusing)).collect();
        let (coming, waiting) = self.link.inbox().requests();
        all.extend(coming.map(|key| (key, Request::Coming)));
        all.extend(waiting.map(|key| (key, Request::Waiting)));
        let hands: Vec<_> = self.hands.each().collect();
        for (caller, ticket) in hands {
            let to = self.asker(caller);
            all.push(((to.epoch, to.id), self.request(caller, ticket)));
        }
        all
    }

    /// Whom the answer to a request in hand is for.
    pub(crate) fn asker(&self, caller: Caller) -> Caller {
        self.hands.asker(caller)
    }

    fn request(&mut self, caller: Caller, ticket: Option<u64>) -> Request {
        match ticket {
            _ if self.unwanted(caller).is_some() => Request::Unwanted,
            None => Request::InHand,
            Some(ticket) if self.is_pending(caller, ticket) => Request::Offering,
            Some(ticket) if self.is_item(caller, ticket) => {
                match self.link.outbox().holds(ticket) {
                    true => Request::Streaming,
                    false => Request::Streamed,
                }
            }
            Some(ticket) if self.link.outbox().holds(ticket) => Request::Replying,
            Some(_) => Request::Replied,
        }
    }

    /// Whether this is an item that waits for room.
    fn is_pending(&mut self, caller: Caller, ticket: u64) -> bool {
        let streams = self.hands.streams(caller);
        let outflow = streams.and_then(|streams| streams.outflow.as_ref());
        outflow.is_some_and(|outflow| outflow.is_pending(ticket))
    }

    /// Whether this is an item that there was room for.
    fn is_item(&mut self, caller: Caller, ticket: u64) -> bool {
        let streams = self.hands.streams(caller);
        let outflow = streams.and_then(|streams| streams.outflow.as_ref());
        outflow.is_some_and(|outflow| outflow.last() == Some(ticket))
    }

    /// Whether the next part of a request would be had by whoever looked.
    pub(crate) fn has_part(&mut self, caller: Caller) -> bool {
        let streams = self.hands.streams(caller);
        let inflow = streams.and_then(|streams| streams.inflow.as_ref());
        let waits = inflow.is_some_and(|inflow| inflow.is_waiting());
        !waits || self.still_wanted(caller).is_err()
    }

    /// What is known of the client, and which life that is.
    pub(crate) fn client_life(&self) -> (ClientLife, u64) {
        match self.link.client_life() {
            (ClientLife::Parting, life) if self.seen_off => (ClientLife::SeenOff, life),
            other => other,
        }
    }

    pub(crate) fn closing(&self) -> ServerClosing {
        match self.closing.stage() {
            Stage::Open => ServerClosing::Open,
            Stage::Draining => ServerClosing::Draining,
            Stage::Saying => ServerClosing::Saying,
            Stage::Done => ServerClosing::Done,
            Stage::Hearing => unreachable!("a server hears nobody to the end"),
        }
    }

    /// Whether no byte has moved for as long as a client may take for that.
    pub(crate) fn has_stalled(&self, now: Instant) -> bool {
        self.link.stalled_for(self.stall, now)
    }

    /// Whether anybody wants any of the answers that are to come.
    pub(crate) fn has_wanted(&self) -> bool {
        self.hands.has_wanted()
    }

    /// Whether nobody is to be told goodbye, and nothing else is to be done.
    pub(crate) fn is_alone(&mut self) -> bool {
        self.has_answered() && (self.link.writer().is_none() || self.owes)
    }
}
