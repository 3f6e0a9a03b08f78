//! Requests with a key: each is handed out once, and whoever asks again has the answer of that
//! once.

use super::{Answerer, Caller};
use crate::core::event::{Event, Verb};
use crate::core::keys::{KeyLimits, Keys, Said, Standing};
use crate::core::wire::{Failure, FailureCode, Options, RequestKey};
use crate::deadline::Deadline;
use crate::pipe::{Opener, Sink, Source};

/// What is to be done with a request, as far as its key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    /// It is to be handed out.
    First,
    /// It is dealt with.
    Again,
    /// What there is to say to it has no room yet.
    NoRoom,
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Answerer<R, W> {
    /// What is kept of keys.
    pub(crate) fn limit_keys(&mut self, limits: KeyLimits) {
        self.keys = Keys::new(limits);
    }

    /// Looks whether a request was made before. The key of a notification means nothing: nobody
    /// would make one again.
    pub(super) fn meet_key(
        &mut self,
        caller: Caller,
        options: &Options,
        deadline: Deadline,
    ) -> Meeting {
        match options.key {
            Some(key) if !options.quiet => self.meet_known_key(key, caller, options, deadline),
            _ => Meeting::First,
        }
    }

    #[inline(never)]
    fn meet_known_key(
        &mut self,
        key: RequestKey,
        caller: Caller,
        options: &Options,
        deadline: Deadline,
    ) -> Meeting {
        // One whose client has left is of use to the next that asks, and nobody hears an answer.
        let here = caller.epoch == self.client && !self.link.is_closed();
        if options.window.is_some() || options.upload {
            let words = "a request with a key is one message, and its answer another";
            return self.decline(caller, FailureCode::Unsupported, words);
        }
        match self.keys.meet(key, deadline) {
            Standing::New => {
                self.keys.begin(key, caller, deadline);
                Meeting::First
            }
            Standing::NoRoom => {
                let words = "too many keys are known";
                let told = self.decline(caller, FailureCode::Overloaded, words);
                self.link.stats.overloaded += u64::from(told == Meeting::Again);
                told
            }
            _ if !here => Meeting::Again,
            Standing::Running(name) => self.attach(name, caller),
            Standing::Done(said) => {
                let (verb, body) = match said {
                    Said::Answer(verb, body) => (*verb, body.clone()),
                    Said::Unkept => (Verb::Failure, repeated("its answer was not kept")),
                };
                self.say(caller, verb, body)
            }
        }
    }

    /// From here on the answer to a request that is worked on is for this caller. One of the same
    /// client that asked before would wait for nothing, and is told so.
    fn attach(&mut self, name: Caller, by: Caller) -> Meeting {
        if let Some(before) = self.hands.displaced(name) {
            let told = self.say(before, Verb::Failure, repeated("another has asked for it since"));
            if told == Meeting::NoRoom {
                return told;
            }
        }
        self.hands.attach(name, by);
        Meeting::Again
    }

    /// Queues an answer for nobody here to wait for, where there is room for it.
    fn say(&mut self, to: Caller, verb: Verb, body: Vec<u8>) -> Meeting {
        if !self.link.outbox().has_place_for(body.len()) {
            return Meeting::NoRoom;
        }
        self.link.outbox().push_refusal(Event::to(to.epoch, verb, to.id, body));
        Meeting::Again
    }

    /// Queues the news that a request was not taken: ahead of all answers, and taken back by no
    /// cancel, which would say that somebody had it.
    fn decline(&mut self, to: Caller, code: FailureCode, words: &str) -> Meeting {
        if self.link.outbox().is_bothered(0) {
            return Meeting::NoRoom;
        }
        let declined = Event::to(to.epoch, Verb::Failure, to.id, failure(code, words));
        self.link.outbox().push_answer(declined);
        Meeting::Again
    }

    /// Fails where the tables say different things.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        self.link.check();
        self.keys.check();
        assert_eq!(self.hands.keyed(), self.keys.running(), "keys in hand");
    }

    /// Keeps an answer for those that ask again, where its request has a key.
    pub(super) fn keep(&mut self, name: Caller, verb: Verb, body: &[u8]) {
        if self.keys.is_empty() {
            return;
        }
        if let Some(key) = self.hands.key(name) {
            self.keys.end(key, verb, body);
        }
    }

    pub(super) fn keep_failure(&mut self, name: Caller, code: FailureCode, words: &str) {
        if self.hands.key(name).is_some() {
            self.keep(name, Verb::Failure, &failure(code, words));
        }
    }

    /// Whoever works on a cancelled request may go on, and is not waited for.
    pub(super) fn keep_cancel(&mut self, name: Caller) {
        self.keep_failure(name, FailureCode::Cancelled, "the request was cancelled");
    }
}

/// What is said to a request whose key was taken, and that has no answer of its own.
fn repeated(words: &str) -> Vec<u8> {
    failure(FailureCode::Repeated, words)
}

fn failure(code: FailureCode, words: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Failure::new(code, words.to_owned()).append_to(&mut body);
    body
}
