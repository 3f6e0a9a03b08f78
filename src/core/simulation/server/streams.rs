//! Streams within the requests that a server has in hand: items that it sends, parts that it takes.

use std::time::Instant;

use super::{Server, key};
use crate::core::errand::{Errand, NextPart, SendReply};
use crate::core::model::Cause;
use crate::core::server::Caller;
use crate::core::simulation::ledger::{Ledger, Told};
use crate::core::simulation::life::Visit;
use crate::core::simulation::messages::{self, Serial};
use crate::core::simulation::random::Random;
use crate::core::streams::item_of;
use crate::deadline::Deadline;

/// An item on its way.
#[derive(Debug)]
pub(in crate::core::simulation) struct Sending {
    pub(super) visit: Visit<SendReply>,
    caller: Caller,
    serial: Serial,
    number: usize,
    pub(in crate::core::simulation) size: usize,
}

/// Somebody who waits for the next part of what a request brings.
#[derive(Debug)]
pub(in crate::core::simulation) struct Taking {
    pub(super) visit: Visit<NextPart>,
    caller: Caller,
    serial: Serial,
}

/// Items that are sent in answer to a request that was not answered before there was peace.
const ENOUGH: usize = 5;

impl Server {
    /// Sends one more reply to a request; `None` where one is on its way.
    pub(in crate::core::simulation) fn send_item(
        &mut self,
        at: usize,
        size: usize,
        deadline: Deadline,
        ledger: &mut Ledger,
    ) -> Option<usize> {
        let (asked, serial) = &self.in_hand[at];
        let (caller, serial, deadline) = (asked.caller, *serial, deadline.earlier(asked.deadline));
        if self.items.iter().any(|item| item.serial == serial) {
            return None;
        }
        let number = ledger.item_begun(serial, size);
        let item = item_of(&messages::item(serial, number, size));
        let began = self.life.begin(SendReply::new(caller, item, deadline), deadline);
        self.observer.happened.to(key(caller), Cause::Sent);
        self.observe();
        match began {
            Ok(visit) => self.items.push(Sending { visit, caller, serial, number, size }),
            Err(error) => ledger.item_ended(serial, number, Err(error)),
        }
        Some(number)
    }

    /// Begins to wait for the next part of a request; answers whether nobody did.
    pub(in crate::core::simulation) fn take_part(
        &mut self,
        at: usize,
        window: usize,
        deadline: Deadline,
    ) -> bool {
        let (asked, serial) = &self.in_hand[at];
        let (caller, serial) = (asked.caller, *serial);
        if self.whole.contains(&serial) || self.parts.iter().any(|part| part.serial == serial) {
            return false;
        }
        let visit = self.life.begin(NextPart::new(caller, window, deadline), deadline);
        self.parts.extend(visit.ok().map(|visit| Taking { visit, caller, serial }));
        true
    }

    /// Everybody who may looks what has become of items, and for parts.
    pub(super) fn look_at_streams(&mut self, now: Instant, ledger: &mut Ledger) {
        let mut items = std::mem::take(&mut self.items);
        items.retain_mut(|Sending { visit, caller, serial, number, .. }| {
            let late = visit.deadline.passed(now) || self.life.session.has_stalled(now);
            let outcome = visit.may_look(now).then(|| self.life.look(visit, now)).flatten();
            let Some(outcome) = outcome else { return true };
            self.observer.happened.to(key(*caller), Cause::Heeded);
            if late {
                self.observer.happened.to(key(*caller), Cause::Expired);
            }
            ledger.item_ended(*serial, *number, outcome);
            false
        });
        self.items = items;
        let mut parts = std::mem::take(&mut self.parts);
        parts.retain_mut(|Taking { visit, serial, .. }| {
            let part = visit.may_look(now).then(|| self.life.look(visit, now)).flatten();
            match part {
                None => return true,
                Some(Ok(part)) => {
                    ledger.part_taken(*serial, part.as_deref());
                    if part.is_none() {
                        self.whole.insert(*serial);
                    }
                }
                // Who was in a hurry may ask again.
                Some(Err(_)) if visit.deadline.passed(now) => {}
                Some(Err(error)) => {
                    ledger.parts_failed(*serial, &error);
                    self.whole.insert(*serial);
                }
            }
            false
        });
        self.parts = parts;
        self.observe_news();
    }

    /// An item is given up.
    pub(in crate::core::simulation) fn drop_item(
        &mut self,
        at: usize,
        ledger: &mut Ledger,
    ) -> Serial {
        let Sending { mut visit, caller, serial, number, .. } = self.items.swap_remove(at);
        let known = visit.errand.peek(&mut self.life.session);
        self.life.leave(&mut visit);
        match known {
            Some(outcome) => ledger.item_ended(serial, number, outcome),
            None => ledger.item_given_up(serial, number),
        }
        self.observer.happened.to(key(caller), Cause::Left);
        self.observe();
        self.hear();
        serial
    }

    /// Nobody waits for the next part any more.
    pub(in crate::core::simulation) fn stop_taking(&mut self, at: usize) -> Serial {
        let Taking { mut visit, serial, .. } = self.parts.swap_remove(at);
        self.life.leave(&mut visit);
        serial
    }

    /// Whoever answers a request sends no more of it, and takes no more.
    pub(super) fn leave_streams(&mut self, serial: Serial, ledger: &mut Ledger) {
        while let Some(at) = self.items.iter().position(|item| item.serial == serial) {
            self.drop_item(at, ledger);
        }
        while let Some(at) = self.parts.iter().position(|part| part.serial == serial) {
            self.stop_taking(at);
        }
        self.whole.remove(&serial);
    }

    /// Does at once what there is to do of a request that carries streams, and what ends it;
    /// answers whether there was anything.
    pub(in crate::core::simulation) fn tend(
        &mut self,
        at: usize,
        largest: usize,
        now: Instant,
        random: &mut Random,
        ledger: &mut Ledger,
    ) -> bool {
        let (asked, serial) = &self.in_hand[at];
        let (caller, options, serial) = (asked.caller, asked.asker().options, *serial);
        if options.upload && self.take_part(at, 1 + random.length(largest), Deadline::NEVER) {
            return true;
        }
        let sends = self.items.iter().any(|item| item.serial == serial);
        let unwanted = self.life.session.is_settled(caller);
        if options.window.is_some() && !sends && ledger.next_item(serial) < ENOUGH && !unwanted {
            self.send_item(at, random.length(largest), Deadline::NEVER, ledger);
            return true;
        }
        if sends || (options.upload && !self.whole.contains(&serial)) {
            return false;
        }
        let told = match options.window {
            Some(_) => Told::End,
            None => Told::Reply { size: random.length(largest) },
        };
        self.answer(at, told, now, ledger);
        true
    }

    pub(super) fn check_wakeups_of_streams(&mut self, now: Instant) {
        let session = &mut self.life.session;
        for Sending { visit, caller, serial, .. } in &self.items {
            let known = session.item_known(*caller, visit.key).is_some();
            assert!(!known || visit.may_look(now), "an item of {serial}, and nobody was woken");
        }
        for Taking { visit, caller, serial } in &self.parts {
            let comes = session.has_part(*caller);
            assert!(!comes || visit.may_look(now), "a part of {serial}, and nobody was woken");
        }
    }
}
