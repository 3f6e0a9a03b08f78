//! A client and a server, and everything that can happen to them.
//!
//! The bytes are a list of what happens: calls, replies, time, transfers of any size, peers that
//! die and come back, garbage, thieves, paths that are replaced. What must hold all the while:
//! every reply belongs to its call, a request that was reported as not sent is never handed out,
//! none is handed out twice, every call ends by its deadline, and memory is bounded. And in the
//! end, whatever happened, a call that is made in peace succeeds.

use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::streams::{Service, Stream};
use super::{Choices, noise};
use crate::core::buffer::Buffer;
use crate::core::outbox::TakenBack;
use crate::core::script::{Call, Pipe, Place, Server, Session};
use crate::core::server::Asked;
use crate::core::wire::{FailureCode, Load, Options};
use crate::error::{ErrorKind, Fate};

/// The largest message; more than a frame, so that some travel in parts.
const LIMIT: usize = 100_000;

/// How long a call may take at most.
const LONGEST: Duration = Duration::from_millis(512);

/// How long no byte may move.
const STALL: Duration = Duration::from_millis(200);

/// Runs a session as `data` says.
pub fn session(data: &[u8]) {
    let mut choices = Choices(data);
    let capacity = [64, 1000, 4096, 65_536][choices.below(4)];
    let mut world = World {
        session: Session::new(capacity, LIMIT, STALL),
        capacity,
        serial: 0,
        calls: Vec::new(),
        asked: Vec::new(),
        streams: Vec::new(),
        services: Vec::new(),
        handed_out: HashSet::new(),
        not_sent: HashSet::new(),
    };
    // What takes longer than this is more of the same.
    for _ in 0..500 {
        if choices.is_empty() {
            break;
        }
        world.happen(&mut choices);
        world.check();
    }
    world.end_in_peace();
}

struct World {
    session: Session,
    capacity: usize,
    /// Messages so far; each begins with its own number.
    serial: u32,
    /// Calls of the client's present life that have not ended, by the number of their message;
    /// none for a ping.
    calls: Vec<(Call, Option<u32>)>,
    /// Requests that were handed out and not answered.
    asked: Vec<Asked>,
    /// Streams of the client's present life, and what the server has of them.
    streams: Vec<Stream>,
    services: Vec<Service>,
    handed_out: HashSet<u32>,
    /// Requests that were reported as not sent.
    not_sent: HashSet<u32>,
}

impl World {
    fn happen(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() % 22 {
            0..=2 => self.call(choices),
            3 => self.ping(choices),
            4 => self.session.clock.advance(Duration::from_millis(choices.size() as u64 / 8)),
            5 | 6 => self.session.step_client(),
            7 | 8 => self.step_server(),
            9 => self.reply(choices),
            10 => self.fail(choices),
            11 => self.give_up(choices),
            12 => self.live_or_die(choices),
            13 => {
                let garbage = choices.garbage();
                self.write_as_stranger(choices, &garbage);
            }
            14 => {
                let count = choices.size();
                self.pipe(choices).take(count);
            }
            15 => self.restrain(choices),
            16 => self.replace(choices),
            17 => self.stream(choices),
            18 | 19 => self.go_on(choices),
            20 => self.serve(choices),
            _ => self.pass(Duration::from_millis(choices.below(64) as u64)),
        }
    }

