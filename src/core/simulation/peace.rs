//! The end of a run: nothing goes wrong any more, both sides live and do what they are asked for at
//! once, and are stepped when what they wait for has come and at no other time. Then every call is
//! answered; where both sides wait for what will never come, the run hangs.

use std::time::{Duration, Instant};

use super::client::Client;
use super::ledger::Told;
use super::process::Leaves;
use super::server::Server;
use super::world::World;
use crate::core::link::Directions;
use crate::core::wire::Options;
use crate::deadline::Deadline;

/// Until everybody has noticed what has happened before: later than the longest stall and the
/// longest time that a path is not looked at.
const NOTICED: Duration = Duration::from_millis(2500);

/// Until both have looked at their paths.
const SOON: Duration = Duration::from_millis(100);

/// A call in peace takes no longer, however large it is.
const LONGEST: Duration = Duration::from_millis(1000);

/// Streams of which each must come to its end: windows, and whether parts are brought.
const STREAMS: &[(Option<u32>, bool)] =
    &[(Some(1), false), (Some(10_000), false), (None, true), (Some(500), true)];

/// Steps in a row in which nothing ends: a large message in tiny pieces over a small FIFO takes
/// many.
const MOST_STEPS: u64 = 200_000;

impl World {
    pub(super) fn end_in_peace(&mut self) {
        self.make_peace();
        self.run_for(NOTICED, |world| world.no_calls() && world.no_cancels());
        self.check_waiting();
        self.leave_all();
        self.run_for(NOTICED, |_| false);
        if self.is_client_misled() {
            self.ping_in_doubt();
        }
        for size in [0, 100, 1000, self.terms.largest, 10] {
            self.call_in_peace(size.min(self.terms.limit));
        }
        for (window, upload) in STREAMS {
            let options = Options { window: *window, upload: *upload, ..Options::default() };
            self.call_in_peace_with(options, 100);
        }
        self.call_in_peace_with(Options { quiet: true, ..Options::default() }, 1000);
        self.ping_in_peace();
        self.run_for(NOTICED, |_| false);
        self.check_rest();
    }

    /// As [`end_in_peace`](Self::end_in_peace), without waiting for what does not hang on a call.
    pub(super) fn rest_in_peace(&mut self) {
        self.make_peace();
        self.run_for(NOTICED, |world| world.no_calls() && world.no_cancels());
        self.check_waiting();
        self.leave_all();
        self.run_for(SOON, |_| false);
        if self.is_client_misled() {
            self.ping_in_doubt();
        }
        self.call_in_peace(10);
    }

    fn make_peace(&mut self) {
        for place in [&self.requests, &self.replies] {
            place.relent();
            if !place.exists() {
                place.make(self.terms.capacity);
            }
        }
        // Who is about to close has no answer to wait for.
        if self.client.as_ref().is_some_and(Client::is_closing) || self.terms.ends_with_server {
            self.kill_client(Leaves::Nothing);
        }
        if self.server.as_ref().is_some_and(Server::is_closing) {
            self.kill_server(Leaves::Nothing);
        }
        self.terms.ends_with_server = false;
        self.bury();
        if self.client.is_none() {
            self.start_client();
        }
        if self.server.is_none() {
            self.start_server();
        }
        if let Some(client) = &mut self.client {
            client.life.make_peace();
        }
        if let Some(server) = &mut self.server {
            server.life.make_peace();
        }
    }

    /// Whether the client speaks to a server that is gone. Where the next one opened its end before
    /// the client had read the last words of the one before, nothing but an answer tells of the
    /// change, and that may be lost.
    fn is_client_misled(&self) -> bool {
        let client =
            self.client.as_ref().map_or(0, |client| client.life.session.link().lives().peer);
        let server =
            self.server.as_ref().map_or(0, |server| server.life.session.link().lives().ours);
        client != 0 && client != server
    }

    fn no_calls(&self) -> bool {
        self.client.as_ref().is_none_or(|client| client.calls.is_empty())
    }

    fn no_cancels(&self) -> bool {
        self.client.as_ref().is_none_or(|client| client.cancels.is_empty())
    }

    fn leave_all(&mut self) {
        if let Some(client) = &mut self.client {
            client.leave_all(&mut self.ledger);
        }
    }

    fn call_in_peace(&mut self, size: usize) {
        self.call_in_peace_with(Options::default(), size);
    }

