//! The server's process: requests it has taken, and replies that are on their way.

mod streams;

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::checks::told;
use super::ledger::{Ledger, Told};
use super::life::{Life, Visit};
use super::messages::{self, Serial};
use super::observers::{ServerObserver, Shared};
use super::process::{Leaves, Process, ReadOpener, WriteOpener};
use super::terms::Terms;
use super::world::stamp;
use crate::core::errand::{Answer, Ending, Receiving, Replying, Watching};
use crate::core::link::{Directions, Link};
use crate::core::model::Cause;
use crate::core::recv::EndOfWriters;
use crate::core::server::{Answerer, Asked, Caller};
use crate::core::session::Session;
use crate::core::wire::FailureCode;
use crate::deadline::Deadline;
use crate::stats::Tally;
use streams::{Sending, Taking};

/// A server, and who waits on it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) life: Life<Answerer<ReadOpener, WriteOpener>>,
    pub(super) receiving: Option<Visit<Receiving>>,
    /// Requests that were taken and not answered.
    pub(super) in_hand: Vec<(Asked, Serial)>,
    pub(super) replies: Vec<(Visit<Replying>, Caller, Serial)>,
    /// Items that are on their way, one of each request at most, and parts that are waited for.
    pub(super) items: Vec<Sending>,
    pub(super) parts: Vec<Taking>,
    /// Requests of which no more parts come.
    whole: HashSet<Serial>,
    /// Who waits to hear that nobody wants the answer to a request.
    pub(super) watches: Vec<(Visit<Watching>, Caller, Serial)>,
    reply_timeout: Duration,
    /// Clients that were given up.
    evicted: u64,
    /// Whoever closes it.
    ending: Option<Visit<Ending>>,
    observer: ServerObserver,
}

impl Server {
    pub(super) fn new(
        link: Link<ReadOpener, WriteOpener>,
        process: Rc<Process>,
        terms: &Terms,
        changes: &Shared,
    ) -> Self {
        let mut answerer = Answerer::new(link, terms.stall, EndOfWriters::Wait, stamp);
        answerer.limit_keys(terms.keys);
        let life = Life::new(answerer, process, terms.patient);
        let (in_hand, replies, watches) = (Vec::new(), Vec::new(), Vec::new());
        let reply_timeout = terms.reply_timeout;
        Self {
            life,
            receiving: None,
            in_hand,
            replies,
            items: Vec::new(),
            parts: Vec::new(),
            whole: HashSet::new(),
            watches,
            reply_timeout,
            evicted: 0,
            ending: None,
            observer: ServerObserver::new(changes),
        }
    }

    pub(super) fn step(&mut self, now: Instant, directions: Directions, ledger: &mut Ledger) {
        self.life.step(now, directions);
        self.notice_eviction(ledger);
        self.hear();
        self.observe();
        self.check_wakeups(now);
    }

    fn notice_eviction(&mut self, ledger: &mut Ledger) {
        let link = self.life.session.link();
        let Tally { evicted, last_eviction, .. } = link.outgoing_tally();
        if evicted > std::mem::replace(&mut self.evicted, evicted) {
            let life = last_eviction.expect("somebody was given up").life;
            ledger.evicted(link.lives().ours, life);
        }
    }

    /// The first step of an answer that has just begun.
    pub(super) fn step_first(&mut self, now: Instant, ledger: &mut Ledger) {
        self.life.step_first(now);
        self.notice_eviction(ledger);
        self.hear();
        self.observe();
        self.check_wakeups(now);
    }

    /// Whatever differs between two servers that go on differently, and some more.
    pub(super) fn fingerprint(&mut self) -> String {
        let wait = self.life.wait();
        let session = &mut self.life.session;
        let states = (session.requests(), session.closing(), session.client_life());
        let (stats, lives) = (told(session.link().stats()), session.link().lives());
        let queued = (session.link_mut().outbox().queued_bytes(), session.is_idle());
        let unread = session.link_mut().inbox().unread();
        let ends = [session.link().reader().is_some(), session.link().writer().is_some()];
        let woken = self.replies.iter().map(|(visit, ..)| visit.woken).collect::<Vec<_>>();
        let others = (self.in_hand.len(), self.receiving.is_some());
        format!("{states:?}{stats:?}{lives:?}{queued:?}{unread}{wait:?}{ends:?}{woken:?}{others:?}")
    }