    fn call(&mut self, choices: &mut Choices<'_>) {
        let size = self.size(choices);
        let timeout = LONGEST * (1 + choices.below(32) as u32) / 32;
        if !self.session.has_client() {
            return;
        }
        self.serial += 1;
        let message = message_of(self.serial, size);
        match self.session.call(&message, timeout) {
            Ok(call) => self.calls.push((call, Some(self.serial))),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Overloaded),
        }
    }

    /// The size of a message; many times what the pipe holds, and no more than is worth the time.
    fn size(&self, choices: &mut Choices<'_>) -> usize {
        (choices.size() * choices.below(4)).min(100 * self.capacity)
    }

    fn ping(&mut self, choices: &mut Choices<'_>) {
        let timeout = LONGEST * (1 + choices.below(32) as u32) / 32;
        if self.session.has_client() {
            self.calls.extend(self.session.ping(timeout).ok().map(|call| (call, None)));
        }
    }

    fn step_server(&mut self) {
        let now = self.session.clock.now;
        for asked in self.session.step_server() {
            hand_out(&mut self.handed_out, &self.not_sent, &asked, now..now + LONGEST);
            let Options { window, upload, .. } = asked.asker().options;
            if window.is_none() && !upload {
                self.asked.push(asked);
            } else {
                let serial = serial_of(asked.message());
                self.services.push(Service::new(asked, serial));
            }
        }
    }

    /// A call that takes many replies, or brings parts, or both; or one that wants no answer.
    fn stream(&mut self, choices: &mut Choices<'_>) {
        let (size, what) = (self.size(choices), choices.below(4));
        let window = (what & 1 != 0).then(|| 1 + choices.size() as u32);
        if !self.session.has_client() {
            return;
        }
        self.serial += 1;
        let options = Options { window, upload: what & 2 != 0, ..Options::default() };
        let message = message_of(self.serial, size);
        if let Ok(call) = self.session.call_with(options, &message, LONGEST) {
            match what {
                0 => self.calls.push((call, Some(self.serial))),
                _ => self.streams.push(Stream::new(call, options, self.serial)),
            }
        }
    }

    /// A stream goes on, as far as its caller is concerned.
    fn go_on(&mut self, choices: &mut Choices<'_>) {
        let (at, size) = (choices.below(self.streams.len()), self.size(choices));
        let gives_up = choices.below(8) == 0;
        if self.streams.is_empty() || !self.session.has_client() {
            return;
        }
        let mut stream = self.streams.swap_remove(at);
        if gives_up {
            stream.give_up(&mut self.session);
        } else if stream.go_on(&mut self.session, size) {
            self.streams.push(stream);
        }
    }

    /// A stream goes on, as far as its server is concerned.
    fn serve(&mut self, choices: &mut Choices<'_>) {
        let (at, size) = (choices.below(self.services.len()), self.size(choices));
        let what = choices.below(16);
        if self.services.is_empty() || !self.session.has_server() {
            return;
        }
        let mut service = self.services.swap_remove(at);
        if what == 0 {
            service.drop_it(&mut self.session);
        } else if service.go_on(&mut self.session, size, what == 1) {
            self.services.push(service);
        }
    }

    fn reply(&mut self, choices: &mut Choices<'_>) {
        let (at, size) = (choices.below(self.asked.len()), self.size(choices));
        if !self.session.has_server() || self.asked.is_empty() {
            return;
        }
        let asked = self.asked.swap_remove(at);
        answer(self.session.server(), &asked, size);
    }

    fn fail(&mut self, choices: &mut Choices<'_>) {
        let at = choices.below(self.asked.len());
        if !self.session.has_server() || self.asked.is_empty() {
            return;
        }
        let asked = self.asked.swap_remove(at);
        let server = self.session.server();
        let give_up = choices.below(2) == 0;
        let queued = server.fail(asked.caller, FailureCode::Handler, "no".to_owned());
        let Ok(ticket) = queued else { return };
        match give_up {
            true => server.give_up(ticket, asked.caller),
            false => server.forget(ticket, asked.caller),
        }
    }

    fn give_up(&mut self, choices: &mut Choices<'_>) {
        let at = choices.below(self.calls.len());
        if self.calls.is_empty() {
            return;
        }
        let (call, serial) = self.calls.swap_remove(at);
        if let TakenBack::NotSent { .. } = self.session.client().give_up(call.id) {
            self.not_sent.extend(serial);
        }
    }

    fn live_or_die(&mut self, choices: &mut Choices<'_>) {
        let what = choices.below(5);
        if what < 2 {
            self.calls.clear();
            self.streams.clear();
        } else {
            self.asked.clear();
            self.services.clear();
        }
        match what {
            0 => self.session.kill_client(),
            1 => self.session.start_client(),
            2 => self.session.kill_server(),
            // So soon, if it was alive, that nobody sees a pipe without an end.
            _ => self.session.start_server(),
        }
    }

    /// Somebody else opens a pipe, writes and leaves.
    fn write_as_stranger(&mut self, choices: &mut Choices<'_>, bytes: &[u8]) {
        let place = self.place(choices);
        if place.exists() {
            let pipe = place.pipe();
            let _writer = pipe.writer(&place);
            pipe.put(bytes);
        }
    }

    /// Has a pipe move little at a time, or nothing, or everything.
    fn restrain(&mut self, choices: &mut Choices<'_>) {
        let pipe = self.pipe(choices);
        let sizes: Vec<_> = (0..choices.below(8)).map(|_| choices.size()).collect();
        match choices.below(4) {
            0 => pipe.script_reads(sizes),
            1 => pipe.script_writes(sizes),
            2 => pipe.read_at_most(16 + choices.size()),
            _ => pipe.write_at_most(16 + choices.size()),
        }
    }

    fn replace(&mut self, choices: &mut Choices<'_>) {
        let place = self.place(choices);
        match choices.below(2) {
            0 => place.unlink(),
            _ => drop(place.make(self.capacity)),
        }
    }

    /// Lets time pass; what comes is answered.
    fn pass(&mut self, time: Duration) {
        let (handed_out, not_sent) = (&mut self.handed_out, &self.not_sent);
        let now = self.session.clock.now;
        let deadlines = now..now + time + LONGEST;
        self.session.run(time, |server, asked| {
            hand_out(handed_out, not_sent, &asked, deadlines.clone());
            match asked.asker().options.window {
                Some(_) => drop(server.end(asked.caller).map(|it| server.forget(it, asked.caller))),
                None => answer(server, &asked, 10),
            }
        });
    }

    fn place(&self, choices: &mut Choices<'_>) -> Place {
        let places = [&self.session.requests, &self.session.replies];
        places[choices.below(2)].clone()
    }

    /// A pipe that is in its place, or one that nobody knows.
    fn pipe(&self, choices: &mut Choices<'_>) -> Pipe {
        let place = self.place(choices);
        if place.exists() { place.pipe() } else { Pipe::new(1) }
    }

    /// What holds after everything that happens.
    fn check(&mut self) {
        let links = [self.session.client_link(), self.session.server_link()];
        for (inbox, _) in links.into_iter().flatten().map(|link| link.held()) {
            assert!(inbox <= 2 * (LIMIT + Buffer::CAPACITY), "{inbox} bytes for what has come");
        }
        let (session, not_sent) = (&mut self.session, &mut self.not_sent);
        self.streams.retain_mut(|stream| !stream.take(session));
        let handed_out = &self.handed_out;
        self.calls.retain(|(call, serial)| {
            let now = session.clock.now;
            match (session.outcome(*call), serial) {
                (None, _) => {
                    assert!(!call.deadline.passed(now), "a call outlives its deadline");
                    return true;
                }
                (Some(Ok(reply)), Some(serial)) => assert_belongs(&reply, *serial),
                (Some(Ok(pong)), None) => assert!(Load::from_bytes(&pong).is_some()),
                (Some(Err(error)), Some(serial)) if error.fate() == Some(Fate::NotSent) => {
                    assert!(!handed_out.contains(serial), "not sent, and handed out: {error}");
                    not_sent.insert(*serial);
                }
                (Some(Err(_)), _) => {}
            }
            false
        });
    }

    /// Everybody is alive and nobody interferes: all calls end, and the next ones succeed.
    fn end_in_peace(&mut self) {
        for place in [self.session.requests.clone(), self.session.replies.clone()] {
            if !place.exists() {
                place.make(self.capacity);
            }
            let pipe = place.pipe();
            pipe.forget_script();
            pipe.read_at_most(usize::MAX);
            pipe.write_at_most(usize::MAX);
        }
        if !self.session.has_client() {
            self.session.start_client();
        }
        if !self.session.has_server() {
            self.session.start_server();
        }
        self.check();
        for service in self.services.drain(..) {
            service.drop_it(&mut self.session);
        }
        while !self.calls.is_empty() || !self.streams.is_empty() {
            self.pass(LONGEST / 8);
            self.check();
        }
        self.pass(STALL);
        assert_eq!(self.session.in_flight(), 0);
        for _ in 0..3 {
            self.serial += 1;
            let message = message_of(self.serial, 100);
            let call = match self.session.call(&message, LONGEST) {
                Ok(call) => call,
                Err(error) => panic!("{error}"),
            };
            self.pass(LONGEST / 2);
            match self.session.outcome(call) {
                Some(Ok(reply)) => assert_belongs(&reply, self.serial),
                other => panic!("a call in peace: {other:?}"),
            }
        }
    }
}

