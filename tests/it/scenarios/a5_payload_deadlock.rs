//! A5: 200 KB in and 200 KB out through two pipes of 64 KiB. Who writes all of a request before it
//! reads waits for a peer that waits for it; a call moves both directions at once (SP1, SP2),
//! whatever the pipes hold (SP3).
//!
//! What a call of the largest size takes in memory (SP4) is counted in `tests/memory/payload.rs`.

mod naive;

use std::path::Path;
use std::time::{Duration, Instant};

use fifowire::codec::Bytes;
use fifowire::{EndOfWriters, Pair, Server};
use futures_util::future::join_all;
use nix::fcntl::{FcntlArg, fcntl};

use crate::fronts::{AsyncIo, Blocking, Front, LARGEST, TokioCurrent, TokioMulti};
use crate::support::random::Random;
use crate::support::scene::{Role, play};
use crate::support::{Line, Scene, ms, raw};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What a FIFO holds where nobody has asked for anything else, and the least that it can hold.
const DEFAULT: usize = 64 * KIB;
const LEAST: usize = 4 * KIB;

/// Sizes for every front end at both capacities.
const SIZES: [usize; 18] = [
    60_000,
    // Eight parts of 8,140 bytes are full: those of a request, which carries 18 bytes of its own,
    // and those of a reply.
    65_102,
    65_103,
    65_120,
    65_121,
    // What the largest frame carries, and a pipe.
    65_496,
    65_535,
    65_536,
    65_537,
    // Two pipes, and what no longer fits into them.
    131_071,
    131_072,
    131_073,
    140_000,
    200_000,
    MIB - 1,
    MIB,
    MIB + 1,
    EIGHT_MIB,
];

const EIGHT_MIB: usize = 8 * MIB;

/// How long 8 MiB may take both ways: the deadline of that call. It takes up to 0.3 s, and in a
/// debug build, whose checksums are not optimised, up to 0.7 s while others use both cores: one
/// second would leave it too little there.
const EIGHT_MIB_WITHIN: Duration = if cfg!(debug_assertions) { ms(5000) } else { ms(1000) };

/// The deadline of the other calls: far away, and yet before the watchdog.
const PATIENCE: Duration = ms(30_000);

/// Longer than any test here needs by an order of magnitude.
const LIMIT: Duration = ms(60_000);

const ROLES: [Role; 2] =
    [("upper", answers_in_upper_case), ("naive upper", naive::answers_while_it_reads)];

// Sizes above 8 MiB take up to five seconds each in a debug build. So each of 16 MiB - 1, 16 MiB,
// 16 MiB + 1 and 64 MiB passes each capacity once, and the front ends take them in turn.

#[test]
fn a5_any_size_comes_back_to_a_blocking_client() {
    play(LIMIT, &ROLES, Blocking::prepare, |scene| {
        all::<Blocking>(scene, [(LEAST, 64 * MIB), (DEFAULT, 16 * MIB - 1)]);
    });
}

#[test]
fn a5_any_size_comes_back_to_a_client_on_tokio_current_thread() {
    play(LIMIT, &ROLES, TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene, [(LEAST, 16 * MIB), (DEFAULT, 64 * MIB)]);
    });
}

#[test]
fn a5_any_size_comes_back_to_a_client_on_tokio_multi_thread() {
    play(LIMIT, &ROLES, TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene, [(LEAST, 16 * MIB - 1), (DEFAULT, 16 * MIB + 1)]);
    });
}

#[test]
fn a5_any_size_comes_back_to_a_client_on_async_io() {
    play(LIMIT, &ROLES, AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene, [(LEAST, 16 * MIB + 1), (DEFAULT, 16 * MIB)]);
    });
}

fn all<F: Front>(scene: &Scene, largest: [(usize, usize); 2]) {
    for (capacity, largest) in largest {
        any_size_comes_back::<F>(scene, capacity, largest);
        a_reply_that_begins_before_the_request_ends_comes_back::<F>(scene, capacity);
    }
}

fn any_size_comes_back<F: Front>(scene: &Scene, capacity: usize, largest: usize) {
    in_upper_case::<F>(scene, "upper", capacity, async |client, random| {
        for size in SIZES.into_iter().chain([largest]) {
            let within = if size == EIGHT_MIB { EIGHT_MIB_WITHIN } else { PATIENCE };
            let began = Instant::now();
            comes_back::<F>(client, random.bytes(size), within).await;
            eprintln!("{size} bytes through {capacity}: {:?}", began.elapsed());
        }
        // Replies and requests pass each other, where the front end has many calls on one thread.
        // For threads there is a test in `calls/sizes.rs`.
        let messages = [200_000; 4].map(|size| random.bytes(size));
        join_all(messages.map(|message| comes_back::<F>(client, message, PATIENCE))).await;
    });
}

/// The server writes each part of its reply when it has read one of the request, and reads nothing
/// meanwhile: only a client that reads while it writes sees the end of it.
fn a_reply_that_begins_before_the_request_ends_comes_back<F: Front>(
    scene: &Scene,
    capacity: usize,
) {
    in_upper_case::<F>(scene, "naive upper", capacity, async |client, random| {
        for size in [60_000, 140_000, 200_000, MIB + 1] {
            comes_back::<F>(client, random.bytes(size), PATIENCE).await;
        }
    });
}

/// Starts a server of this role, and plays with a client of it.
fn in_upper_case<F: Front>(
    scene: &Scene,
    role: &str,
    capacity: usize,
    play: impl AsyncFnOnce(&F::Client, &mut Random),
) {
    let pair = Pair::create(scene.directory(), "upper").unwrap();
    let server = scene.start(role, &[&capacity.to_string()]);
    F::block_on(async {
        let client = F::client(&pair, capacity).await.unwrap();
        play(&client, &mut Random::new(capacity as u64)).await;
        // As long as the client holds both FIFOs they stay as they were.
        for path in [pair.input(), pair.output()] {
            assert_eq!(capacity_of(path), capacity, "{path:?}");
        }
    });
    server.finish();
}

async fn comes_back<F: Front>(client: &F::Client, mut message: Vec<u8>, within: Duration) {
    let size = message.len();
    let reply = F::call(client, &message, within).await;
    let reply = reply.unwrap_or_else(|error| panic!("{size} bytes: {error}"));
    message.make_ascii_uppercase();
    assert!(reply == message, "{size} bytes: {} others came back", reply.len());
}

fn answers_in_upper_case(line: &mut Line) {
    let pair = Pair::at(line.directory(), "upper").unwrap();
    let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes).max_message(LARGEST);
    let options = options.capacity(line.number(0) as usize).end_of_writers(EndOfWriters::End);
    let mut server = options.open(&pair).unwrap();
    let served = server.serve(|mut request, _| {
        request.make_ascii_uppercase();
        Ok::<_, String>(request)
    });
    served.unwrap();
}

fn capacity_of(path: &Path) -> usize {
    fcntl(raw::reader(path), FcntlArg::F_GETPIPE_SZ).unwrap() as usize
}
