//! The ends of lives: a server that has left, a client that is closed, and what follows.

use std::time::Instant;

use super::Caller;
use crate::core::closing::Stage;
use crate::core::errand::Key;
use crate::core::event::{Event, Verb};
use crate::core::link::Departure;
use crate::core::reconnect::Reconnect;
use crate::core::wire;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Caller<R, W> {
    /// Whether no more calls are begun.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.has_begun() || self.ended.is_some()
    }

    /// There are no more calls.
    #[cold]
    pub(crate) fn closed(&self) -> Error {
        let why = self.ended.unwrap_or(ErrorKind::Closed);
        Error::new(why, Phase::Write).with_fate(Fate::NotSent)
    }

    /// Whether there is nothing to look after any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.link.is_closed()
    }

    /// Somebody waits for the end of the client; answers under which key that one is woken.
    pub(crate) fn attend(&mut self) -> Key {
        self.last_id = wire::next_id(self.last_id);
        self.attendants.push(self.last_id);
        self.last_id
    }

    /// Nobody waits under this key for the end of the client any more.
    pub(crate) fn stop_attending(&mut self, key: Key) {
        self.attendants.retain(|attendant| *attendant != key);
    }

    /// Opens the request FIFO that no call waits for, where that is wanted; answers when to try
    /// again.
    pub(super) fn redial(&mut self, now: Instant) -> Result<Deadline> {
        let Reconnect::InBackground { first, most } = self.manners.reconnect else {
            return Ok(Deadline::NEVER);
        };
        if self.link.writer().is_some() || self.is_closing() || !self.link.outbox().is_empty() {
            self.redial.succeeded();
            return Ok(Deadline::NEVER);
        }
        if self.redial.is_due(now) && !self.link.try_connect(now)? {
            self.redial.failed(now, first, most);
        }
        Ok(self.redial.next())
    }

    /// Lets go of both FIFOs, and wakes those that wait for that.
    pub(super) fn let_go(&mut self) {
        self.link.close();
        self.calls.refuse_places();
        self.calls.wakeups().append(&mut self.attendants);
        self.closing.enter(Stage::Done, self.calls.wakeups());
    }

    /// Takes the next step towards the end, where that is wanted and possible; answers whether it
    /// did.
    pub(super) fn go_on_closing(&mut self) -> bool {
        self.closing.has_begun() && self.close_further()
    }

    #[cold]
    fn close_further(&mut self) -> bool {
        let next = match self.closing.stage() {
            Stage::Draining if self.calls.has_unanswered() || !self.cancels.is_empty() => {
                return false;
            }
            Stage::Draining if !self.link.outbox().is_empty() => return false,
            // Nobody has read anything of ours: there is nobody to take leave of.
            Stage::Draining if self.link.writer().is_none() => Stage::Done,
            Stage::Draining => {
                self.link.outbox().push_aside(Event::to(0, Verb::Goodbye, 0, Vec::new()));
                Stage::Saying
            }
            Stage::Saying if !self.link.outbox().is_empty() => return false,
            Stage::Saying => {
                self.link.half_close();
                Stage::Hearing
            }
            // One that was never heard says nothing; one that has left is forgotten.
            Stage::Hearing if self.link.peer() != 0 && self.link.farewell() != self.link.peer() => {
                return false;
            }
            Stage::Hearing => Stage::Done,
            Stage::Open | Stage::Done => return false,
        };
        self.closing.enter(next, self.calls.wakeups());
        true
    }

    /// The server has left, or is given up: ends the calls whose requests it may have seen.
    #[cold]
    pub(super) fn end_calls(&mut self, departure: Departure, why: ErrorKind) {
        self.cancels.end(self.calls.wakeups());
        let Departure { lost, mut unsent, farewell, said_to_anybody, peer } = departure;
        let never = self.manners.reconnect == Reconnect::Never;
        unsent.sort_unstable();
        let repeats = &self.repeats;
        let mut again = Vec::new();
        let items = self.calls.end_all(why, |id, ticket| {
            let fate = match () {
                () if unsent.binary_search(&ticket).is_ok() => {
                    return never.then_some(repeats.fate(id, Fate::NotSent));
                }
                () if repeats.waits(id) || lost.contains(&ticket) => Fate::NotSent,
                // What it has not taken lies in the FIFO, where another life declines what was for
                // it.
                () if farewell && ticket > said_to_anybody => Fate::NotSent,
                () => Fate::MaybeDelivered,
            };
            let life = if ticket > said_to_anybody { peer } else { 0 };
            if !never && repeats.may(id, fate, life) {
                again.push((id, fate, life));
                return None;
            }
            Some(repeats.fate(id, fate))
        });
        self.take_items_back(items);
        for (id, fate, life) in again {
            self.put_again(id, fate, life);
        }
        if never {
            self.ended = Some(why);
            self.let_go();
        }
    }
}
