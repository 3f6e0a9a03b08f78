//! Streams within the calls of a client: many replies that it takes, parts that it sends.

use std::time::Instant;

use super::{Call, Client};
use crate::core::client::Caller;
use crate::core::errand::{Calling, Errand, Key, NextReply, SendPart};
use crate::core::model::Cause;
use crate::core::simulation::courses::Fate;
use crate::core::simulation::ledger::Ledger;
use crate::core::simulation::life::Visit;
use crate::core::simulation::messages::{self, Serial};
use crate::core::simulation::process::{ReadOpener, WriteOpener};
use crate::core::simulation::random::Random;
use crate::core::streams::{MAX_CHUNK, item_of};
use crate::core::wire::Options;
use crate::deadline::Deadline;
use crate::error::{Error, Result};

/// What is done with the streams of a call.
#[derive(Debug)]
pub(in crate::core::simulation) struct Stream {
    options: Options,
    /// Whoever takes the next reply.
    taking: Option<Visit<NextReply>>,
    sending: Option<Sending>,
    /// Whether no more parts follow.
    ended: bool,
    /// Whether somebody waits for the one reply.
    awaits: bool,
}

/// A part on its way, or the end of them.
#[derive(Debug)]
struct Sending {
    visit: Visit<SendPart>,
    number: usize,
    size: usize,
}

/// Parts that a call brings at least before it ends in peace.
const ENOUGH: usize = 4;

impl Stream {
    pub(super) fn new(options: Options) -> Self {
        Self { options, taking: None, sending: None, ended: !options.upload, awaits: false }
    }

    /// Whether somebody might begin to take replies.
    pub(in crate::core::simulation) fn may_take(&self) -> bool {
        self.options.window.is_some() && self.taking.is_none()
    }

    /// Whether somebody might begin to send a part.
    pub(in crate::core::simulation) fn may_send(&self) -> bool {
        !self.ended && self.sending.is_none()
    }

    /// Whether somebody might begin to wait for the one reply.
    pub(in crate::core::simulation) fn may_await(&self) -> bool {
        self.options.window.is_none() && self.ended && self.sending.is_none() && !self.awaits
    }

    /// Whether somebody might give up a part and go on: whoever gives up the end gives up the call.
    pub(in crate::core::simulation) fn may_drop(&self) -> bool {
        self.sending.is_some() && !self.ended
    }

    /// Bytes of a part that is on its way.
    pub(in crate::core::simulation) fn sending(&self) -> Option<usize> {
        self.sending.as_ref().map(|sending| sending.size)
    }

    pub(in crate::core::simulation) fn is_taking(&self) -> bool {
        self.taking.is_some()
    }

    /// Nobody sleeps for whom there is something to look at.
    pub(super) fn check_wakeups(
        &self,
        visit: &Visit<Calling>,
        session: &mut Caller<ReadOpener, WriteOpener>,
        now: Instant,
    ) {
        let key = visit.key;
        if self.awaits && !visit.may_look(now) {
            assert!(!session.has_outcome(key, now), "stream {key} has ended, and nobody was woken");
        }
        if self.taking.as_ref().is_some_and(|taking| !taking.may_look(now)) {
            assert!(!session.has_item(key, now), "an item of {key}, and nobody was woken");
        }
        let asleep = self.sending.as_ref().filter(|sending| !sending.visit.may_look(now));
        let Some(ticket) = asleep.and_then(|sending| sending.visit.errand.ticket()) else { return };
        let known = session.item_outcome(key, ticket).is_some();
        assert!(!known, "the fate of a part of {key} is known, and nobody was woken");
        let stalled = session.has_stalled(now) && session.holds(ticket);
        assert!(!stalled, "a part of {key} has stalled, and nobody was woken");
    }
}

impl Call {
    /// When whoever waits for this would look at the latest.
    pub(super) fn soonest(&self) -> Deadline {
        let Some(stream) = &self.stream else { return self.visit.deadline };
        let awaits = stream.awaits || stream.taking.is_some() || stream.sending.is_some();
        if awaits { self.visit.deadline } else { Deadline::NEVER }
    }

    pub(super) fn hear(&mut self, keys: &[Key]) {
        self.visit.hear(keys);
        if let Some(stream) = &mut self.stream {
            stream.taking.iter_mut().for_each(|taking| taking.hear(keys));
            stream.sending.iter_mut().for_each(|sending| sending.visit.hear(keys));
        }
    }
}

impl Client {
    /// Somebody waits for the next of many replies.
    pub(in crate::core::simulation) fn take_item(&mut self, at: usize) {
        let Call { visit, stream, .. } = &mut self.calls[at];
        let Some(stream) = stream.as_mut().filter(|stream| stream.may_take()) else { return };
        let taking = NextReply::new(visit.key, visit.deadline);
        stream.taking = self.life.begin(taking, visit.deadline).ok();
    }

