//! Any size of request and reply passes, both ways at once, through the smallest pipe.

use fifowire::codec::Bytes;
use fifowire::{Client, EndOfWriters, ErrorKind, Pair, Server};

use crate::support::random::Random;
use crate::support::time::aside;
use crate::support::{ms, scene, scene_within};

const SIZES: [usize; 14] = [
    0,
    1,
    4000,
    4096,
    60_000,
    65_472,
    65_492,
    65_536,
    131_072,
    140_000,
    200_001,
    1 << 20,
    3_000_000,
    8 << 20,
];

#[test]
fn any_size_of_request_and_reply_passes_through_4_kib() {
    scene_within(ms(60_000), &[], |scene| {
        for capacity in [4096, 65_536] {
            let pair = Pair::create(scene.directory(), "agent").unwrap();
            let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes).capacity(capacity);
            let mut server = options.end_of_writers(EndOfWriters::End).open(&pair).unwrap();
            let options = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).capacity(capacity);
            let client = options.open(&pair).unwrap();
            // A reply of the size that the request names, of bytes that follow from the request.
            let serving = aside(move || {
                server.serve(|request, _| {
                    Ok::<_, String>(reply_to(&request, SIZES[request[0] as usize]))
                })
            });
            for (at, size) in SIZES.iter().enumerate() {
                let mut request = Random::new(at as u64).bytes(SIZES[SIZES.len() - 1 - at].max(1));
                request[0] = at as u8;
                let reply = client.call(&request).unwrap();
                assert!(reply == reply_to(&request, *size), "{} and {size} bytes", request.len());
            }
            drop(client);
            serving.join().unwrap();
        }
    });
}

fn reply_to(request: &[u8], size: usize) -> Vec<u8> {
    Random::new(u64::from(crc32fast::hash(request))).bytes(size)
}

#[test]
fn large_messages_of_many_threads_pass_each_other_both_ways() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes).capacity(4096);
        let mut server = options.end_of_writers(EndOfWriters::End).open(&pair).unwrap();
        let options = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).capacity(4096);
        let client = options.open(&pair).unwrap();
        // Each reply from a thread of its own, so that replies and requests are under way at once.
        let serving = aside(move || {
            std::thread::scope(|threads| {
                for request in server.requests() {
                    let request = request.unwrap();
                    threads.spawn(move || {
                        request.responder.send(&reply_to(&request.value, 300_000)).unwrap();
                    });
                }
            });
        });
        std::thread::scope(|threads| {
            for caller in 0..6 {
                let client = &client;
                threads.spawn(move || {
                    let mut random = Random::new(caller);
                    for _ in 0..5 {
                        let request = random.bytes(200_001);
                        assert!(client.call(&request).unwrap() == reply_to(&request, 300_000));
                    }
                });
            }
        });
        drop(client);
        serving.join();
    });
}

#[test]
fn the_limit_is_exact_on_both_sides() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        for limit in [10, 4096, 65_536, 200_000] {
            let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes).max_message(limit);
            let mut server = options.end_of_writers(EndOfWriters::End).open(&pair).unwrap();
            let options = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
            let client = options.clone().max_message(limit).open(&pair).unwrap();
            let serving = aside(move || server.serve(|request, _| Ok::<_, String>(request)));
            let exactly = vec![1; limit];
            assert!(client.call(&exactly).unwrap() == exactly, "{limit} bytes both ways");
            let error = client.call(&vec![1; limit + 1]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "refused before the first byte");
            drop(client);
            serving.join().unwrap();

            // A client with a wider limit of its own: the server refuses, and lives on.
            let options_of_server = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
            let options_of_server = options_of_server.end_of_writers(EndOfWriters::End);
            let mut server = options_of_server.max_message(limit).open(&pair).unwrap();
            let client = options.open(&pair).unwrap();
            let serving = aside(move || server.serve(|request, _| Ok::<_, String>(request)));
            let error = client.call(&vec![1; limit + 1]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{limit}: {error}");
            assert!(client.call(&exactly).unwrap() == exactly);
            drop(client);
            serving.join().unwrap();
        }
    });
}
