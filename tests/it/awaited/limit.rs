//! The limit of calls in flight: waited for in turn, and what a tower service's readiness is.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use fifowire::awaited::{Client, Runtime, Server};
use fifowire::{EndOfWriters, ErrorKind, Fate, Pair};
use futures_util::future::{join_all, join3};
use tower::{Service, ServiceBuilder, ServiceExt};

use super::cut_after;
use super::dropped::Pace;
use crate::fronts::{AsyncIo, BlockOn, CurrentThread, Front, MultiThread, Smol};
use crate::support::time::aside;
use crate::support::{Scene, ms, scene_after};

const LIMIT: usize = 4;

/// A server that answers each request with itself once another has come or 5 ms have passed, and
/// tells how many it had in hand at most.
fn serve<R: Runtime, B: BlockOn>(pair: Pair) -> usize {
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    B::block_on(async {
        let options = Server::<R, u32, u32>::options().end_of_writers(EndOfWriters::End);
        let mut server = options.open(&pair).await.unwrap();
        let handler = |request, _| {
            let (now, most) = (&now, &most);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                async_io::Timer::after(ms(5)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok::<u32, String>(request)
            }
        };
        server.serve(handler).await.unwrap();
    });
    most.into_inner()
}

fn pair(scene: &Scene, name: &str) -> (Pair, Pair) {
    let ours = Pair::create(scene.directory(), name).unwrap();
    (ours, Pair::at(scene.directory(), name).unwrap())
}

fn calls_wait_for_their_turn_where_they_are_told_to<R: Runtime, B: BlockOn>(scene: &Scene) {
    let (ours, theirs) = pair(scene, "turn");
    let serving = aside(move || serve::<R, B>(theirs));
    B::block_on(async {
        let options = Client::<R, u32, u32>::options().max_in_flight(LIMIT).wait_when_full(true);
        let client = options.timeout(ms(9000)).open(&ours).await.unwrap();
        let calls = (0..40).map(|number| {
            let client = client.clone();
            async move {
                // Every third gives up somewhere on the way, waiting for its place or for its
                // reply.
                let call = client.call(&number);
                match number % 3 {
                    0 => drop(cut_after(number as usize % 5, Pace::Woken, call).await),
                    _ => assert_eq!(call.await.unwrap(), number),
                }
            }
        });
        join_all(calls).await;
        assert_eq!(client.in_flight(), 0);
    });
    let most = serving.join();
    // What was given up may still be in the server's hands.
    assert!((2..=2 * LIMIT).contains(&most), "{most} at once");
}

fn a_wait_for_a_place_ends_on_time<R: Runtime, B: BlockOn>(scene: &Scene) {
    let (ours, _) = pair(scene, "late");
    B::block_on(async {
        let options = Client::<R, u32, u32>::options().max_in_flight(1).wait_when_full(true);
        let client = options.timeout(ms(9000)).open(&ours).await.unwrap();
        let mut first = pin!(client.call(&1));
        poll_fn(|cx| {
            assert!(first.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let error = client.request(&2).timeout(ms(50)).call().await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Overloaded, Some(Fate::NotSent)));
    });
}

fn requests_that_were_read_and_not_heard_wait_for_room_and_no_longer<R: Runtime, B: BlockOn>(
    scene: &Scene,
) {
    let (ours, theirs) = pair(scene, "room");
    let serving = aside(move || {
        B::block_on(async {
            // Memory for one request at a time: the others are in the window, and no event of the
            // FIFO will announce them.
            let options = Server::<R, u32, u32>::options().end_of_writers(EndOfWriters::End);
            let options = options.max_message(1000).wait_when_full(true);
            let mut server = options.open(&theirs).await.unwrap();
            server.serve(|request, _| async move { Ok::<_, String>(request) }).await.unwrap();
        });
    });
    B::block_on(async {
        let options = Client::<R, u32, u32>::options().timeout(ms(2000));
        let client = options.open(&ours).await.unwrap();
        let calls: Vec<_> = (0..100).collect();
        let calls = calls.iter().map(|number| client.call(number));
        let replies: Vec<u32> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
        assert!(replies.into_iter().eq(0..100));
    });
    serving.join();
}

/// Whether a clone is ready, asked by a task that nobody will wake.
fn is_ready<S: Service<u32>>(service: &mut S) -> bool {
    service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn readiness_is_a_place_that_is_held<R: Runtime, B: BlockOn>(scene: &Scene) {
    let (ours, theirs) = pair(scene, "ready");
    let serving = aside(move || serve::<R, B>(theirs));
    B::block_on(async {
        let options = Client::<R, u32, u32>::options().max_in_flight(2).timeout(ms(9000));
        let mut first = options.open(&ours).await.unwrap();
        let (mut second, mut third, mut fourth) = (first.clone(), first.clone(), first.clone());
        assert!(is_ready(&mut first) && is_ready(&mut second));
        assert!(is_ready(&mut first), "once ready, it stays so until it calls");
        assert!(!is_ready(&mut third) && !is_ready(&mut fourth));
        // Both places are held: a call without one is refused.
        let refused = Service::call(&mut third.clone(), 7).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Overloaded);

        // A place that is given back, be it by a clone or by a call that was never polled, goes to
        // whoever asked first.
        drop(Service::call(&mut first, 1));
        assert!(!is_ready(&mut fourth) && is_ready(&mut third));
        drop(second);
        assert!(is_ready(&mut fourth));
        let (three, four) = (Service::call(&mut third, 3), Service::call(&mut fourth, 4));
        let one = async {
            let ready = first.ready().await.unwrap();
            Service::call(ready, 1).await
        };
        let (three, four, one) = join3(three, four, one).await;
        assert_eq!([one.unwrap(), three.unwrap(), four.unwrap()], [1, 3, 4]);
        assert_eq!(first.in_flight(), 0);
    });
    serving.join();
}

fn it_composes_with_what_tower_has<R: Runtime, B: BlockOn>(scene: &Scene) {
    let (ours, theirs) = pair(scene, "tower");
    let serving = aside(move || serve::<R, B>(theirs));
    B::block_on(async {
        let options = Client::<R, u32, u32>::options().max_in_flight(LIMIT).timeout(ms(9000));
        let client = options.open(&ours).await.unwrap();
        let service = ServiceBuilder::new()
            .concurrency_limit(2 * LIMIT)
            .map_request(|number: u64| number as u32)
            .map_err(|error: fifowire::Error| error.kind())
            .service(client.clone());
        let calls = (0..40).map(|number| service.clone().oneshot(number));
        let replies = join_all(calls).await;
        assert!(replies.into_iter().map(Result::unwrap).eq(0..40));
        assert_eq!(client.in_flight(), 0);
    });
    assert!(serving.join() <= LIMIT);
}

fn all<R: Runtime, B: BlockOn>(scene: &Scene) {
    calls_wait_for_their_turn_where_they_are_told_to::<R, B>(scene);
    a_wait_for_a_place_ends_on_time::<R, B>(scene);
    requests_that_were_read_and_not_heard_wait_for_room_and_no_longer::<R, B>(scene);
    readiness_is_a_place_that_is_held::<R, B>(scene);
    it_composes_with_what_tower_has::<R, B>(scene);
}

#[test]
fn tokio_current_thread_keeps_its_limit() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<fifowire::tokio::Tokio, CurrentThread>(scene);
    });
}

#[test]
fn tokio_multi_thread_keeps_its_limit() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<fifowire::tokio::Tokio, MultiThread>(scene);
    });
}

#[test]
fn async_io_keeps_its_limit() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<fifowire::async_io::AsyncIo, Smol>(scene);
    });
}