    /// Nobody waits for it any more; the call goes on.
    pub(in crate::core::simulation) fn stop_taking(&mut self, at: usize) {
        let stream = self.calls[at].stream.as_mut();
        if let Some(mut taking) = stream.and_then(|stream| stream.taking.take()) {
            self.life.leave(&mut taking);
        }
    }

    /// Somebody sends a part of this size, or the end of them.
    pub(in crate::core::simulation) fn send_part(
        &mut self,
        at: usize,
        size: Option<usize>,
        ledger: &mut Ledger,
    ) {
        let Call { visit, stream, serial } = &mut self.calls[at];
        let stream = stream.as_mut().filter(|stream| stream.may_send());
        let Some((stream, serial)) = stream.zip(*serial) else { return };
        let number = ledger.part_begun(serial, size);
        let part = size.map(|size| item_of(&messages::part(serial, number, size)));
        let sending = SendPart::new(visit.key, part, visit.deadline);
        stream.ended = size.is_none();
        let began = self.life.begin(sending, visit.deadline);
        let visit = began.expect("a part is refused by nobody");
        stream.sending = Some(Sending { visit, number, size: size.unwrap_or(0) });
    }

    /// A part is given up; more may follow.
    pub(in crate::core::simulation) fn drop_part(&mut self, at: usize, ledger: &mut Ledger) {
        let mut call = self.calls.swap_remove(at);
        self.leave_part(&mut call, ledger);
        self.calls.push(call);
    }

    /// Somebody waits for the one reply.
    pub(in crate::core::simulation) fn await_reply(&mut self, at: usize) {
        let Call { visit, stream, .. } = &mut self.calls[at];
        let Some(stream) = stream.as_mut().filter(|stream| stream.may_await()) else { return };
        (stream.awaits, visit.woken) = (true, true);
    }

    /// Does at once what there is to do of the streams of this call; answers whether there was
    /// anything.
    pub(in crate::core::simulation) fn tend(
        &mut self,
        at: usize,
        largest: usize,
        random: &mut Random,
        ledger: &mut Ledger,
    ) -> bool {
        let Call { serial, stream, .. } = &self.calls[at];
        let Some((stream, serial)) = stream.as_ref().zip(*serial) else { return false };
        let (takes, sends, awaits) = (stream.may_take(), stream.may_send(), stream.may_await());
        if takes {
            self.take_item(at);
        }
        if sends {
            let more = ledger.next_part(serial) < ENOUGH;
            self.send_part(at, more.then(|| random.length(largest.min(MAX_CHUNK))), ledger);
        }
        if awaits {
            self.await_reply(at);
        }
        takes || sends || awaits
    }

    /// Everybody who may looks for what there is of a stream; answers whether its call goes on.
    pub(super) fn look_at_stream(
        &mut self,
        visit: &mut Visit<Calling>,
        stream: &mut Stream,
        serial: Serial,
        now: Instant,
        ledger: &mut Ledger,
    ) -> bool {
        let late = self.life.session.has_stalled(now) || visit.deadline.passed(now);
        let Some(outcome) = self.look_for_outcome(visit, stream, serial, now, ledger) else {
            return true;
        };
        self.observer.happened.to(visit.key, Cause::Taken);
        if late {
            self.observer.happened.to(visit.key, Cause::Expired);
            self.observer.happened.all(Cause::Unanswered);
        }
        self.leave_visits(stream, serial, ledger);
        ledger.call_ended(serial, outcome, now);
        false
    }

    /// How the call has ended, as one of those says who wait.
    fn look_for_outcome(
        &mut self,
        visit: &mut Visit<Calling>,
        stream: &mut Stream,
        serial: Serial,
        now: Instant,
        ledger: &mut Ledger,
    ) -> Option<Result<Vec<u8>>> {
        if let Some(Sending { visit: sending, number, .. }) = &mut stream.sending {
            let number = *number;
            let sent = sending.may_look(now).then(|| self.life.look(sending, now)).flatten();
            if let Some(sent) = sent {
                stream.sending = None;
                self.observer.happened.all(Cause::Freed);
                let fate = match &sent {
                    Ok(true) => Fate::Written,
                    Ok(false) => Fate::Unknown,
                    Err(_) => Fate::NotSent,
                };
                ledger.part_ended(serial, number, fate);
                match sent {
                    Ok(true) => {}
                    // The call has ended: what with is still to be seen.
                    Ok(false) => stream.ended = true,
                    Err(error) => return Some(Err(error)),
                }
            }
        }
        if stream.awaits && visit.may_look(now) {
            if let Some(outcome) = self.life.look(visit, now) {
                return Some(outcome.map(|event| event.body));
            }
        }
        let taking = stream.taking.as_mut().filter(|taking| taking.may_look(now))?;
        let item = self.life.look(taking, now)?;
        stream.taking = None;
        self.outcome_of(visit, item, serial, now, ledger)
    }

