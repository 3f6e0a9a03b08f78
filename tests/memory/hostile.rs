//! Whatever is sent, a receiver and a server hold at most one message of the largest size and
//! 64 KiB.

use std::fs::File;
use std::io::Write;

use fifowire::codec::{Bytes, Codec, CodecError};
use fifowire::framing::Lines;
use fifowire::{EndOfWriters, Fifo, Pair, Receiver, Server};

use crate::allocator::count;
use crate::support::frame::{DATA, Frame, HEADER_LEN, LENGTH_AT, PING, REQUEST};
use crate::support::random::Random;
use crate::support::time::{Aside, aside};
use crate::support::{Scene, ms, raw, scene};

/// The window of unread bytes.
const WINDOW: usize = 64 * 1024;

/// What the endpoint takes for itself: its paths, the places of its queues, the short bodies it
/// keeps for reuse and an error that is being made. Seen: 4.5 KiB.
const ITSELF: usize = 6 * 1024;

const LIMITS: [usize; 2] = [10_000, 1_000_000];

/// What a hostile writer sends: a name, and what it writes until it is stopped or done.
type Flood = (&'static str, fn(&mut File) -> std::io::Result<()>);

fn garbage(writer: &mut File) -> std::io::Result<()> {
    let mut random = Random::new(1);
    (0..100).try_for_each(|_| writer.write_all(&random.bytes(50_000)))
}

fn announced_lengths(writer: &mut File, kind: u8) -> std::io::Result<()> {
    let mut head = Frame::new(kind, 1, 1, b"").bytes();
    head.truncate(HEADER_LEN);
    for length in [u32::MAX, 1 << 31, 100_000_000, 65_497] {
        head[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_le_bytes());
        writer.write_all(&head)?;
    }
    for id in 0..2000 {
        let total = [u32::MAX, 1 << 31, 10_000_000][id as usize % 3];
        writer.write_all(&Frame::part(kind, (1, id), 0, total, &[7; 3000]).bytes())?;
    }
    Ok(())
}

/// Messages that are begun and never ended, each by another writer.
fn unfinished(writer: &mut File, kind: u8) -> std::io::Result<()> {
    for key in 1..3000_u64 {
        // Some grow to just below the limit, many stay small.
        let parts = if key % 50 == 0 { 3 } else { 1 };
        for part in 0..parts {
            let frame = Frame::part(kind, (key, key), part * 3000, 9_999, &[7; 3000]);
            writer.write_all(&frame.bytes())?;
        }
        let frame = Frame::part(kind, (key, 1 << 40), 0, 900_000, &[7; 60_000]);
        if key % 20 == 0 {
            writer.write_all(&frame.bytes())?;
        }
    }
    Ok(())
}

/// Messages that grow to the limit, several at a time.
fn large_at_once(writer: &mut File, kind: u8) -> std::io::Result<()> {
    for part in 0..20_u32 {
        for key in 1..10 {
            let bytes = vec![7; 50_000];
            writer.write_all(
                &Frame::part(kind, (key, 1), part * 50_000, 1_000_000, &bytes).bytes(),
            )?;
        }
    }
    Ok(())
}

#[test]
fn a_receiver_never_holds_more_than_a_message_and_64_kib() {
    scene(&[], |scene| {
        let floods: [Flood; 6] = [
            ("garbage", garbage),
            ("announced lengths", |writer| announced_lengths(writer, DATA)),
            ("unfinished messages", |writer| unfinished(writer, DATA)),
            ("large messages at once", |writer| large_at_once(writer, DATA)),
            ("nothing but magic", |writer| {
                (0..20).try_for_each(|_| writer.write_all(&[0xF1, 0x46, 0x57, 0x8D].repeat(20_000)))
            }),
            ("small messages", |writer| {
                let message = Frame::message(1, 1, b"small").bytes();
                (0..20).try_for_each(|_| writer.write_all(&message.repeat(1000)))
            }),
        ];
        for limit in LIMITS {
            for (what, flood) in floods {
                let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
                let ((), taken) = count(|| {
                    let options = Receiver::<Vec<u8>>::options().codec(Bytes).max_message(limit);
                    let options = options.end_of_writers(EndOfWriters::End);
                    let mut receiver = options.open(fifo.path()).unwrap();
                    let writing = pour(&fifo, flood);
                    // To the end, errors and values both.
                    receiver.messages().for_each(drop);
                    assert!(writing.join().is_ok());
                });
                check(taken.peak, limit, what);
            }
        }
    });
}

fn pour(fifo: &Fifo, flood: fn(&mut File) -> std::io::Result<()>) -> Aside<std::io::Result<()>> {
    let mut writer = raw::writer(fifo.path());
    aside(move || flood(&mut writer))
}

fn check(peak: usize, limit: usize, what: &str) {
    assert!(peak <= limit + WINDOW + ITSELF, "{what}: {peak} bytes, the limit is {limit}");
}

#[test]
fn a_receiver_of_lines_never_holds_more_than_a_line_and_64_kib() {
    scene(&[], |scene| {
        for limit in LIMITS {
            let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
            let ((), taken) = count(|| {
                let options = Receiver::<Vec<u8>>::options().codec(Bytes).max_message(limit);
                let options = options.framing(Lines::default()).end_of_writers(EndOfWriters::End);
                let mut receiver = options.open(fifo.path()).unwrap();
                let writing = pour(&fifo, |writer| {
                    writer.write_all(&[b'x'; 5_000_000])?;
                    writer.write_all(b"\n")?;
                    (0..100).try_for_each(|_| {
                        writer.write_all(&[b"y".repeat(30_000), vec![b'\n']].concat())
                    })
                });
                receiver.messages().for_each(drop);
                assert!(writing.join().is_ok());
            });
            check(taken.peak, limit, "lines");
        }
    });
}

/// How much a server takes that answers with `reply` while a client by hand floods it and reads no
/// reply.
fn serve_flood(
    scene: &Scene,
    limit: usize,
    reply: usize,
    wait_when_full: bool,
    flood: fn(&mut File) -> std::io::Result<()>,
) -> usize {
    let pair = Pair::create(scene.directory(), "agent").unwrap();
    let replies = raw::reader(pair.output());
    let ((), taken) = count(|| {
        let options = Server::<(), Vec<u8>>::options().codec(Opaque).max_message(limit);
        let options = options.reply_timeout(ms(20)).wait_when_full(wait_when_full);
        let mut server = options.open(&pair).unwrap();
        let mut writer = raw::writer(pair.input());
        let writing = aside(move || flood(&mut writer).is_ok());
        // Until nothing comes any more: the flood is over, or the server has stopped listening.
        let mut stuck = 0;
        while let Ok(request) = server.recv_timeout(ms(100)) {
            stuck += u32::from(request.responder.send(&vec![1; reply]).is_err());
            if stuck == 20 {
                break;
            }
        }
        drop(server);
        writing.join();
    });
    drop(replies);
    taken.peak
}

/// Requests that nobody looks into, so that no value of theirs is counted; replies as they are.
#[derive(Clone, Debug)]
struct Opaque;

impl Codec<()> for Opaque {
    fn encode(&self, (): &(), _: &mut Vec<u8>) -> Result<(), CodecError> {
        Ok(())
    }

    fn decode(&self, _: &[u8]) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Codec<Vec<u8>> for Opaque {
    fn encode(&self, value: &Vec<u8>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        Bytes.encode(value, out)
    }

    fn decode(&self, message: &[u8]) -> Result<Vec<u8>, CodecError> {
        Bytes.decode(message)
    }
}

const PINGS: Flood = ("pings", |writer| {
    let ping = Frame::new(PING, 1, 1, &[7; 64]).bytes().repeat(500);
    (0..200).try_for_each(|_| writer.write_all(&ping))
});

const SMALL_REQUESTS: Flood = ("small requests", |writer| {
    let request = Frame::request(1, 1, b"").bytes().repeat(1000);
    (0..50).try_for_each(|_| writer.write_all(&request))
});

#[test]
fn a_server_never_holds_more_than_a_message_and_64_kib() {
    scene(&[], |scene| {
        let floods: [Flood; 9] = [
            ("garbage", garbage),
            ("announced lengths", |writer| announced_lengths(writer, REQUEST)),
            ("unfinished requests", |writer| unfinished(writer, REQUEST)),
            ("large requests at once", |writer| large_at_once(writer, REQUEST)),
            PINGS,
            ("large pings", |writer| {
                let ping = Frame::new(PING, 1, 1, &[7; 60_000]).bytes();
                (0..200).try_for_each(|_| writer.write_all(&ping))
            }),
            SMALL_REQUESTS,
            ("small requests, then pings", |writer| {
                (SMALL_REQUESTS.1)(writer).and(PINGS.1(writer))
            }),
            ("requests of nearly a window", |writer| {
                let request = Frame::request(1, 1, &[7; 9000]).bytes();
                (0..1000).try_for_each(|_| writer.write_all(&request))
            }),
        ];
        for (limit, wait_when_full) in LIMITS.iter().flat_map(|l| [(*l, true), (*l, false)]) {
            let flooded =
                |(what, flood)| (what, serve_flood(scene, limit, 0, wait_when_full, flood));
            let peaks = floods.map(flooded);
            eprintln!("limit {limit}, wait when full {wait_when_full}: {peaks:?}");
            // Requests that wait in the server hold as much again, and 64 KiB where that is more.
            let queue = if wait_when_full { 0 } else { limit.max(WINDOW) };
            peaks.iter().for_each(|(what, peak)| check(*peak, limit + queue, what));
        }
    });
}

#[test]
fn replies_that_are_not_read_cost_one_of_them_and_64_kib_more() {
    scene(&[], |scene| {
        for (limit, reply) in [(10_000, 9000), (1_000_000, 900_000)] {
            // What the handler made is its own, and counts beside what the server makes of it.
            let peak = serve_flood(scene, limit, reply, true, SMALL_REQUESTS.1) - reply;
            check(peak, 2 * limit + WINDOW, "replies");
        }
    });
}
