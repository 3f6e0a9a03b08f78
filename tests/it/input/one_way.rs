//! What a receiver makes of a writer that gets it wrong.

use std::fs::File;
use std::io::Write;

use fifowire::codec::{Bytes, Postcard};
use fifowire::framing::{Lines, Room};
use fifowire::{ErrorKind, Fifo, Receiver, Sender};

use crate::support::frame::{
    DATA, Frame, HEADER_LEN, LENGTH_AT, MAGIC, PING, REQUEST, seal, units,
};
use crate::support::random::Random;
use crate::support::time::aside;
use crate::support::{Scene, ms, raw, scene};

struct Ends {
    writer: File,
    receiver: Receiver<Vec<u8>, Bytes>,
    _fifo: Fifo,
}

impl Ends {
    fn new(scene: &Scene) -> Self {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let options = Receiver::<Vec<u8>>::options().codec(Bytes).max_message(100_000);
        let receiver = options.open(fifo.path()).unwrap();
        Self { writer: raw::writer(fifo.path()), receiver, _fifo: fifo }
    }

    /// Writes something bad and a good message behind it, which must arrive as the next one.
    fn good_comes_after(&mut self, bad: &[u8]) {
        self.writer.write_all(bad).unwrap();
        self.good_comes();
    }

    fn good_comes(&mut self) {
        self.writer.write_all(&Frame::message(9, 9, b"good").bytes()).unwrap();
        assert_eq!(self.receiver.recv_timeout(ms(5000)).unwrap(), b"good");
    }
}

#[test]
fn garbage_is_skipped_and_counted() {
    scene(&[], |scene| {
        let mut ends = Ends::new(scene);
        let mut random = Random::seeded();
        let mut skipped = 0;
        for len in [1, 2, 3, 4, 5, 35, 36, 37, 1000, 30_000] {
            let mut garbage = random.bytes(len);
            // No byte of a magic: how many bytes are skipped is then known.
            garbage.iter_mut().filter(|byte| **byte == MAGIC[0]).for_each(|byte| *byte = 0);
            ends.good_comes_after(&garbage);
            skipped += len as u64;
            assert_eq!(ends.receiver.stats().skipped_bytes, skipped, "{len} bytes");
        }
        let stats = ends.receiver.stats();
        assert_eq!((stats.messages, stats.torn, stats.unknown), (10, 0, 0));
    });
}

#[test]
fn garbage_without_end_is_an_error_every_64_kib_and_never_a_message() {
    scene(&[], |scene| {
        let Ends { mut writer, mut receiver, _fifo } = Ends::new(scene);
        let writing = aside(move || {
            writer.write_all(&b"no frame at all\n".repeat(32_768)).unwrap();
            writer
        });
        let mut errors = 0;
        loop {
            match receiver.recv_timeout(ms(200)) {
                Err(error) if error.kind() == ErrorKind::Torn => errors += 1,
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                other => panic!("{other:?}"),
            }
        }
        assert!((4..=8).contains(&errors), "{errors} errors for 512 KiB");
        let mut writer = writing.join();
        writer.write_all(&Frame::message(9, 9, b"good").bytes()).unwrap();
        assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), b"good");
        assert_eq!(receiver.stats().skipped_bytes, 512 * 1024);
    });
}

#[test]
fn frames_of_another_version_kind_or_flag_are_skipped_and_counted() {
    scene(&[], |scene| {
        let mut ends = Ends::new(scene);
        let frame = Frame::message(1, 1, b"from the future");
        let strange = [
            Frame { version: 0, ..frame.clone() },
            Frame { version: 2, ..frame.clone() },
            Frame { kind: 0, ..frame.clone() },
            Frame { kind: 200, ..frame.clone() },
            Frame { kind: REQUEST, ..frame.clone() },
            Frame { kind: PING, ..frame.clone() },
            Frame { flags: 4, ..frame.clone() },
            Frame { flags: 0x8000, ..frame.clone() },
            // A part, and too short to say of what; masked, and too short for the mask.
            Frame { flags: 1, ..Frame::new(DATA, 1, 1, b"short") },
            Frame { flags: 2, ..Frame::new(DATA, 1, 1, b"no") },
            // A length inside the payload that exceeds it.
            Frame::new(DATA, 1, 1, &[255, 0, 0, 0, b'x']),
        ];
        for (count, frame) in strange.iter().enumerate() {
            ends.good_comes_after(&frame.bytes());
            let stats = ends.receiver.stats();
            assert_eq!((stats.unknown, stats.torn), (count as u64 + 1, 0), "{frame:?}");
        }
        assert_eq!(ends.receiver.stats().messages, strange.len() as u64);
    });
}

#[test]
fn a_frame_with_any_byte_changed_is_never_delivered() {
    scene(&[], |scene| {
        let mut ends = Ends::new(scene);
        let frame = Frame::message(1, 1, b"true words").bytes();
        for at in 0..frame.len() {
            let mut changed = frame.clone();
            changed[at] ^= 0x10;
            ends.good_comes_after(&changed);
        }
        let stats = ends.receiver.stats();
        assert_eq!(stats.messages, frame.len() as u64, "the good ones only");
        assert!(stats.torn >= (frame.len() - HEADER_LEN) as u64, "{stats:?}");
        assert_eq!(stats.unknown, 0, "no checksum held");
    });
}

