//! Receiving: what is there comes out, and silence is named for what it is.

use super::*;
use crate::error::{ErrorKind, Phase};

#[test]
fn silence_without_a_writer_is_no_writer_at_the_deadline() {
    let mut receiving = Receiving::native();
    let deadline = Deadline::after(receiving.clock.now, ms(100));
    let wait = receiving.step(deadline).unwrap().unwrap_err();
    assert!(wait.readable && !wait.writable);
    receiving.clock.advance(ms(100));
    let error = receiving.step(deadline).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::NoWriter, Phase::Read));
}

#[test]
fn silence_of_a_writer_is_timed_out() {
    let mut receiving = Receiving::native();
    let _writer = receiving.place.pipe().writer(&receiving.place);
    let deadline = Deadline::after(receiving.clock.now, ms(100));
    assert!(receiving.step(deadline).unwrap().is_err());
    receiving.clock.advance(ms(100));
    assert_eq!(receiving.step(deadline).unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn silence_after_the_writers_left_is_timed_out_too() {
    let mut receiving = Receiving::native();
    drop(receiving.place.pipe().writer(&receiving.place));
    let deadline = Deadline::after(receiving.clock.now, ms(100));
    assert!(receiving.step(deadline).unwrap().is_err());
    receiving.clock.advance(ms(100));
    assert_eq!(receiving.step(deadline).unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn a_writer_that_came_and_left_during_the_exchange_of_descriptors_has_left() {
    let mut receiving = Receiving::native();
    // Its bytes are there, and no departure is reported: the descriptor is younger.
    receiving.place.pipe().put(&framed(Native::default(), 1, SHARED, &[b"last"]));
    assert_eq!(receiving.next().unwrap().unwrap(), b"last");
    let deadline = Deadline::at(receiving.clock.now);
    let error = receiving.step(deadline).unwrap_err();
    assert_eq!(
        (error.kind(), error.detail()),
        (ErrorKind::TimedOut, Some("the last writer has left"))
    );
}

#[test]
fn silence_under_a_path_that_is_gone_is_not_found() {
    let mut receiving = Receiving::native();
    receiving.place.unlink();
    receiving.clock.advance(ms(100));
    let deadline = Deadline::at(receiving.clock.now);
    assert_eq!(receiving.step(deadline).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_message_that_is_there_is_received_behind_the_deadline() {
    let mut receiving = Receiving::native();
    receiving.place.pipe().put(&framed(Native::default(), 1, SHARED, &[b"here"]));
    let deadline = Deadline::at(receiving.clock.now);
    receiving.clock.advance(ms(100));
    assert_eq!(receiving.step(deadline).unwrap().unwrap(), b"here");
}

#[test]
fn two_messages_of_one_write_come_out_without_another_read() {
    let mut receiving = Receiving::native();
    let pipe = receiving.place.pipe();
    let _writer = pipe.writer(&receiving.place);
    pipe.put(&framed(Native::default(), 1, SHARED, &[b"one", b"two"]));
    assert_eq!(receiving.next().unwrap().unwrap(), b"one");
    // From here on a read would show these bytes.
    pipe.put(b"unread");
    assert_eq!(receiving.step(Deadline::NEVER).unwrap().unwrap(), b"two");
    assert_eq!(pipe.len(), 6);
}

#[test]
fn a_wait_that_was_abandoned_loses_nothing() {
    let mut receiving = Receiving::native();
    let bytes = framed(Native::default(), 1, SHARED, &[b"in two halves"]);
    let _writer = receiving.place.pipe().writer(&receiving.place);
    receiving.place.pipe().put(&bytes[..20]);
    for _ in 0..3 {
        assert!(receiving.step(Deadline::NEVER).unwrap().is_err());
    }
    receiving.place.pipe().put(&bytes[20..]);
    assert_eq!(receiving.next().unwrap().unwrap(), b"in two halves");
}

#[test]
fn the_deadline_holds_against_a_peer_that_sends_parts_for_ever() {
    let mut receiving = Receiving::native();
    let pipe = receiving.place.pipe();
    let _writer = pipe.writer(&receiving.place);
    pipe.read_at_most(1000);
    let endless = framed(Native::default(), 1, SHARED, &[&noise(900_000)]);
    let deadline = Deadline::after(receiving.clock.now, ms(10));
    let mut sent = 0;
    let ended = (0..1000).find_map(|_| {
        let end = endless.len().min(sent + 50_000);
        pipe.put(&endless[sent..end]);
        sent = if end == endless.len() { 0 } else { end };
        receiving.clock.advance(ms(1));
        // The last part never comes: the message starts over.
        receiving.step(deadline).err().map(|error| (error.kind(), receiving.clock.now))
    });
    assert_eq!(ended, Some((ErrorKind::TimedOut, deadline.instant().unwrap())));
}

#[test]
fn the_deadline_holds_against_a_peer_that_sends_garbage_for_ever() {
    let mut receiving = Receiving::native();
    let pipe = receiving.place.pipe();
    let _writer = pipe.writer(&receiving.place);
    pipe.read_at_most(100);
    let deadline = Deadline::after(receiving.clock.now, ms(3));
    let steps = (0..100).take_while(|_| {
        pipe.put(&[b'x'; 10_000]);
        receiving.clock.advance(ms(1));
        receiving.step(deadline).is_ok()
    });
    assert_eq!(steps.count(), 2);
}

#[test]
fn a_step_reads_a_bounded_amount_and_comes_back_at_once() {
    let mut receiving = Receiving::native();
    let pipe = receiving.place.pipe();
    pipe.read_at_most(1);
    pipe.put(&framed(Native::default(), 1, SHARED, &[&noise(100)]));
    let wait = receiving.step(Deadline::NEVER).unwrap().unwrap_err();
    assert!(wait.until.passed(receiving.clock.now), "there is more to read now");
    assert_eq!(receiving.next().unwrap().unwrap(), noise(100));
}
