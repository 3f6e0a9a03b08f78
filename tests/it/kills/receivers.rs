//! Receivers are killed; the sender survives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fifowire::codec::Bytes;
use fifowire::{ErrorKind, Fate, Fifo, Receiver, Sender};

use super::{LIMIT, LIVES, MOST, kill_at_random};
use crate::support::random::{Random, tag_of};
use crate::support::time::aside;
use crate::support::{Line, ms, scene_within};

#[test]
fn a_sender_survives_the_kills_of_receivers_and_none_of_them_gets_anything_torn() {
    scene_within(LIMIT, &[("receiver", receives_until_killed)], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (ends, path, mut random) = (over.clone(), fifo.path().to_owned(), Random::seeded());
        let mut numbers = random.clone();
        let sending = aside(move || {
            let options = Sender::<Vec<u8>>::options().codec(Bytes).open_timeout(ms(20_000));
            let mut sender = options.open(path).unwrap();
            let (mut sent, mut cut) = (0_u32, 0);
            while !ends.load(Ordering::Relaxed) {
                let len = numbers.length(10, MOST);
                match sender.send_timeout(&numbers.checked(sent, len), ms(5000)) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::PeerClosed => {
                        assert_eq!(error.fate(), Some(Fate::MaybeDelivered), "{error}");
                        cut += 1;
                    }
                    Err(error) if error.kind() == ErrorKind::NoReader => {}
                    Err(error) => panic!("{error}"),
                }
                sent += 1;
            }
            (sent, cut, sender.stats())
        });
        for _ in 0..LIVES {
            // The lock of the one that was killed is free, or the next one says so by failing.
            let said = kill_at_random(scene.start("receiver", &[]), &mut random);
            assert!(!said.iter().any(|line| line == "torn"), "{said:?}");
        }
        let mut last = scene.start("receiver", &[]);
        last.expect("works");
        over.store(true, Ordering::Relaxed);
        let (sent, cut, stats) = sending.join();
        last.kill();
        assert!(sent > LIVES && stats.reconnects > 0, "{sent} sent, {stats:?}");
        eprintln!("{sent} sent, {cut} cut, {stats:?}");
    });
}

fn receives_until_killed(line: &mut Line) {
    let options = Receiver::<Vec<u8>>::options().codec(Bytes).open_timeout(ms(10_000));
    let mut receiver = options.open(line.path("a.fifo")).unwrap();
    let mut next = None;
    loop {
        let message = receiver.recv_timeout(ms(10_000)).unwrap();
        match tag_of(&message) {
            Some(tag) if next.is_none_or(|next| tag >= next) => {
                if next.is_none() {
                    line.say("works");
                }
                next = Some(tag + 1);
            }
            other => {
                line.say("torn");
                panic!("{other:?} after {next:?}");
            }
        }
    }
}
