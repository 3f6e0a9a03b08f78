//! The client's process: its calls, and what they end with.

mod ending;
mod streams;

use std::collections::HashSet;
use std::rc::Rc;
use std::time::Instant;

use super::ledger::Ledger;
use super::life::{Life, Visit};
use super::messages::{self, Serial};
use super::observers::{ClientObserver, Shared};
use super::process::{Process, ReadOpener, WriteOpener};
use super::world::stamp;
use crate::core::client::{Caller, ClientLimits, Manners};
use crate::core::errand::{Beginning, Calling, Cancelling, Ending, Errand, Key, Reserving};
use crate::core::event::Verb;
use crate::core::link::{Directions, Link};
use crate::core::model::Cause;
use crate::core::reconnect::Reconnect;
use crate::core::repeats::Promise;
use crate::core::session::Session;
use crate::core::wire::{Head, Options};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};

use super::terms::Terms;
pub(super) use streams::Stream;

/// A client, and who waits on it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) life: Life<Caller<ReadOpener, WriteOpener>>,
    /// The first of its lives.
    first: u64,
    pub(super) calls: Vec<Call>,
    pub(super) queue: Vec<Visit<Reserving>>,
    /// Places that were got and not used yet.
    pub(super) places: Vec<u64>,
    pub(super) cancels: Vec<Cancel>,
    /// Calls of which the server has said that nothing more will come.
    over: HashSet<Key>,
    /// Notifications: nothing is said of them.
    quiet: HashSet<Key>,
    /// Calls that carry streams.
    streamed: HashSet<Key>,
    /// Whoever closes it.
    ending: Option<Visit<Ending>>,
    observer: ClientObserver,
}

/// A call that has not returned to its caller.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) visit: Visit<Calling>,
    /// None for a ping.
    pub(super) serial: Option<Serial>,
    /// What is done with its streams; then nobody waits for the call as such before there is
    /// nothing else to wait for.
    pub(super) stream: Option<Stream>,
}

/// Somebody who waits until a call is over.
#[derive(Debug)]
pub(super) struct Cancel {
    visit: Visit<Cancelling>,
    pub(super) id: Key,
}

impl Client {
    pub(super) fn new(
        link: Link<ReadOpener, WriteOpener>,
        process: Rc<Process>,
        terms: &Terms,
        changes: &Shared,
    ) -> Self {
        let limits = ClientLimits {
            calls: terms.max_in_flight,
            queued_bytes: terms.max_queued,
            stall: terms.stall,
        };
        let reconnect =
            if terms.ends_with_server { Reconnect::Never } else { Reconnect::OnNextCall };
        let max_retries = terms.max_retries;
        let manners = Manners { cancel_abandoned: true, reconnect, max_retries };
        let first = link.lives().ours;
        let caller = Caller::new(link, limits, manners);
        let life = Life::new(caller, process, terms.patient);
        Self {
            life,
            first,
            calls: Vec::new(),
            queue: Vec::new(),
            places: Vec::new(),
            cancels: Vec::new(),
            over: HashSet::new(),
            quiet: HashSet::new(),
            streamed: HashSet::new(),
            ending: None,
            observer: ClientObserver::new(changes),
        }
    }

    pub(super) fn step(&mut self, now: Instant, directions: Directions, ledger: &mut Ledger) {
        let (departures, written) = (self.departures(), self.written());
        self.life.step(now, directions);
        self.decide(ledger);
        if self.departures() > departures {
            self.check_ends(&written);
        }
        self.check_heard();
        self.hear();
        self.observe();
        self.check_wakeups(now);
        self.notice_end(now, ledger);
    }

    /// The first step of a call that has just begun.
    pub(super) fn step_first(&mut self, now: Instant, ledger: &mut Ledger) {
        self.life.step_first(now);
        self.decide(ledger);
        self.check_heard();
        self.hear();
        self.observe();
        self.check_wakeups(now);
        self.notice_end(now, ledger);
    }

    /// Whether there are as many calls as may be, those to come included.
    pub(super) fn is_full(&self, most: usize) -> bool {
        let requests = self.calls.iter().filter(|call| call.serial.is_some()).count();
        self.places.is_empty() && requests + self.queue.len() >= most
    }

    /// Begins a call; `None` where there are too many.
    pub(super) fn call(
        &mut self,
        size: usize,
        now: Instant,
        deadline: Deadline,
        promise: Option<Promise>,
        ledger: &mut Ledger,
    ) -> Option<Serial> {
        self.call_with(Options::default(), size, now, deadline, promise, ledger)
    }

