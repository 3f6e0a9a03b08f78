//! Frames that are damaged, cut, mixed with garbage, or meant to deceive.

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

#[test]
fn every_string_of_eight_magic_bytes_comes_out_as_it_went_in() {
    for number in 0..1_u32 << 16 {
        let payload: [u8; 8] = std::array::from_fn(|i| MAGIC[(number >> (2 * i)) as usize & 3]);
        let frame = frame(1, &payload);
        assert_eq!(magics(&frame), [0], "{payload:02X?}");
        assert_eq!(read_in([&frame[..]]), [found(1, &payload)]);
    }
}

#[test]
fn long_payloads_full_of_magics_come_out_as_they_went_in() {
    let last = MAX_FRAME - HEADER_LEN - MASK_LEN - TRAILER_LEN;
    for shift in 0..8 {
        for len in [4, 5, 63, 1000, 60_000, last] {
            let mut payload = noise(shift, shift as usize);
            payload.extend(MAGIC.iter().cycle().take(len));
            payload.truncate(last);
            let frame = frame(1, &payload);
            assert!(frame.len() <= MAX_FRAME);
            assert_eq!(magics(&frame), [0]);
            assert_eq!(read_in([&frame[..]]), [found(1, &payload)]);
        }
    }
}

#[test]
fn a_payload_made_against_the_masks_is_masked_nevertheless() {
    let payload = against_masks(100);
    let frame = frame(1, &payload);
    assert_eq!(magics(&frame), [0]);
    assert_eq!(read_in([&frame[..]]), [found(1, &payload)]);
}

#[test]
fn text_and_whatever_else_holds_no_magic_is_not_masked() {
    let text = "ÿñF\u{46}W ordinary text, {\"json\": [1, 2, 3]}\n".repeat(100);
    for payload in [text.as_bytes(), &MAGIC[..3], b"\xF1\x46\x57\x8E", b""] {
        assert_eq!(frame(1, payload)[Header::FLAGS_AT], 0);
    }
}

#[test]
fn a_magic_that_spans_payload_and_checksum_is_masked_too() {
    // One payload in 2^24 has such a checksum; built backwards from the one that is wanted.
    let payload = with_checksum(
        Flags::default(),
        b"ends in the start of a magic\xF1",
        u32::from_le_bytes([MAGIC[1], MAGIC[2], MAGIC[3], 0]),
    );
    let frame = frame(1, &payload);
    assert_eq!(frame[Header::FLAGS_AT], 2);
    assert_eq!(magics(&frame), [0]);
    assert_eq!(read(&frame), [found(1, &payload)]);
}

#[test]
fn frames_side_by_side_hold_no_magic_but_their_own() {
    let (mut stream, mut starts) = (Vec::new(), Vec::new());
    for id in 1..3000 {
        starts.push(stream.len());
        stream.extend(frame(id, &noise(id, id as usize % 40)));
    }
    assert_eq!(magics(&stream), starts);
}

#[test]
fn a_voided_frame_is_never_delivered_wherever_it_was_cut() {
    for payload in [&b""[..], b"given up", &[&MAGIC[..], b"masked"].concat()] {
        let mut voided = frame(1, payload);
        void(&mut voided);
        let good = frame(2, b"next");
        for cut in 1..voided.len() {
            let (written, rest) = voided.split_at(cut);
            let expected = [Found::Skipped(voided.len(), SkipReason::Torn), found(2, b"next")];
            assert_eq!(read_in([written, rest, &good[..]]), expected, "cut at {cut}");
        }
    }
}

#[test]
fn voiding_changes_the_last_byte_alone_and_makes_no_magic() {
    let mut seen = [false; 256];
    for id in 1..5000 {
        let mut voided = frame(id, b"given up");
        let intact = voided.clone();
        let (last, before) = voided.split_last_mut().unwrap();
        seen[usize::from(*last)] = true;
        assert_eq!(before, &intact[..intact.len() - 1]);
        void(&mut voided);
        assert_ne!(voided, intact);
        assert_ne!(voided.last(), Some(&MAGIC[3]));
        let end = voided.len();
        voided.extend(frame(id + 1, b"next"));
        assert_eq!(magics(&voided), [0, end]);
        assert_eq!(frames_of(&read_in([&voided[..]])), [found(id + 1, b"next")]);
    }
    // Every last byte was tried but the one that no frame ends in.
    assert!(seen.iter().enumerate().all(|(byte, seen)| *seen == (byte != usize::from(MAGIC[0]))));
}

