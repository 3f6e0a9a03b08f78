//! What endpoints count: each counter moves by what it names, and by nothing else.

use super::*;
use crate::pipe::Refusal;

#[test]
fn a_sender_says_what_it_has_not_written_and_how_it_came_to_its_end() {
    let place = Place::with_pipe(4096);
    let mut sending = Sending::new(place.clone(), Native::default(), ALONE, ms(1000));
    let receiving = Receiving::new(place.clone(), Native::default(), 100, EndOfWriters::Wait);
    place.refuse([Refusal::NotFound, Refusal::Busy]);
    let deadline = sending.deadline(ms(1000));
    for _ in 0..2 {
        assert!(matches!(sending.send(b"first", deadline), Ok(Step::Wait(_))));
        let waits = sending.outgoing.stats();
        assert!(waits.queued_bytes > 5 && waits.messages == 1, "{waits:?}");
    }
    assert!(matches!(sending.send(b"first", deadline), Ok(Step::Done(()))));
    let stats = sending.outgoing.stats();
    assert_eq!((stats.queued_bytes, stats.reopened, stats.open_refusals), (0, 0, 2));
    assert_eq!((stats.messages, stats.bytes), (1, 5));

    drop(receiving);
    assert!(matches!(sending.send(b"again", deadline), Ok(Step::Wait(_))));
    let _next = Receiving::new(place, Native::default(), 100, EndOfWriters::Wait);
    assert!(matches!(sending.send(b"again", deadline), Ok(Step::Done(()))));
    let stats = sending.outgoing.stats();
    assert_eq!((stats.reopened, stats.reconnects, stats.open_refusals), (1, 1, 3));
}

#[test]
fn a_receiver_counts_how_often_its_end_is_opened_again_and_refused() {
    let mut receiving = Receiving::native();
    for (round, frame) in [b"one", b"two"].into_iter().enumerate() {
        let writer = receiving.place.pipe().writer(&receiving.place);
        let bytes = framed(Native::default(), epoch(), ALONE, &[frame]);
        receiving.place.pipe().put(&bytes);
        drop(writer);
        assert_eq!(receiving.all(), [frame]);
        let stats = receiving.incoming.stats();
        assert_eq!((stats.renewals, stats.reopened), (round as u64 + 1, round as u64 + 1));
    }
    receiving.place.make(4096);
    receiving.place.refuse([Refusal::Busy]);
    for _ in 0..2 {
        receiving.clock.advance(ms(100));
        assert!(receiving.all().is_empty());
    }
    let stats = receiving.incoming.stats();
    assert_eq!((stats.renewals, stats.replaced, stats.reopened), (2, 1, 3));
    assert_eq!(stats.open_refusals, 1);
    assert_eq!((stats.messages, stats.bytes), (2, 6));
}
