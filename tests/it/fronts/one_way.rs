//! Messages one way, on every front end.

use fifowire::{EndOfWriters, ErrorKind, Fate, Fifo};

use super::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::time::aside;
use crate::support::{Scene, ledger, ms, raw, scene_after};

fn messages_of_all_sizes_arrive<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("sizes.fifo")).unwrap();
    let sizes = [0, 1, 4000, 4096, 70_000, 1 << 20];
    let path = fifo.path().to_owned();
    let receiving = aside(move || {
        F::block_on(async {
            let mut receiver = F::receiver(&path, EndOfWriters::End).await.unwrap();
            for size in sizes {
                let message = F::recv(&mut receiver, ms(9000)).await.unwrap();
                assert_eq!(message, vec![size as u8; size]);
            }
            let end = F::recv(&mut receiver, ms(9000)).await.unwrap_err();
            assert_eq!(end.kind(), ErrorKind::PeerClosed);
            assert!(end.hint().contains("which is the end"), "{end}");
        });
    });
    F::block_on(async {
        let mut sender = F::sender(fifo.path(), ms(9000)).await.unwrap();
        for size in sizes {
            F::send(&mut sender, &vec![size as u8; size]).await.unwrap();
        }
    });
    receiving.join();
}

fn a_batch_arrives_whole_and_in_order<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("batch.fifo")).unwrap();
    let path = fifo.path().to_owned();
    let receiving = aside(move || {
        F::block_on(async {
            let mut receiver = F::receiver(&path, EndOfWriters::Wait).await.unwrap();
            for number in 0..20_000_u32 {
                let message = F::recv(&mut receiver, ms(9000)).await.unwrap();
                assert_eq!(message, number.to_le_bytes());
            }
        });
    });
    F::block_on(async {
        let mut sender = F::sender(fifo.path(), ms(9000)).await.unwrap();
        for number in 0..20_000_u32 {
            F::feed(&mut sender, &number.to_le_bytes()).await.unwrap();
        }
        F::flush(&mut sender).await.unwrap();
    });
    receiving.join();
}

fn closing_writes_what_was_fed_and_ends_the_stream<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("closed.fifo")).unwrap();
    let open = ledger::descriptors();
    F::block_on(async {
        let mut receiver = F::receiver(fifo.path(), EndOfWriters::Wait).await.unwrap();
        let mut sender = F::sender(fifo.path(), ms(9000)).await.unwrap();
        for round in [b"first", b"other"] {
            F::feed(&mut sender, round).await.unwrap();
            F::close(&mut sender).await.unwrap();
            F::close(&mut sender).await.unwrap();
            assert_eq!(F::recv(&mut receiver, ms(9000)).await.unwrap(), round);
            let error = F::recv(&mut receiver, ms(10)).await.unwrap_err();
            assert_eq!(error.detail(), Some("the last writer has left"));
            // Sending again opens the end anew.
            F::send(&mut sender, b"more").await.unwrap();
            assert_eq!(F::recv(&mut receiver, ms(9000)).await.unwrap(), b"more");
        }
        // What cannot be written is told of.
        let mut short = F::sender(fifo.path(), ms(50)).await.unwrap();
        drop(receiver);
        F::feed(&mut short, b"for nobody").await.unwrap();
        let error = F::close(&mut short).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::NoReader, Some(Fate::NotSent)));
    });
    assert_eq!(ledger::descriptors(), open);
}

