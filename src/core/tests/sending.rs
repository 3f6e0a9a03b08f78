//! Sending: accepted to the last byte, or a failure that says what became of the message.

use super::*;
use crate::core::retry::STANDING_CHECK;
use crate::error::{ErrorKind, Fate, Phase, Progress};
use crate::framing::Lines;

/// A sender alone on a pipe of `capacity` that has a reader, which may be dropped.
fn alone(capacity: usize) -> (Sending<Native>, Receiving<Native>) {
    let place = Place::with_pipe(capacity);
    let receiving = Receiving::new(place.clone(), Native::default(), 1 << 20, EndOfWriters::Wait);
    (Sending::new(place, Native::default(), ALONE, ms(1000)), receiving)
}

fn done(step: Result<Step<()>>) -> bool {
    matches!(step, Ok(Step::Done(())))
}

#[test]
fn a_send_is_done_once_every_byte_is_accepted_and_not_before() {
    let (mut sending, mut receiving) = alone(1000);
    let message = noise(3000);
    let mut steps = 0;
    while !done(sending.send(&message, Deadline::NEVER)) {
        assert_eq!(receiving.next().unwrap(), None, "some bytes are still to be accepted");
        steps += 1;
    }
    assert_eq!(steps, 3);
    assert_eq!(receiving.next().unwrap().unwrap(), message);
}

#[test]
fn an_empty_message_is_a_message() {
    let (mut sending, mut receiving) = alone(4096);
    assert!(done(sending.send(b"", Deadline::NEVER)));
    assert_eq!(receiving.next().unwrap().unwrap(), b"");
}

#[test]
fn a_deadline_midway_is_write_stalled_with_progress_and_maybe_delivered() {
    let (mut sending, receiving) = alone(1000);
    let deadline = sending.deadline(ms(500));
    let message = noise(100_000);
    let Ok(Step::Wait(wait)) = sending.send(&message, deadline) else { panic!("it cannot fit") };
    assert!(wait.writable && !wait.readable);
    sending.clock.advance(ms(500));
    let error = sending.send(&message, deadline).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::WriteStalled, Phase::Write));
    assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
    let Some(Progress { written, total }) = error.progress() else { panic!("no progress") };
    assert_eq!(written, 1000);
    assert!(total >= 100_000);
    assert_eq!(sending.outgoing.stats().poisoned, 1);
    assert!(!receiving.place.pipe().has_writer(), "the end is closed until the next call");
}

#[test]
fn what_was_cut_midway_is_never_delivered_and_the_next_life_is() {
    let (mut sending, mut receiving) = alone(1000);
    let deadline = sending.deadline(ms(500));
    let message = noise(1800);
    assert!(!done(sending.send(&message, deadline)));
    sending.clock.advance(ms(500));
    sending.send(&message, deadline).unwrap_err();
    while !done(sending.send(b"next", Deadline::NEVER)) {
        assert_eq!(receiving.next().unwrap(), None);
    }
    assert_eq!(receiving.next().unwrap().unwrap(), b"next");
}

#[test]
fn a_life_that_was_cut_ends_its_epoch() {
    let (mut sending, receiving) = alone(1000);
    let pipe = receiving.place.pipe();
    assert!(!done(sending.send(&noise(1800), Deadline::NEVER)));
    let before = epoch_in(&pipe.take(1000));
    let deadline = Deadline::at(sending.clock.now);
    pipe.script_writes([0]);
    sending.send(&noise(1800), deadline).unwrap_err();
    assert!(done(sending.send(b"next", Deadline::NEVER)));
    assert_ne!(epoch_in(&pipe.take(20)), before);
}

#[test]
fn a_deadline_before_the_first_byte_is_not_sent_and_poisons_nothing() {
    let (mut sending, mut receiving) = alone(1000);
    receiving.place.pipe().put(&[b'x'; 1000]);
    let deadline = sending.deadline(ms(500));
    assert!(!done(sending.send(b"message", deadline)));
    sending.clock.advance(ms(500));
    let error = sending.send(b"message", deadline).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::WriteStalled, Some(Fate::NotSent)));
    assert_eq!(error.progress().unwrap().written, 0);
    assert_eq!(sending.outgoing.stats().poisoned, 0);
    assert!(receiving.place.pipe().has_writer());
    receiving.place.pipe().take(1000);
    assert!(done(sending.send(b"next", Deadline::NEVER)));
    assert_eq!(receiving.all(), [b"next"], "what timed out is never delivered later");
}

