//! Bytes in, values out, and back: however the stream is cut, and whatever else stands in it.

use futures_util::StreamExt;
use tokio_util::codec::FramedRead;

use super::*;
use crate::codec::{Bytes, Text};
use crate::core::buffer::Buffer;
use crate::core::wire::{self, HEADER_LEN, TRAILER_LEN};
use crate::error::ErrorKind;
use crate::framing::Room;

type Raw = NativeCodec<Vec<u8>, Bytes>;

/// The frames of `values`, as a writer of its own writes them.
fn framed(values: &[&[u8]]) -> Vec<u8> {
    let (mut codec, mut bytes) = (raw(), BytesMut::new());
    for value in values {
        codec.encode(value.to_vec(), &mut bytes).unwrap();
    }
    bytes.to_vec()
}

fn raw() -> Raw {
    NativeCodec::options().codec(Bytes).build()
}

/// A frame that a sender of this crate writes for a batch.
fn batch(values: &[&[u8]]) -> Vec<u8> {
    let mut units = Units::new(Native::default(), Room::of_end(false), 7);
    for value in values {
        assert!(units.offer(value).unwrap());
    }
    units.finish().to_vec()
}

/// Everything that `codec` makes of these pieces, asked as tokio-util asks: after each piece,
/// until there is nothing.
fn decoded<'a, T, C: Codec<T>>(
    codec: &mut NativeCodec<T, C>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Result<T, ErrorKind>> {
    let (mut bytes, mut values) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        while let Some(value) = codec.decode(&mut bytes).transpose() {
            values.push(value.map_err(|error| error.kind()));
        }
        assert!(bytes.is_empty(), "what is not asked for again must have been taken");
    }
    values
}

/// What an end of the stream says after `bytes`.
fn ended(codec: &mut Raw, bytes: &[u8]) -> Result<Option<Vec<u8>>, ErrorKind> {
    codec.decode_eof(&mut BytesMut::from(bytes)).map_err(|error| error.kind())
}

/// Where frame after frame begins in these bytes, and where the last ends.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        assert!(bytes.starts_with(&wire::MAGIC));
        let length = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
        let (frame, rest) = bytes.split_at(HEADER_LEN + length + TRAILER_LEN);
        frames.push(frame);
        bytes = rest;
    }
    frames
}

/// The epoch and the id of a frame.
fn key(frame: &[u8]) -> (u64, u64) {
    let word = |at: usize| u64::from_le_bytes(frame[at..at + 8].try_into().unwrap());
    (word(12), word(28))
}

