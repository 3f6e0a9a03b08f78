//! CC4: `Ok` only when every byte was accepted; otherwise an error that says written and total,
//! and the end is poisoned: closed, and opened again for the next call.

use fifowire::codec::Bytes;
use fifowire::{Client, Error, ErrorKind, Fate, Fifo, Pair, Phase, Receiver, Sender, Server};

use crate::support::time::aside;
use crate::support::{Scene, ms, raw, scene};

/// What the bridge reported as a success after 65,536 bytes.
const LARGE: usize = 200_001;

#[test]
fn cc4_a_write_timeout_says_written_and_total_and_the_next_send_works() {
    scene(&[], |scene| {
        for_each_kind_of_sender(scene, |fifo, mut sender| {
            let reader = raw::reader(fifo.path());
            let error = sender.send_timeout(&vec![7; LARGE], ms(100)).unwrap_err();
            check(&error);
            assert_eq!(sender.stats().poisoned, 1);
            assert!(sender.capacity().is_none(), "the end was closed");

            // The receiver that comes gets what is whole, and nothing else.
            let options = Receiver::<Vec<u8>>::options().codec(Bytes);
            let mut receiver = options.open(fifo.path());
            drop(reader);
            let receiver = receiver.as_mut().unwrap();
            let sending =
                aside(move || sender.send_timeout(&vec![8; 100], ms(5000)).map(|()| sender));
            assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), vec![8; 100]);
            let sender = sending.join().unwrap();
            assert_eq!((receiver.stats().messages, sender.stats().poisoned), (1, 1));
        })
    });
}

fn check(error: &Error) {
    assert_eq!((error.kind(), error.phase()), (ErrorKind::WriteStalled, Phase::Write));
    assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
    let progress = error.progress().unwrap();
    assert!(progress.written >= 4096, "the FIFO was empty: {progress:?}");
    assert!(progress.written < progress.total, "{progress:?}");
    assert!(progress.total >= LARGE as u64, "{progress:?}");
    assert!(error.to_string().contains(&format!("{} of {}", progress.written, progress.total)));
}

type BytesSender = Sender<Vec<u8>, Bytes>;

fn for_each_kind_of_sender(scene: &Scene, test: fn(&Fifo, BytesSender)) {
    for exclusive in [false, true] {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let reader = raw::reader(fifo.path());
        let options = Sender::<Vec<u8>>::options().codec(Bytes).exclusive(exclusive);
        let sender = options.open(fifo.path()).unwrap();
        drop(reader);
        test(&fifo, sender);
    }
}

#[test]
fn cc4_ok_means_that_the_fifo_has_accepted_every_byte() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut receiver = Receiver::<Vec<u8>>::options().codec(Bytes).open(fifo.path()).unwrap();
        let mut sender = Sender::<Vec<u8>>::options().codec(Bytes).open(fifo.path()).unwrap();
        for len in [0, 1, 4000, 4096, 60_000] {
            sender.send(&vec![1; len]).unwrap();
            // Without another step of the sender: nothing of it is still in the process.
            let received = receiver.try_recv().unwrap();
            assert_eq!(received.map(|message| message.len()), Some(len));
        }
    });
}

#[test]
fn cc4_a_reader_that_leaves_midway_is_an_error_that_says_how_far_it_got() {
    scene(&[], |scene| {
        for_each_kind_of_sender(scene, |fifo, mut sender| {
            let mut reader = raw::reader(fifo.path());
            let sending = aside(move || (sender.send_timeout(&vec![7; LARGE], ms(9000)), sender));
            // As long as the rest fits into no pipe, the sender is in the middle of it.
            raw::take(&mut reader, 70_000);
            drop(reader);
            let (sent, mut sender) = sending.join();
            let error = sent.unwrap_err();
            assert_eq!(
                (error.kind(), error.fate()),
                (ErrorKind::PeerClosed, Some(Fate::MaybeDelivered))
            );
            let progress = error.progress().unwrap();
            assert!(
                progress.written >= 70_000 && progress.written < progress.total,
                "{progress:?}"
            );

            let mut receiver =
                Receiver::<Vec<u8>>::options().codec(Bytes).open(fifo.path()).unwrap();
            sender.send_timeout(&vec![9], ms(5000)).unwrap();
            assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), [9]);
        })
    });
}

#[test]
fn cc4_a_request_that_stalls_is_not_sent_and_the_next_call_works() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let client = Client::<String, usize>::open(&pair).unwrap();
        let stuck = raw::reader(pair.input());
        let error = client.request(&"7".repeat(LARGE)).timeout(ms(100)).call().unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::WriteStalled, Some(Fate::NotSent)));
        // What the stuck process held in the pipe goes to the server that comes.
        let mut server = Server::<String, usize>::open(&pair).unwrap();
        drop(stuck);
        let call = aside(move || client.request(&"8".repeat(300)).timeout(ms(5000)).call());
        let request = server.recv_timeout(ms(5000)).unwrap();
        assert_eq!(request.value, "8".repeat(300), "the stalled request is never delivered");
        request.responder.send(&300).unwrap();
        assert_eq!(call.join().unwrap(), 300);
    });
}
