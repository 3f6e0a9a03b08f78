//! Feeding and flushing: many messages in one write, and never a write that others could split.

use super::*;
use crate::error::{ErrorKind, Fate};
use crate::framing::Lines;

/// A sender and a receiver on a large pipe.
fn pair<F: Framing>(framing: F, room: Room) -> (Sending<F>, Receiving<F>) {
    let place = Place::with_pipe(1 << 20);
    let receiving = Receiving::new(place.clone(), framing.clone(), 1 << 20, EndOfWriters::Wait);
    (Sending::new(place, framing, room, ms(1000)), receiving)
}

fn done(step: Result<Step<()>>) {
    assert!(matches!(step, Ok(Step::Done(()))), "{step:?}");
}

#[test]
fn small_messages_of_a_batch_leave_in_one_write() {
    let (mut sending, mut receiving) = pair(Native::default(), SHARED);
    for _ in 0..10 {
        done(sending.feed(b"message", Deadline::NEVER));
    }
    assert_eq!(receiving.next().unwrap(), None, "a batch waits for the flush");
    done(sending.flush(Deadline::NEVER));
    assert_eq!(sending.place.pipe().written().len(), 1);
    assert_eq!(receiving.all(), [b"message"; 10]);
}

#[test]
fn a_flush_of_nothing_is_done_without_a_reader() {
    let place = Place::empty();
    let mut sending = Sending::new(place, Native::default(), SHARED, ms(1000));
    done(sending.flush(Deadline::NEVER));
    assert_eq!(sending.place.attempts(), 0);
}

#[test]
fn every_write_of_a_shared_end_is_atomic_and_holds_whole_frames() {
    let (mut sending, _receiving) = pair(Native::default(), SHARED);
    let pipe = sending.place.pipe();
    let messages: Vec<Vec<u8>> =
        [0, 1, 100, 4000, 4043, 4044, 4045, 4096, 9000, 50_000].map(noise).to_vec();
    for message in messages.iter().cycle().take(100) {
        done(sending.feed(message, Deadline::NEVER));
    }
    done(sending.flush(Deadline::NEVER));
    for size in pipe.written() {
        assert!(size <= 4096, "a write of {size} bytes");
        // Each write by itself is whole frames: read apart from the others, nothing is skipped.
        let mut reader =
            Receiving::new(Place::with_pipe(1), Native::default(), 1 << 20, EndOfWriters::Wait);
        reader.place.pipe().put(&pipe.take(size));
        reader.all();
        assert_eq!(reader.incoming.stats().skipped_bytes, 0);
        assert_eq!(reader.incoming.unread(), 0);
    }
}

#[test]
fn every_write_of_shared_lines_is_atomic_and_holds_whole_lines() {
    let (mut sending, _receiving) = pair(Lines::default(), SHARED);
    for len in (0..4096).step_by(61).chain([4095, 4094, 0, 1]) {
        done(sending.feed(&vec![b'x'; len], Deadline::NEVER));
    }
    done(sending.flush(Deadline::NEVER));
    for size in sending.place.pipe().written() {
        assert!(size <= 4096, "a write of {size} bytes");
        assert!(sending.place.pipe().take(size).ends_with(b"\n"));
    }
}

#[test]
fn messages_of_any_length_fed_in_any_order_arrive_in_order() {
    for room in [SHARED, ALONE] {
        let (mut sending, mut receiving) = pair(Native::default(), room);
        let lengths = [0, 5, 4043, 4044, 4045, 65_483, 65_484, 65_488, 65_489, 200_000, 3];
        let messages: Vec<Vec<u8>> = lengths.map(noise).to_vec();
        for message in &messages {
            done(sending.feed(message, Deadline::NEVER));
        }
        done(sending.flush(Deadline::NEVER));
        assert_eq!(receiving.all(), messages);
    }
}

#[test]
fn several_writers_that_share_a_pipe_keep_their_messages_whole() {
    let place = Place::with_pipe(1 << 20);
    let mut receiving =
        Receiving::new(place.clone(), Native::default(), 1 << 20, EndOfWriters::Wait);
    let mut senders: Vec<_> =
        (0..8).map(|_| Sending::new(place.clone(), Native::default(), SHARED, ms(1000))).collect();
    let message = noise(20_000);
    while !senders.is_empty() {
        senders.retain_mut(|sender| {
            // Every write of one is followed by a write of the next: no room in between.
            place.pipe().script_writes([4096, 0]);
            !matches!(sender.send(&message, Deadline::NEVER), Ok(Step::Done(())))
        });
    }
    let received = receiving.all();
    assert_eq!(received.len(), 8);
    assert!(received.iter().all(|received| *received == message));
    assert_eq!(receiving.incoming.stats().torn, 0);
}

#[test]
fn a_batch_that_fails_before_its_first_byte_is_not_sent_and_gone() {
    let (mut sending, mut receiving) = pair(Native::default(), SHARED);
    let deadline = Deadline::at(sending.clock.now);
    done(sending.feed(b"one", deadline));
    done(sending.feed(b"two", deadline));
    sending.place.pipe().script_writes([0]);
    let error = sending.flush(deadline).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::WriteStalled, Some(Fate::NotSent)));
    done(sending.flush(Deadline::NEVER));
    assert!(receiving.all().is_empty());
}

#[test]
fn a_refused_message_leaves_the_batch_before_it_in_order() {
    let (mut sending, mut receiving) = pair(Lines::default(), SHARED);
    done(sending.feed(b"one", Deadline::NEVER));
    let error = sending.feed(b"t\nwo", Deadline::NEVER).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    let error = sending.feed(&[b'x'; 5000], Deadline::NEVER).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldTear);
    done(sending.feed(b"three", Deadline::NEVER));
    done(sending.flush(Deadline::NEVER));
    assert_eq!(receiving.all(), [&b"one"[..], b"three"]);
}

#[test]
fn a_batch_of_which_an_earlier_write_was_accepted_is_maybe_delivered() {
    let place = Place::with_pipe(4096);
    let _receiving = Receiving::new(place.clone(), Native::default(), 9000, EndOfWriters::Wait);
    let _reader = place.pipe().reader(&place);
    let mut sending = Sending::new(place, Native::default(), SHARED, ms(1000));
    // The first write fills the pipe; what is fed after it waits for room that never comes.
    for _ in 0..30 {
        done(sending.feed(&noise(150), Deadline::NEVER));
    }
    let error = sending.flush(Deadline::at(sending.clock.now)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteStalled);
    assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
    assert!(error.progress().unwrap().written > 4000);
}

#[test]
fn a_batch_that_was_abandoned_before_it_was_written_leaves_nothing_in_the_next() {
    let place = Place::with_pipe(65_536);
    let _reader = place.pipe().reader(&place);
    let mut sending = Sending::new(place.clone(), Native::default(), SHARED, ms(1000));
    assert!(sending.outgoing.offer(b"given up").unwrap());
    sending.outgoing.abandon();
    assert!(matches!(sending.send(b"next", Deadline::NEVER), Ok(Step::Done(()))));
    let mut receiving = Receiving::new(place, Native::default(), 1 << 20, EndOfWriters::Wait);
    assert_eq!(receiving.all(), [b"next"]);
}