/// Bytes of a length, different for every seed.
fn noise(len: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn a_stream_cut_at_any_byte_gives_the_same_values() {
    let masked = [&wire::MAGIC[..], b"inside"].concat();
    let long = noise(4500, 1);
    let values: [&[u8]; 3] = [b"one", &masked, &long];
    let mut stream = b"garbage \xF1\x46".to_vec();
    stream.extend(framed(&values));
    stream.extend(&framed(&[b"cut off"])[..30]);
    stream.extend(batch(&[b"a", b"", b"c"]));
    let expected: Vec<_> =
        [&values[..], &[b"a", b"", b"c"]].concat().iter().map(|value| Ok(value.to_vec())).collect();
    let mut whole = raw();
    assert_eq!(decoded(&mut whole, [&stream[..]]), expected);
    assert_eq!((whole.stats().skipped_bytes, whole.stats().torn), (10 + 30, 1));

    for at in 1..stream.len() {
        let (head, tail) = stream.split_at(at);
        let mut codec = raw();
        assert_eq!(decoded(&mut codec, [head, tail]), expected, "cut at {at}");
        assert_eq!(codec.stats().skipped_bytes, whole.stats().skipped_bytes, "cut at {at}");
    }
    for size in [1, 3, 61, 4096] {
        let mut codec = raw();
        assert_eq!(decoded(&mut codec, stream.chunks(size)), expected, "pieces of {size}");
        assert_eq!(codec.stats(), whole.stats());
    }
}

#[test]
fn a_chunk_longer_than_the_window_gives_all_its_values() {
    let values: Vec<Vec<u8>> = (0..100).map(|at| noise(20 * usize::from(at), at)).collect();
    let mut stream = framed(&values.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert!(stream.len() > Buffer::CAPACITY);
    let long = noise(1 << 20, 7);
    stream.extend(framed(&[&long]));
    let expected: Vec<_> = values.into_iter().chain([long]).map(Ok).collect();
    assert_eq!(decoded(&mut raw(), [&stream[..]]), expected);
    assert_eq!(decoded(&mut raw(), stream.chunks(9973)), expected);
}

#[test]
fn the_parts_of_two_writers_may_interleave() {
    let (one, two) = (noise(20_000, 1), noise(30_000, 2));
    let (first, second) = (framed(&[&one]), framed(&[&two]));
    let (mut first, mut second) = (frames(&first).into_iter(), frames(&second).into_iter());
    let mut stream = Vec::new();
    loop {
        let turn = [first.next(), second.next()];
        if turn == [None, None] {
            break;
        }
        stream.extend(turn.into_iter().flatten().flatten());
    }
    let mut codec = raw();
    assert_eq!(decoded(&mut codec, stream.chunks(1000)), [Ok(one), Ok(two)]);
    assert_eq!(codec.stats().torn, 0);
}

#[test]
fn frames_are_atomic_writes_unless_the_stream_has_one_writer() {
    let long = noise(50_000, 3);
    let longest = |exclusive| {
        let options = NativeCodec::<Vec<u8>>::options().codec(Bytes);
        let (mut codec, mut bytes) = (options.exclusive(exclusive).build(), BytesMut::new());
        codec.encode(&long, &mut bytes).unwrap();
        assert_eq!(decoded(&mut raw(), [&bytes[..]]), [Ok(long.clone())]);
        frames(&bytes).iter().map(|frame| frame.len()).max().unwrap()
    };
    assert!((4000..=crate::sys::PIPE_BUF).contains(&longest(false)));
    assert!((8000..=wire::UNIT).contains(&longest(true)));
}

#[test]
fn the_longest_value_of_one_frame_is_the_one_that_the_documentation_names() {
    assert_eq!(frames(&framed(&[&noise(4048, 1)])).len(), 1);
    assert_eq!(frames(&framed(&[&noise(4049, 1)])).len(), 2);
}

#[test]
fn ids_count_up_under_an_epoch_of_its_own() {
    let bytes = framed(&[b"one", b"two", &noise(5000, 1), b"three"]);
    let keys: Vec<_> = frames(&bytes).into_iter().map(key).collect();
    let epoch = keys[0].0;
    assert_eq!(keys, [(epoch, 1), (epoch, 2), (epoch, 3), (epoch, 3), (epoch, 4)]);
    let other = framed(&[b"one"]);
    assert_ne!(key(&other).0, epoch);
}

#[test]
fn garbage_over_64_kib_is_torn_and_the_next_value_is_read() {
    let mut stream = vec![b'x'; Buffer::CAPACITY + 1];
    stream.extend(framed(&[b"next"]));
    let mut codec = raw();
    let expected = [Err(ErrorKind::Torn), Ok(b"next".to_vec())];
    assert_eq!(decoded(&mut codec, stream.chunks(5000)), expected);
    assert_eq!(codec.stats().skipped_bytes, Buffer::CAPACITY as u64 + 1);
}

#[test]
fn a_message_over_the_limit_is_refused_and_the_next_is_read() {
    let stream = framed(&[&noise(1001, 1), b"next", &noise(100_000, 2), b"last"]);
    let mut codec = NativeCodec::<Vec<u8>>::options().codec(Bytes).max_message(1000).build();
    let too_large = || Err(ErrorKind::TooLarge);
    let expected = [too_large(), Ok(b"next".to_vec()), too_large(), Ok(b"last".to_vec())];
    assert_eq!(decoded(&mut codec, stream.chunks(700)), expected);
    assert_eq!(codec.stats().too_large, 2);
}

#[test]
fn a_value_over_the_limit_is_refused_before_its_first_byte() {
    let mut codec = NativeCodec::<Vec<u8>>::options().codec(Bytes).max_message(1000).build();
    let mut bytes = BytesMut::from(&b"before"[..]);
    let error = codec.encode(noise(1001, 1), &mut bytes).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::TooLarge, Phase::Encode));
    assert_eq!(&bytes[..], b"before");
    codec.encode(noise(1000, 1), &mut bytes).unwrap();
    assert_eq!(decoded(&mut codec, [&bytes[..]]), [Ok(noise(1000, 1))]);
}

