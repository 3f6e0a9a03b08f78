//! Frames that are cut off, impossible, or of another time.

use super::*;

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
    let kinds = [0, 13, 127, 255].map(|kind| forged(|frame| frame[5] = kind));
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
