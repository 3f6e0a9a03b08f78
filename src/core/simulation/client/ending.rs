//! How a client comes to its end, and what is seen of it from outside.

use std::time::Instant;

use super::{Call, Cancel, Client};
use crate::core::errand::Ending;
use crate::core::model::Cause;
use crate::core::simulation::checks::told;
use crate::core::simulation::ledger::Ledger;
use crate::core::simulation::process::Leaves;
use crate::deadline::Deadline;
use crate::error::ErrorKind;

impl Client {
    /// Why no call is begun that might be.
    pub(super) fn refusal(&self) -> ErrorKind {
        if self.is_closing() { ErrorKind::Closed } else { ErrorKind::Overloaded }
    }

    /// Whether somebody closes this client.
    pub(in crate::core::simulation) fn is_closing(&self) -> bool {
        self.ending.is_some()
    }

    /// Begins to close; answers whether nobody did.
    pub(in crate::core::simulation) fn close(&mut self, deadline: Deadline) -> bool {
        let begins = self.ending.is_none();
        if begins {
            self.ending = self.life.begin(Ending::new(deadline), deadline).ok();
            self.observer.happened.all(Cause::Closed);
            self.hear();
            self.observe();
        }
        begins
    }

    /// Whoever closes it looks whether it has come to its end.
    pub(super) fn look_for_end(&mut self, now: Instant, ledger: &mut Ledger) {
        let Some(mut visit) = self.ending.take() else { return };
        let looked = visit.may_look(now).then(|| self.life.look(&mut visit, now)).flatten();
        if looked.is_some() {
            self.observer.happened.all(Cause::LetGo);
            self.hear();
        } else {
            self.ending = Some(visit);
        }
        self.notice_end(now, ledger);
    }

    /// A client that has come to its end tells everybody so, and then its process ends.
    pub(super) fn notice_end(&mut self, now: Instant, ledger: &mut Ledger) {
        if !self.life.session.has_ended() || self.life.process.is_dead() {
            return;
        }
        self.observe();
        self.hear();
        self.decide(ledger);
        for Call { mut visit, serial, mut stream } in std::mem::take(&mut self.calls) {
            if let Some((stream, serial)) = stream.as_mut().zip(serial) {
                self.end_stream(&mut visit, stream, serial, now, ledger);
                continue;
            }
            assert!(visit.may_look(now), "{serial:?} has ended with its client, and was not told");
            let outcome = self.life.look(&mut visit, now).expect("its client has ended");
            match serial {
                Some(serial) => ledger.call_ended(serial, outcome.map(|event| event.body), now),
                None => ledger.doubted(self.life.session.link().lives().ours),
            }
        }
        for mut visit in std::mem::take(&mut self.queue) {
            assert!(visit.may_look(now), "there are no more places, and nobody was told");
            let refused = self.life.look(&mut visit, now).expect("there are no more places");
            assert!(refused.is_err() || self.life.session.holds_place(visit.key));
        }
        for Cancel { mut visit, id } in std::mem::take(&mut self.cancels) {
            let over = self.life.look(&mut visit, now);
            assert!(matches!(over, Some(Ok(()))), "the cancel of {id} outlives its client");
        }
        self.life.process.kill(Leaves::Nothing);
    }

    /// Whatever differs between two clients that go on differently, and some more.
    pub(in crate::core::simulation) fn fingerprint(&mut self) -> String {
        let wait = self.life.wait();
        let session = &mut self.life.session;
        let states = (session.call_states(), session.closing(), session.link().server_life());
        let (stats, lives) = (told(session.link().stats()), session.link().lives());
        let queued = (session.link_mut().outbox().queued_bytes(), session.is_idle());
        let unread = session.link_mut().inbox().unread();
        let ends = [session.link().reader().is_some(), session.link().writer().is_some()];
        let woken = self.calls.iter().map(|call| call.visit.woken).collect::<Vec<_>>();
        let others = (self.cancels.len(), self.ending.is_some());
        format!("{states:?}{stats:?}{lives:?}{queued:?}{unread}{wait:?}{ends:?}{woken:?}{others:?}")
    }

    /// Looking changes nothing where there is nothing to see.
    pub(super) fn observe_news(&mut self) {
        if self.observer.happened.is_news() {
            self.observe();
        }
    }

    pub(super) fn observe(&mut self) {
        // The dead see nothing.
        if !self.life.process.is_dead() {
            self.observer.look(&mut self.life.session, &self.life.process);
        }
    }
}
