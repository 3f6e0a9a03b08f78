//! The other side of what is checked: a server that one thread steps, and how to meet it.

use std::time::Instant;

use shuttle::sync::{Condvar, Mutex};

use super::{common, dawn, now, patient};
use crate::blocking::turn::Turn;
use crate::core::errand::{Answer, Calling, Receiving, Replying};
use crate::core::script::{Client, Server};
use crate::core::server::Asked;
use crate::core::wire::{Head, Options};
use crate::deadline::Deadline;
use crate::error::{ErrorKind, Phase, Result};
use crate::front::Term;

/// A server that never answers this keeps its caller until the caller gives up.
pub(crate) const MUTE: &[u8] = b"mute";

/// What the monotonic clock would say.
pub(crate) fn stamp(at: Instant) -> u64 {
    1 + at.saturating_duration_since(dawn()).as_nanos() as u64
}

/// A call of this message, as the front ends make it.
pub(crate) fn calling(client: &mut Client, message: &[u8], term: Term) -> Calling {
    let mut body = client.request_body(&Options::default());
    body.extend_from_slice(message);
    let left = term.deadline.remaining(now());
    let head = Head::new(left, stamp(now()), Options::default());
    Calling::request(body, &head, term.deadline)
}

/// The next request; `None` once the last client has left.
pub(crate) fn next_request(server: &Turn<Server>) -> Option<Asked> {
    loop {
        let receiving = Receiving::new(Deadline::NEVER);
        match server.run(receiving, now(), patient(), Phase::Read) {
            Ok(Some(asked)) => return Some(asked),
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::PeerClosed => return None,
            Err(error) => panic!("a server fails: {error:?}"),
        }
    }
}

/// Answers a request with its own message.
pub(crate) fn echo(server: &Turn<Server>, asked: &Asked) -> Result<()> {
    let answer = Answer::Reply(asked.message().to_vec());
    let term = Term::until(now(), asked.deadline);
    let replying = Replying::new(asked.caller, answer, asked.deadline);
    server.run(replying, now(), term, Phase::Write)
}

/// Answers every request as it comes, but for those that are to be kept waiting.
pub(crate) fn serve(server: Server) {
    let turn = Turn::new(server, &common()).unwrap();
    while let Some(asked) = next_request(&turn) {
        if asked.message() != MUTE {
            // Its caller may have left, or have given it up.
            let _ = echo(&turn, &asked);
        }
    }
}

/// Takes as many requests as there are callers, and answers them in an order of the checker's
/// choosing, each only when the caller before has its answer: whoever is not woken for its own, or
/// watches for nobody else's when it leaves, stops them all.
pub(crate) fn serve_one_by_one(server: Server, callers: usize, answered: &Count) {
    let turn = Turn::new(server, &common()).unwrap();
    let mut asked: Vec<_> = (0..callers).map_while(|_| next_request(&turn)).collect();
    for before in 0..callers {
        answered.wait_for(before);
        let next = asked.swap_remove(super::below(asked.len()));
        echo(&turn, &next).unwrap();
    }
    assert!(next_request(&turn).is_none());
}

/// A number that threads wait for.
#[derive(Debug, Default)]
pub(crate) struct Count {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Count {
    pub(crate) fn add(&self) {
        *self.count.lock().unwrap() += 1;
        self.changed.notify_all();
    }

    pub(crate) fn wait_for(&self, least: usize) {
        let count = self.count.lock().unwrap();
        drop(self.changed.wait_while(count, |count| *count < least).unwrap());
    }
}
