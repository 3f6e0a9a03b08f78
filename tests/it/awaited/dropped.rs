//! Futures that are dropped at every poll: nothing is lost, torn or doubled, and nothing is left.

use fifowire::awaited::{Client, Receiver, Runtime, Sender, Server};
use fifowire::codec::Bytes;
use fifowire::{EndOfWriters, ErrorKind, Fifo, Pair};

use super::cut_after;
use crate::fronts::{AsyncIo, Awaited, BlockOn, Bytewise, Front, TokioCurrent, TokioMulti};
use crate::support::time::aside;
use crate::support::{Scene, ms, scene_after};

/// Sends and calls are given from none to so many polls before they are dropped; what takes only a
/// few polls, or waits for nobody, is dropped at each of its first ones, as many times.
const POLLS: usize = 200;

/// A message that says which one it is, of a size that takes one frame or many.
fn message(number: u32) -> Vec<u8> {
    let size = [10, 5000, 100_000][number as usize % 3];
    number.to_le_bytes().into_iter().cycle().take(size).collect()
}

fn number_of(message: &[u8]) -> u32 {
    u32::from_le_bytes(*message.first_chunk().unwrap())
}

fn no_message_is_lost_by_receives_that_are_dropped<R: Runtime, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("recv.fifo")).unwrap();
    let path = fifo.path().to_owned();
    let sending = aside(move || {
        let mut sender = fifowire::Sender::options().codec(Bytes).open(path).unwrap();
        for number in 0..1000 {
            sender.send(&message(number)).unwrap();
        }
    });
    B::block_on(async {
        let options = Receiver::<R, Vec<u8>>::options().codec(Bytes);
        let mut receiver = options.timeout(ms(9000)).open(fifo.path()).await.unwrap();
        let (mut next, mut polls) = (0, 0);
        while next < 1000 {
            polls = (polls + 1) % POLLS;
            if let Some(received) = cut_after(polls % 7, receiver.recv()).await {
                assert_eq!(received.unwrap(), message(next));
                next += 1;
            }
        }
    });
    sending.join();
}

fn what_a_dropped_send_held_is_whole_or_not_there<R: Runtime, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("send.fifo")).unwrap();
    let mut receiver: fifowire::Receiver<Vec<u8>, Bytes> = fifowire::Receiver::options()
        .codec(Bytes)
        .end_of_writers(EndOfWriters::Wait)
        .open(fifo.path())
        .unwrap();
    let receiving = aside(move || {
        let mut received = Vec::new();
        loop {
            let came = receiver.recv_timeout(ms(9000)).unwrap();
            if came == b"the end" {
                return received;
            }
            assert_eq!(came, message(number_of(&came)), "torn");
            received.push(number_of(&came));
        }
    });
    let sent = B::block_on(async {
        let options = Sender::<R, Vec<u8>>::options().codec(Bytes).timeout(ms(9000));
        let mut sender = options.open(fifo.path()).await.unwrap();
        let mut sent = Vec::new();
        for number in 0..3 * POLLS as u32 {
            let polls = number as usize / 3;
            if let Some(done) = cut_after(polls, sender.send(&message(number))).await {
                done.unwrap();
                sent.push(number);
            }
        }
        sender.send(&b"the end".to_vec()).await.unwrap();
        sent
    });
    let received = receiving.join();
    assert!(received.is_sorted_by(|a, b| a < b), "doubled, or out of order");
    assert!(sent.iter().all(|number| received.binary_search(number).is_ok()), "lost");
    assert!(sent.len() > POLLS, "most sends are done: {}", sent.len());
}