    /// The same, of one that asks for something else than one reply.
    pub(super) fn call_with(
        &mut self,
        options: Options,
        size: usize,
        now: Instant,
        deadline: Deadline,
        promise: Option<Promise>,
        ledger: &mut Ledger,
    ) -> Option<Serial> {
        let serial = ledger.begun(size, deadline, promise, options);
        let key = promise.map(|_| self.life.session.draw_key());
        let options = Options { key, ..options };
        let mut body = self.life.session.request_body(&options);
        body.extend_from_slice(&messages::request(serial, size));
        let head = Head::new(deadline.remaining(now), stamp(now), options);
        let place = if self.is_closing() { None } else { self.places.pop() };
        let calling = Calling::request(body, &head, deadline).at(place);
        let calling = calling.promising(promise);
        let began = match options.has_streams() {
            true => self.begin_stream(calling, deadline, now),
            false => self.life.begin(calling, deadline),
        };
        began.iter().for_each(|visit| self.observer.happened.to(visit.key, Cause::Begun));
        place.into_iter().for_each(|key| self.observer.happened.to(key, Cause::Begun));
        self.observe();
        match began {
            Ok(visit) => {
                ledger.queued(serial, self.first, visit.key);
                if options.quiet {
                    self.quiet.insert(visit.key);
                }
                if options.has_streams() {
                    self.streamed.insert(visit.key);
                }
                let stream = options.has_streams().then(|| Stream::new(options));
                self.calls.push(Call { visit, serial: Some(serial), stream });
                Some(serial)
            }
            Err(error) => {
                assert_eq!(error.kind(), self.refusal());
                ledger.call_ended(serial, Err(error), now);
                None
            }
        }
    }

    /// Begins a call for others to look after.
    fn begin_stream(
        &mut self,
        calling: Calling,
        deadline: Deadline,
        now: Instant,
    ) -> Result<Visit<Calling>> {
        let mut beginning = self.life.begin(Beginning::new(calling), deadline)?;
        let id = self.life.look(&mut beginning, now).expect("a call that is begun has a number")?;
        self.life.begin(Calling::begun(id, deadline), deadline)
    }

    /// Begins a ping; answers whether there was room for it.
    pub(super) fn ping(&mut self, deadline: Deadline) -> bool {
        let began = self.life.begin(Calling::ping(deadline), deadline);
        let visit = began.inspect_err(|error| assert_eq!(error.kind(), self.refusal()));
        visit.iter().for_each(|visit| self.observer.happened.to(visit.key, Cause::Begun));
        let begun = visit.is_ok();
        self.calls.extend(visit.ok().map(|visit| Call { visit, serial: None, stream: None }));
        self.observe();
        begun
    }

    /// Asks for a place among the calls in flight.
    pub(super) fn reserve(&mut self, deadline: Deadline) {
        let visit = self.life.begin(Reserving::new(deadline), deadline);
        visit.iter().for_each(|visit| self.observer.happened.to(visit.key, Cause::Asked));
        self.queue.extend(visit);
        self.observe();
    }

    /// Everybody who may looks for what there is.
    pub(super) fn look(&mut self, now: Instant, ledger: &mut Ledger) {
        self.look_for_end(now, ledger);
        // Whoever is woken first looks first.
        let cancels_first = self.calls.len() % 2 == 0;
        if cancels_first {
            self.look_for_cancels(now, ledger);
        }
        self.look_for_answers(now, ledger);
        self.look_for_places(now);
        if !cancels_first {
            self.look_for_cancels(now, ledger);
        }
        self.hear();
        self.notice_end(now, ledger);
    }

    fn look_for_answers(&mut self, now: Instant, ledger: &mut Ledger) {
        let mut calls = std::mem::take(&mut self.calls);
        calls.retain_mut(|Call { visit, serial, stream }| {
            if let Some((stream, serial)) = stream.as_mut().zip(*serial) {
                return self.look_at_stream(visit, stream, serial, now, ledger);
            }
            let stalled = self.life.session.has_stalled(now);
            let late = stalled || visit.deadline.passed(now);
            let outcome = visit.may_look(now).then(|| self.life.look(visit, now)).flatten();
            if outcome.is_some() {
                self.observer.happened.to(visit.key, Cause::Taken);
                if late {
                    self.observer.happened.to(visit.key, Cause::Expired);
                    self.observer.happened.all(Cause::Unanswered);
                }
            }
            match (outcome, serial) {
                (None, _) => return true,
                (Some(outcome), Some(serial)) => {
                    ledger.call_ended(*serial, outcome.map(|event| event.body), now);
                }
                (Some(Ok(pong)), None) => ledger.pong(&pong.body),
                (Some(Err(_)), None) => ledger.doubted(self.life.session.link().lives().ours),
            }
            false
        });
        self.calls = calls;
        self.observe_news();
    }