/// A request that is handed out is one that was made, whole, for the first time, and its caller
/// was not told that it would never be.
fn hand_out(
    handed_out: &mut HashSet<u32>,
    not_sent: &HashSet<u32>,
    asked: &Asked,
    deadlines: Range<Instant>,
) {
    let message = asked.message();
    let serial = serial_of(message);
    assert_eq!(message, message_of(serial, message.len() - 4));
    assert!(handed_out.insert(serial), "handed out twice");
    assert!(!not_sent.contains(&serial), "handed out, and reported as not sent");
    let deadline = asked.deadline.instant();
    assert!(deadline.is_some_and(|at| deadlines.start < at && at <= deadlines.end));
}

fn answer(server: &mut Server, asked: &Asked, size: usize) {
    let reply = message_of(!serial_of(asked.message()), size);
    // Nobody may want it any more.
    if let Ok(ticket) = server.reply(asked.caller, reply) {
        server.forget(ticket, asked.caller);
    }
}

/// The message of this number.
pub(super) fn message_of(serial: u32, size: usize) -> Vec<u8> {
    serial.to_le_bytes().into_iter().chain(noise(size, serial)).collect()
}

fn serial_of(message: &[u8]) -> u32 {
    message.first_chunk().map_or(0, |serial| u32::from_le_bytes(*serial))
}

fn assert_belongs(reply: &[u8], serial: u32) {
    assert_eq!(reply, message_of(!serial, reply.len() - 4), "the reply of another call");
}