    /// How the call has ended, where this was the last of its replies.
    fn outcome_of(
        &mut self,
        visit: &Visit<Calling>,
        item: Result<Option<Vec<u8>>>,
        serial: Serial,
        now: Instant,
        ledger: &mut Ledger,
    ) -> Option<Result<Vec<u8>>> {
        match item {
            // A reply is the last of them, and leaves the tables as it is taken.
            Ok(Some(item)) if !self.life.session.knows(visit.key) => {
                let again = self.next_item(visit, now);
                assert!(matches!(again, Some(Ok(None))), "{again:?} follows the reply to {serial}");
                Some(Ok(item))
            }
            Ok(Some(item)) => {
                ledger.item_taken(serial, &item);
                None
            }
            Ok(None) => Some(Ok(Vec::new())),
            Err(error) => Some(Err(error)),
        }
    }

    fn next_item(
        &mut self,
        visit: &Visit<Calling>,
        now: Instant,
    ) -> Option<Result<Option<Vec<u8>>>> {
        let taking = NextReply::new(visit.key, visit.deadline);
        let mut taking = self.life.begin(taking, visit.deadline).ok()?;
        self.life.look(&mut taking, now)
    }

    /// The client has come to its end: everybody hears so behind what has come.
    pub(super) fn end_stream(
        &mut self,
        visit: &mut Visit<Calling>,
        stream: &mut Stream,
        serial: Serial,
        now: Instant,
        ledger: &mut Ledger,
    ) {
        let taking = stream.taking.iter().map(|taking| taking.may_look(now));
        let sending = stream.sending.iter().map(|sending| sending.visit.may_look(now));
        let awaiting = stream.awaits.then(|| visit.may_look(now));
        let woken = taking.chain(sending).chain(awaiting).all(|woken| woken);
        assert!(woken, "stream {serial} has ended with its client, and nobody was told");
        self.leave_visits(stream, serial, ledger);
        let outcome = loop {
            if stream.options.window.is_none() {
                let outcome = self.life.look(visit, now).expect("its client has ended");
                break outcome.map(|event| event.body);
            }
            let item = self.next_item(visit, now).expect("its client has ended");
            if let Some(outcome) = self.outcome_of(visit, item, serial, now, ledger) {
                break outcome;
            }
        };
        ledger.call_ended(serial, outcome, now);
    }

    /// Nobody has to do with the streams of a call any more.
    pub(super) fn leave_stream(&mut self, call: &mut Call, ledger: &mut Ledger) {
        if let Some((stream, serial)) = call.stream.as_mut().zip(call.serial) {
            self.leave_visits(stream, serial, ledger);
        }
    }

    fn leave_part(&mut self, call: &mut Call, ledger: &mut Ledger) {
        let Some((stream, serial)) = call.stream.as_mut().zip(call.serial) else { return };
        let Some(Sending { mut visit, number, .. }) = stream.sending.take() else { return };
        let known = visit.errand.peek(&mut self.life.session);
        self.life.leave(&mut visit);
        self.observer.happened.all(Cause::Freed);
        self.observe();
        self.hear();
        let fate = match known {
            Some(Ok(true)) => Fate::Written,
            Some(_) => Fate::Unknown,
            None => Fate::NotSent,
        };
        ledger.part_ended(serial, number, fate);
    }

    fn leave_visits(&mut self, stream: &mut Stream, serial: Serial, ledger: &mut Ledger) {
        if let Some(mut taking) = stream.taking.take() {
            self.life.leave(&mut taking);
        }
        if let Some(Sending { mut visit, number, .. }) = stream.sending.take() {
            self.life.leave(&mut visit);
            self.observer.happened.all(Cause::Freed);
            ledger.part_ended(serial, number, Fate::Unknown);
        }
    }

    /// The wait of somebody fails who sends a part or takes a reply, and with it the call; `Err`
    /// where nobody does.
    pub(super) fn fail_stream(
        &mut self,
        call: &mut Call,
        error: Error,
        ledger: &mut Ledger,
    ) -> std::result::Result<Error, Error> {
        let Some((stream, serial)) = call.stream.as_mut().zip(call.serial) else {
            return Err(error);
        };
        let session = &mut self.life.session;
        let failed = match (&mut stream.sending, &mut stream.taking) {
            (Some(sending), _) => Ok(sending.visit.errand.fail(session, error)),
            (None, Some(taking)) => Ok(taking.errand.fail(session, error)),
            (None, None) => Err(error),
        };
        self.leave_visits(stream, serial, ledger);
        failed
    }
}