#[test]
fn an_announced_length_of_any_size_costs_nothing_and_delays_nothing() {
    scene(&[], |scene| {
        let mut ends = Ends::new(scene);
        for length in [u32::MAX, u32::MAX - 1, 1 << 31, 1 << 24, 65_536, 65_497] {
            let mut head = Frame::message(1, 1, b"").bytes();
            head.truncate(HEADER_LEN);
            head[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_le_bytes());
            // Even with a checksum that would hold.
            ends.good_comes_after(&seal(head));
        }
        assert_eq!(ends.receiver.stats().torn, 6);

        // The same within the parts of a message.
        for total in [u32::MAX, 100_001] {
            let part = Frame::part(DATA, (1, 2), 0, total, b"first");
            ends.writer.write_all(&part.bytes()).unwrap();
            let error = ends.receiver.recv_timeout(ms(5000)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            ends.good_comes();
        }
        assert_eq!(ends.receiver.stats().too_large, 2);
    });
}

#[test]
fn parts_that_do_not_fit_together_are_never_a_message() {
    scene(&[], |scene| {
        let mut ends = Ends::new(scene);
        let part = |id, offset, total, bytes: &[u8]| {
            Frame::part(DATA, (1, id), offset, total, bytes).bytes()
        };
        let wrong: [&[Vec<u8>]; 6] = [
            &[part(1, 5, 10, b"later")],
            &[part(2, 0, 10, b"first"), part(2, 6, 10, b"gap!")],
            &[part(3, 0, 10, b"first"), part(3, 4, 10, b"overlap")],
            &[part(4, 0, 10, b"first"), part(4, 5, 10, b"too long")],
            &[part(5, 0, 10, b"first"), part(5, 0, 10, b"again")],
            &[part(6, 0, 10, b"first"), part(6, u32::MAX, 10, b"far")],
        ];
        for (count, parts) in wrong.iter().enumerate() {
            ends.good_comes_after(&parts.concat());
            assert!(ends.receiver.stats().torn > count as u64, "case {count}");
        }
        assert_eq!(ends.receiver.stats().messages, 6);
        // Interleaved with another's, a message that is right comes through.
        ends.writer.write_all(&part(7, 0, 10, b"hello")).unwrap();
        ends.good_comes_after(&part(8, 0, 10, b"other"));
        ends.writer.write_all(&part(7, 5, 10, b"world")).unwrap();
        assert_eq!(ends.receiver.recv_timeout(ms(5000)).unwrap(), b"helloworld");
    });
}

#[test]
fn a_message_over_the_limit_is_an_error_and_the_next_one_arrives() {
    scene(&[], |scene| {
        let Ends { mut writer, mut receiver, _fifo } = Ends::new(scene);
        let room = Room { bytes: 4096, shared: true };
        let at_the_limit = units(1, &vec![7; 100_000], room).concat();
        let beyond = units(2, &vec![7; 100_001], room).concat();
        let writing = aside(move || {
            let good = Frame::message(9, 9, b"good").bytes();
            writer.write_all(&[at_the_limit, beyond, good].concat()).unwrap();
        });
        assert_eq!(receiver.recv_timeout(ms(5000)).unwrap().len(), 100_000);
        let mut errors = 0;
        let next = loop {
            match receiver.recv_timeout(ms(5000)) {
                Err(error) if error.kind() == ErrorKind::TooLarge => errors += 1,
                next => break next.unwrap(),
            }
        };
        assert_eq!((next, errors), (b"good".to_vec(), 1), "one message, one error");
        writing.join();
    });
}

#[test]
fn a_message_that_is_no_value_is_a_codec_error_and_the_next_one_arrives() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut receiver = Receiver::<(u32, String)>::open(fifo.path()).unwrap();
        let mut raw_bytes = Sender::<Vec<u8>>::options().codec(Bytes).open(fifo.path()).unwrap();
        // A sender of another type, and one of another codec.
        let mut other_type = Sender::<Vec<bool>>::open(fifo.path()).unwrap();
        let options = Sender::<(u32, String)>::options().codec(Postcard);
        let mut other_codec = options.open(fifo.path()).unwrap();
        let mut good = Sender::<(u32, String)>::open(fifo.path()).unwrap();
        for no_value in
            [&b""[..], b"{", b"[1]", b"[1,\"a\"]x", b"[1,\"\xFF\"]", b"null", b"[-1,\"\"]"]
        {
            raw_bytes.send(&no_value.to_vec()).unwrap();
        }
        other_type.send(&vec![true]).unwrap();
        other_codec.send(&(1, "x".into())).unwrap();
        good.send(&(1, "x".into())).unwrap();
        for _ in 0..9 {
            let error = receiver.recv_timeout(ms(5000)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Codec, "{error}");
        }
        assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), (1, "x".into()));
        let rest: Vec<_> = std::iter::from_fn(|| receiver.try_recv().transpose()).collect();
        assert!(rest.is_empty(), "{rest:?}");
    });
}

#[test]
fn a_line_over_the_limit_is_an_error_and_the_next_line_arrives() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let options = Receiver::<Vec<u8>>::options().codec(Bytes).framing(Lines::default());
        let mut receiver = options.max_message(1000).open(fifo.path()).unwrap();
        let mut writer = raw::writer(fifo.path());
        let writing = aside(move || {
            for len in [1000, 1001, 65_536, 300_000, 5] {
                writer.write_all(&[vec![b'x'; len], b"\n".to_vec()].concat()).unwrap();
            }
        });
        let mut heard = Vec::new();
        while heard.last() != Some(&Ok(5)) {
            let line = receiver.recv_timeout(ms(5000));
            heard.push(line.map(|line| line.len()).map_err(|error| error.kind()));
        }
        let large = Err(ErrorKind::TooLarge);
        assert_eq!(heard, [Ok(1000), large, large, large, Ok(5)]);
        writing.join();
    });
}