fn every_wait_ends_on_time_and_says_for_whom<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("alone.fifo")).unwrap();
    F::block_on(async {
        let nowhere = scene.path("nowhere");
        let error = F::sender(&nowhere, ms(30)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = F::sender(fifo.path(), ms(30)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoReader);
        let mut receiver = F::receiver(fifo.path(), EndOfWriters::Wait).await.unwrap();
        let error = F::recv(&mut receiver, ms(30)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoWriter);
        let mut sender = F::sender(fifo.path(), ms(100)).await.unwrap();
        let error = F::recv(&mut receiver, ms(30)).await.unwrap_err();
        assert_eq!((error.kind(), error.detail()), (ErrorKind::TimedOut, None));
        // Nobody reads meanwhile.
        let error = F::send(&mut sender, &vec![7; 200_001]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
        assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
    });
}

fn what_was_cut_is_never_delivered_and_the_next_is<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("cut.fifo")).unwrap();
    let path = fifo.path().to_owned();
    let (cut, is_cut) = std::sync::mpsc::channel();
    let sending = aside(move || {
        F::block_on(async {
            let mut sender = F::sender(&path, ms(300)).await.unwrap();
            F::send(&mut sender, &vec![7; 200_001]).await.unwrap_err();
            cut.send(()).unwrap();
            while F::send(&mut sender, b"next").await.is_err() {}
        });
    });
    F::block_on(async {
        let mut receiver = F::receiver(fifo.path(), EndOfWriters::Wait).await.unwrap();
        is_cut.recv().unwrap();
        assert_eq!(F::recv(&mut receiver, ms(9000)).await.unwrap(), b"next");
    });
    sending.join();
}

fn writers_come_and_go_and_no_byte_is_lost<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("changing.fifo")).unwrap();
    let path = fifo.path().to_owned();
    let (left, has_left) = std::sync::mpsc::channel();
    let receiving = aside(move || {
        F::block_on(async {
            let mut receiver = F::receiver(&path, EndOfWriters::Wait).await.unwrap();
            for number in 0..300_u32 {
                let message = F::recv(&mut receiver, ms(9000)).await.unwrap();
                assert_eq!(message, number.to_le_bytes());
            }
            has_left.recv().unwrap();
            let error = F::recv(&mut receiver, ms(30)).await.unwrap_err();
            assert_eq!(error.detail(), Some("the last writer has left"));
        });
    });
    for number in 0..300_u32 {
        F::block_on(async {
            let mut sender = F::sender(fifo.path(), ms(9000)).await.unwrap();
            F::send(&mut sender, &number.to_le_bytes()).await.unwrap();
        });
    }
    left.send(()).unwrap();
    receiving.join();
}

fn a_full_fifo_whose_reader_leaves_and_returns_goes_on<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("full.fifo")).unwrap();
    F::block_on(async {
        for _ in 0..20 {
            let stalled = raw::reader(fifo.path());
            let mut sender = F::sender(fifo.path(), ms(9000)).await.unwrap();
            let path = fifo.path().to_owned();
            // Fills the FIFO; then its reader leaves, and another comes and reads.
            let returning = aside(move || {
                drop(stalled);
                F::block_on(async {
                    let mut receiver = F::receiver(&path, EndOfWriters::Wait).await.unwrap();
                    while F::recv(&mut receiver, ms(9000)).await.unwrap() != b"last" {}
                });
            });
            // The first may be cut by the departure; it says so, and the next goes to who is there.
            for _ in 0..40 {
                let _ = F::send(&mut sender, &[1; 4000]).await;
            }
            while F::send(&mut sender, b"last").await.is_err() {}
            returning.join();
        }
    });
}

#[test]
fn blocking_one_way() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn tokio_current_thread_one_way() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn tokio_multi_thread_one_way() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn async_io_one_way() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}

fn all<F: Front>(scene: &Scene) {
    messages_of_all_sizes_arrive::<F>(scene);
    a_batch_arrives_whole_and_in_order::<F>(scene);
    closing_writes_what_was_fed_and_ends_the_stream::<F>(scene);
    every_wait_ends_on_time_and_says_for_whom::<F>(scene);
    what_was_cut_is_never_delivered_and_the_next_is::<F>(scene);
    writers_come_and_go_and_no_byte_is_lost::<F>(scene);
    a_full_fifo_whose_reader_leaves_and_returns_goes_on::<F>(scene);
}