    /// Looking changes nothing where there is nothing to see.
    fn observe_news(&mut self) {
        if self.observer.happened.is_news() {
            self.observe();
        }
    }

    fn observe(&mut self) {
        // The dead see nothing.
        if !self.life.process.is_dead() {
            self.observer.look(&mut self.life.session, &self.life.process);
        }
    }

    /// Whether somebody closes this server.
    pub(super) fn is_closing(&self) -> bool {
        self.ending.is_some()
    }

    /// Begins to close; answers whether nobody did.
    pub(super) fn close(&mut self, deadline: Deadline) -> bool {
        let begins = self.ending.is_none();
        if begins {
            self.ending = self.life.begin(Ending::new(deadline), deadline).ok();
            self.observer.happened.all(Cause::Closed);
            self.hear();
            self.observe();
        }
        begins
    }

    /// Whoever closes it looks whether it has come to its end; then its process ends.
    fn look_for_end(&mut self, now: Instant) {
        let Some(mut visit) = self.ending.take() else { return };
        let looked = visit.may_look(now).then(|| self.life.look(&mut visit, now)).flatten();
        if looked.is_none() {
            self.ending = Some(visit);
            return;
        }
        self.observer.happened.all(Cause::LetGo);
        self.observe();
        self.life.process.kill(Leaves::Nothing);
    }

    /// Begins to wait for a request; answers whether nobody did.
    pub(super) fn receive(&mut self, deadline: Deadline) -> bool {
        if self.receiving.is_none() {
            self.receiving = self.life.begin(Receiving::new(deadline), deadline).ok();
            return true;
        }
        false
    }

    /// Everybody who may looks for what there is.
    pub(super) fn look(&mut self, now: Instant, ledger: &mut Ledger) {
        self.look_for_end(now);
        if self.life.process.is_dead() {
            return;
        }
        if let Some(mut visit) = self.receiving.take() {
            let looks = visit.may_look(now);
            if looks {
                // What has a known key is taken, and not handed out.
                self.observer.happened.all(Cause::Taken);
                self.observer.happened.look();
            }
            match looks.then(|| self.life.look(&mut visit, now)).flatten() {
                None => self.receiving = Some(visit),
                Some(Ok(Some(asked))) => {
                    let life = self.life.session.link().lives().ours;
                    let serial = ledger.handed_out(&asked, life, now);
                    self.observer.happened.to(key(asked.caller), Cause::Taken);
                    self.in_hand.push((asked, serial));
                }
                // Nothing has come in time, or a step is due: who still wants one begins anew.
                Some(Ok(None)) => self.life.rouse(),
                Some(Err(_)) => {}
            }
            self.observe_news();
        }
        let mut replies = std::mem::take(&mut self.replies);
        replies.retain_mut(|(visit, caller, serial)| {
            let late = visit.deadline.passed(now) || self.life.session.has_stalled(now);
            let outcome = visit.may_look(now).then(|| self.life.look(visit, now)).flatten();
            let ended = outcome.is_some();
            if let Some(outcome) = outcome {
                self.observer.happened.to(key(*caller), Cause::Heeded);
                if late {
                    self.observer.happened.to(key(*caller), Cause::Expired);
                }
                ledger.reply_ended(*serial, outcome);
            }
            !ended
        });
        self.replies = replies;
        self.observe_news();
        self.look_at_streams(now, ledger);
        let mut watches = std::mem::take(&mut self.watches);
        watches.retain_mut(|(visit, caller, serial)| {
            let settled = visit.may_look(now).then(|| self.life.look(visit, now)).flatten();
            if settled.is_some() {
                ledger.settled(*serial, *caller);
            }
            settled.is_none()
        });
        self.watches = watches;
        self.hear();
        self.observe_news();
    }

    /// Whoever has a request wants to hear that nobody wants the answer.
    pub(super) fn watch(&mut self, at: usize) -> Serial {
        let (asked, serial) = &self.in_hand[at];
        let (caller, serial) = (asked.caller, *serial);
        let visit = self.life.begin(Watching::new(caller), Deadline::NEVER);
        self.watches.extend(visit.ok().map(|visit| (visit, caller, serial)));
        serial
    }

    pub(super) fn drop_watch(&mut self, at: usize) -> Serial {
        let (mut visit, _, serial) = self.watches.swap_remove(at);
        self.life.leave(&mut visit);
        serial
    }

