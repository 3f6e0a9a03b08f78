//! FI9: state advances only after bytes are accepted. What an error says was written is what lies
//! in the FIFO, and what follows a failure works: on the end as it was, or on one that is
//! explicitly poisoned and opened again.
//!
//! That `Ok` means every byte is in `cc04_write_timeout.rs`.

use fifowire::codec::Bytes;
use fifowire::{Client, ErrorKind, Fate, Fifo, Pair, Sender};

use crate::support::frame::{CANCEL, Frame, REPLY, REQUEST};
use crate::support::time::aside;
use crate::support::{ByHand, Scene, ms, raw, scene};

/// What the FIFOs here hold.
const PAGE: usize = 4096;

/// Where in a frame the life stands of whoever wrote it.
const EPOCH_AT: usize = 12;

/// What a request has around its message: header, what stands in front of it, checksum.
const AROUND: usize = 36 + 18 + 4;

#[test]
fn fi9_a_send_that_fails_has_written_what_it_says_and_the_next_one_works() {
    scene(&[], |scene| {
        for exclusive in [false, true] {
            let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
            let mut reader = raw::reader(fifo.path());
            let options = Sender::<Vec<u8>>::options().codec(Bytes).exclusive(exclusive);
            let mut sender = options.capacity(PAGE).open(fifo.path()).unwrap();
            let in_the_fifo = || rustix::io::ioctl_fionread(&reader).unwrap();

            let error = sender.send_timeout(&vec![7; 50_000], ms(50)).unwrap_err();
            assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
            assert_eq!(error.progress().unwrap().written, in_the_fifo());
            assert_eq!(sender.stats().poisoned, 1);
            assert!(sender.capacity().is_none(), "the end was closed");

            // Of these nothing is accepted, and so nothing is spoilt.
            let lies = in_the_fifo();
            for _ in 0..3 {
                let error = sender.send_timeout(&vec![8; 4000], ms(20)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::WriteStalled);
                assert_eq!(error.fate(), Some(Fate::NotSent));
                assert_eq!((sender.stats().poisoned, in_the_fifo()), (1, lies));
                assert!(sender.capacity().is_some(), "the end is as it was");
            }

            let first = raw::drain(&mut reader);
            sender.send_timeout(&vec![9; 100], ms(5000)).unwrap();
            let (next, _) = Frame::parse(&raw::drain(&mut reader)).unwrap();
            assert_ne!(
                first[EPOCH_AT..][..8],
                next.epoch.to_le_bytes(),
                "the life that was poisoned is over"
            );
            assert_eq!(next.unmasked().payload[4..], [9; 100]);
        }
    });
}

#[test]
fn fi9_a_request_is_sent_with_its_last_byte_and_not_before() {
    scene(&[], |scene| {
        // It fits to the byte, and it does not by one. The checksum is any number, and for one in
        // 256 the frame takes a mask and is longer.
        let fits = PAGE - AROUND;
        for (size, fate) in [(fits, Fate::MaybeDelivered), (fits + 1, Fate::NotSent)] {
            while !is_sent_with_its_last_byte(scene, size, fate) {}
        }
    });
}

/// Answers whether the request was as long as it was meant to be.
fn is_sent_with_its_last_byte(scene: &Scene, size: usize, fate: Fate) -> bool {
    let pair = Pair::create(scene.directory(), "agent").unwrap();
    let mut server = ByHand::at(&pair);
    let options = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).capacity(PAGE);
    let client = options.timeout(ms(5000)).open(&pair).unwrap();
    let first = client.request(&vec![0; size]).timeout(ms(50)).call().unwrap_err();
    let lies = server.unread_bytes();
    let second = client.request(&vec![1]).timeout(ms(50)).call().unwrap_err();
    let still_lies = server.unread_bytes();
    assert_eq!(client.in_flight(), 0);

    // The stream goes on where it was: no byte twice, none left out, and of what is "not sent" no
    // frame that a reader believes.
    let call = aside(move || client.call(&b"next".to_vec()));
    let mut kinds = Vec::new();
    let asked = loop {
        let frame = server.next();
        kinds.push(frame.kind);
        if frame.kind == REQUEST && frame.asked() == b"next" {
            break frame;
        }
    };
    server.answer(&asked, REPLY, b"reply");
    assert_eq!(call.join().unwrap(), b"reply");
    if server.had_mask {
        return false;
    }
    assert_eq!((first.fate(), lies, still_lies), (Some(fate), PAGE, PAGE), "{size}");
    let ended = (second.kind(), second.fate());
    assert_eq!(ended, (ErrorKind::WriteStalled, Some(Fate::NotSent)));
    // The server is told of the one that was written, and of the one that it has parts of.
    let sent: &[u8] = match fate {
        Fate::NotSent => &[CANCEL, REQUEST],
        _ => &[REQUEST, CANCEL, REQUEST],
    };
    assert_eq!(kinds, sent);
    true
}
