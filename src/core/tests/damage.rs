//! Bytes that are no message, and messages that are too long: counted, never delivered.

use super::*;
use crate::core::buffer::Buffer;
use crate::core::wire;
use crate::error::ErrorKind;
use crate::framing::Lines;

fn limited(limit: usize) -> Receiving<Native> {
    Receiving::new(Place::with_pipe(65_536), Native::default(), limit, EndOfWriters::Wait)
        .with_writer()
}

#[test]
fn garbage_over_64_kib_is_torn_and_the_next_frame_is_read() {
    let mut receiving = Receiving::native();
    let pipe = receiving.place.pipe();
    pipe.put(&vec![b'x'; 3 * Buffer::CAPACITY]);
    pipe.put(&framed(Native::default(), 1, SHARED, &[b"after"]));
    let mut torn = 0;
    let message = loop {
        match receiving.next() {
            Ok(message) => break message,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Torn);
                torn += 1;
            }
        }
    };
    assert_eq!(message.unwrap(), b"after");
    assert!((1..=3).contains(&torn), "torn {torn} times");
    assert_eq!(receiving.incoming.stats().skipped_bytes, 3 * Buffer::CAPACITY as u64);
}

#[test]
fn garbage_within_64_kib_is_skipped_without_an_error() {
    let mut receiving = Receiving::native();
    let frame = framed(Native::default(), 1, SHARED, &[b"frame"]);
    for _ in 0..5 {
        receiving.place.pipe().put(&vec![b'x'; Buffer::CAPACITY - 100]);
        receiving.place.pipe().put(&frame);
        assert_eq!(receiving.next().unwrap().unwrap(), b"frame");
    }
}

#[test]
fn a_frame_that_was_cut_anywhere_costs_itself_and_nothing_else() {
    let frame = framed(Native::default(), 1, SHARED, &[b"cut off"]);
    let next = framed(Native::default(), 2, SHARED, &[b"next"]);
    for cut in 1..frame.len() {
        let mut receiving = Receiving::native();
        receiving.place.pipe().put(&frame[..cut]);
        receiving.place.pipe().put(&next);
        assert_eq!(receiving.all(), [b"next"], "cut at {cut}");
        assert_eq!(receiving.incoming.stats().skipped_bytes, cut as u64);
    }
}

#[test]
fn the_tail_of_a_frame_whose_head_another_reader_took_is_skipped() {
    let frame = framed(Native::default(), 1, SHARED, &[b"stolen"]);
    for cut in 1..frame.len() {
        let mut receiving = Receiving::native();
        receiving.place.pipe().put(&frame[cut..]);
        receiving.place.pipe().put(&frame);
        assert_eq!(receiving.all(), [b"stolen"], "cut at {cut}");
    }
}

#[test]
fn no_changed_bit_of_a_frame_goes_unnoticed() {
    let frame = framed(Native::default(), 1, SHARED, &[b"payload"]);
    for bit in 0..frame.len() * 8 {
        let mut changed = frame.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let mut receiving = Receiving::native();
        receiving.place.pipe().put(&changed);
        receiving.place.pipe().put(&frame);
        assert_eq!(receiving.all(), [b"payload"], "bit {bit}");
    }
}

#[test]
fn a_message_over_the_limit_is_an_error_and_the_next_one_arrives() {
    for over in [1001, 4000, 70_000, 300_000] {
        let mut receiving = limited(1000);
        let messages: [&[u8]; 3] = [&noise(1000), &noise(over), b"next"];
        for room in [SHARED, ALONE] {
            let pipe = receiving.place.pipe();
            pipe.put(&framed(Native::default(), 1, room, &messages));
            assert_eq!(receiving.next().unwrap().unwrap(), noise(1000));
            assert_eq!(receiving.next().unwrap_err().kind(), ErrorKind::TooLarge);
            assert_eq!(receiving.all(), [b"next"], "{over} bytes");
        }
        assert_eq!(receiving.incoming.stats().too_large, 2);
    }
}

#[test]
fn a_line_over_the_limit_is_an_error_and_the_next_one_arrives() {
    for over in [1001, 65_535, 65_536, 65_537, 300_000] {
        let place = Place::with_pipe(65_536);
        let mut receiving = Receiving::new(place, Lines::default(), 1000, EndOfWriters::Wait);
        let pipe = receiving.place.pipe();
        pipe.put(&vec![b'x'; over]);
        pipe.put(b"\nnext\n");
        assert_eq!(receiving.next().unwrap_err().kind(), ErrorKind::TooLarge, "{over} bytes");
        assert_eq!(receiving.next().unwrap().unwrap(), b"next");
        assert_eq!(receiving.incoming.stats().too_large, 1);
    }
}

#[test]
fn messages_that_are_begun_and_never_ended_cost_no_more_than_the_limit() {
    const LIMIT: usize = 100_000;
    let mut receiving = limited(LIMIT);
    let first = framed(Native::default(), 1, SHARED, &[&noise(50_000)]);
    for epoch in 1..500 {
        let mut part = first[..4096].to_vec();
        reseal(&mut part, epoch);
        receiving.place.pipe().put(&part);
        assert_eq!(receiving.next().unwrap(), None);
        assert!(receiving.incoming.held() <= LIMIT + Buffer::CAPACITY);
    }
    receiving.place.pipe().put(&framed(Native::default(), 9, SHARED, &[&noise(90_000)]));
    assert_eq!(receiving.next().unwrap().unwrap(), noise(90_000));
}

#[test]
fn an_announced_length_takes_no_memory() {
    let mut receiving = limited(1 << 30);
    let announced = framed(Native::default(), 1, SHARED, &[&vec![0; 1 << 24]]);
    receiving.place.pipe().put(&announced[..4096 * 3]);
    assert_eq!(receiving.next().unwrap(), None);
    assert!(receiving.incoming.held() < 40_000 + Buffer::CAPACITY);
}

#[test]
fn a_length_inside_a_checked_frame_that_is_wrong_ends_that_frame_only() {
    let mut receiving = Receiving::native();
    let mut unit = Vec::new();
    let flags = wire::Flags::default();
    let header = wire::Header { kind: wire::Kind::Data, flags, epoch: 1, to: 0, id: 1 };
    let start = wire::begin(&mut unit, header);
    unit.extend([4, 0, 0, 0, b'g', b'o', b'o', b'd', 200, 0, 0, 0, b'x']);
    wire::seal(&mut unit, start);
    receiving.place.pipe().put(&unit);
    receiving.place.pipe().put(&framed(Native::default(), 1, SHARED, &[b"next"]));
    assert_eq!(receiving.all(), [b"good", b"next"]);
    assert_eq!(receiving.incoming.stats().unknown, 1);
}

/// Gives the one frame in `frame` another epoch, and the checksum that goes with it.
fn reseal(frame: &mut Vec<u8>, epoch: u64) {
    frame[12..20].copy_from_slice(&epoch.to_le_bytes());
    frame.truncate(frame.len() - wire::TRAILER_LEN);
    wire::seal(frame, 0);
}
