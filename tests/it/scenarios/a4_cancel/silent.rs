//! A peer that answers requests and never a cancel. The client gives up its own life, not its peer:
//! the next request is answered, and what still comes for the life before is not taken for it.

use std::cell::Cell;
use std::io::{Read, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fifowire::{ErrorKind, Fate, Pair, Phase};

use super::{LIMIT, PATIENCE};
use crate::fronts::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::frame::{CANCEL, Frame, GOODBYE, PING, PONG, REPLY, REQUEST};
use crate::support::scene::{Role, play};
use crate::support::{Line, Scene, ms, raw};

/// How long the acknowledgement is waited for, and until when that must have ended.
const WITHIN: Duration = ms(500);
const AT_MOST: Duration = ms(600);

const ROLES: [Role; 1] = [("peer", answers_and_never_acknowledges)];

#[test]
fn a4_a_blocking_client_survives_a_peer_that_never_acknowledges() {
    play(LIMIT, &ROLES, Blocking::prepare, |scene| {
        survives_a_peer_that_never_acknowledges::<Blocking>(scene);
    });
}

#[test]
fn a4_a_client_on_tokio_current_thread_survives_a_peer_that_never_acknowledges() {
    play(LIMIT, &ROLES, TokioCurrent::prepare, |scene| {
        survives_a_peer_that_never_acknowledges::<TokioCurrent>(scene);
    });
}

#[test]
fn a4_a_client_on_tokio_multi_thread_survives_a_peer_that_never_acknowledges() {
    play(LIMIT, &ROLES, TokioMulti::prepare, |scene| {
        survives_a_peer_that_never_acknowledges::<TokioMulti>(scene);
    });
}

#[test]
fn a4_a_client_on_async_io_survives_a_peer_that_never_acknowledges() {
    play(LIMIT, &ROLES, AsyncIo::prepare, |scene| {
        survives_a_peer_that_never_acknowledges::<AsyncIo>(scene);
    });
}

fn survives_a_peer_that_never_acknowledges<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "agent").unwrap();
    let peer = scene.start("peer", &[]);
    F::block_on(async {
        let client = &F::canceller(&pair, WITHIN).await.unwrap();
        assert_eq!(F::call(client, b"first", PATIENCE).await.unwrap(), b"first");
        let (ended, began) = (&Mutex::new(Vec::new()), Instant::now());
        F::together(2, |party| async move {
            match party {
                0 => cancel_in_vain::<F>(client).await,
                // Nobody has cancelled this one, but it was of the same life.
                _ => {
                    let error = F::call(client, b"hold this too", PATIENCE).await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
                    assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
                }
            }
            ended.lock().unwrap().push(began.elapsed());
        })
        .await;
        let ended = std::mem::take(&mut *ended.lock().unwrap());
        assert!(ended[1] - ended[0] < ms(50), "they end together: {ended:?}");
        // The late replies to both are in front of this one.
        assert_eq!(F::call(client, b"next", PATIENCE).await.unwrap(), b"next");
        assert_eq!(F::in_flight(client), 0);
        let stats = F::client_stats(client);
        assert_eq!((stats.late, stats.poisoned, stats.cancelled), (2, 1, 1));
        assert_eq!((stats.torn, stats.skipped_bytes, stats.unknown), (0, 0, 0));
        assert_eq!(stats.peers_lost, 0, "it is the very same peer");
    });
    peer.finish();
}

async fn cancel_in_vain<F: Front>(client: &F::Client) {
    let began = Cell::new(None);
    let error = F::begin_and_cancel(client, b"hold this", async || {
        // Two round trips: each request was written before the second ping, if not with the first.
        F::ping(client, PATIENCE).await.unwrap();
        F::ping(client, PATIENCE).await.unwrap();
        began.set(Some(Instant::now()));
    });
    let error = error.await.unwrap_err();
    let took = began.take().unwrap().elapsed();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::TimedOut, Phase::Cancel));
    assert!(took >= WITHIN && took <= AT_MOST, "{took:?}");
    eprintln!("given up after {took:?}");
}

/// Echoes, but for what it is asked to hold: that is answered when it is too late. By hand, and
/// until nobody writes any more.
fn answers_and_never_acknowledges(line: &mut Line) {
    const EPOCH: u64 = 7;
    let pair = Pair::at(line.directory(), "agent").unwrap();
    let mut from = raw::patient_reader(pair.input());
    let mut to = raw::writer(pair.output());
    let (mut unread, mut chunk) = (Vec::new(), [0; 4096]);
    let (mut held, mut cancels): (Vec<Frame>, _) = (Vec::new(), Vec::new());
    while let count @ 1.. = from.read(&mut chunk).unwrap() {
        unread.extend_from_slice(&chunk[..count]);
        while let Some((frame, used)) = Frame::parse(&unread) {
            unread.drain(..used);
            let frame = frame.unmasked();
            match frame.kind {
                PING => to.write_all(&frame.answer(PONG, EPOCH, &frame.payload).bytes()).unwrap(),
                CANCEL => cancels.push(frame.id),
                REQUEST if frame.asked().starts_with(b"hold") => held.push(frame),
                REQUEST => {
                    for late in held.drain(..) {
                        assert_ne!(late.epoch, frame.epoch, "another life asks");
                        assert!(late.asked() != b"hold this" || cancels == [late.id]);
                        to.write_all(&late.answer(REPLY, EPOCH, b"too late").bytes()).unwrap();
                    }
                    let reply = frame.answer(REPLY, EPOCH, frame.asked());
                    to.write_all(&reply.bytes()).unwrap();
                }
                GOODBYE => {}
                other => panic!("frames of kind {other} are not a client's"),
            }
        }
    }
    assert_eq!(cancels.len(), 1);
}