    fn call_in_peace_with(&mut self, options: Options, size: usize) {
        let now = self.now();
        let client = self.client.as_mut().expect("the client lives in peace");
        let never = Deadline::NEVER;
        let serial = client.call_with(options, size, now, never, None, &mut self.ledger);
        let serial = serial.expect("there is room for a call in peace");
        client.step_first(now, &mut self.ledger);
        self.run_for(LONGEST, |world| world.no_calls());
        assert!(self.no_calls(), "call {serial} hangs: {}", self.standstill());
        assert!(self.ledger.is_answered(serial), "call {serial} fails in peace");
    }

    fn ping_in_peace(&mut self) {
        let client = self.client.as_mut().expect("the client lives in peace");
        client.ping(Deadline::NEVER);
        self.run_for(LONGEST, |world| world.no_calls());
        assert!(self.no_calls(), "a ping hangs: {}", self.standstill());
    }

    /// What is not answered in time makes a client speak to whoever reads.
    fn ping_in_doubt(&mut self) {
        let deadline = Deadline::after(self.now(), LONGEST);
        let client = self.client.as_mut().expect("the client lives in peace");
        client.ping(deadline);
        self.run_for(2 * LONGEST, |world| world.no_calls());
    }

    /// Goes on from one awaited event or instant to the next, until there is enough or this time
    /// is over.
    fn run_for(&mut self, time: Duration, enough: impl Fn(&Self) -> bool) {
        let end = self.now() + time;
        let mut steps = 0;
        loop {
            while self.work() {
                self.check();
                steps += 1;
                assert!(steps < MOST_STEPS, "endless work: {}", self.standstill());
            }
            if enough(self) || self.now() >= end {
                return;
            }
            let next = self.soonest().earlier(Deadline::at(end)).instant().unwrap_or(end);
            self.clock.now = next.max(self.now());
        }
    }

    /// Does what is due now; answers whether there was anything.
    fn work(&mut self) -> bool {
        let now = self.now();
        let (client, server) = (self.client_works(now), self.server_works(now));
        client || server
    }

    fn client_works(&mut self, now: Instant) -> bool {
        let Some(client) = &mut self.client else { return false };
        let due = client.life.is_due(now);
        if due {
            client.step(now, Directions::BOTH, &mut self.ledger);
        }
        let (calls, largest) = (client.calls.len(), self.terms.largest.min(self.terms.limit));
        let mut tends = false;
        for at in 0..calls {
            tends |= client.tend(at, largest / 4, &mut self.random, &mut self.ledger);
        }
        client.look(now, &mut self.ledger);
        due || tends || client.calls.len() < calls
    }

    fn server_works(&mut self, now: Instant) -> bool {
        let Some(server) = &mut self.server else { return false };
        if server.life.is_open() {
            server.receive(Deadline::NEVER);
        }
        let due = server.life.is_due(now);
        if due {
            server.step(now, Directions::BOTH, &mut self.ledger);
        }
        server.look(now, &mut self.ledger);
        let (mut at, mut tends) = (0, false);
        let largest = self.terms.largest.min(self.terms.limit);
        while at < server.in_hand.len() {
            if server.in_hand[at].0.asker().options.has_streams() {
                let in_hand = server.in_hand.len();
                tends |= server.tend(at, largest / 4, now, &mut self.random, &mut self.ledger);
                at += usize::from(server.in_hand.len() == in_hand);
                continue;
            }
            let size = self.random.length(largest);
            server.answer(at, Told::Reply { size }, now, &mut self.ledger);
            tends = true;
        }
        due || tends
    }

    /// The next instant that somebody waits for.
    pub(super) fn soonest(&self) -> Deadline {
        let client = self.client.as_ref().map(|client| {
            let wait = client.life.wait().map_or(Deadline::NEVER, |wait| wait.until);
            wait.earlier(client.soonest())
        });
        let server = self.server.as_ref().map(|server| {
            let wait = server.life.wait().map_or(Deadline::NEVER, |wait| wait.until);
            wait.earlier(server.soonest())
        });
        client.into_iter().chain(server).fold(Deadline::NEVER, Deadline::earlier)
    }

    /// What both sides wait for.
    fn standstill(&self) -> String {
        let client = self.client.as_ref().map(|client| client.life.wait());
        let server = self.server.as_ref().map(|server| server.life.wait());
        let (requests, replies) = (self.requests.pipe().len(), self.replies.pipe().len());
        format!(
            "the client waits for {client:?}, the server for {server:?}; {requests} bytes of \
             requests and {replies} of replies lie in the FIFOs"
        )
    }
}
