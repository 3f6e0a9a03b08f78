//! The core over scripted pipes, under a virtual clock: no descriptor, no sleep.

mod batches;
mod calls;
mod cancels;
mod closings;
mod counters;
mod damage;
mod departures;
mod directions;
mod endings;
mod evictions;
mod floods;
mod keys;
mod limits;
mod notifications;
mod opening;
mod outbox;
mod places;
mod raw;
mod receiving;
mod reconnecting;
mod retries;
mod sending;
mod session;
mod splitting;
mod streams;
mod streams_under_fire;

use std::time::Duration;

use super::messages::Message;
use super::recv::{EndOfWriters, Incoming};
use super::script::{Clock, Place, ReadOpener, WriteEnd, WriteOpener};
use super::send::Outgoing;
use super::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::framing::{Encoded, Framing, Native, Room};

/// Milliseconds.
const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// What an end that is held alone writes, and one that is shared.
const ALONE: Room = Room { bytes: super::wire::MAX_FRAME, shared: false };
const SHARED: Room = Room { bytes: 4096, shared: true };

/// The bytes of `messages`, each in units of its own.
fn framed<F: Framing>(mut framing: F, epoch: u64, room: Room, messages: &[&[u8]]) -> Vec<u8> {
    framing.begin(epoch);
    let mut bytes = Vec::new();
    for message in messages {
        let mut from = 0;
        loop {
            let mut unit = Vec::new();
            let encoded = framing.encode(message, from, &mut unit, room).unwrap();
            framing.finish(&mut unit);
            bytes.extend(unit);
            match encoded {
                Encoded::Whole => break,
                Encoded::Until(end) => from = end,
            }
        }
    }
    bytes
}

/// A receiver, its clock and its pipe.
struct Receiving<F> {
    clock: Clock,
    place: Place,
    incoming: Incoming<ReadOpener, F>,
    /// Somebody who has the pipe open for writing.
    writer: Option<WriteEnd>,
}

impl Receiving<Native> {
    fn native() -> Self {
        Self::new(Place::with_pipe(65_536), Native::default(), 1 << 20, EndOfWriters::Wait)
    }
}

impl<F: Framing> Receiving<F> {
    fn new(place: Place, framing: F, limit: usize, on_end: EndOfWriters) -> Self {
        let incoming = Incoming::new(place.reader(), framing, limit, on_end);
        let mut receiving = Self { clock: Clock::new(), place, incoming, writer: None };
        if receiving.place.exists() {
            let opened = receiving.incoming.step_open(receiving.clock.now, Deadline::NEVER);
            assert!(matches!(opened, Ok(Step::Done(()))));
        }
        receiving
    }

    /// Has somebody hold the pipe open for writing.
    fn with_writer(mut self) -> Self {
        self.writer = Some(self.place.pipe().writer(&self.place));
        self
    }

    /// One step: a message, what to wait for, or an error.
    fn step(&mut self, deadline: Deadline) -> Result<Result<Vec<u8>, Wait>> {
        match self.incoming.step(self.clock.now, deadline)? {
            Step::Wait(wait) => Ok(Err(wait)),
            Step::Done(found) => Ok(Ok(match self.incoming.message(found) {
                Message::Borrowed(bytes) => bytes.to_vec(),
                Message::Owned(bytes) => std::mem::take(bytes),
            })),
        }
    }

    /// The next message that is there, without the clock moving.
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            match self.step(Deadline::NEVER)? {
                Ok(message) => return Ok(Some(message)),
                Err(wait) if wait.until.passed(self.clock.now) => {}
                Err(_) => return Ok(None),
            }
        }
    }

    /// All messages that are there; errors on the way are left out.
    fn all(&mut self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        loop {
            match self.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return messages,
                Err(_) => {}
            }
        }
    }
}

/// A sender, its clock and its pipe.
struct Sending<F> {
    clock: Clock,
    place: Place,
    outgoing: Outgoing<WriteOpener, F>,
    /// Whether the message at hand is framed to its end.
    fed: bool,
}

impl<F: Framing> Sending<F> {
    fn new(place: Place, framing: F, room: Room, stall: Duration) -> Self {
        let outgoing = Outgoing::new(place.writer(), framing, room, stall, epoch);
        Self { clock: Clock::new(), place, outgoing, fed: false }
    }

    fn feed(&mut self, message: &[u8], deadline: Deadline) -> Result<Step<()>> {
        self.outgoing.step_feed(message, self.clock.now, deadline)
    }

    fn flush(&mut self, deadline: Deadline) -> Result<Step<()>> {
        self.outgoing.step_flush(self.clock.now, deadline)
    }

    /// One step of sending a message; the same is given until it is done or has failed.
    fn send(&mut self, message: &[u8], deadline: Deadline) -> Result<Step<()>> {
        if !std::mem::replace(&mut self.fed, true) {
            let fed = self.feed(message, deadline);
            self.fed = matches!(fed, Ok(Step::Done(())));
            if !self.fed {
                return fed;
            }
        }
        let flushed = self.flush(deadline);
        self.fed = matches!(flushed, Ok(Step::Wait(_)));
        flushed
    }

    fn deadline(&self, after: Duration) -> Deadline {
        Deadline::after(self.clock.now, after)
    }
}

/// A new epoch at every call, as the front ends draw one.
fn epoch() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    super::wire::epoch_from(NEXT.fetch_add(1, Ordering::Relaxed) * 0x0100_0001)
}

/// Bytes of which no two neighbourhoods look alike.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    })
    .take(len)
    .collect()
}
