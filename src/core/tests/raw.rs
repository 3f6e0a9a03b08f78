//! Bytes without frames: as they come, to the end of their own FIFO and no further.

use super::*;
use crate::core::raw::{RawReading, RawWriting, Unopened};
use crate::core::script::{Pipe, ReadEnd, Ready};
use crate::error::{Error, ErrorKind};
use crate::pipe::Refusal;

const STALL: Duration = ms(500);

struct Reading {
    clock: Clock,
    place: Place,
    raw: RawReading<ReadOpener>,
}

impl Reading {
    fn new(on_end: EndOfWriters) -> Self {
        let (clock, place) = (Clock::new(), Place::with_pipe(65_536));
        let mut unopened = Unopened::new(place.reader());
        let Ok(Step::Done(end)) = unopened.step(clock.now, Deadline::NEVER) else {
            panic!("it is there")
        };
        let raw = RawReading::new(unopened.into_opener(), end, on_end, clock.now);
        Self { clock, place, raw }
    }

    /// What a read gives now; `None` where it waits.
    fn read(&mut self) -> Result<Option<Vec<u8>>> {
        let mut buffer = [0; 16];
        let step = self.raw.step(&mut buffer, self.clock.now, Deadline::NEVER)?;
        Ok(match step {
            Step::Done(count) => Some(buffer[..count].to_vec()),
            Step::Wait(_) => None,
        })
    }

    fn wait(&mut self, deadline: Deadline) -> Result<Step<usize>> {
        self.raw.step(&mut [0; 16], self.clock.now, deadline)
    }
}

struct Writing {
    clock: Clock,
    place: Place,
    raw: RawWriting<WriteOpener>,
    _reader: ReadEnd,
}

impl Writing {
    fn new(capacity: usize) -> Self {
        Self::with_stall(capacity, STALL)
    }

