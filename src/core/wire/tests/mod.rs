//! Frames that are damaged, cut, mixed with garbage, or meant to deceive.

mod masking;
mod torn;

use super::seal::FIND_MAGIC;
use super::*;

/// What a reader makes of a stream. Skipped bytes are told by runs, because how a run is divided
/// depends on how the bytes came: a torn run reaches from its magic to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Frame(Header, Vec<u8>),
    Skipped(usize, SkipReason),
    /// Bytes at the end that wait for more.
    Rest(usize),
}

/// A scanner with its window.
#[derive(Default)]
pub(super) struct Reader {
    scanner: Scanner,
    unread: Vec<u8>,
    found: Vec<Found>,
}

impl Reader {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        loop {
            let used = match self.scanner.scan(&mut self.unread) {
                Scan::More => return,
                Scan::Skip { used, reason } => {
                    self.skip(used, reason);
                    used
                }
                Scan::Frame { header, payload, used } => {
                    self.found.push(Found::Frame(header, self.unread[payload].to_vec()));
                    used
                }
            };
            self.unread.drain(..used);
        }
    }

    fn skip(&mut self, used: usize, reason: SkipReason) {
        match (self.found.last_mut(), reason) {
            (
                Some(Found::Skipped(bytes, SkipReason::Torn | SkipReason::Garbage)),
                SkipReason::Garbage,
            ) => *bytes += used,
            _ => self.found.push(Found::Skipped(used, reason)),
        }
    }

    pub(super) fn end(mut self) -> Vec<Found> {
        if !self.unread.is_empty() {
            self.found.push(Found::Rest(self.unread.len()));
        }
        self.found
    }
}

/// What is found when the stream comes in these pieces.
pub(super) fn read_in<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Found> {
    let mut reader = Reader::default();
    pieces.into_iter().for_each(|piece| reader.feed(piece));
    reader.end()
}

/// What is found in the stream, which must not depend on how it is cut.
pub(super) fn read(stream: &[u8]) -> Vec<Found> {
    let whole = read_in([stream]);
    assert_eq!(read_in(stream.chunks(1)), whole, "byte by byte");
    whole
}

fn header(kind: Kind, id: u64) -> Header {
    Header { kind, flags: Flags::default(), epoch: 0x1122_3344_5566_7788, to: 0, id }
}

fn sealed(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let start = begin(&mut frame, header);
    frame.extend_from_slice(payload);
    seal(&mut frame, start);
    frame
}

fn frame(id: u64, payload: &[u8]) -> Vec<u8> {
    sealed(header(Kind::Data, id), payload)
}

/// The frame that [`frame`] makes, as it is read.
fn found(id: u64, payload: &[u8]) -> Found {
    let mut header = header(Kind::Data, id);
    header.flags.masked = frame(id, payload)[Header::FLAGS_AT] & 2 != 0;
    Found::Frame(header, payload.to_vec())
}

/// A frame with these header bytes and a checksum that holds.
fn forged(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut frame = frame(9, b"forged");
    change(&mut frame);
    let body = frame.len() - TRAILER_LEN;
    let checksum = crc32fast::hash(&frame[..body]);
    frame[body..].copy_from_slice(&checksum.to_le_bytes());
    frame
}

fn magics(bytes: &[u8]) -> Vec<usize> {
    FIND_MAGIC.find_iter(bytes).collect()
}

/// Whether the frame's end may be taken for the start of the next one.
fn ends_in_start_of_magic(frame: &[u8]) -> bool {
    (1..MAGIC.len()).any(|len| frame.ends_with(&MAGIC[..len]))
}

/// Bytes that are the same in each run of the tests, and of no pattern.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Something of everything: what a reader may meet, and what it must make of it.
fn medley() -> (Vec<u8>, Vec<Found>) {
    let mut stream = Vec::new();
    let mut expected = Vec::new();
    let mut add = |bytes: &[u8], what: Found| {
        stream.extend_from_slice(bytes);
        expected.push(what);
    };
    let skipped = |bytes: &[u8], reason| Found::Skipped(bytes.len(), reason);
    let hiding = [&b"a"[..], &MAGIC, b"bc", &MAGIC, &MAGIC[..3]].concat();
    let (whole, torn) = (frame(4, b"whole"), &frame(5, b"torn in the payload")[..50]);
    let mut voided = frame(6, b"voided");
    void(&mut voided);
    let kind = forged(|frame| frame[5] = 200);
    let version = forged(|frame| frame[4] = 7);

    add(b"ls -l\n\xF1\x46", skipped(&[0; 8], SkipReason::Garbage));
    add(&frame(1, b"first"), found(1, b"first"));
    add(&frame(2, b""), found(2, b""));
    add(&frame(3, &hiding), found(3, &hiding));
    add(b"\xF1\xF1\x46\x57", skipped(&[0; 4], SkipReason::Garbage));
    add(&whole, found(4, b"whole"));
    add(torn, skipped(torn, SkipReason::Torn));
    add(&MAGIC, skipped(&MAGIC, SkipReason::Torn));
    add(&voided, skipped(&voided, SkipReason::Torn));
    add(&kind, skipped(&kind, SkipReason::Unknown));
    add(&version, skipped(&version, SkipReason::Unknown));
    add(&frame(7, &noise(7, 300)), found(7, &noise(7, 300)));
    add(&whole[..20], skipped(&whole[..20], SkipReason::Torn));
    add(&frame(8, b"last"), found(8, b"last"));
    add(&whole[..39], Found::Rest(39));
    (stream, expected)
}