fn a_dropped_call_leaves_nothing_and_harms_no_other<R: Runtime, B: BlockOn>(scene: &Scene)
where
    Awaited<R, B>: Front<Server = Server<R, Vec<u8>, Vec<u8>, Bytes>>,
{
    let pair = Pair::create(scene.directory(), "call").unwrap();
    let theirs = Pair::at(scene.directory(), "call").unwrap();
    let serving = aside(move || {
        B::block_on(async {
            let mut server = Awaited::<R, B>::server(&theirs, 65_536).await.unwrap();
            Awaited::<R, B>::obey(&mut server).await.unwrap();
        });
    });
    B::block_on(async {
        let options = Client::<R, Vec<u8>, Vec<u8>>::options().codec(Bytes);
        let client = options.timeout(ms(9000)).open(&pair).await.unwrap();
        for number in 0..3 * POLLS as u32 {
            let (whole, cut) = (message(number), message(number + 1));
            let (whole_reply, cut_reply) = futures_util::future::join(
                client.call(&whole),
                cut_after(number as usize / 3, client.call(&cut)),
            )
            .await;
            assert_eq!(whole_reply.unwrap(), whole);
            if let Some(reply) = cut_reply {
                assert_eq!(reply.unwrap(), cut);
            }
            assert_eq!(client.in_flight(), 0);
        }
        client.call(&b"stop".to_vec()).await.unwrap();
    });
    serving.join();
}

fn a_dropped_open_leaves_no_descriptor<R: Runtime, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("open.fifo")).unwrap();
    let pair = Pair::create(scene.directory(), "open").unwrap();
    let before = crate::support::ledger::descriptors();
    B::block_on(async {
        let inside = crate::support::ledger::descriptors();
        for polls in 0..POLLS {
            let polls = polls % 8;
            let sender = Sender::<R, String>::open(fifo.path());
            assert!(cut_after(polls, sender).await.is_none(), "nobody reads");
            drop(cut_after(polls, Receiver::<R, String>::open(fifo.path())).await);
            drop(cut_after(polls, Client::<R, String, String>::open(&pair)).await);
            drop(cut_after(polls, Server::<R, String, String>::open(&pair)).await);
        }
        assert_eq!(crate::support::ledger::descriptors(), inside);
    });
    assert_eq!(crate::support::ledger::descriptors(), before);
}

fn a_server_that_is_dropped_while_it_serves_loses_no_request<R: Runtime, B: BlockOn>(
    scene: &Scene,
) {
    let pair = Pair::create(scene.directory(), "serve").unwrap();
    let theirs = Pair::at(scene.directory(), "serve").unwrap();
    let serving = aside(move || {
        B::block_on(async {
            let options = Server::<R, Vec<u8>, Vec<u8>>::options().codec(Bytes);
            let mut server = options.end_of_writers(EndOfWriters::End).open(&theirs).await.unwrap();
            let mut polls = 0;
            loop {
                polls = polls % 9 + 1;
                let serve = server.serve(|message, _| async move { Ok::<_, String>(message) });
                if let Some(ended) = cut_after(polls, serve).await {
                    return ended.unwrap();
                }
            }
        });
    });
    let client = fifowire::Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
    let client = client.timeout(ms(9000)).open(&pair).unwrap();
    for number in 0..POLLS as u32 {
        match client.call(&message(number)) {
            Ok(reply) => assert_eq!(reply, message(number)),
            // Its handler, or its reply, was dropped with the server's future.
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Remote | ErrorKind::TimedOut), "{error}")
            }
        }
    }
    drop(client);
    serving.join();
}

fn all<R: Bytewise, B: BlockOn>(scene: &Scene) {
    no_message_is_lost_by_receives_that_are_dropped::<R, B>(scene);
    what_a_dropped_send_held_is_whole_or_not_there::<R, B>(scene);
    a_dropped_call_leaves_nothing_and_harms_no_other::<R, B>(scene);
    a_dropped_open_leaves_no_descriptor::<R, B>(scene);
    a_server_that_is_dropped_while_it_serves_loses_no_request::<R, B>(scene);
}

#[test]
fn tokio_current_thread_futures_may_be_dropped() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<fifowire::tokio::Tokio, crate::fronts::CurrentThread>(scene);
    });
}

#[test]
fn tokio_multi_thread_futures_may_be_dropped() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<fifowire::tokio::Tokio, crate::fronts::MultiThread>(scene);
    });
}

#[test]
fn async_io_futures_may_be_dropped() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<fifowire::async_io::AsyncIo, crate::fronts::Smol>(scene);
    });
}
