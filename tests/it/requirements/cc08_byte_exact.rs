//! CC8: the end of file is never the end of a message; payloads are byte-exact.

use std::fs::OpenOptions;
use std::io::Write;

use fifowire::codec::{Bytes, Text};
use fifowire::framing::{Lines, Room};
use fifowire::{Client, ErrorKind, Fifo, Pair, Receiver, Sender, Server};

use crate::support::frame::{MAGIC, units};
use crate::support::random::Random;
use crate::support::time::aside;
use crate::support::{ms, raw, scene};

/// Lengths around every border: of atomic writes, of frames, of the pipe, of parts.
const LENGTHS: [usize; 22] = [
    0, 1, 2, 3, 4, 5, 4043, 4044, 4045, 4046, 4047, 4048, 4049, 4095, 4096, 4097, 65_487, 65_488,
    65_500, 65_536, 65_537, 1_000_003,
];

/// What text-minded bridges stumble over, and what a native frame could be mistaken for.
fn awkward() -> Vec<Vec<u8>> {
    let mut random = Random::new(8);
    let mut payloads: Vec<Vec<u8>> = LENGTHS.iter().map(|len| random.bytes(*len)).collect();
    payloads.push(b"\n".to_vec());
    payloads.push(b"a\nb\r\n\0\n\n".to_vec());
    payloads.push(vec![0xFF, 0xFE, 0xC0, 0x80, 0xED, 0xA0, 0x80]);
    payloads.push(MAGIC.repeat(5000));
    payloads.push([b"before".as_slice(), &MAGIC, b"after"].concat());
    payloads.extend(units(1, b"a frame within a frame", Room { bytes: 4096, shared: true }));
    payloads
}

#[test]
fn cc8_every_byte_of_a_message_arrives_as_it_was_sent() {
    scene(&[], |scene| {
        for (exclusive, capacity) in [(false, 4096), (false, 65_536), (true, 4096), (true, 65_536)]
        {
            let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
            let options = Receiver::<Vec<u8>>::options().codec(Bytes).capacity(capacity);
            let mut receiver = options.open(fifo.path()).unwrap();
            assert_eq!(receiver.capacity(), Some(capacity));
            let options = Sender::<Vec<u8>>::options().codec(Bytes).exclusive(exclusive);
            let mut sender = options.open(fifo.path()).unwrap();
            let sending = aside(move || {
                awkward().iter().for_each(|payload| sender.send(payload).unwrap());
            });
            for payload in awkward() {
                let received = receiver.recv_timeout(ms(5000)).unwrap();
                assert!(received == payload, "{} bytes, exclusive: {exclusive}", payload.len());
            }
            sending.join();
            let stats = receiver.stats();
            assert_eq!((stats.torn, stats.skipped_bytes, stats.unknown), (0, 0, 0));
        }
    });
}

#[test]
fn cc8_every_byte_of_a_request_and_its_reply_arrives_as_it_was_sent() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes).open(&pair).unwrap();
        let client = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).open(&pair).unwrap();
        let serving = aside(move || {
            for payload in awkward() {
                let request = server.recv_timeout(ms(5000)).unwrap();
                assert!(request.value == payload, "{} bytes", payload.len());
                request.responder.send(&payload).unwrap();
            }
        });
        for payload in awkward() {
            let reply = client.request(&payload).timeout(ms(5000)).call().unwrap();
            assert!(reply == payload, "{} bytes", payload.len());
        }
        serving.join();
    });
}

#[test]
fn cc8_the_end_of_file_between_any_two_bytes_ends_no_message() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut receiver = Receiver::<Vec<u8>>::options().codec(Bytes).open(fifo.path()).unwrap();
        let message = b"in two\npieces".to_vec();
        let unit = units(7, &message, Room { bytes: 4096, shared: true }).concat();
        for cut in 1..unit.len() {
            write_and_leave(&fifo, &unit[..cut]);
            // It sees the first writer leave before the second one comes.
            assert_eq!(receiver.try_recv().unwrap(), None, "{cut} bytes");
            write_and_leave(&fifo, &unit[cut..]);
            assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), message);
        }
        assert!(receiver.stats().renewals >= unit.len() as u64 - 1);
        assert_eq!(receiver.stats().torn, 0);
    });
}

/// Opens, writes and closes, as a shell's `>>` does.
fn write_and_leave(fifo: &Fifo, bytes: &[u8]) {
    let mut writer = OpenOptions::new().write(true).open(fifo.path()).unwrap();
    writer.write_all(bytes).unwrap();
}

#[test]
fn cc8_a_long_message_in_open_write_close_pieces_arrives_whole() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut receiver = Receiver::<Vec<u8>>::options().codec(Bytes).open(fifo.path()).unwrap();
        let message = Random::new(1).bytes(20_000);
        let bytes = units(7, &message, Room { bytes: 65_536, shared: false }).concat();
        for piece in bytes.chunks(4096) {
            assert_eq!(receiver.try_recv().unwrap(), None);
            write_and_leave(&fifo, piece);
        }
        assert!(receiver.recv_timeout(ms(5000)).unwrap() == message);
        assert_eq!(receiver.stats().torn, 0);
    });
}

#[test]
fn cc8_a_line_in_open_write_close_pieces_arrives_whole() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let options = Receiver::<Vec<u8>>::options().codec(Bytes).framing(Lines::default());
        let mut receiver = options.open(fifo.path()).unwrap();
        let reply = "20 KB of reply, ".repeat(1250) + "the end\nand the next line\n\n";
        let mut lines = Vec::new();
        for piece in reply.as_bytes().chunks(4096) {
            write_and_leave(&fifo, piece);
            lines.extend(std::iter::from_fn(|| receiver.try_recv().unwrap()));
        }
        let expected: Vec<_> =
            reply.split_terminator('\n').map(|l| l.as_bytes().to_vec()).collect();
        assert!(lines == expected, "{} lines", lines.len());
        assert_eq!(lines.len(), 3);
    });
}

#[test]
fn cc8_a_line_that_holds_a_newline_is_refused_and_never_split() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut reader = raw::reader(fifo.path());
        let options = Sender::<String>::options().codec(Text).framing(Lines::default());
        let mut sender = options.open(fifo.path()).unwrap();
        assert_eq!(sender.send(&"two\nlines".into()).unwrap_err().kind(), ErrorKind::Codec);
        sender.send(&"one line".into()).unwrap();
        assert_eq!(raw::drain(&mut reader), b"one line\n");
    });
}
