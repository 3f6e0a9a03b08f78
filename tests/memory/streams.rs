//! A payload beyond memory takes a window of it, on either side, in either direction.

use std::io::{self, Read};
use std::time::Duration;

use fifowire::codec::Bytes;
use fifowire::{Client, Pair, Server};

use crate::allocator::{Taken, count};
use crate::support::time::aside;
use crate::support::{Scene, scene};

const PAYLOAD: u64 = 64 << 20;

/// The window of unread bytes, that of items, the unit that is being written, a part on its way,
/// and what opening takes. Seen: 93 to 118 KiB.
const MOST: usize = 192 * 1024;

/// As many bytes as a payload has, of which none is stored.
fn bytes() -> impl Read {
    io::repeat(7).take(PAYLOAD)
}

/// Counts what a server takes that sends a payload, or takes one: without `serve`, whose attendant
/// would give back on its own thread what is counted on this.
fn serve(pair: &Pair, downloads: bool) -> Taken {
    let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
    let ((), taken) = count(|| {
        let mut server = options.open(pair).unwrap();
        let responder = server.recv_timeout(Duration::from_secs(9)).unwrap().responder;
        if downloads {
            let mut replies = responder.stream().unwrap();
            io::copy(&mut bytes(), &mut replies.writer()).unwrap();
            replies.end().unwrap();
        } else {
            let count = io::copy(&mut responder.payload(), &mut io::sink()).unwrap();
            responder.send(&count.to_le_bytes().to_vec()).unwrap();
        }
    });
    taken
}

fn check(scene: &Scene, downloads: bool) {
    let pair = Pair::create(scene.directory(), "payload").unwrap();
    let theirs = Pair::at(scene.directory(), "payload").unwrap();
    let serving = aside(move || serve(&theirs, downloads));
    let (count, at_client) = count(|| {
        let client = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).open(&pair).unwrap();
        let request = Vec::new();
        let call = client.request(&request);
        match downloads {
            true => io::copy(&mut call.download().unwrap(), &mut io::sink()).unwrap(),
            false => {
                let reply = call.upload_from(bytes()).unwrap();
                u64::from_le_bytes(reply.try_into().unwrap())
            }
        }
    });
    assert_eq!(count, PAYLOAD);
    let at_server = serving.join();
    let way = if downloads { "down" } else { "up" };
    for (side, taken) in [("client", at_client), ("server", at_server)] {
        eprintln!("64 MiB {way}: {} bytes at the {side}", taken.peak);
        assert!(taken.peak <= MOST, "{way}, {side}: {taken:?}");
    }
}

#[test]
fn a_payload_of_any_size_takes_a_window_of_memory() {
    scene(&[], |scene| {
        for downloads in [true, false] {
            check(scene, downloads);
        }
    });
}
