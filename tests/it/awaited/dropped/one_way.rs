//! Sending, receiving and closing, dropped.

use fifowire::awaited::{FifoReader, FifoWriter, Receiver, Sender};
use fifowire::codec::Bytes;
use fifowire::{EndOfWriters, Fifo};

use super::{POLLS, Pace, cut_after, cuts, message, number_of};
use crate::fronts::{BlockOn, Bytewise};
use crate::support::time::{Aside, aside};
use crate::support::{Scene, ms};

pub(super) fn no_message_is_lost_by_receives<R: Bytewise, B: BlockOn>(scene: &Scene) {
    const MESSAGES: u32 = 1000;
    let fifo = Fifo::create(scene.path("recv.fifo")).unwrap();
    let path = fifo.path().to_owned();
    let sending = aside(move || {
        let mut sender = fifowire::Sender::options().codec(Bytes).open(path).unwrap();
        for number in 0..MESSAGES {
            sender.send(&message(number)).unwrap();
        }
    });
    B::block_on(async {
        let options = Receiver::<R, Vec<u8>>::options().codec(Bytes);
        let mut receiver = options.timeout(ms(9000)).open(fifo.path()).await.unwrap();
        let (mut next, mut rounds) = (0, 0);
        while next < MESSAGES {
            // All counts of polls, again and again, as long as there is something to receive.
            rounds += 1;
            for (polls, pace) in cuts() {
                if next == MESSAGES {
                    break;
                }
                if let Some(received) = cut_after(polls, pace, receiver.recv()).await {
                    assert_eq!(received.unwrap(), message(next));
                    next += 1;
                }
            }
        }
        assert!(rounds > 1, "every count of polls was reached");
        assert_eq!(receiver.stats().torn, 0);
    });
    sending.join();
}

/// Receives all messages up to the one that says that it is the last.
fn receiving(fifo: &Fifo) -> Aside<Vec<u32>> {
    let mut receiver: fifowire::Receiver<Vec<u8>, Bytes> = fifowire::Receiver::options()
        .codec(Bytes)
        .end_of_writers(EndOfWriters::Wait)
        .open(fifo.path())
        .unwrap();
    aside(move || {
        let mut received = Vec::new();
        loop {
            let came = receiver.recv_timeout(ms(9000)).unwrap();
            if came == b"the end" {
                return received;
            }
            assert_eq!(came, message(number_of(&came)), "torn");
            received.push(number_of(&came));
        }
    })
}

/// Of what was sent nothing is missing, of what came nothing is doubled or out of order.
fn check(sent: &[u32], received: &[u32]) {
    assert!(received.is_sorted_by(|a, b| a < b), "doubled, or out of order");
    assert!(sent.iter().all(|number| received.binary_search(number).is_ok()), "lost");
    assert!(sent.len() > POLLS, "most are done: {}", sent.len());
}

pub(super) fn what_a_send_held_is_whole_or_not_there<R: Bytewise, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("send.fifo")).unwrap();
    let receiving = receiving(&fifo);
    let sent = B::block_on(async {
        let options = Sender::<R, Vec<u8>>::options().codec(Bytes).timeout(ms(9000));
        let mut sender = options.open(fifo.path()).await.unwrap();
        let (mut sent, mut number) = (Vec::new(), 0);
        for (polls, pace) in cuts() {
            for _ in 0..3 {
                if let Some(done) = cut_after(polls, pace, sender.send(&message(number))).await {
                    done.unwrap();
                    sent.push(number);
                }
                number += 1;
            }
        }
        sender.send(&b"the end".to_vec()).await.unwrap();
        sent
    });
    check(&sent, &receiving.join());
}

pub(super) fn what_a_close_held_is_whole_or_not_there<R: Bytewise, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("close.fifo")).unwrap();
    let receiving = receiving(&fifo);
    let sent = B::block_on(async {
        let options = Sender::<R, Vec<u8>>::options().codec(Bytes).timeout(ms(9000));
        let mut sender = options.open(fifo.path()).await.unwrap();
        let (mut sent, mut number) = (Vec::new(), 0);
        for (polls, pace) in cuts() {
            for _ in 0..3 {
                // In the batch at least in part, and behind a message that keeps the reader busy.
                sender.feed(&message(number)).await.unwrap();
                if let Some(closed) = cut_after(polls, pace, sender.close()).await {
                    closed.unwrap();
                    sent.push(number);
                }
                number += 1;
            }
        }
        sender.send(&b"the end".to_vec()).await.unwrap();
        sent
    });
    check(&sent, &receiving.join());
}

/// The bytes that are written, of which each says where it stands.
fn byte_at(position: usize) -> u8 {
    (position as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3]
}

pub(super) fn no_byte_is_lost_by_reads_or_doubled_by_writes<R: Bytewise, B: BlockOn>(
    scene: &Scene,
) {
    const BYTES: usize = 5_000_000;
    let fifo = Fifo::create(scene.path("bytes.fifo")).unwrap();
    let path = fifo.path().to_owned();
    let writing = aside(move || {
        B::block_on(async {
            let mut writer = FifoWriter::<R>::open(&path).await.unwrap();
            let (mut at, mut cuts) = (0, cuts().cycle());
            while at < BYTES {
                let size = (at % 7000 + 1).min(BYTES - at);
                let bytes: Vec<u8> = (at..at + size).map(byte_at).collect();
                let (polls, pace) = cuts.next().unwrap();
                // A write that was dropped has written nothing, and is made again.
                if let Some(wrote) = cut_after(polls, pace, R::write(&mut writer, &bytes)).await {
                    at += wrote.unwrap();
                }
            }
        });
    });
    B::block_on(async {
        let mut reader = FifoReader::<R>::open(fifo.path()).await.unwrap();
        let (mut at, mut chunk, mut cuts) = (0, vec![0; 5000], cuts().cycle());
        loop {
            let (polls, pace): (usize, Pace) = cuts.next().unwrap();
            match cut_after(polls, pace, R::read(&mut reader, &mut chunk)).await {
                None => {}
                Some(Ok(0)) => break,
                Some(read) => {
                    let count = read.unwrap();
                    assert!(chunk[..count].iter().copied().eq((at..at + count).map(byte_at)));
                    at += count;
                }
            }
        }
        assert_eq!(at, BYTES);
    });
    writing.join();
}
