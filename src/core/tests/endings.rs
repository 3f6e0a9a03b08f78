//! The last writer leaves, or the path names another FIFO.

use super::*;
use crate::core::retry::STANDING_CHECK;
use crate::core::script::Ready;
use crate::error::ErrorKind;
use crate::framing::Lines;

fn ending() -> Receiving<Native> {
    Receiving::new(Place::with_pipe(65_536), Native::default(), 1 << 20, EndOfWriters::End)
}

#[test]
fn after_the_last_writer_left_a_receiver_waits_without_spinning() {
    let mut receiving = Receiving::native();
    drop(receiving.place.pipe().writer(&receiving.place));
    let wait = receiving.step(Deadline::NEVER).unwrap().unwrap_err();
    assert!(wait.readable && !wait.until.passed(receiving.clock.now));
    assert!(!receiving.incoming.end().unwrap().is_ready(), "the departure is no longer reported");
    assert_eq!(receiving.incoming.stats().renewals, 1);
}

#[test]
fn a_silence_after_the_last_writer_left_says_so() {
    let mut receiving = Receiving::native();
    drop(receiving.place.pipe().writer(&receiving.place));
    let error = receiving.step(Deadline::at(receiving.clock.now)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(error.detail(), Some("the last writer has left"));
    // The next writer is there, and silent.
    let _writer = receiving.place.pipe().writer(&receiving.place);
    let error = receiving.step(Deadline::at(receiving.clock.now)).unwrap_err();
    assert_eq!((error.kind(), error.detail()), (ErrorKind::TimedOut, None));
}

#[test]
fn a_silence_after_bytes_that_are_no_message_says_so() {
    let mut receiving = Receiving::native().with_writer();
    receiving.place.pipe().put(b"restart\n");
    let error = receiving.step(Deadline::at(receiving.clock.now)).unwrap_err();
    assert_eq!(error.detail(), Some("8 bytes came that are no message"));
    receiving.place.pipe().put(&framed(Native::default(), 1, SHARED, &[b"restart"]));
    assert_eq!(receiving.next().unwrap().unwrap(), b"restart");
    let error = receiving.step(Deadline::at(receiving.clock.now)).unwrap_err();
    assert_eq!((error.kind(), error.detail()), (ErrorKind::TimedOut, None));
}

#[test]
fn the_next_writer_is_heard_by_an_end_that_was_renewed() {
    let mut receiving = Receiving::native();
    drop(receiving.place.pipe().writer(&receiving.place));
    assert_eq!(receiving.next().unwrap(), None);
    let _writer = receiving.place.pipe().writer(&receiving.place);
    receiving.place.pipe().put(&framed(Native::default(), 2, SHARED, &[b"next"]));
    assert_eq!(receiving.next().unwrap().unwrap(), b"next");
}

#[test]
fn a_departure_under_a_path_that_is_gone_is_waited_out_without_spinning() {
    let mut receiving = Receiving::native();
    let writer = receiving.place.pipe().writer(&receiving.place);
    receiving.place.unlink();
    drop(writer);
    let wait = receiving.step(Deadline::NEVER).unwrap().unwrap_err();
    assert!(!wait.readable, "the departure stays latched: readable would be at once");
    assert!(!wait.until.passed(receiving.clock.now));
    // What the path names next is found.
    receiving.place.make(65_536).put(&framed(Native::default(), 1, SHARED, &[b"next"]));
    receiving.clock.now = wait.until.instant().unwrap();
    assert_eq!(receiving.next().unwrap().unwrap(), b"next");
}

#[test]
fn end_of_writers_ends_the_stream_once_everything_is_read() {
    let mut receiving = ending();
    let writer = receiving.place.pipe().writer(&receiving.place);
    receiving.place.pipe().put(&framed(Native::default(), 1, SHARED, &[b"last"]));
    drop(writer);
    assert_eq!(receiving.next().unwrap().unwrap(), b"last");
    for _ in 0..3 {
        assert_eq!(receiving.next().unwrap_err().kind(), ErrorKind::PeerClosed);
    }
}

#[test]
fn an_end_before_the_first_writer_is_none() {
    let mut receiving = ending();
    assert_eq!(receiving.next().unwrap(), None);
}

#[test]
fn a_stream_that_ends_inside_a_message_is_torn_once_and_closed_from_then_on() {
    let bytes = framed(Native::default(), 1, SHARED, &[&noise(10_000)]);
    for cut in [1, 3, 40, 4096, 5000, bytes.len() - 1] {
        let mut receiving = ending();
        let writer = receiving.place.pipe().writer(&receiving.place);
        receiving.place.pipe().put(&bytes[..cut]);
        drop(writer);
        assert_eq!(receiving.next().unwrap_err().kind(), ErrorKind::Torn, "cut at {cut}");
        assert_eq!(receiving.next().unwrap_err().kind(), ErrorKind::PeerClosed);
        assert_eq!(receiving.incoming.stats().torn, 1);
    }
}

#[test]
fn an_end_of_file_ends_no_line() {
    let place = Place::with_pipe(65_536);
    let mut receiving = Receiving::new(place, Lines::default(), 100, EndOfWriters::End);
    let writer = receiving.place.pipe().writer(&receiving.place);
    receiving.place.pipe().put(b"whole\nrm -rf /tmp/x");
    drop(writer);
    assert_eq!(receiving.next().unwrap().unwrap(), b"whole");
    assert_eq!(receiving.next().unwrap_err().kind(), ErrorKind::Torn);
}

#[test]
fn a_fifo_that_was_replaced_is_left_for_the_new_one() {
    let mut receiving = Receiving::native();
    let old = receiving.place.pipe();
    assert_eq!(receiving.next().unwrap(), None);
    let new = receiving.place.make(65_536);
    new.put(&framed(Native::default(), 1, SHARED, &[b"new"]));
    receiving.clock.advance(STANDING_CHECK);
    assert_eq!(receiving.next().unwrap().unwrap(), b"new");
    assert!(!old.has_reader());
    assert_eq!(receiving.incoming.stats().replaced, 1);
}

#[test]
fn a_replaced_fifo_is_read_to_its_end_first() {
    let mut receiving = Receiving::native();
    receiving.place.pipe().put(&framed(Native::default(), 1, SHARED, &[b"old"]));
    receiving.place.make(65_536).put(&framed(Native::default(), 1, SHARED, &[b"new"]));
    receiving.clock.advance(STANDING_CHECK);
    assert_eq!(receiving.all(), [b"old", b"new"]);
}

#[test]
fn what_a_replaced_fifo_left_unfinished_is_not_continued_by_the_new_one() {
    let place = Place::with_pipe(65_536);
    let mut receiving = Receiving::new(place, Lines::default(), 100, EndOfWriters::Wait);
    receiving.place.pipe().put(b"rm -rf ");
    assert_eq!(receiving.next().unwrap(), None);
    receiving.place.make(65_536).put(b"/tmp/x\n");
    receiving.clock.advance(STANDING_CHECK);
    // The first line of the new FIFO is its own and nothing else's.
    assert_eq!(receiving.all(), [b"/tmp/x"]);
    assert_eq!(receiving.incoming.stats().torn, 1);
}

#[test]
fn a_waiting_end_looks_after_its_path_in_time() {
    let mut receiving = Receiving::native();
    let wait = receiving.step(Deadline::NEVER).unwrap().unwrap_err();
    let next = wait.until.instant().unwrap();
    assert!(next > receiving.clock.now && next <= receiving.clock.now + STANDING_CHECK);
}

#[test]
fn a_line_written_in_pieces_between_which_the_fifo_was_closed_is_one_message() {
    let place = Place::with_pipe(65_536);
    let mut receiving = Receiving::new(place, Lines::default(), 100_000, EndOfWriters::Wait);
    let pipe = receiving.place.pipe();
    let line = vec![b'x'; 20_000];
    for piece in line.chunks(4096).chain([&b"\n"[..]]) {
        assert!(receiving.all().is_empty());
        let writer = pipe.writer(&receiving.place);
        pipe.put(piece);
        drop(writer);
    }
    assert_eq!(receiving.all(), [line]);
    assert_eq!(receiving.incoming.stats().torn, 0);
}
