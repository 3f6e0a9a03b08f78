//! Native frames over pipe ends of tokio's own, with an endpoint of this crate on the other side.

use fifowire::codec::{Bytes, Text};
use fifowire::framed::NativeCodec;
use fifowire::{EndOfWriters, ErrorKind, Fifo, Receiver, Sender};
use futures_util::future::join;
use futures_util::{SinkExt, StreamExt};
use tokio::net::unix::pipe;
use tokio_util::codec::{FramedRead, FramedWrite};

use crate::fronts::{BlockOn, CurrentThread, MultiThread};
use crate::support::time::aside;
use crate::support::{Scene, ms, scene};

/// In one frame, in one frame to its last byte, in several, and more than the pipe holds.
const SIZES: [usize; 6] = [0, 10, 4048, 4049, 100_000, 1 << 20];

/// Messages of all sizes, a few times over, each unlike the others.
fn messages() -> Vec<Vec<u8>> {
    let numbered = (0_u32..).zip(SIZES.into_iter().cycle().take(3 * SIZES.len()));
    numbered
        .map(|(number, size)| number.to_le_bytes().into_iter().cycle().take(size).collect())
        .collect()
}

fn codec() -> NativeCodec<Vec<u8>, Bytes> {
    NativeCodec::options().codec(Bytes).build()
}

/// A receiver that takes everything until the last writer leaves, and had nothing to skip.
fn all_of(mut receiver: Receiver<Vec<u8>, Bytes>) -> Vec<Vec<u8>> {
    let received = receiver.messages().map(Result::unwrap).collect();
    let stats = receiver.stats();
    assert_eq!((stats.torn, stats.skipped_bytes, stats.unknown), (0, 0, 0));
    received
}

fn receiver(fifo: &Fifo) -> Receiver<Vec<u8>, Bytes> {
    let options = Receiver::options().codec(Bytes).timeout(ms(9000));
    options.end_of_writers(EndOfWriters::End).open(fifo.path()).unwrap()
}

fn a_stream_reads_what_a_sender_sends<B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("read.fifo")).unwrap();
    B::block_on(async {
        let end = pipe::OpenOptions::new().open_receiver(fifo.path()).unwrap();
        let mut values = FramedRead::new(end, codec());
        let options = fifowire::tokio::Sender::<Vec<u8>>::options().codec(Bytes);
        let mut sender = options.open(fifo.path()).await.unwrap();
        let sending = async move {
            for message in messages() {
                sender.send(&message).await.unwrap();
            }
        };
        let receiving = async {
            for message in messages() {
                assert_eq!(values.next().await.unwrap().unwrap(), message);
            }
        };
        join(sending, receiving).await;
        // The sender is gone, and with it the stream.
        assert!(values.next().await.is_none());
        let stats = values.decoder().stats();
        assert_eq!((stats.messages, stats.torn), (messages().len() as u64, 0));
    });
}

fn a_receiver_reads_what_a_sink_writes<B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("write.fifo")).unwrap();
    let receiver = receiver(&fifo);
    let receiving = aside(move || all_of(receiver));
    B::block_on(async {
        let end = pipe::OpenOptions::new().open_sender(fifo.path()).unwrap();
        let mut values = FramedWrite::new(end, codec());
        for (number, message) in messages().iter().enumerate() {
            // Many in one write, or each by itself.
            match number % 2 {
                0 => values.feed(message).await.unwrap(),
                _ => values.send(message.clone()).await.unwrap(),
            }
        }
        SinkExt::<&Vec<u8>>::close(&mut values).await.unwrap();
    });
    assert_eq!(receiving.join(), messages());
}

/// What the module's documentation says of several writers.
fn a_value_that_is_one_write_stays_whole_beside_others<B: BlockOn>(scene: &Scene) {
    const COUNT: usize = 300;
    let (long, short) = (vec![1; 100_000], vec![2; 4048]);
    let fifo = Fifo::create(scene.path("shared.fifo")).unwrap();
    let receiver = receiver(&fifo);
    let mut other = Sender::options().codec(Bytes).open(fifo.path()).unwrap();
    let sent = long.clone();
    let receiving = B::block_on(async {
        let end = pipe::OpenOptions::new().open_sender(fifo.path()).unwrap();
        // Both writers are there before anything is read, so that neither's end is the end.
        let receiving = aside(move || all_of(receiver));
        let sending = aside(move || (0..COUNT / 10).for_each(|_| other.send(&sent).unwrap()));
        let mut values = FramedWrite::new(end, codec());
        for _ in 0..COUNT {
            values.send(&short).await.unwrap();
        }
        sending.join();
        receiving
    });
    let received = receiving.join();
    assert_eq!(received.iter().filter(|message| **message == long).count(), COUNT / 10);
    assert_eq!(received.iter().filter(|message| **message == short).count(), COUNT);
}

fn after_an_error_the_stream_may_be_polled_on<B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("errors.fifo")).unwrap();
    B::block_on(async {
        let end = pipe::OpenOptions::new().open_receiver(fifo.path()).unwrap();
        let text = NativeCodec::<String>::options().codec(Text).build();
        let mut values = FramedRead::new(end, text);
        let options = fifowire::tokio::Sender::<Vec<u8>>::options().codec(Bytes);
        let mut sender = options.open(fifo.path()).await.unwrap();
        // All three in one write.
        sender.feed(&b"one".to_vec()).await.unwrap();
        sender.feed(&b"\xFF".to_vec()).await.unwrap();
        sender.send(&b"two".to_vec()).await.unwrap();
        assert_eq!(values.next().await.unwrap().unwrap(), "one");
        assert_eq!(values.next().await.unwrap().unwrap_err().kind(), ErrorKind::Codec);
        assert!(values.next().await.is_none());
        // What came with it waits for more.
        sender.send(&b"three".to_vec()).await.unwrap();
        assert_eq!(values.next().await.unwrap().unwrap(), "two");
        assert_eq!(values.next().await.unwrap().unwrap(), "three");
        drop(sender);
        assert!(values.next().await.is_none());
    });
}

fn a_reader_that_has_left_is_an_error_of_the_sink<B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("left.fifo")).unwrap();
    let receiver = receiver(&fifo);
    B::block_on(async {
        let end = pipe::OpenOptions::new().open_sender(fifo.path()).unwrap();
        let mut values = FramedWrite::new(end, codec());
        drop(receiver);
        let error = values.send(vec![0; 10]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PeerClosed);
    });
}

fn all<B: BlockOn>(scene: &Scene) {
    a_stream_reads_what_a_sender_sends::<B>(scene);
    a_receiver_reads_what_a_sink_writes::<B>(scene);
    a_value_that_is_one_write_stays_whole_beside_others::<B>(scene);
    after_an_error_the_stream_may_be_polled_on::<B>(scene);
    a_reader_that_has_left_is_an_error_of_the_sink::<B>(scene);
}

#[test]
fn tokio_current_thread_carries_native_frames_over_its_own_ends() {
    scene(&[], |scene| {
        all::<CurrentThread>(scene);
    });
}

#[test]
fn tokio_multi_thread_carries_native_frames_over_its_own_ends() {
    scene(&[], |scene| {
        all::<MultiThread>(scene);
    });
}
