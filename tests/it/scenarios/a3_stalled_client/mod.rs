//! A3: a daemon whose one client asks 600 times and never reads. There the write had no deadline:
//! queues filled, dispatchers parked, and health was asked behind them until the daemon was dead.
//! Here the client is given up after the stall time, no other notices (PI3), and it may come back.
//!
//! The daemon is one process with a server for each client, because a pair has one client at a
//! time: threads where the front end blocks, and all in one task of one runtime where it is
//! awaited, so that a server which waits wrongly holds up all.

mod clients;
mod daemon;

use std::time::{Duration, Instant};

use fifowire::{Pair, Probe};

use crate::fronts::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::scene::{Role, play};
use crate::support::time::{Aside, aside};
use crate::support::{Scene, ms, raw, until};
use clients::Trips;

/// After which the daemon gives up a client that does not read, and by when it has.
const STALL: Duration = ms(1000);
const GIVEN_UP_BY: Duration = ms(1200);

/// The clients that behave, the one that stops, and the one that reads slowly; each has a pair.
const HEALTHY: [&str; 2] = ["one", "two"];
const STOPS: &str = "stops";
const SLOW: &str = "slow";

/// How often the one that stops has asked before, and for how many of these requests the daemon
/// has no answer yet when it gives that client up.
const ASKED: usize = 600;
const UNDECIDED: usize = 100;

/// What it and the slow one ask, and what the replies are made of.
const REQUEST: &[u8] = b"4 KiB, please";
const SECRET: &str = "hunter2-hunter2!";

/// The round trips of a healthy client, and what the 99th of a hundred may take: at all, and more
/// than where no client is stalled.
const TRIPS: usize = 1000;
const P99: Duration = ms(50);
const P99_ADDED: Duration = ms(10);

/// In what time a probe answers.
const PROBED_WITHIN: Duration = ms(10);

/// Longer than any test here needs by an order of magnitude.
const LIMIT: Duration = ms(60_000);

const fn roles<F: Front>() -> [Role; 2] {
    [("daemon", daemon::serves_all::<F>), ("stops", clients::asks_and_stops::<F>)]
}

#[test]
fn a3_a_daemon_of_threads_outlives_a_stalled_client() {
    play(LIMIT, &roles::<Blocking>(), Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn a3_a_daemon_on_tokio_current_thread_outlives_a_stalled_client() {
    play(LIMIT, &roles::<TokioCurrent>(), TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn a3_a_daemon_on_tokio_multi_thread_outlives_a_stalled_client() {
    play(LIMIT, &roles::<TokioMulti>(), TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn a3_a_daemon_on_async_io_outlives_a_stalled_client() {
    play(LIMIT, &roles::<AsyncIo>(), AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}

fn all<F: Front>(scene: &Scene) {
    a_stalled_client_is_given_up_and_the_others_do_not_notice::<F>(scene);
    a_client_knows_at_once_that_its_server_does_not_read::<F>(scene);
}

fn a_stalled_client_is_given_up_and_the_others_do_not_notice<F: Front>(scene: &Scene) {
    let pair = |name| Pair::at(scene.directory(), name).unwrap();
    let [one, two] = HEALTHY;
    let _made = [one, two, STOPS, SLOW].map(|name| Pair::create(scene.directory(), name).unwrap());
    let mut daemon = scene.start("daemon", &[]);
    daemon.expect("open");
    let slow = pair(SLOW);
    let reading_slowly = aside(move || clients::reads_slowly(&slow));
    let live_on = || {
        HEALTHY.map(|name| {
            let pair = pair(name);
            aside(move || F::block_on(clients::lives_on::<F>(&pair)))
        })
    };
    let before = live_on().map(Aside::join);

    let mut stops = scene.start("stops", &[]);
    daemon.expect("asked");
    stops.await_stop();
    daemon.tell("answer");
    daemon.expect("stalled");
    let healthy = live_on();
    // How long it took is for the daemon to judge.
    let given_up = daemon.hear();
    let during = healthy.map(Aside::join);

    stops.resume();
    let ended = stops.hear();
    stops.finish();
    reading_slowly.join();
    for name in HEALTHY {
        F::block_on(clients::says_stop::<F>(&pair(name)));
    }
    let grown = daemon.hear();
    daemon.finish();
    eprintln!(
        "{given_up}; {grown}; calls of the one that stopped: {ended}\n\
         without it: {before:?}\nbeside it: {during:?}"
    );
    let p99 = |both: &[Trips]| both.iter().map(|trips| trips.p99).max().unwrap();
    let (calm, stalled) = (p99(&before), p99(&during));
    assert!(stalled <= P99, "{stalled:?} at p99");
    assert!(stalled <= calm + P99_ADDED, "{stalled:?} at p99, and {calm:?} without it");
}

/// The other way round: the request FIFO is stuck, and its client says so and since when (PI4).
fn a_client_knows_at_once_that_its_server_does_not_read<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "stuck").unwrap();
    let _reads_nothing = raw::reader(pair.input());
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        let (asked, large) = (client.clone(), vec![0; 200_000]);
        let before = Instant::now();
        F::begin_and_abort(&client, &large, || {
            let stuck_by = Instant::now();
            until("it has been stuck for a while", || {
                let Probed { at, took, answer: stuck } = probed(|| F::probe_client(&asked));
                assert!(took <= PROBED_WITHIN, "a probe took {took:?}");
                let stalled_for = stuck.stalled_for.expect("what is stuck is called so");
                let since = at - stalled_for;
                assert!((before..=stuck_by).contains(&since), "{:?} ago", since.elapsed());
                assert_eq!((stuck.connected, stuck.queued, stuck.in_flight), (true, 1, 1));
                assert!(stuck.queued_bytes >= large.len(), "{stuck:?}");
                stalled_for >= ms(100)
            });
        })
        .await;
    });
}

/// What a probe says, when it had said so, and how long it took.
#[derive(Debug)]
struct Probed {
    at: Instant,
    took: Duration,
    answer: Probe,
}

fn probed(probe: impl FnOnce() -> Probe) -> Probed {
    let began = Instant::now();
    let answer = probe();
    let at = Instant::now();
    Probed { at, took: at - began, answer }
}
