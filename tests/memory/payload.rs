//! A call whose request and reply are as large as the limit allows takes one message of that size,
//! and little more (SP4): the request as it is written, then the reply as it comes, which becomes
//! the value.

use fifowire::codec::Bytes;
use fifowire::{Client, EndOfWriters, Pair, Result, Server, tokio as awaited};

use crate::allocator::{Taken, count};
use crate::support::time::aside;
use crate::support::{Scene, scene};

const LIMIT: usize = 16 << 20;

/// The window of unread bytes, the unit that is being written, what opening takes, and of the
/// awaited client the runtime's own. Seen: 82 and 99 KiB. SP4 would allow 1 MiB.
const BESIDE: usize = 128 * 1024;

#[test]
fn a_call_of_the_largest_size_takes_one_message_of_memory() {
    scene(&[], |scene| {
        for capacity in [4096, 65_536] {
            let taken = call(scene, capacity, |pair, request| {
                let options = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
                let client = options.max_message(LIMIT).capacity(capacity).open(pair)?;
                client.call(request)
            });
            check(taken, capacity, "blocking");
            let taken = call(scene, capacity, |pair, request| {
                // On this thread alone, so that all it takes is counted.
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async {
                    let options = awaited::Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
                    let options = options.max_message(LIMIT).capacity(capacity);
                    options.open(pair).await?.call(request).await
                })
            });
            check(taken, capacity, "awaited");
        }
    });
}

/// Counts what a client takes, opened and dropped again, that makes one call; the request is there
/// before.
fn call(
    scene: &Scene,
    capacity: usize,
    client: impl FnOnce(&Pair, &Vec<u8>) -> Result<Vec<u8>>,
) -> Taken {
    let pair = Pair::create(scene.directory(), "agent").unwrap();
    let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes).max_message(LIMIT);
    let options = options.capacity(capacity).end_of_writers(EndOfWriters::End);
    let mut server = options.open(&pair).unwrap();
    let serving = aside(move || server.serve(|request, _| Ok::<_, String>(request)));
    let request = vec![b'x'; LIMIT];
    let (reply, taken) = count(|| client(&pair, &request).unwrap());
    assert!(reply == request);
    serving.join().unwrap();
    taken
}

fn check(taken: Taken, capacity: usize, what: &str) {
    eprintln!("{what}, {capacity}: {} bytes beside the message", taken.peak - LIMIT);
    assert!(taken.peak <= LIMIT + BESIDE, "{what}, through {capacity}: {taken:?}");
}
