//! Where the kernel splits the stream changes nothing: split everywhere, and at every byte.

use super::*;
use crate::core::wire;
use crate::framing::Lines;

/// What comes out of `bytes` where reads end at `splits` and then go on as they like.
fn received<F: Framing>(framing: F, bytes: &[u8], splits: &[usize]) -> Vec<Vec<u8>> {
    let place = Place::with_pipe(1 << 20);
    let mut receiving = Receiving::new(place, framing, 1 << 20, EndOfWriters::Wait);
    let pipe = receiving.place.pipe();
    pipe.put(bytes);
    // Between two pieces the receiver finds nothing, and asks again later.
    pipe.script_reads(splits.iter().flat_map(|size| [*size, 0]));
    let mut messages = Vec::new();
    for _ in 0..=2 * splits.len() {
        messages.extend(receiving.all());
    }
    assert_eq!(pipe.len(), 0);
    messages
}

fn assert_splits_do_not_matter<F: Framing>(framing: F, bytes: &[u8], expected: &[&[u8]]) {
    assert_eq!(received(framing.clone(), bytes, &[]), expected);
    for at in 1..bytes.len() {
        assert_eq!(received(framing.clone(), bytes, &[at]), expected, "split at {at}");
    }
    for size in [1, 2, 3, 7, 61] {
        let splits = vec![size; bytes.len().div_ceil(size)];
        assert_eq!(received(framing.clone(), bytes, &splits), expected, "pieces of {size}");
    }
}

#[test]
fn native_frames_split_at_every_byte_are_the_same_messages() {
    let long = noise(300);
    // Batches, an empty message, a masked payload and a message in parts.
    let masked = [&b"\xF1\x46\x57\x8D"[..], b"smuggled"].concat();
    let messages: [&[u8]; 5] = [b"one", b"", &masked, &long, b"last"];
    let small = Room { bytes: 160, shared: true };
    let bytes = framed(Native::default(), 7, small, &messages);
    assert_splits_do_not_matter(Native::default(), &bytes, &messages);
}

#[test]
fn native_frames_between_garbage_split_at_every_byte_are_the_same_messages() {
    let frame = framed(Native::default(), 7, SHARED, &[b"message"]);
    let bytes =
        [&b"noise \xF1\x46\x57"[..], &frame, &frame[..30], &frame, b"\xF1\x46", &frame].concat();
    let expected: [&[u8]; 3] = [b"message"; 3];
    assert_splits_do_not_matter(Native::default(), &bytes, &expected);
}

#[test]
fn interleaved_parts_split_at_every_byte_are_the_same_messages() {
    let small = Room { bytes: 100, shared: true };
    let (one, two) = (noise(90), vec![b'y'; 130]);
    let first = framed(Native::default(), 1, small, &[&one]);
    let second = framed(Native::default(), 2, small, &[&two]);
    let cuts = (first_frame(&first), first_frame(&second));
    let bytes = [&first[..cuts.0], &second[..cuts.1], &first[cuts.0..], &second[cuts.1..]].concat();
    assert_splits_do_not_matter(Native::default(), &bytes, &[&one, &two]);
}

#[test]
fn lines_split_at_every_byte_are_the_same_messages() {
    let expected: [&[u8]; 6] = [b"one", b"", b"", b"with\rreturn\r", b"\xFF\x00", b"last"];
    let bytes = b"one\n\n\nwith\rreturn\r\n\xFF\x00\nlast\ncut off";
    assert_splits_do_not_matter(Lines::default(), bytes, &expected);
}

#[test]
fn a_line_longer_than_the_window_is_one_message_at_any_split() {
    let line = vec![b'a'; 200_000];
    let bytes = [&line[..], b"\nnext\n"].concat();
    for splits in [&[][..], &[1], &[65_535], &[65_536], &[65_537], &[200_000], &[200_001]] {
        assert_eq!(received(Lines::default(), &bytes, splits), [&line[..], b"next"]);
    }
}

#[test]
fn large_frames_in_pieces_of_any_size_are_the_same_message() {
    let message = noise(500_000);
    let bytes = framed(Native::default(), 3, ALONE, &[&message, b"next"]);
    for size in [997, 4096, 65_536, 100_000] {
        let splits = vec![size; bytes.len().div_ceil(size)];
        assert_eq!(received(Native::default(), &bytes, &splits), [&message[..], b"next"]);
    }
}

/// Where the first of several frames ends.
fn first_frame(bytes: &[u8]) -> usize {
    let length = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    wire::HEADER_LEN + length + wire::TRAILER_LEN
}