#[test]
fn an_unreadable_value_is_an_error_without_its_bytes_and_the_next_is_read() {
    let mut bytes = BytesMut::from(&framed(&[b"secret \xFF", b"next"])[..]);
    let mut codec = NativeCodec::<String>::options().codec(Text).build();
    let error = codec.decode(&mut bytes).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Codec, Phase::Decode));
    for shown in [format!("{error:?} {error}"), format!("{codec:?}")] {
        assert!(!shown.contains("secret"), "{shown}");
    }
    assert_eq!(codec.decode(&mut bytes).unwrap().as_deref(), Some("next"));
}

#[test]
fn a_stream_that_ends_inside_a_message_is_torn_once() {
    let stream = framed(&[&noise(10_000, 1)]);
    for cut in [1, 3, 40, 4096, 5000, stream.len() - 1] {
        let mut codec = raw();
        assert_eq!(ended(&mut codec, &stream[..cut]), Err(ErrorKind::Torn), "cut at {cut}");
        assert_eq!(codec.stats().torn, 1);
        assert_eq!(ended(&mut codec, b""), Ok(None));
        // Neither does what comes later go on with it.
        assert_eq!(ended(&mut codec, &framed(&[b"later"])), Ok(Some(b"later".to_vec())));
        assert_eq!(ended(&mut codec, b""), Ok(None));
    }
}

#[test]
fn at_the_end_of_a_stream_no_error_hides_a_value() {
    let bad: &[u8] = b"\xFF";
    let stream = framed(&[bad, b"one", bad, b"two", bad, b"three"]);
    let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let codec = NativeCodec::<String>::options().codec(Text).build();
        let mut values = FramedRead::new(&stream[..], codec);
        let codec_error = |value: Option<Result<String>>| value.unwrap().unwrap_err().kind();
        assert_eq!(codec_error(values.next().await), ErrorKind::Codec);
        assert!(values.next().await.is_none(), "tokio-util ends the stream once");
        for expected in ["one", "two", "three"] {
            assert_eq!(values.next().await.unwrap().unwrap(), expected);
        }
        assert_eq!(codec_error(values.next().await), ErrorKind::Codec);
        assert!(values.next().await.is_none());
        assert!(values.next().await.is_none());
    });
}

#[test]
fn a_codec_that_has_been_given_nothing_takes_no_memory() {
    let mut codec = raw();
    assert_eq!(codec.decode(&mut BytesMut::new()).unwrap(), None);
    assert_eq!(ended(&mut codec, b""), Ok(None));
    assert_eq!(codec.messages.held(), 0);
}

#[test]
fn messages_that_are_begun_and_never_ended_cost_no_more_than_the_limit() {
    const LIMIT: usize = 100_000;
    let mut codec = NativeCodec::<Vec<u8>>::options().codec(Bytes).max_message(LIMIT).build();
    for seed in 0..100 {
        let begun = framed(&[&noise(50_000, seed)]);
        let parts: Vec<_> = frames(&begun).into_iter().take(3).collect();
        assert!(decoded(&mut codec, parts).is_empty());
        assert!(codec.messages.held() <= LIMIT + Buffer::CAPACITY);
    }
}

#[test]
fn an_error_of_the_stream_is_named_for_what_it_is() {
    let error = Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
    assert_eq!((error.kind(), error.phase()), (ErrorKind::PeerClosed, Phase::Stream));
    let error = Error::from(io::Error::other("a user's own"));
    assert_eq!((error.kind(), error.phase()), (ErrorKind::System, Phase::Stream));
}
