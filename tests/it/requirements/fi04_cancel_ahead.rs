//! FI4: a cancel goes ahead of queued frames at the next boundary; on a stuck FIFO it fails at its
//! own deadline.
//!
//! The latter is played on every front end in `fronts/cancels.rs`.

use std::sync::Arc;

use fifowire::codec::Bytes;
use fifowire::{Client, ErrorKind, Fate, Pair, Phase};

use crate::support::frame::{CANCEL, CANCELLED, REQUEST};
use crate::support::time::asleep;
use crate::support::{ByHand, ms, on_time, scene};

/// More than any pipe holds by default.
const LARGE: usize = 200_000;

/// What one write of a session takes at most: several frames, or part of one.
const UNIT: usize = 8192;

#[test]
fn fi4_a_cancel_goes_ahead_of_what_is_queued_at_the_next_boundary() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = ByHand::at(&pair);
        let options = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
        let client = Arc::new(options.open(&pair).unwrap());
        let first = client.request(&b"first".to_vec()).begin().unwrap();
        let asked = server.next();
        assert_eq!(asked.asked(), b"first");

        let queued = [2, 3, 4].map(|byte| client.request(&vec![byte; LARGE]).begin().unwrap());
        let ahead = server.unread_bytes();
        assert!(ahead > UNIT, "the FIFO is full: {ahead}");
        server.consumed = 0;
        let (canceller, id) = (Arc::clone(&client), first.id());
        let cancelling = asleep(move || canceller.cancel(id));
        let cancel = loop {
            let frame = server.next();
            if frame.kind == CANCEL {
                break frame;
            }
            assert_eq!(frame.kind, REQUEST, "whole frames only");
        };
        assert_eq!((cancel.id, cancel.epoch), (asked.id, asked.epoch));
        let before = server.consumed - cancel.bytes().len();
        assert!(before <= ahead + UNIT, "{before} bytes before it, {ahead} had been written");

        server.answer(&cancel, CANCELLED, &[2]);
        cancelling.join().unwrap();
        let error = first.wait().unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Some(Fate::Delivered)));
        // They were not touched.
        assert_eq!(client.in_flight(), queued.len());
    });
}

#[test]
fn fi4_a_cancel_on_a_stuck_fifo_fails_at_its_own_deadline() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let server = ByHand::at(&pair);
        let options = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).timeout(ms(20_000));
        let client = options.cancel_timeout(ms(150)).open(&pair).unwrap();
        let first = client.request(&b"first".to_vec()).begin().unwrap();
        let second = client.request(&vec![2; LARGE]).begin().unwrap();
        assert!(server.unread_bytes() > UNIT, "the FIFO is full");
        let error = on_time(ms(150), || client.cancel(first.id())).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::TimedOut, Phase::Cancel));
        // It may have been read; the other cannot.
        for (call, fate) in [(first, Fate::MaybeDelivered), (second, Fate::NotSent)] {
            let error = call.wait().unwrap_err();
            assert_eq!((error.kind(), error.fate()), (ErrorKind::Poisoned, Some(fate)));
        }
        assert_eq!((client.in_flight(), client.stats().poisoned), (0, 1));
    });
}
