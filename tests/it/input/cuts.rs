//! A peer that is cut off at any byte of what it writes: what it began is never delivered, and
//! the next peer is heard.

use std::io::Write;

use fifowire::codec::Bytes;
use fifowire::framing::Room;
use fifowire::{EndOfWriters, ErrorKind, Fifo, Pair, Receiver, Server};

use crate::support::frame::{Frame, units};
use crate::support::{ms, raw, scene};

#[test]
fn a_writer_cut_at_any_byte_costs_its_own_message_and_no_other() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut receiver = Receiver::<Vec<u8>>::options().codec(Bytes).open(fifo.path()).unwrap();
        let room = Room { bytes: 300, shared: true };
        // In one frame, and in parts.
        for (len, id) in [(20, 1), (600, 2)] {
            let whole = units(id, &vec![7; len], room).concat();
            for cut in 1..whole.len() {
                raw::writer(fifo.path()).write_all(&whole[..cut]).unwrap();
                // With and without noticing that the writer has gone before the next one comes.
                if cut % 2 == 0 {
                    assert_eq!(receiver.try_recv().unwrap(), None, "{cut} of {}", whole.len());
                }
                let good = Frame::message(100 + cut as u64, 1, b"good").bytes();
                raw::writer(fifo.path()).write_all(&good).unwrap();
                let received = receiver.recv_timeout(ms(5000)).unwrap();
                assert_eq!(received, b"good", "{cut} of {}", whole.len());
            }
        }
    });
}

#[test]
fn a_receiver_that_ends_with_its_writers_says_that_they_left_inside_a_message() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let whole = units(1, &[7; 600], Room { bytes: 300, shared: true }).concat();
        for cut in 1..=whole.len() {
            let options = Receiver::<Vec<u8>>::options().codec(Bytes);
            let options = options.end_of_writers(EndOfWriters::End);
            let mut receiver = options.open(fifo.path()).unwrap();
            raw::writer(fifo.path()).write_all(&whole[..cut]).unwrap();
            let last = if cut == whole.len() {
                assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), [7; 600]);
                receiver.recv_timeout(ms(5000)).unwrap_err()
            } else {
                let torn = receiver.recv_timeout(ms(5000)).unwrap_err();
                assert_eq!(torn.kind(), ErrorKind::Torn, "{cut} of {}: {torn}", whole.len());
                receiver.recv_timeout(ms(5000)).unwrap_err()
            };
            assert_eq!(last.kind(), ErrorKind::PeerClosed);
        }
    });
}

#[test]
fn a_client_cut_at_any_byte_of_a_request_costs_no_other_client() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
        let mut server = options.open(&pair).unwrap();
        let request = Frame::request(1, 1, b"cut off").bytes();
        for cut in 1..request.len() {
            raw::writer(pair.input()).write_all(&request[..cut]).unwrap();
            let good = Frame::request(100 + cut as u64, 1, b"good").bytes();
            raw::writer(pair.input()).write_all(&good).unwrap();
            let asked = server.recv_timeout(ms(5000)).unwrap();
            assert_eq!(asked.value, b"good", "{cut} of {}", request.len());
        }
        assert_eq!(server.stats().events as usize, request.len() - 1);
    });
}

#[test]
fn a_stream_that_starts_at_any_byte_is_heard_from_the_next_frame_on() {
    scene(&[], |scene| {
        // The reader before this one took the start of a frame with it.
        let first = Frame::message(1, 1, b"its start is gone").bytes();
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        for from in 1..first.len() {
            let keeper = raw::reader(fifo.path());
            let mut writer = raw::writer(fifo.path());
            writer.write_all(&first[from..]).unwrap();
            writer.write_all(&Frame::message(1, 2, b"whole").bytes()).unwrap();
            let options = Receiver::<Vec<u8>>::options().codec(Bytes);
            let mut receiver = options.open(fifo.path()).unwrap();
            drop(keeper);
            assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), b"whole", "from {from}");
            assert_eq!(receiver.stats().skipped_bytes as usize, first.len() - from);
        }
    });
}
