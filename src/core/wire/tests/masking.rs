//! Payloads that look like frames, and frames that are given up.

use super::*;

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
fn a_payload_made_against_many_masks_is_masked_nevertheless() {
    let payload = against_masks(16_000);
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
