//! What is answered at once: pings, and cancels of calls.

use super::{Answerer, Caller};
use crate::core::event::{Event, Verb};
use crate::core::hands::{Stopped, Unwanted};
use crate::core::inbox::Ask;
use crate::core::wire::{Found, Load};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Answerer<R, W> {
    /// Answers the control that has come; answers whether there was any.
    pub(super) fn answer_control(&mut self) -> bool {
        self.link.has_asks() && self.answer_asks()
    }

    #[cold]
    fn answer_asks(&mut self) -> bool {
        for ask in self.link.asks() {
            let answer = match ask {
                Ask::Ping(Event { from, id, mut body, .. }) => {
                    self.load().append_to(&mut body);
                    Event::to(from, Verb::Pong, id, body)
                }
                Ask::Cancel { key: (epoch, id), waited } => {
                    let found = self.cancel(Caller { epoch, id }, waited);
                    let mut body = self.spare();
                    body.push(found.to_byte());
                    Event::to(epoch, Verb::Cancelled, id, body)
                }
            };
            self.link.outbox().push_answer(answer);
        }
        true
    }

    /// Stops what is cancelled; answers what was found of it. The reply to a cancelled call is
    /// taken back before the cancel is acknowledged, so nothing of the call follows that.
    pub(super) fn cancel(&mut self, caller: Caller, waited: bool) -> Found {
        let name = self.hands.of(caller);
        let found = match self.hands.cancel(caller, &mut self.wakeups) {
            Some(stopped) => {
                if stopped == Stopped::Handler {
                    name.into_iter().for_each(|name| self.keep_cancel(name));
                }
                self.stop(stopped, Unwanted::Cancelled);
                Found::InHand
            }
            None if waited => Found::Waiting,
            // It was cancelled before, and whoever has it goes on.
            None if self.hands.has(caller) => Found::InHand,
            None if self.link.outbox().take_back_refusal(caller.epoch, caller.id) => Found::InHand,
            None => Found::Nothing,
        };
        self.link.stats.cancelled += u64::from(found != Found::Nothing);
        found
    }

    /// How much there is to do.
    pub(crate) fn load(&mut self) -> Load {
        Load {
            taken: self.link.stats.taken,
            in_hand: self.hands.len() as u64,
            waiting: self.link.waiting() as u64,
            queued_bytes: self.link.outbox().queued_bytes() as u64,
        }
    }
}