#[test]
fn a_stall_ends_a_send_before_its_deadline() {
    let (mut sending, _receiving) = alone(1000);
    let deadline = sending.deadline(ms(30_000));
    let message = noise(5000);
    let started = sending.clock.now;
    let error = loop {
        match sending.send(&message, deadline) {
            Ok(Step::Wait(wait)) => sending.clock.now = wait.until.instant().unwrap(),
            Ok(Step::Done(())) => panic!("nobody reads"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WriteStalled);
    assert_eq!(sending.clock.now - started, ms(1000));
}

#[test]
fn a_reader_that_takes_a_byte_at_a_time_is_slow_and_not_stalled() {
    let (mut sending, _receiving) = alone(1000);
    let deadline = sending.deadline(ms(60_000));
    let message = noise(1030);
    assert!(!done(sending.send(&message, deadline)));
    for _ in 0..50 {
        // Nearly the whole stall, again and again.
        sending.clock.advance(ms(999));
        sending.place.pipe().take(1);
        assert!(sending.send(&message, deadline).is_ok());
    }
    sending.clock.advance(ms(60_000));
    let error = sending.send(&message, deadline).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteStalled, "the total holds for the slow too");
}

#[test]
fn a_reader_that_leaves_before_the_first_byte_is_awaited_anew() {
    let (mut sending, receiving) = alone(4096);
    assert!(done(sending.send(b"first", Deadline::NEVER)));
    let place = receiving.place.clone();
    drop(receiving);
    let deadline = sending.deadline(ms(100));
    let Ok(Step::Wait(wait)) = sending.send(b"second", deadline) else { panic!("nobody reads") };
    assert!(wait.until.instant().unwrap() < sending.clock.now + ms(10), "an attempt follows soon");
    let mut receiving = Receiving::new(place, Native::default(), 100, EndOfWriters::Wait);
    assert!(done(sending.send(b"second", deadline)));
    assert_eq!(receiving.all(), [b"second"]);
    assert_eq!(sending.outgoing.stats().reconnects, 1);
}

#[test]
fn a_reader_that_does_not_come_back_is_no_reader_and_not_sent() {
    let (mut sending, receiving) = alone(4096);
    assert!(done(sending.send(b"first", Deadline::NEVER)));
    drop(receiving);
    let deadline = sending.deadline(ms(100));
    assert!(!done(sending.send(b"second", deadline)));
    sending.clock.advance(ms(100));
    let error = sending.send(b"second", deadline).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::NoReader, Some(Fate::NotSent)));
}

#[test]
fn a_reader_that_leaves_midway_is_peer_closed_and_maybe_delivered() {
    let (mut sending, receiving) = alone(1000);
    let message = noise(5000);
    assert!(!done(sending.send(&message, Deadline::NEVER)));
    drop(receiving);
    let error = sending.send(&message, Deadline::NEVER).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered)));
    assert_eq!(error.progress().unwrap().written, 1000);
}

#[test]
fn a_fifo_that_was_replaced_between_messages_is_left_for_the_new_one() {
    let (mut sending, receiving) = alone(4096);
    assert!(done(sending.send(b"old", Deadline::NEVER)));
    let new = receiving.place.make(4096);
    let mut receiving =
        Receiving::new(receiving.place.clone(), Native::default(), 100, EndOfWriters::Wait);
    sending.clock.advance(STANDING_CHECK);
    assert!(done(sending.send(b"new", Deadline::NEVER)));
    assert!(new.has_writer());
    assert_eq!(receiving.all(), [b"new"]);
}

#[test]
fn a_fifo_that_was_replaced_within_a_message_is_an_error() {
    let (mut sending, receiving) = alone(1000);
    let message = noise(5000);
    assert!(!done(sending.send(&message, Deadline::NEVER)));
    receiving.place.make(4096);
    sending.clock.advance(STANDING_CHECK);
    let error = sending.send(&message, Deadline::NEVER).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Replaced, Some(Fate::MaybeDelivered)));
}

#[test]
fn a_fifo_that_was_unlinked_works_for_the_ends_that_have_it() {
    let (mut sending, mut receiving) = alone(4096);
    assert!(done(sending.send(b"one", Deadline::NEVER)));
    receiving.place.unlink();
    sending.clock.advance(STANDING_CHECK);
    assert!(done(sending.send(b"two", Deadline::NEVER)));
    assert_eq!(receiving.all(), [b"one", b"two"]);
}

#[test]
fn a_message_that_cannot_be_framed_is_refused_before_the_first_byte() {
    let place = Place::with_pipe(65_536);
    let _reader = place.pipe().reader(&place);
    let mut sending = Sending::new(place, Lines::default(), SHARED, ms(1000));
    for (message, kind) in [
        (&b"two\nlines"[..], ErrorKind::Codec),
        (&[b'x'; 4096], ErrorKind::WouldTear),
        (&[b'x'; 100_000], ErrorKind::WouldTear),
    ] {
        let error = sending.send(message, Deadline::NEVER).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (kind, Phase::Encode));
        assert_eq!(error.fate(), Some(Fate::NotSent));
    }
    assert!(done(sending.send(&[b'x'; 4095], Deadline::NEVER)), "this one fits, newline included");
    assert_eq!(sending.place.pipe().written(), [4096]);
}

#[test]
fn a_step_writes_a_bounded_amount_and_comes_back_at_once() {
    let (mut sending, receiving) = alone(4096);
    receiving.place.pipe().write_at_most(1);
    let Ok(Step::Wait(wait)) = sending.send(&noise(1000), Deadline::NEVER) else { panic!() };
    assert!(wait.until.passed(sending.clock.now), "there is room now");
    let deadline = Deadline::at(sending.clock.now);
    let error = sending.send(&noise(1000), deadline).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteStalled, "the deadline holds in between");
}

/// The epoch of the frame at the start of `bytes`.
fn epoch_in(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[12..20].try_into().unwrap())
}
