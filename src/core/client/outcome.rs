//! How a call ends: with its answer, at its deadline, or given up.

use std::time::Instant;

use super::Caller;
use crate::core::calls::{Answer, CallId};
use crate::core::event::{Event, Verb};
use crate::core::outbox::TakenBack;
use crate::core::wire::{Failure, FailureCode};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Caller<R, W> {
    /// What a call was answered with, by the server or by its departure.
    pub(crate) fn answer(&mut self, id: CallId) -> Option<Result<Event>> {
        let heard = self.calls.is_acknowledged(id);
        let answer = self.calls.take(id)?;
        self.cancels.disown(id);
        let answered = match answer {
            Answer::Event(event) if event.verb == Verb::Failure => {
                let (failure, fate) = failed(&Failure::from_bytes(&event.body));
                let fate = if heard { Fate::Delivered } else { fate };
                self.link.recycle(event.body);
                Some(Err(failure.with_fate(self.repeats.fate(id, fate))))
            }
            Answer::Event(event) => Some(Ok(event)),
            Answer::Written => Some(Ok(Event::to(0, Verb::Request, id, Vec::new()))),
            Answer::Without(why, fate) => {
                let phase = if fate == Fate::NotSent { Phase::Write } else { Phase::Reply };
                Some(Err(Error::new(why, phase).with_fate(fate)))
            }
        };
        self.end_repeats(id);
        answered
    }

    /// How a call has ended, if it has; at its deadline it does.
    pub(crate) fn outcome(
        &mut self,
        id: CallId,
        now: Instant,
        deadline: Deadline,
    ) -> Option<Result<Event>> {
        if let Some(answer) = self.answer(id) {
            return Some(answer);
        }
        if deadline.passed(now) {
            return Some(Err(self.expire(id)));
        }
        if !self.link.stalled_for(self.stall, now) {
            return None;
        }
        let ticket = self.calls.ticket(id)?;
        self.link.outbox().holds(ticket).then(|| Err(self.expire(id)))
    }

    /// Gives a call up, and says what it was waiting for.
    #[cold] // Most calls are answered.
    pub(crate) fn expire(&mut self, id: CallId) -> Error {
        self.link.stats.expired += 1;
        let not_open = self.link.writer_refused();
        let heard = self.calls.is_acknowledged(id);
        // What earlier attempts have come to is so, whatever becomes of the last.
        let (unsent, waits) = (self.repeats.fate(id, Fate::NotSent), self.repeats.waits(id));
        match self.give_up(id) {
            TakenBack::NotSent { begun } => {
                let error = not_open.filter(|_| !begun);
                error
                    .unwrap_or_else(|| Error::new(ErrorKind::WriteStalled, Phase::Write))
                    .with_fate(unsent)
            }
            TakenBack::Written if waits => {
                Error::new(ErrorKind::TimedOut, Phase::Reply).with_fate(unsent)
            }
            TakenBack::Written => {
                self.link.doubt_peer();
                let silent = self.link.had_writer();
                let kind = if silent { ErrorKind::TimedOut } else { ErrorKind::NoWriter };
                let fate = if heard { Fate::Delivered } else { Fate::MaybeDelivered };
                Error::new(kind, Phase::Reply).with_fate(fate)
            }
        }
    }

    /// Gives a call up, and says what became of its request.
    pub(crate) fn give_up_for(&mut self, id: CallId, error: Error) -> Error {
        let (unsent, waits) = (self.repeats.fate(id, Fate::NotSent), self.repeats.waits(id));
        let last = self.give_up(id).fate();
        error.with_fate(if waits || last == Fate::NotSent { unsent } else { last })
    }

    /// Takes a call out of every table. What its request has left unwritten is never written.
    pub(crate) fn give_up(&mut self, id: CallId) -> TakenBack {
        let Some(ticket) = self.calls.ticket(id) else { return TakenBack::Written };
        let (open, streams) = (self.calls.is_open(id), self.calls.has_streams(id));
        let items = self.calls.give_up(id);
        self.take_items_back(items);
        let taken = self.link.outbox().take_back(ticket);
        let tell = match taken {
            TakenBack::NotSent { begun: false } => false,
            // The server holds parts of it; it may drop them.
            TakenBack::NotSent { begun: true } => true,
            // A stream that nobody takes items of would wait for room for ever.
            TakenBack::Written => {
                let tells = self.manners.cancel_abandoned || streams;
                open && tells && !self.cancels.awaits(id)
            }
        };
        let tell = tell && !self.repeats.waits(id);
        self.repeats.end(id);
        if tell {
            self.push_cancel(id);
        }
        self.cancels.disown(id);
        self.look_at_queue();
        self.go_on_closing();
        taken
    }
}

/// What the server said, as an error, and what became of the request.
fn failed(failure: &Failure) -> (Error, Fate) {
    let (kind, fate) = match failure.code {
        FailureCode::TooLarge => (ErrorKind::TooLarge, Fate::MaybeDelivered),
        FailureCode::Overloaded => (ErrorKind::Overloaded, Fate::NotSent),
        FailureCode::Expired => (ErrorKind::TimedOut, Fate::NotSent),
        FailureCode::Stale | FailureCode::Closing => (ErrorKind::PeerClosed, Fate::NotSent),
        FailureCode::Unsupported => (ErrorKind::Unsupported, Fate::NotSent),
        FailureCode::Cancelled => (ErrorKind::Cancelled, Fate::Delivered),
        FailureCode::Codec => (ErrorKind::Codec, Fate::Delivered),
        FailureCode::Repeated => (ErrorKind::Repeated, Fate::Delivered),
        FailureCode::Handler
        | FailureCode::Panic
        | FailureCode::Dropped
        | FailureCode::Other(_) => (ErrorKind::Remote, Fate::Delivered),
    };
    (Error::new(kind, Phase::Reply).detailed(failure.message.as_str()), fate)
}