#[test]
fn a_torn_frame_is_left_for_the_next_without_waiting() {
    let next = frame(2, b"next");
    for payload in [&b""[..], b"torn", &noise(1, 300), &noise(2, 20_000)] {
        let torn = frame(1, payload);
        assert!(!ends_in_start_of_magic(&torn));
        for cut in (1..torn.len()).filter(|cut| *cut < 400 || cut % 997 == 0) {
            // Fewer bytes than a magic are no frame yet.
            let reason = if cut < MAGIC.len() { SkipReason::Garbage } else { SkipReason::Torn };
            let expected = [Found::Skipped(cut, reason), found(2, b"next")];
            let mut reader = Reader::default();
            reader.feed(&torn[..cut]);
            assert_eq!(reader.found, [], "nothing is known yet");
            reader.feed(&next[..MAGIC.len()]);
            assert_eq!(reader.found, expected[..1], "cut at {cut}");
            reader.feed(&next[MAGIC.len()..]);
            assert_eq!(reader.end(), expected, "cut at {cut}");
        }
    }
}

#[test]
fn a_short_torn_frame_behind_a_long_one_is_left_without_waiting_too() {
    // What was searched of the long one says nothing about the short one.
    let (long, next) = (frame(1, &noise(1, 2000)), frame(3, b"next"));
    let torn = &frame(2, &noise(2, 1000))[..100];
    let mut reader = Reader::default();
    reader.feed(&long[..2000]);
    reader.feed(&[&long[2000..], torn, &next].concat());
    let skipped = Found::Skipped(torn.len(), SkipReason::Torn);
    assert_eq!(reader.end(), [found(1, &noise(1, 2000)), skipped, found(3, b"next")]);
}

#[test]
fn a_frame_cut_one_byte_short_takes_nothing_from_the_next() {
    for id in 1..3000 {
        let torn = frame(id, b"torn");
        let stream = [&torn[..torn.len() - 1], &frame(1, b"next")].concat();
        let expected = [Found::Skipped(torn.len() - 1, SkipReason::Torn), found(1, b"next")];
        assert_eq!(read_in([&stream[..]]), expected, "{:02X?}", &torn[torn.len() - 4..]);
    }
}

#[test]
fn many_torn_frames_in_a_row_are_left_one_by_one() {
    let torn = frame(1, &noise(3, 500));
    let mut stream = Vec::new();
    for cut in (4..torn.len()).step_by(7) {
        stream.extend_from_slice(&torn[..cut]);
    }
    let count = (4..torn.len()).step_by(7).count();
    stream.extend(frame(2, b"next"));
    let found_all = read(&stream);
    assert_eq!(found_all.len(), count + 1);
    assert_eq!(frames_of(&found_all), [found(2, b"next")]);
}

#[test]
fn an_impossible_length_is_seen_with_the_header_and_costs_its_magic() {
    let most = (MAX_FRAME - HEADER_LEN - TRAILER_LEN) as u32;
    for length in [most + 1, 65_536, 0x0100_0000, u32::MAX - 39, u32::MAX] {
        let mut bytes = header(Kind::Data, 1).to_bytes(length);
        let torn = Scan::Skip { used: MAGIC.len(), reason: SkipReason::Torn };
        assert_eq!(Scanner::default().scan(&mut bytes), torn);
        let stream = [&bytes[..], &frame(2, b"next")].concat();
        let expected = [Found::Skipped(HEADER_LEN, SkipReason::Torn), found(2, b"next")];
        assert_eq!(read(&stream), expected);
    }
    assert_eq!(Scanner::default().scan(&mut header(Kind::Data, 1).to_bytes(most)), Scan::More);
}

#[test]
fn the_largest_frame_is_read_and_is_not_larger_than_the_window() {
    let payload = noise(4, MAX_FRAME - HEADER_LEN - TRAILER_LEN);
    let frame = frame(1, &payload);
    assert_eq!(frame.len(), MAX_FRAME);
    assert_eq!(read_in([&frame[..]]), [found(1, &payload)]);
    assert_eq!(read_in([&frame[..MAX_FRAME - 1]]), [Found::Rest(MAX_FRAME - 1)]);
}