#[test]
fn a_stream_reads_the_same_wherever_it_is_cut() {
    let (stream, expected) = medley();
    assert_eq!(read(&stream), expected);
    for at in 0..=stream.len() {
        let (left, right) = stream.split_at(at);
        assert_eq!(read_in([left, right]), expected, "cut at {at}");
    }
    for size in 2..200 {
        assert_eq!(read_in(stream.chunks(size)), expected, "pieces of {size}");
    }
}

#[test]
fn a_stream_that_ends_anywhere_gives_no_frame_that_is_not_in_it() {
    let (stream, expected) = medley();
    for end in 0..stream.len() {
        let frames: Vec<_> = frames_of(&read(&stream[..end]));
        assert!(frames_of(&expected).starts_with(&frames), "ended at {end}");
    }
}

#[test]
fn a_frame_that_comes_byte_by_byte_is_delivered_with_its_last_byte() {
    let frame = frame(1, b"payload");
    let mut reader = Reader::default();
    for byte in &frame[..frame.len() - 1] {
        reader.feed(&[*byte]);
        assert_eq!(reader.found, []);
    }
    reader.feed(&frame[frame.len() - 1..]);
    assert_eq!(reader.end(), [found(1, b"payload")]);
}

#[test]
fn no_flipped_bit_makes_a_wrong_frame_or_costs_the_next() {
    let masked = [&MAGIC[..], b"masked"].concat();
    for payload in [&b""[..], b"a payload", &masked, &noise(1, 200)] {
        let intact = frame(1, payload);
        for bit in 0..intact.len() * 8 {
            let mut stream = intact.clone();
            stream[bit / 8] ^= 1 << (bit % 8);
            stream.extend(frame(2, b"next"));
            assert_eq!(frames_of(&read(&stream)), [found(2, b"next")], "bit {bit}");
        }
    }
}

#[test]
fn garbage_costs_only_itself() {
    for seed in 0..300 {
        let mut stream = Vec::new();
        for id in 1..4 {
            let mut garbage = noise(seed * 4 + id, (seed as usize * 7) % 120);
            // Some of it looks like a frame that begins, or ends in what may be one.
            match seed % 4 {
                0 => garbage.extend_from_slice(&MAGIC[..seed as usize % 3 + 1]),
                1 => garbage.splice(0..0, MAGIC).for_each(drop),
                2 => garbage.extend_from_slice(&frame(id, b"x")[..(seed as usize) % 40]),
                _ => {}
            }
            stream.extend(garbage);
            stream.extend(frame(id, b"payload"));
        }
        let expected: Vec<_> = (1..4).map(|id| found(id, b"payload")).collect();
        assert_eq!(frames_of(&read(&stream)), expected, "seed {seed}");
    }
}

#[test]
fn garbage_without_end_never_waits_for_more_than_the_start_of_a_magic() {
    let mut reader = Reader::default();
    for seed in 0..50 {
        reader.feed(&noise(seed, 1000));
        assert!(reader.unread.len() < MAGIC.len());
    }
    assert_eq!(frames_of(&reader.found), []);
}

fn frames_of(found: &[Found]) -> Vec<Found> {
    found.iter().filter(|found| matches!(found, Found::Frame(..))).cloned().collect()
}

/// A payload in which each of `count` masks makes a magic.
fn against_masks(count: u32) -> Vec<u8> {
    let masks = (0..count).map(|n| n.wrapping_mul(0x9E37_79B9).to_le_bytes());
    let ruled_out = masks.flat_map(|mask| std::array::from_fn::<_, 4, _>(|i| mask[i] ^ MAGIC[i]));
    ruled_out.collect()
}

/// A payload that ends in `end` and whose frame, with these flags and without a mask, has this
/// checksum: the four bytes in front of `end` are chosen for it.
fn with_checksum(flags: Flags, end: &[u8], wanted: u32) -> Vec<u8> {
    // The checksum is affine in those bytes: solve for them bit by bit.
    let mut payload = vec![0; 4];
    payload.extend_from_slice(end);
    let checksum = |payload: &[u8]| {
        let header = Header { flags, ..header(Kind::Data, 1) };
        let mut frame = header.to_bytes(payload.len() as u32).to_vec();
        frame.extend_from_slice(payload);
        crc32fast::hash(&frame)
    };
    let base = checksum(&payload);
    let mut rows: Vec<(u32, u32)> = (0..32)
        .map(|bit| {
            let mut changed = payload.clone();
            changed[..4].copy_from_slice(&(1_u32 << bit).to_le_bytes());
            (checksum(&changed) ^ base, 1 << bit)
        })
        .collect();
    let (mut left, mut chosen) = (base ^ wanted, 0);
    for bit in 0..32 {
        let at = rows.iter().position(|(effect, _)| effect >> bit & 1 == 1).unwrap();
        let (effect, bits) = rows.swap_remove(at);
        for row in rows.iter_mut().filter(|(other, _)| other >> bit & 1 == 1) {
            *row = (row.0 ^ effect, row.1 ^ bits);
        }
        if left >> bit & 1 == 1 {
            left ^= effect;
            chosen ^= bits;
        }
    }
    payload[..4].copy_from_slice(&chosen.to_le_bytes());
    assert_eq!(checksum(&payload), wanted);
    payload
}

#[test]
fn frames_of_an_end_that_is_held_alone_are_an_eighth_of_its_pipe_within_bounds() {
    for (capacity, bytes) in [
        (4096, UNIT),
        (65_536, UNIT),
        (262_144, 32_768),
        (1 << 20, MAX_FRAME),
        (1 << 30, MAX_FRAME),
    ] {
        assert_eq!(unit_over(capacity), bytes);
    }
}
