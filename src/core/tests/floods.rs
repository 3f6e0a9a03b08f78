//! Peers that send too much, or never read: bounded memory, and nothing else is harmed.

use super::session::*;
use super::*;
use crate::core::buffer::Buffer;
use crate::core::inbox::Limits;
use crate::core::link::{Directions, Link};
use crate::core::retry::STANDING_CHECK;
use crate::core::script::{Pipe, ReadEnd, WriteEnd};
use crate::core::server::Answerer;
use crate::core::wire::{Flags, HEADER_LEN, Header, Kind, TRAILER_LEN, begin, seal};

const LIMIT: usize = 200_000;

/// A server, and a stranger who has both pipes open and sticks to no rule.
struct Flooded {
    session: Session,
    pipe: Pipe,
    _ends: (WriteEnd, ReadEnd),
}

impl Flooded {
    fn new() -> Self {
        let mut session = Session::new(65_536, LIMIT, ms(60_000));
        session.kill_client();
        let pipe = session.requests.pipe();
        let writer = pipe.writer(&session.requests);
        let reader = session.replies.pipe().reader(&session.replies);
        Self { session, pipe, _ends: (writer, reader) }
    }

    /// Has the server hear as much of `bytes`, again and again, as it will; answers how much.
    fn flood(&mut self, bytes: &[u8], rounds: usize) -> usize {
        let before = self.pipe.len();
        let mut put = 0;
        for _ in 0..rounds {
            if self.pipe.len() < 65_536 {
                self.pipe.put(bytes);
                put += bytes.len();
            }
            // Nobody takes a request: that side of the server is busy.
            self.step_server_alone();
            let (inbox, outbox) = self.session.server().link().held();
            // The window, the limit, the event that went over it, and as much again to grow into.
            assert!(inbox <= 2 * (LIMIT + Buffer::CAPACITY), "{inbox} bytes for what has come");
            assert!(outbox <= LIMIT + Buffer::CAPACITY, "{outbox} bytes for what is to be written");
        }
        before + put - self.pipe.len()
    }

    fn step_server_alone(&mut self) {
        let now = self.session.clock.now;
        let both = Directions::BOTH;
        self.session.server().step(now, both).unwrap();
    }

    /// After the flood, a client of our own is served.
    fn assert_alive(mut self) {
        self.pipe.take(usize::MAX);
        self.session.replies.pipe().take(usize::MAX);
        self.session.settle(|_, _| {});
        self.session.start_client();
        drop(self._ends);
        let call = self.session.call(b"still there?", ms(10_000)).unwrap();
        self.session.run(ms(1000), echo);
        assert_eq!(self.session.outcome(call).unwrap().unwrap(), reply_to(b"still there?"));
    }
}

fn frame(kind: Kind, part: bool, id: u64, body: &[u8]) -> Vec<u8> {
    let mut unit = Vec::new();
    let flags = Flags { part, ..Flags::default() };
    let start = begin(&mut unit, Header { kind, flags, epoch: 77, to: 0, id });
    unit.extend_from_slice(body);
    seal(&mut unit, start);
    unit
}

#[test]
fn a_ping_flood_whose_answers_nobody_reads_costs_bounded_memory() {
    for body in [0, 64, 1000, 60_000] {
        let mut flooded = Flooded::new();
        let ping = frame(Kind::Ping, false, 1, &vec![0; body]);
        flooded.flood(&ping.repeat(10), 500);
        flooded.assert_alive();
    }
}

#[test]
fn pings_in_parts_cost_bounded_memory() {
    let mut flooded = Flooded::new();
    let mut body = 0_u32.to_le_bytes().to_vec();
    body.extend(150_000_u32.to_le_bytes());
    body.extend([0; 60_000]);
    flooded.flood(&frame(Kind::Ping, true, 1, &body), 300);
    flooded.assert_alive();
}

#[test]
fn a_flood_of_cancels_costs_bounded_memory() {
    let mut flooded = Flooded::new();
    flooded.flood(&frame(Kind::Cancel, false, 1, b"").repeat(100), 300);
    flooded.assert_alive();
}

#[test]
fn a_flood_of_requests_that_nobody_takes_waits_in_the_pipe() {
    for size in [16, 200, 5000, 60_000] {
        let mut flooded = Flooded::new();
        let request = frame(Kind::Request, false, 1, &vec![0xFF; size]);
        let heard = flooded.flood(&request, 2000);
        assert!(heard <= 2 * LIMIT + Buffer::CAPACITY, "{heard} bytes were read");
        flooded.assert_alive();
    }
}

#[test]
fn requests_that_are_too_large_are_refused_in_bounded_memory() {
    let mut flooded = Flooded::new();
    let mut body = 0_u32.to_le_bytes().to_vec();
    body.extend(u32::MAX.to_le_bytes());
    flooded.flood(&frame(Kind::Request, true, 1, &body).repeat(100), 300);
    flooded.assert_alive();
}

#[test]
fn events_that_no_server_asks_for_cost_bounded_memory() {
    for kind in [Kind::Reply, Kind::Failure, Kind::Pong, Kind::Cancelled, Kind::Goodbye] {
        let mut flooded = Flooded::new();
        flooded.flood(&frame(kind, false, 1, b"").repeat(100), 300);
        flooded.assert_alive();
    }
}

