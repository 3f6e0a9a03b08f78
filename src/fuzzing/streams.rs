//! Streams within the calls of a [session](super::session): whatever happens, what is taken of one
//! is what was sent of it, in order and from the beginning.

use super::session::message_of;
use crate::core::errand::{Errand, NextPart, SendPart, SendReply};
use crate::core::script::{Call, Client, Session};
use crate::core::server::Asked;
use crate::core::streams;
use crate::core::wire::Options;
use crate::deadline::Deadline;

/// A call of the client that takes many replies, or brings parts.
pub(super) struct Stream {
    call: Call,
    options: Options,
    serial: u32,
    taken: u32,
    sent: u32,
    sending: Option<SendPart>,
    /// Whether it is told that no more parts follow.
    ended: bool,
}

/// Such a call at the server.
pub(super) struct Service {
    asked: Asked,
    serial: u32,
    taken: u32,
    sent: u32,
    sending: Option<SendReply>,
}

impl Stream {
    pub(super) fn new(call: Call, options: Options, serial: u32) -> Self {
        let ended = !options.upload;
        Self { call, options, serial, taken: 0, sent: 0, sending: None, ended }
    }

    /// Takes what has come, and sends a part of this size, or the end of them; `false` once the
    /// call has ended.
    pub(super) fn go_on(&mut self, session: &mut Session, size: usize) -> bool {
        let now = session.clock.now;
        if self.take(session) {
            if let Some(mut sending) = self.sending.take() {
                Errand::<Client>::leave(&mut sending, session.client());
            }
            return false;
        }
        assert!(!self.call.deadline.passed(now), "a stream outlives its deadline");
        if let Some(mut sending) = self.sending.take() {
            match sending.look(session.client(), now) {
                None => self.sending = Some(sending),
                Some(_) => Errand::<Client>::leave(&mut sending, session.client()),
            }
        } else if !self.ended {
            self.ended = size == 0;
            let part = (size > 0).then(|| streams::item_of(&item_of(self.serial, self.sent, size)));
            self.sent += 1;
            let mut sending = SendPart::new(self.call.id, part, self.call.deadline);
            if Errand::<Client>::begin(&mut sending, session.client()).is_ok() {
                self.sending = Some(sending);
            }
        }
        true
    }

    /// Nobody takes any more of it.
    pub(super) fn give_up(mut self, session: &mut Session) {
        if let Some(mut sending) = self.sending.take() {
            Errand::<Client>::leave(&mut sending, session.client());
        }
        session.client().give_up(self.call.id);
    }

    /// Takes what has come; answers whether the call has ended.
    pub(super) fn take(&mut self, session: &mut Session) -> bool {
        let now = session.clock.now;
        if self.options.window.is_none() {
            return session.outcome(self.call).is_some();
        }
        loop {
            match session.client().next_item(self.call.id, now, self.call.deadline) {
                None => return false,
                Some(Ok(Some(item))) => {
                    assert_eq!(item, item_of(self.serial, self.taken, item.len()), "an item");
                    self.taken += 1;
                }
                Some(Ok(None) | Err(_)) => return true,
            }
        }
    }
}

impl Service {
    pub(super) fn new(asked: Asked, serial: u32) -> Self {
        Self { asked, serial, taken: 0, sent: 0, sending: None }
    }

    /// Takes a part, and sends an item of this size, or answers for good; `false` once it has.
    pub(super) fn go_on(&mut self, session: &mut Session, size: usize, end: bool) -> bool {
        let (now, caller) = (session.clock.now, self.asked.caller);
        let server = session.server();
        let mut part = NextPart::new(caller, 1 + size, Deadline::NEVER);
        if part.begin(server).is_ok() {
            if let Some(Ok(Some(part))) = part.look(server, now) {
                assert_eq!(part, item_of(self.serial, self.taken, part.len()), "a part");
                self.taken += 1;
            }
            part.leave(server);
        }
        if let Some(mut sending) = self.sending.take() {
            match sending.look(server, now) {
                None => self.sending = Some(sending),
                Some(_) => sending.leave(server),
            }
            return true;
        }
        let many = self.asked.asker().options.window.is_some();
        if end {
            let ended = match many {
                true => server.end(caller),
                false => server.reply(caller, message_of(!self.serial, size)),
            };
            // Nobody may want it any more, and nobody waits to see it written.
            if let Ok(ticket) = ended {
                server.forget(ticket, caller);
            }
            return false;
        }
        if many {
            let item = streams::item_of(&item_of(self.serial, self.sent, size));
            let mut sending = SendReply::new(caller, item, Deadline::NEVER);
            if sending.begin(server).is_ok() {
                self.sent += 1;
                self.sending = Some(sending);
            }
        }
        true
    }

    /// Whoever works on it drops it.
    pub(super) fn drop_it(mut self, session: &mut Session) {
        let server = session.server();
        if let Some(mut sending) = self.sending.take() {
            sending.leave(server);
        }
        let words = "dropped".to_owned();
        server.refuse(self.asked.caller, crate::core::wire::FailureCode::Dropped, words);
    }
}

fn item_of(serial: u32, number: u32, size: usize) -> Vec<u8> {
    let mut item = message_of(serial ^ number.rotate_left(16), size);
    item.truncate(size);
    item
}