    fn look_for_cancels(&mut self, now: Instant, ledger: &mut Ledger) {
        let mut cancels = std::mem::take(&mut self.cancels);
        cancels.retain_mut(|Cancel { visit, id }| {
            if !visit.may_look(now) {
                return true;
            }
            let (life, written) = (self.life.session.link().lives().ours, self.written());
            match self.life.look(visit, now) {
                None => return true,
                Some(Ok(())) => {
                    self.observer.happened.to(*id, Cause::Left);
                    let owned = self.calls.iter().any(|call| call.visit.key == *id);
                    let over = !owned || self.life.session.is_answered(*id);
                    assert!(over, "a cancel has ended, and its call has not");
                }
                Some(Err(error)) => {
                    self.observer.happened.all(Cause::Poisoned);
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    assert!(visit.deadline.passed(now), "too early: {error}");
                    let next = self.life.session.link().lives().ours;
                    assert_ne!(life, next, "a life goes on of which anything may come");
                    self.check_ends(&written);
                    ledger.poisoned(self.first, next);
                    self.decide(ledger);
                }
            }
            false
        });
        self.cancels = cancels;
        self.observe_news();
    }

    /// Has a call stopped.
    pub(super) fn cancel(
        &mut self,
        id: Key,
        deadline: Deadline,
        ledger: &mut Ledger,
    ) -> Option<Serial> {
        let call = self.calls.iter().find(|call| call.visit.key == id);
        let serial = call.and_then(|call| call.serial);
        serial.into_iter().for_each(|serial| ledger.cancelled(serial));
        let began = self.life.begin(Cancelling::new(id, deadline), deadline);
        let lingering = began.map(|visit| Visit { lingers: true, ..visit });
        self.cancels.extend(lingering.ok().map(|visit| Cancel { visit, id }));
        self.observer.happened.to(id, Cause::Cancelled);
        self.observe();
        self.decide(ledger);
        self.hear();
        serial
    }

    /// Nobody waits for the end of a call any more.
    pub(super) fn drop_cancel(&mut self, at: usize) -> Key {
        let mut cancel = self.cancels.swap_remove(at);
        self.life.leave(&mut cancel.visit);
        self.observer.happened.to(cancel.id, Cause::Left);
        self.observe();
        self.hear();
        cancel.id
    }

    fn look_for_places(&mut self, now: Instant) {
        let mut queue = std::mem::take(&mut self.queue);
        queue.retain_mut(|visit| {
            let place = visit.may_look(now).then(|| self.life.look(visit, now)).flatten();
            self.places.extend(place.iter().flatten());
            if place.is_some() {
                self.observer.happened.to(visit.key, Cause::Left);
            }
            place.is_none()
        });
        self.queue = queue;
        self.observe_news();
    }

    /// A call is dropped: its owner no longer wants to know.
    pub(super) fn drop_call(&mut self, at: usize, ledger: &mut Ledger) {
        let mut call = self.calls.swap_remove(at);
        self.leave_stream(&mut call, ledger);
        call.serial.into_iter().for_each(|serial| ledger.dropped(serial));
        self.life.leave(&mut call.visit);
        self.observer.happened.to(call.visit.key, Cause::Dropped);
        self.observe();
        self.hear();
    }

    /// The wait of a call fails, and its owner is told what became of it.
    pub(super) fn fail_call(&mut self, at: usize, now: Instant, ledger: &mut Ledger) -> Fate {
        let mut call = self.calls.swap_remove(at);
        let error = Error::new(ErrorKind::System, Phase::Reply);
        let error = self.fail_stream(&mut call, error, ledger);
        let Call { mut visit, serial, .. } = call;
        let error = match error {
            Ok(failed) => failed,
            Err(error) => visit.errand.fail(&mut self.life.session, error),
        };
        let fate = error.fate().expect("a call that fails has a fate");
        self.life.leave(&mut visit);
        self.observer.happened.to(visit.key, Cause::Dropped);
        self.observe();
        if let Some(serial) = serial {
            ledger.call_ended(serial, Err(error), now);
        }
        self.hear();
        fate
    }