#[test]
fn whatever_begins_a_frame_waits_for_the_rest_of_it() {
    let frame = frame(1, b"payload");
    for len in 0..frame.len() {
        let mut unread = frame[..len].to_vec();
        assert_eq!(Scanner::default().scan(&mut unread), Scan::More, "{len} bytes");
        assert_eq!(unread, frame[..len]);
    }
}

#[test]
fn another_version_is_skipped_whole_if_its_checksum_holds() {
    let next = frame(2, b"next");
    for version in (0..=255).filter(|version| *version != VERSION) {
        let other = forged(|frame| frame[4] = version);
        let stream = [&other[..], &next].concat();
        let skipped = Found::Skipped(other.len(), SkipReason::Unknown);
        assert_eq!(read(&stream), [skipped, found(2, b"next")]);
    }
    let mut broken = frame(1, b"payload");
    broken[4] = 2;
    let stream = [&broken[..], &next].concat();
    let skipped = Found::Skipped(broken.len(), SkipReason::Torn);
    assert_eq!(read(&stream), [skipped, found(2, b"next")]);
}

#[test]
fn unknown_kinds_and_flags_are_skipped_whole() {
    let next = frame(2, b"next");
    let kinds = [0, 10, 127, 255].map(|kind| forged(|frame| frame[5] = kind));
    let flags = (2..16)
        .map(|bit| forged(|frame| frame[6..8].copy_from_slice(&(1_u16 << bit).to_le_bytes())));
    for unknown in kinds.into_iter().chain(flags) {
        let stream = [&unknown[..], &next].concat();
        let skipped = Found::Skipped(unknown.len(), SkipReason::Unknown);
        assert_eq!(read(&stream), [skipped, found(2, b"next")]);
    }
}

#[test]
fn a_payload_too_short_for_its_mask_is_skipped_whole() {
    for len in 0..MASK_LEN {
        let mut frame = header(Kind::Data, 1).to_bytes(len as u32).to_vec();
        frame[Header::FLAGS_AT] = 2;
        frame.extend(noise(1, len));
        frame.extend(crc32fast::hash(&frame).to_le_bytes());
        assert_eq!(read(&frame), [Found::Skipped(frame.len(), SkipReason::Unknown)]);
    }
}

#[test]
fn neither_epochs_nor_ids_hold_a_magic() {
    let magic = u64::from(u32::from_le_bytes(MAGIC));
    for shift in [0, 8, 16] {
        let first = magic << shift;
        assert_eq!(next_id(first - 1), first + (1 << shift), "the lowest {shift} bits count");
        assert!(magics(&epoch_from(first).to_le_bytes()).is_empty());
    }
    assert!(!epoch_from(u64::from_le_bytes([MAGIC[0]; 8])).to_le_bytes().contains(&MAGIC[0]));
    assert_ne!(epoch_from(0), 0);
    assert_ne!(epoch_from(u64::from_le_bytes([MAGIC[0]; 8])), 0);
    assert_eq!(next_id(0), 1);
    assert_eq!(next_id(u64::MAX), 1);
}

#[test]
fn a_part_needs_both_its_numbers() {
    let payload = [5, 0, 0, 0, 255, 255, 255, 255, 7];
    assert_eq!(split_part(&payload), Some((5, u32::MAX as usize)));
    assert_eq!(split_part(&payload[..8]), Some((5, u32::MAX as usize)));
    for len in 0..8 {
        assert_eq!(split_part(&payload[..len]), None);
    }
}

fn frames_of(found: &[Found]) -> Vec<Found> {
    found.iter().filter(|found| matches!(found, Found::Frame(..))).cloned().collect()
}

/// A payload in which each of the first `count` masks that sealing tries makes a magic.
fn against_masks(count: usize) -> Vec<u8> {
    let masked = Flags { part: false, masked: true };
    let mut payload = MAGIC.to_vec();
    let mut state: u32 = 0x1234_5679;
    for _ in 0..count {
        // Marsaglia's xorshift, from the checksum of the frame that has its flag but no mask yet.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        payload.extend(state.to_le_bytes().iter().zip(MAGIC).map(|(mask, magic)| mask ^ magic));
    }
    with_checksum(masked, &payload, 0x1234_5679)
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