    fn with_stall(capacity: usize, stall: Duration) -> Self {
        let (clock, place) = (Clock::new(), Place::with_pipe(capacity));
        let _reader = place.pipe().reader(&place);
        let mut unopened = Unopened::new(place.writer());
        let Ok(Step::Done(end)) = unopened.step(clock.now, Deadline::NEVER) else {
            panic!("somebody reads")
        };
        let raw = RawWriting::new(unopened.into_opener(), end, stall, clock.now);
        Self { clock, place, raw, _reader }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<Step<usize>> {
        self.raw.step(bytes, self.clock.now)
    }

    /// Writes until there is no more room.
    fn fill(&mut self) -> Pipe {
        while matches!(self.write(&[0; 100]), Ok(Step::Done(_))) {}
        self.place.pipe()
    }
}

fn kind<T: std::fmt::Debug>(answer: Result<T>) -> ErrorKind {
    answer.map_err(|error: Error| error.kind()).unwrap_err()
}

#[test]
fn an_end_is_opened_once_it_can_be() {
    let (clock, place) = (Clock::new(), Place::with_pipe(100));
    place.refuse([Refusal::NoReader]);
    let mut unopened = Unopened::new(place.writer());
    let deadline = Deadline::after(clock.now, ms(10));
    let Ok(Step::Wait(wait)) = unopened.step(clock.now, deadline) else { panic!("refused") };
    assert!(!wait.until.passed(clock.now));
    assert_eq!(kind(unopened.step(clock.now + ms(10), deadline)), ErrorKind::NoReader);
}

#[test]
fn bytes_come_as_they_are_and_zero_is_the_end() {
    let mut reading = Reading::new(EndOfWriters::End);
    assert_eq!(reading.read().unwrap(), None, "no writer yet is not the end");
    let writer = reading.place.pipe().writer(&reading.place);
    assert_eq!(reading.read().unwrap(), None);
    reading.place.pipe().put(b"plain bytes, of no frame");
    assert_eq!(reading.read().unwrap().unwrap(), b"plain bytes, of ");
    drop(writer);
    assert_eq!(reading.read().unwrap().unwrap(), b"no frame");
    assert_eq!(reading.read().unwrap().unwrap(), b"");
}

#[test]
fn where_the_end_is_to_be_waited_over_the_next_writer_goes_on() {
    let mut reading = Reading::new(EndOfWriters::Wait);
    drop(reading.place.pipe().writer(&reading.place));
    assert_eq!(reading.read().unwrap(), None);
    assert!(!reading.raw.end().is_ready(), "quiet again");
    let _next = reading.place.pipe().writer(&reading.place);
    reading.place.pipe().put(b"next");
    assert_eq!(reading.read().unwrap().unwrap(), b"next");
}

#[test]
fn a_path_that_names_another_fifo_is_an_error_and_one_that_names_none_is_not() {
    let mut reading = Reading::new(EndOfWriters::Wait);
    reading.place.unlink();
    reading.clock.advance(ms(100));
    assert_eq!(reading.read().unwrap(), None);
    reading.place.make(100);
    reading.clock.advance(ms(100));
    assert_eq!(kind(reading.read()), ErrorKind::Replaced);

    let mut writing = Writing::new(1000);
    writing.fill();
    writing.place.make(100);
    writing.clock.advance(ms(100));
    assert_eq!(kind(writing.write(b"more")), ErrorKind::Replaced);
}

#[test]
fn silence_ends_at_the_deadline_and_says_whose_it_is() {
    let mut reading = Reading::new(EndOfWriters::Wait);
    let deadline = Deadline::after(reading.clock.now, ms(50));
    assert!(matches!(reading.wait(deadline), Ok(Step::Wait(_))));
    reading.clock.advance(ms(50));
    assert_eq!(kind(reading.wait(deadline)), ErrorKind::NoWriter);
    let _writer = reading.place.pipe().writer(&reading.place);
    assert_eq!(kind(reading.wait(deadline)), ErrorKind::TimedOut);
}

#[test]
fn a_write_waits_for_room_and_fails_once_no_byte_moves() {
    let mut writing = Writing::new(1000);
    let pipe = writing.fill();
    let Ok(Step::Wait(wait)) = writing.write(b"more") else { panic!("it is full") };
    assert!(wait.writable && !wait.readable);
    pipe.take(500);
    assert!(matches!(writing.write(b"more"), Ok(Step::Done(4))));
    writing.fill();
    let began = writing.clock.now;
    let stalled = loop {
        match writing.write(b"more") {
            Ok(Step::Wait(_)) => writing.clock.advance(ms(80)),
            Ok(Step::Done(_)) => panic!("it is full"),
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(stalled, ErrorKind::WriteStalled);
    assert!(writing.clock.now - began <= STALL + ms(80));
}

#[test]
fn looking_after_the_path_is_waiting_too_however_long_the_stall_may_be() {
    let stall = ms(5000);
    let mut writing = Writing::with_stall(1000, stall);
    writing.fill();
    let began = writing.clock.now;
    // Only time passes: no write is tried until the stall is over.
    while let Some(wait) = writing.raw.look(writing.clock.now) {
        assert!(wait.writable);
        writing.clock.advance(ms(80));
        assert!(writing.clock.now - began <= stall + ms(80), "it never ends");
    }
    assert_eq!(kind(writing.write(b"more")), ErrorKind::WriteStalled);
}

#[test]
fn a_write_that_was_given_up_long_ago_takes_no_time_from_the_next() {
    let mut writing = Writing::new(1000);
    writing.fill();
    writing.clock.advance(ms(5000));
    assert!(matches!(writing.write(b"another"), Ok(Step::Wait(_))));
}

#[test]
fn a_write_without_a_reader_fails_at_once() {
    let (clock, place) = (Clock::new(), Place::with_pipe(1000));
    let reader = place.pipe().reader(&place);
    let mut unopened = Unopened::new(place.writer());
    let Ok(Step::Done(end)) = unopened.step(clock.now, Deadline::NEVER) else { panic!() };
    let mut raw = RawWriting::new(unopened.into_opener(), end, STALL, clock.now);
    drop(reader);
    assert_eq!(kind(raw.step(b"x", clock.now)), ErrorKind::PeerClosed);
}

#[test]
fn nothing_asked_for_is_nothing_waited_for() {
    let mut reading = Reading::new(EndOfWriters::Wait);
    let now = reading.clock.now;
    assert!(matches!(reading.raw.step(&mut [], now, Deadline::NEVER), Ok(Step::Done(0))));
    let mut writing = Writing::new(10);
    writing.fill();
    assert!(matches!(writing.write(&[]), Ok(Step::Done(0))));
}

#[test]
fn bytes_that_moved_are_counted_and_so_are_the_reads_and_writes_that_moved_them() {
    let mut reading = Reading::new(EndOfWriters::Wait);
    assert_eq!(reading.read().unwrap(), None);
    for bytes in [&b"one"[..], b"three"] {
        let writer = reading.place.pipe().writer(&reading.place);
        reading.place.pipe().put(bytes);
        drop(writer);
        assert_eq!(reading.read().unwrap().unwrap(), bytes);
        assert_eq!(reading.read().unwrap(), None, "the next writer is awaited");
    }
    let stats = reading.raw.stats();
    assert_eq!((stats.bytes, stats.reads, stats.reopened), (8, 2, 2));

    let mut writing = Writing::new(1000);
    for bytes in [&[0; 600][..], &[0; 600], &[0; 600], &[]] {
        writing.write(bytes).unwrap();
    }
    let stats = writing.raw.stats();
    assert_eq!((stats.bytes, stats.writes), (1000, 2), "the third found no room");
}