#[test]
fn messages_begun_and_never_ended_cost_bounded_memory() {
    let mut flooded = Flooded::new();
    for id in 1..300 {
        let mut body = 0_u32.to_le_bytes().to_vec();
        body.extend(180_000_u32.to_le_bytes());
        body.extend([0; 30_000]);
        flooded.flood(&frame(Kind::Request, true, id, &body), 1);
    }
    flooded.assert_alive();
}

#[test]
fn garbage_costs_the_window_and_nothing_else() {
    let mut flooded = Flooded::new();
    flooded.flood(&vec![b'x'; 60_000], 200);
    let mut header = frame(Kind::Request, false, 1, &[0; 60_000]);
    header.truncate(HEADER_LEN + TRAILER_LEN);
    flooded.flood(&header.repeat(100), 200);
    flooded.assert_alive();
}

#[test]
fn memory_kept_for_the_next_message_and_requests_that_wait_share_one_limit() {
    let mut flooded = Flooded::new();
    let body = [&[0xFF; 8][..], &[0; 10], &vec![0; LIMIT - 1000]].concat();
    for (at, part) in body.chunks(60_000).enumerate() {
        let around = [(at * 60_000) as u32, body.len() as u32].map(u32::to_le_bytes).concat();
        flooded.pipe.put(&frame(Kind::Request, true, 1, &[&around, part].concat()));
    }
    let asked = flooded.session.step_server().remove(0);
    flooded.session.server().link_mut().recycle(asked.into_body());
    flooded.flood(&frame(Kind::Request, false, 2, &[0xFF; 5000]), 100);
    let (inbox, _) = flooded.session.server().link().held();
    assert!(inbox <= LIMIT + Buffer::CAPACITY + 40_000, "{inbox} bytes");
}

/// A ping of somebody's, which wants an answer.
fn ping(id: u64) -> Vec<u8> {
    let mut ping = Vec::new();
    let flags = Flags::default();
    let start = begin(&mut ping, Header { kind: Kind::Ping, flags, epoch: 55, to: 0, id });
    seal(&mut ping, start);
    ping
}

#[test]
fn a_server_hears_that_somebody_has_left_who_asked_much_and_read_nothing() {
    for pings in [1, 15, 16, 17, 100] {
        let (requests, replies) = (Place::with_pipe(65_536), Place::with_pipe(65_536));
        let link = Link::new(requests.reader(), replies.writer(), Limits::of(LIMIT), 77);
        let mut server = Answerer::new(link, ms(1000), EndOfWriters::End, crate::sys::monotonic_ns);
        let clock = Clock::new();
        server.link_mut().step_open(clock.now, Deadline::NEVER).unwrap();
        let stranger = requests.pipe().writer(&requests);
        for id in 1..=pings {
            requests.pipe().put(&ping(id));
        }
        drop(stranger);
        let ended = (0..20).any(|_| {
            server.step(clock.now, Directions::BOTH).unwrap();
            server.next_request(clock.now, clock.ns()).is_err()
        });
        assert!(ended, "{pings} pings");
    }
}

#[test]
fn a_replaced_fifo_takes_with_it_what_was_asked_through_it() {
    let mut flooded = Flooded::new();
    let pings: Vec<u8> = (1..=16).flat_map(ping).collect();
    flooded.pipe.put(&pings);
    // Nobody reads the answers: they wait, and nothing more is heard.
    flooded.session.replies.unlink();
    flooded.step_server_alone();
    flooded.session.requests.make(65_536);
    flooded.session.clock.advance(STANDING_CHECK);
    flooded.session.replies.make(65_536);
    flooded.session.run(ms(500), echo);
    flooded.session.start_client();
    let call = flooded.session.call(b"next", ms(1000)).unwrap();
    flooded.session.run(ms(500), echo);
    assert_eq!(flooded.session.outcome(call).unwrap().unwrap(), reply_to(b"next"));
}

#[test]
fn what_was_read_for_want_of_room_is_heard_with_the_next_step_even_one_that_only_writes() {
    let mut session = Session::new(65_536, 1000, ms(1000));
    for at in 0..3_u8 {
        session.call(&[at], ms(1000)).unwrap();
    }
    session.step_client();
    let (now, ns) = (session.clock.now, session.clock.ns());
    let only_write = Directions { read: false, write: true };
    session.server().step(now, Directions::BOTH).unwrap();
    for at in 0..3_u8 {
        let asked = session.server().next_request(now, ns).unwrap();
        assert_eq!(asked.map(|asked| asked.message().to_vec()), Some(vec![at]));
        assert!(session.server().next_request(now, ns).unwrap().is_none(), "no room for more");
        session.server().step(now, only_write).unwrap();
    }
}

#[test]
fn what_no_client_may_say_takes_no_memory_of_a_server_that_refuses() {
    for (kind, size) in [(Kind::Reply, 8000), (Kind::Failure, 2000), (Kind::Pong, 60)] {
        let mut flooded = Flooded::new();
        let limits = Limits { bytes: LIMIT, requests: 10, parks: false };
        flooded.session.limit_server(limits);
        flooded.flood(&frame(kind, false, 1, &vec![7; size]), 2000);
        assert_eq!(flooded.session.server().link().waiting(), 0);
        flooded.assert_alive();
    }
}
