//! Some call with 200 KB both ways without a pause; another begins calls that linger at the server,
//! and cancels them. Nobody waits for the others' bytes, and nothing is torn.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fifowire::{ErrorKind, Fate, Pair};

use super::{LARGE, LIMIT, PATIENCE};
use crate::fronts::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::random::Random;
use crate::support::scene::{Role, play};
use crate::support::{Line, Scene, ms};

const SENDERS: usize = 3;

/// Each waits for its call to begin, which is behind the bytes of the senders.
const CANCELLERS: usize = 3;
const CANCELS: usize = 100;

/// What a cancel may take at p99: a bound on a deadline, whatever the machine. It takes 10 to 30 ms
/// in a debug build, and up to 60 ms where others take both cores away for a while: so the best
/// hundred in a row must keep it.
const WITHIN: Duration = ms(50);

/// What any of them may take: a thread that nobody wakes looks up by itself after a second.
const AT_MOST: Duration = ms(500);

#[test]
fn a4_a_blocking_client_cancels_beside_200_kb() {
    play(LIMIT, &roles::<Blocking>(), Blocking::prepare, |scene| {
        cancels_beside_200_kb::<Blocking>(scene);
    });
}

#[test]
fn a4_a_client_on_tokio_current_thread_cancels_beside_200_kb() {
    play(LIMIT, &roles::<TokioCurrent>(), TokioCurrent::prepare, |scene| {
        cancels_beside_200_kb::<TokioCurrent>(scene);
    });
}

#[test]
fn a4_a_client_on_tokio_multi_thread_cancels_beside_200_kb() {
    play(LIMIT, &roles::<TokioMulti>(), TokioMulti::prepare, |scene| {
        cancels_beside_200_kb::<TokioMulti>(scene);
    });
}

#[test]
fn a4_a_client_on_async_io_cancels_beside_200_kb() {
    play(LIMIT, &roles::<AsyncIo>(), AsyncIo::prepare, |scene| {
        cancels_beside_200_kb::<AsyncIo>(scene);
    });
}

fn roles<F: Front>() -> [Role; 1] {
    [("server", echoes::<F>)]
}

fn cancels_beside_200_kb<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "agent").unwrap();
    let server = scene.start("server", &[]);
    let (cancelling, answered) = (AtomicUsize::new(CANCELLERS), AtomicUsize::new(0));
    let (failed, waits) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    F::block_on(async {
        let client = &F::client(&pair, 65_536).await.unwrap();
        F::together(SENDERS + CANCELLERS, |party| {
            let (cancelling, answered, failed, waits) = (&cancelling, &answered, &failed, &waits);
            async move {
                let _told = TellOnPanic(failed);
                if party >= SENDERS {
                    for _ in 0..CANCELS {
                        let wait = cancel_in_hand::<F>(client).await;
                        waits.lock().unwrap().push(wait);
                    }
                    cancelling.fetch_sub(1, Ordering::SeqCst);
                    return;
                }
                let wanted =
                    || cancelling.load(Ordering::SeqCst) > 0 && !failed.load(Ordering::SeqCst);
                let count = calls_without_a_pause::<F>(client, party, wanted).await;
                answered.fetch_add(count, Ordering::SeqCst);
            }
        })
        .await;
        F::call(client, b"stop", PATIENCE).await.unwrap();
        assert_eq!(F::in_flight(client), 0);
        let stats = F::client_stats(client);
        assert_eq!((stats.torn, stats.skipped_bytes, stats.unknown), (0, 0, 0));
        assert_eq!((stats.late, stats.poisoned), (0, 0));
        assert_eq!(stats.cancelled, (CANCELLERS * CANCELS) as u64);
    });
    server.finish();
    let (mut waits, answered) = (waits.into_inner().unwrap(), answered.into_inner());
    let best = waits.chunks_mut(CANCELS).map(|waits| at(waits, 99)).min().unwrap();
    let [p50, p99, max] = [50, 99, 100].map(|share| at(&mut waits, share));
    eprintln!(
        "{} cancels beside {answered} replies: p50 {p50:?}, p99 {p99:?}, max {max:?}, \
         p99 of the best hundred {best:?}",
        waits.len()
    );
    assert!(best <= WITHIN && max <= AT_MOST, "p99 {best:?} at best, max {max:?}");
    assert!(answered > CANCELS, "{answered} replies: nothing was beside them");
}

/// What so many of a hundred took at most.
fn at(waits: &mut [Duration], share: usize) -> Duration {
    waits.sort_unstable();
    waits[(waits.len() * share).div_ceil(100) - 1]
}

/// Calls for as long as that is wanted; answers how often.
async fn calls_without_a_pause<F: Front>(
    client: &F::Client,
    seed: usize,
    wanted: impl Fn() -> bool,
) -> usize {
    let (mut message, mut answered) = (Random::new(seed as u64).bytes(LARGE), 0);
    while wanted() {
        // Other bytes than before in every frame, and none that take time to make.
        message.iter_mut().step_by(1000).for_each(|byte| *byte = byte.wrapping_add(1));
        let reply = F::call(client, &message, PATIENCE).await.unwrap();
        assert!(reply == message, "{} others came back", reply.len());
        answered += 1;
    }
    answered
}

/// Cancels a call that the server has in hand; answers how long that took.
async fn cancel_in_hand<F: Front>(client: &F::Client) -> Duration {
    let began = Cell::new(None);
    let error = F::begin_and_cancel(client, b"wait", async || {
        // Requests are handed out in the order they come in.
        F::call(client, b"now?", PATIENCE).await.unwrap();
        began.set(Some(Instant::now()));
    });
    let error = error.await.unwrap_err();
    let took = began.take().unwrap().elapsed();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Some(Fate::Delivered)));
    took
}

/// Where one party fails, those that go on for as long as the others do are to end.
struct TellOnPanic<'a>(&'a AtomicBool);

impl Drop for TellOnPanic<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(std::thread::panicking(), Ordering::SeqCst);
    }
}

fn echoes<F: Front>(line: &mut Line) {
    let pair = Pair::at(line.directory(), "agent").unwrap();
    F::block_on(async {
        let mut server = F::server(&pair, 65_536).await.unwrap();
        F::hold(&mut server).await.unwrap();
        let stats = F::server_stats(&server);
        assert_eq!((stats.torn, stats.skipped_bytes, stats.unknown), (0, 0, 0));
        assert_eq!((stats.late, stats.cancelled), (0, (CANCELLERS * CANCELS) as u64));
    });
}