    /// Answers a request that was taken.
    pub(super) fn answer(&mut self, at: usize, told: Told, now: Instant, ledger: &mut Ledger) {
        let (asked, serial) = self.in_hand.swap_remove(at);
        self.leave_streams(serial, ledger);
        ledger.told(serial, told);
        let caller = asked.caller;
        // Another may have asked for it since.
        let asker = self.life.session.asker(caller);
        let deadline = Deadline::after(now, self.reply_timeout).earlier(asked.deadline);
        let answer = match told {
            Told::Reply { size } => {
                let mut memory = asked.into_memory().unwrap_or_else(|long| {
                    self.life.session.link_mut().recycle(long);
                    Vec::new()
                });
                memory.extend_from_slice(&messages::reply(serial, size));
                Answer::Reply(memory)
            }
            Told::End => Answer::End,
            Told::Failure => Answer::Failure(FailureCode::Handler, messages::words(serial)),
            Told::Refusal => {
                self.life.session.refuse(caller, FailureCode::Codec, messages::words(serial));
                self.life.rouse();
                self.observer.happened.to(key(asker), Cause::Refused);
                self.observe();
                return self.hear();
            }
        };
        let began = self.life.begin(Replying::new(caller, answer, deadline), deadline);
        self.observer.happened.to(key(asker), Cause::Answered);
        self.observe();
        match began {
            Ok(visit) => self.replies.push((visit, asker, serial)),
            Err(error) => ledger.reply_ended(serial, Err(error)),
        }
        self.hear();
    }

    /// An answer that is on its way is dropped.
    pub(super) fn abandon(&mut self, at: usize, ledger: &mut Ledger) {
        let (mut visit, caller, serial) = self.replies.swap_remove(at);
        self.life.leave(&mut visit);
        self.observer.happened.to(key(caller), Cause::Abandoned);
        self.observe();
        ledger.reply_abandoned(serial);
        self.hear();
    }

    /// The next instant that somebody here waits for.
    pub(super) fn soonest(&self) -> Deadline {
        let receiving = self.receiving.as_ref().map(|visit| visit.deadline);
        let replies = self.replies.iter().map(|(visit, ..)| visit.deadline);
        let items = self.items.iter().map(|item| item.visit.deadline);
        let parts = self.parts.iter().map(|part| part.visit.deadline);
        let all = receiving.into_iter().chain(replies).chain(items).chain(parts);
        all.fold(Deadline::NEVER, Deadline::earlier)
    }

    /// After a step nobody sleeps for whom there is something to look at.
    fn check_wakeups(&mut self, now: Instant) {
        if self.life.process.is_dead() {
            return;
        }
        if self.ending.as_ref().is_some_and(|visit| !visit.may_look(now)) {
            let drained = self.life.session.has_drained();
            assert!(!drained, "the server has closed, and nobody was woken");
        }
        let events = self.life.session.link().has_events();
        let asleep = self.receiving.as_ref().is_some_and(|visit| !visit.may_look(now));
        assert!(!events || !asleep, "a request has come, and nobody was woken");
        for (visit, _, serial) in self.replies.iter().filter(|(visit, ..)| !visit.may_look(now)) {
            let ended = self.life.session.has_outcome(visit.key, now);
            assert!(!ended, "the fate of reply {serial} is known, and nobody was woken");
        }
        self.check_wakeups_of_streams(now);
        for (_, caller, serial) in self.watches.iter().filter(|(visit, ..)| !visit.may_look(now)) {
            let settled = self.life.session.is_settled(*caller);
            assert!(!settled, "nobody wants the answer to {serial}, and nobody was woken");
        }
    }

    fn hear(&mut self) {
        let keys = self.life.wakeups();
        if !keys.is_empty() {
            self.receiving.iter_mut().for_each(|visit| visit.hear(&keys));
            self.replies.iter_mut().for_each(|(visit, ..)| visit.hear(&keys));
            self.ending.iter_mut().for_each(|visit| visit.hear(&keys));
            self.watches.iter_mut().for_each(|(visit, ..)| visit.hear(&keys));
            self.items.iter_mut().for_each(|item| item.visit.hear(&keys));
            self.parts.iter_mut().for_each(|part| part.visit.hear(&keys));
        }
    }
}

fn key(caller: Caller) -> (u64, u64) {
    (caller.life(), caller.id())
}
