//! Streams within a call, on every front end: many replies, downloads, uploads.

use std::time::Instant;

use fifowire::{Error, ErrorKind, Fate, Pair};

use super::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::time::{Aside, aside};
use crate::support::{Scene, ms, scene_after};

/// What a server of streams is asked for, as `items size bytes end`.
pub(super) struct Order {
    items: usize,
    size: usize,
    bytes: usize,
    end: String,
    pub(super) stops: bool,
}

impl Order {
    pub(super) fn parse(message: &[u8]) -> Self {
        let words = String::from_utf8(message.to_vec()).unwrap();
        let mut words = words.split(' ');
        let mut number = || words.next().unwrap().parse().unwrap();
        let (items, size, bytes) = (number(), number(), number());
        let end = words.next().unwrap().to_owned();
        Self { items, size, bytes, stops: end == "stop", end }
    }

    pub(super) fn items(&self) -> impl Iterator<Item = Vec<u8>> {
        let size = self.size;
        (0..self.items).map(move |at| item(at, size))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        payload(self.bytes)
    }

    /// How the stream ends.
    pub(super) fn end(&self) -> Result<(), String> {
        match &*self.end {
            "fail" => Err("no more paper".to_owned()),
            "panic" => panic!("out of paper"),
            _ => Ok(()),
        }
    }
}

fn item(at: usize, size: usize) -> Vec<u8> {
    vec![at as u8; size]
}

fn payload(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * at / 7) as u8).collect()
}

/// What a payload is answered with.
pub(super) fn weight(bytes: &[u8]) -> Vec<u8> {
    let sum = bytes.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
    format!("{} {sum}", bytes.len()).into_bytes()
}

/// A server of streams, on a thread of its own.
fn streaming<F: Front>(scene: &Scene, name: &str) -> (Pair, Aside<()>) {
    let pair = Pair::create(scene.directory(), name).unwrap();
    let theirs = Pair::at(scene.directory(), name).unwrap();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 65_536).await.unwrap();
            F::stream_out(&mut server).await.unwrap();
        });
    });
    (pair, serving)
}

fn all_items_come_in_order_and_then_the_end<F: Front>(scene: &Scene) {
    let (pair, serving) = streaming::<F>(scene, "items");
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        for (items, size) in [(0, 0), (1, 0), (1000, 10), (20, 100_000)] {
            let order = format!("{items} {size} 0 end");
            let taken = F::take(&client, order.as_bytes(), ms(9000), usize::MAX).await;
            assert_eq!(taken.len(), items);
            for (at, taken) in taken.into_iter().enumerate() {
                assert_eq!(taken.unwrap(), item(at, size));
            }
        }
        for (end, words) in
            [("fail", "no more paper"), ("panic", "the handler panicked: out of paper")]
        {
            let order = format!("3 100 0 {end}");
            let mut taken = F::take(&client, order.as_bytes(), ms(9000), usize::MAX).await;
            let error = taken.pop().unwrap().unwrap_err();
            assert_eq!((error.kind(), error.detail()), (ErrorKind::Remote, Some(words)));
            assert_eq!(taken.into_iter().filter(Result::is_ok).count(), 3);
        }
        F::take(&client, b"0 0 0 stop", ms(9000), 1).await;
        assert_eq!(F::in_flight(&client), 0);
    });
    serving.join();
}

fn a_stream_that_is_dropped_frees_its_handler<F: Front>(scene: &Scene) {
    let (pair, serving) = streaming::<F>(scene, "dropped");
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        for _ in 0..20 {
            // Far more than there is room for, and soon nobody takes it.
            let taken = F::take(&client, b"100000 1000 0 end", ms(60_000), 3).await;
            assert_eq!(taken.into_iter().filter(Result::is_ok).count(), 3);
            assert_eq!(F::in_flight(&client), 0);
        }
        F::take(&client, b"0 0 0 stop", ms(9000), 1).await;
    });
    serving.join();
}

fn one_deadline_is_for_the_whole_stream<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "late").unwrap();
    F::block_on(async {
        let mut server = F::server(&pair, 65_536).await.unwrap();
        let client = F::client(&pair, 65_536).await.unwrap();
        let began = Instant::now();
        let taken = F::take(&client, b"0 0 0 end", ms(100), usize::MAX).await;
        let [Err(error)] = &taken[..] else { panic!("{taken:?}") };
        assert_eq!((error.kind(), error.fate()), (ErrorKind::NoWriter, Some(Fate::MaybeDelivered)));
        assert!(began.elapsed() < ms(150), "{:?}", began.elapsed());
        let error = F::next(&mut server, ms(30)).await.map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::NoWriter));
    });
}

fn a_plain_call_is_told_to_ask_for_a_stream<F: Front>(scene: &Scene) {
    let (pair, serving) = streaming::<F>(scene, "plain");
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        let error = F::call(&client, b"1 1 0 end", ms(9000)).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Unsupported, Some(Fate::NotSent)));
        F::take(&client, b"0 0 0 stop", ms(9000), 1).await;
    });
    serving.join();
}

fn a_download_of_any_size_passes_a_small_pipe<F: Front>(scene: &Scene) {
    let (pair, serving) = streaming::<F>(scene, "download");
    F::block_on(async {
        let client = F::client(&pair, 4096).await.unwrap();
        for size in [0, 1, 16_384, 16_385, 3 << 20] {
            let order = format!("0 0 {size} end");
            let bytes = F::download(&client, order.as_bytes(), ms(20_000)).await.unwrap();
            assert!(bytes == payload(size), "{size} bytes");
        }
        let error = F::download(&client, b"0 0 50000 fail", ms(9000)).await.unwrap_err();
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).unwrap();
        assert_eq!((inner.kind(), inner.detail()), (ErrorKind::Remote, Some("no more paper")));
        F::take(&client, b"0 0 0 stop", ms(9000), 1).await;
    });
    serving.join();
}

fn an_upload_of_any_size_passes_a_small_pipe<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "upload").unwrap();
    let theirs = Pair::at(scene.directory(), "upload").unwrap();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 4096).await.unwrap();
            F::weigh(&mut server).await.unwrap();
        });
    });
    F::block_on(async {
        let client = F::client(&pair, 4096).await.unwrap();
        for size in [0, 1, 16_384, 16_385, 3 << 20] {
            let bytes = payload(size);
            let reply = F::upload(&client, b"weigh", ms(20_000), &bytes).await.unwrap();
            assert_eq!(reply, weight(&bytes), "{size} bytes");
        }
        // A server need not want what it is brought, and may say why.
        let reply = F::upload(&client, b"enough", ms(9000), &payload(3 << 20)).await.unwrap();
        assert_eq!(reply, weight(b""));
        let error = F::upload(&client, b"refuse", ms(9000), &payload(3 << 20)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.detail()),
            (ErrorKind::Remote, Some("no room on the disk"))
        );
        F::call(&client, b"stop", ms(9000)).await.unwrap();
        assert_eq!(F::in_flight(&client), 0);
    });
    serving.join();
}

fn all<F: Front>(scene: &Scene) {
    all_items_come_in_order_and_then_the_end::<F>(scene);
    a_stream_that_is_dropped_frees_its_handler::<F>(scene);
    one_deadline_is_for_the_whole_stream::<F>(scene);
    a_plain_call_is_told_to_ask_for_a_stream::<F>(scene);
    a_download_of_any_size_passes_a_small_pipe::<F>(scene);
    an_upload_of_any_size_passes_a_small_pipe::<F>(scene);
}

#[test]
fn blocking_streams() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn tokio_current_thread_streams() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn tokio_multi_thread_streams() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn async_io_streams() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}