    pub(super) fn give_place_back(&mut self) -> Option<u64> {
        let place = self.places.pop()?;
        self.life.session.give_place_back(place);
        self.observer.happened.all(Cause::Freed);
        self.observer.happened.to(place, Cause::Left);
        self.observe();
        self.hear();
        Some(place)
    }

    /// Nobody wants anything any more.
    pub(super) fn leave_all(&mut self, ledger: &mut Ledger) {
        while !self.cancels.is_empty() {
            self.drop_cancel(0);
        }
        while !self.calls.is_empty() {
            self.drop_call(0, ledger);
        }
        while let Some(mut visit) = self.queue.pop() {
            self.life.leave(&mut visit);
            self.observer.happened.to(visit.key, Cause::Left);
            self.observe();
        }
        while self.give_place_back().is_some() {}
    }

    /// The next instant that somebody here waits for.
    pub(super) fn soonest(&self) -> Deadline {
        let calls = self.calls.iter().map(Call::soonest);
        let queue = self.queue.iter().map(|visit| visit.deadline);
        let cancels = self.cancels.iter().map(|cancel| cancel.visit.deadline);
        calls.chain(queue).chain(cancels).fold(Deadline::NEVER, Deadline::earlier)
    }

    /// How a call ends is decided in a step, long before its owner looks.
    fn decide(&self, ledger: &mut Ledger) {
        let session = &self.life.session;
        ledger.lives_on(self.first, session.link().lives().ours);
        let decided = self.calls.iter().filter(|call| session.is_answered(call.visit.key));
        decided.filter_map(|call| call.serial).for_each(|serial| ledger.decided(serial));
    }

    fn departures(&self) -> u64 {
        self.life.session.link().stats().peers_lost
    }

    /// Calls of which nothing is left to be written.
    fn written(&mut self) -> Vec<Key> {
        let (session, calls) = (&mut self.life.session, &self.calls);
        calls.iter().map(|call| call.visit.key).filter(|key| session.is_written(*key)).collect()
    }

    /// With its server, or with a life of its client, a call ends, unless it was still to be
    /// written to the next.
    fn check_ends(&self, written: &[Key]) {
        let session = &self.life.session;
        let mut written = written.iter();
        let ends = written.all(|key| session.is_answered(*key) || session.may_repeat(*key));
        assert!(ends, "a call does not end with its server, or with its life");
    }

    /// Once a cancel is acknowledged, nothing of its call follows.
    fn check_heard(&mut self) {
        for (id, verb) in self.life.session.take_heard() {
            let told = verb != Verb::Cancelled && self.quiet.contains(&id);
            assert!(!told, "{verb:?} of {id}, which is a notification");
            let first = match verb {
                // A stream that fails is cancelled, whoever else has cancelled it.
                Verb::Cancelled => self.over.insert(id) || self.streamed.contains(&id),
                _ => !self.over.contains(&id),
            };
            assert!(first, "{verb:?} of {id}, which was cancelled");
        }
    }

    /// After a step nobody sleeps for whom there is something to look at.
    fn check_wakeups(&mut self, now: Instant) {
        if self.life.process.is_dead() {
            return;
        }
        let session = &mut self.life.session;
        for Call { visit, serial, stream } in &self.calls {
            if let Some(stream) = stream {
                stream.check_wakeups(visit, session, now);
                continue;
            }
            if visit.may_look(now) {
                continue;
            }
            let ended = session.has_outcome(visit.key, now);
            assert!(!ended, "call {serial:?} has ended, and nobody was woken");
        }
        for visit in self.queue.iter().filter(|visit| !visit.may_look(now)) {
            assert!(!session.holds_place(visit.key), "there is a place, and nobody was woken");
        }
        if self.ending.as_ref().is_some_and(|visit| !visit.may_look(now)) {
            assert!(!session.has_drained(), "the client has closed, and nobody was woken");
        }
        for Cancel { id, .. } in self.cancels.iter().filter(|one| !one.visit.may_look(now)) {
            assert!(session.is_cancelling(*id), "call {id} is over, and nobody was woken");
        }
    }

    fn hear(&mut self) {
        let keys = self.life.wakeups();
        if !keys.is_empty() {
            self.calls.iter_mut().for_each(|call| call.hear(&keys));
            self.queue.iter_mut().for_each(|visit| visit.hear(&keys));
            self.cancels.iter_mut().for_each(|cancel| cancel.visit.hear(&keys));
            self.ending.iter_mut().for_each(|visit| visit.hear(&keys));
        }
    }
}
