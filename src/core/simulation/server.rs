//! The server's process: requests it has taken, and replies that are on their way.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::ledger::{Ledger, Told};
use super::life::{Life, Visit};
use super::messages::{self, Serial};
use super::process::{Process, ReadOpener, WriteOpener};
use super::terms::Terms;
use super::world::stamp;
use crate::core::errand::{Answer, Receiving, Replying, Watching};
use crate::core::link::{Directions, Link};
use crate::core::recv::EndOfWriters;
use crate::core::server::{Answerer, Asked, Caller};
use crate::core::wire::FailureCode;
use crate::deadline::Deadline;
use crate::stats::Tally;

/// A server, and who waits on it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) life: Life<Answerer<ReadOpener, WriteOpener>>,
    pub(super) receiving: Option<Visit<Receiving>>,
    /// Requests that were taken and not answered.
    pub(super) in_hand: Vec<(Asked, Serial)>,
    pub(super) replies: Vec<(Visit<Replying>, Serial)>,
    /// Who waits to hear that nobody wants the answer to a request.
    pub(super) watches: Vec<(Visit<Watching>, Caller, Serial)>,
    reply_timeout: Duration,
    /// Clients that were given up.
    evicted: u64,
}

impl Server {
    pub(super) fn new(
        link: Link<ReadOpener, WriteOpener>,
        process: Rc<Process>,
        terms: &Terms,
    ) -> Self {
        let answerer = Answerer::new(link, terms.stall, EndOfWriters::Wait, stamp);
        let life = Life::new(answerer, process, terms.patient);
        let (in_hand, replies, watches) = (Vec::new(), Vec::new(), Vec::new());
        let reply_timeout = terms.reply_timeout;
        Self { life, receiving: None, in_hand, replies, watches, reply_timeout, evicted: 0 }
    }

    pub(super) fn step(&mut self, now: Instant, directions: Directions, ledger: &mut Ledger) {
        self.life.step(now, directions);
        self.notice_eviction(ledger);
        self.hear();
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
        self.check_wakeups(now);
    }

    /// Begins to wait for a request; answers whether nobody did.
    pub(super) fn receive(&mut self, deadline: Deadline) -> bool {
        if self.receiving.is_none() {
            self.receiving = self.life.begin(Receiving::new(deadline, stamp), deadline).ok();
            return true;
        }
        false
    }

    /// Everybody who may looks for what there is.
    pub(super) fn look(&mut self, now: Instant, ledger: &mut Ledger) {
        if let Some(mut visit) = self.receiving.take() {
            let looks = visit.may_look(now);
            match looks.then(|| self.life.look(&mut visit, now)).flatten() {
                None => self.receiving = Some(visit),
                Some(Ok(Some(asked))) => {
                    let life = self.life.session.link().lives().ours;
                    let serial = ledger.handed_out(&asked, life, now);
                    self.in_hand.push((asked, serial));
                }
                // Nothing has come in time, or a step is due: who still wants one begins anew.
                Some(Ok(None)) => self.life.rouse(),
                Some(Err(_)) => {}
            }
        }
        let mut replies = std::mem::take(&mut self.replies);
        replies.retain_mut(|(visit, serial)| {
            let outcome = visit.may_look(now).then(|| self.life.look(visit, now)).flatten();
            let ended = outcome.is_some();
            if let Some(outcome) = outcome {
                ledger.reply_ended(*serial, outcome);
            }
            !ended
        });
        self.replies = replies;
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
        ledger.told(serial, told);
        let caller = asked.caller;
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
            Told::Failure => Answer::Failure(FailureCode::Handler, messages::words(serial)),
            Told::Refusal => {
                self.life.session.refuse(caller, FailureCode::Codec, messages::words(serial));
                self.life.rouse();
                return self.hear();
            }
        };
        match self.life.begin(Replying::new(caller, answer, deadline), deadline) {
            Ok(visit) => self.replies.push((visit, serial)),
            Err(error) => ledger.reply_ended(serial, Err(error)),
        }
        self.hear();
    }

    /// An answer that is on its way is dropped.
    pub(super) fn abandon(&mut self, at: usize, ledger: &mut Ledger) {
        let (mut visit, serial) = self.replies.swap_remove(at);
        self.life.leave(&mut visit);
        ledger.reply_abandoned(serial);
        self.hear();
    }

    /// The next instant that somebody here waits for.
    pub(super) fn soonest(&self) -> Deadline {
        let receiving = self.receiving.as_ref().map(|visit| visit.deadline);
        let replies = self.replies.iter().map(|(visit, _)| visit.deadline);
        receiving.into_iter().chain(replies).fold(Deadline::NEVER, Deadline::earlier)
    }

    /// After a step nobody sleeps for whom there is something to look at.
    fn check_wakeups(&mut self, now: Instant) {
        if self.life.process.is_dead() {
            return;
        }
        let events = self.life.session.link().has_events();
        let asleep = self.receiving.as_ref().is_some_and(|visit| !visit.may_look(now));
        assert!(!events || !asleep, "a request has come, and nobody was woken");
        for (visit, serial) in self.replies.iter().filter(|(visit, _)| !visit.may_look(now)) {
            let ended = self.life.session.has_outcome(visit.key, now);
            assert!(!ended, "the fate of reply {serial} is known, and nobody was woken");
        }
        for (_, caller, serial) in self.watches.iter().filter(|(visit, ..)| !visit.may_look(now)) {
            let settled = self.life.session.is_settled(*caller);
            assert!(!settled, "nobody wants the answer to {serial}, and nobody was woken");
        }
    }

    fn hear(&mut self) {
        let keys = self.life.wakeups();
        if !keys.is_empty() {
            self.receiving.iter_mut().for_each(|visit| visit.hear(&keys));
            self.replies.iter_mut().for_each(|(visit, _)| visit.hear(&keys));
            self.watches.iter_mut().for_each(|(visit, ..)| visit.hear(&keys));
        }
    }
}
