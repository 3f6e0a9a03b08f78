//! Messages one way: a Rust sender and a Python receiver, and the other way round.

use fifowire::codec::Bytes;
use fifowire::{Fifo, Receiver, Sender};

use super::PLENTY;
use crate::support::{Peer, act};

/// A short one, none at all, one that must be masked, and one in parts.
fn messages() -> [Vec<u8>; 4] {
    let magic = [0xF1, 0x46, 0x57, 0x8D];
    [b"hello".to_vec(), Vec::new(), magic.repeat(100), magic.repeat(50_000)]
}

#[test]
fn a_python_receiver_understands_a_rust_sender() {
    act(|directory| {
        let fifo = Fifo::create(directory.join("events.fifo")).unwrap();
        for exclusive in [false, true] {
            let path = fifo.path().to_str().unwrap();
            let mut reader = Peer::start("native_reads.py", [path, "4"]);
            let mut sender = Sender::<Vec<u8>>::options()
                .codec(Bytes)
                .exclusive(exclusive)
                .open(fifo.path())
                .unwrap();
            for message in messages() {
                sender.send(&message).unwrap();
            }
            for message in messages() {
                assert_eq!(reader.expect_number("read"), message.len() as u64);
                assert_eq!(reader.expect_number("crc"), u64::from(crc32fast::hash(&message)));
            }
            reader.finish();
        }
    });
}

#[test]
fn a_rust_receiver_understands_a_python_sender() {
    act(|directory| {
        let fifo = Fifo::create(directory.join("events.fifo")).unwrap();
        let options = Receiver::<Vec<u8>>::options().codec(Bytes);
        let mut receiver = options.open(fifo.path()).unwrap();
        let mut writer = Peer::start("native_writes.py", [fifo.path()]);
        for message in messages() {
            writer.tell(&hex(&message));
            let received = receiver.recv_timeout(PLENTY).unwrap();
            assert!(received == message, "{} of {} bytes", received.len(), message.len());
        }
        writer.finish();
        let stats = receiver.stats();
        assert_eq!((stats.torn, stats.skipped_bytes), (0, 0), "{stats:?}");
    });
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
