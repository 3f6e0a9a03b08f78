//! Senders are killed; the receiver survives.

use std::collections::HashMap;

use fifowire::codec::Bytes;
use fifowire::{Fifo, Receiver, Sender};

use super::{LIMIT, LIVES, MOST, kill_at_random};
use crate::support::random::{Random, tag_of};
use crate::support::time::aside;
use crate::support::{Line, ms, scene_within};

#[test]
fn a_receiver_survives_the_kills_of_senders_and_gets_nothing_torn() {
    scene_within(LIMIT, &[("sender", sends_until_killed)], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut receiver = Receiver::<Vec<u8>>::options().codec(Bytes).open(fifo.path()).unwrap();
        let receiving = aside(move || {
            // How many messages of each life have come.
            let mut lives = HashMap::new();
            loop {
                let message = receiver.recv_timeout(ms(20_000)).unwrap();
                let tag = tag_of(&message).expect("a torn message was delivered");
                let (life, count) = (tag >> 16, tag & 0xFFFF);
                if life == LAST {
                    return (lives, receiver.stats());
                }
                let next = lives.entry(life).or_insert(0);
                assert_eq!(count, *next, "of life {life}: lost, doubled or out of order");
                *next += 1;
            }
        });
        let mut random = Random::seeded();
        // Two at a time: one writes on while the other is killed in the middle of a message.
        let mut living = None;
        for life in 0..LIVES {
            let seed = random.next().to_string();
            let alone = if life % 5 == 4 { "alone" } else { "shared" };
            if alone == "alone" {
                living.take().map(|peer| kill_at_random(peer, &mut random));
            }
            let peer = scene.start("sender", &[&life.to_string(), &seed, alone]);
            if let Some(before) = living.replace(peer) {
                kill_at_random(before, &mut random);
            }
            if alone == "alone" {
                living.take().map(|peer| kill_at_random(peer, &mut random));
            }
        }
        living.take().map(|peer| kill_at_random(peer, &mut random));
        let mut last = Sender::<Vec<u8>>::options().codec(Bytes).open(fifo.path()).unwrap();
        last.send_timeout(&random.checked(LAST << 16, 100), ms(20_000)).unwrap();
        let (lives, stats) = receiving.join();
        // Seven of eight were killed after their first message was accepted.
        assert!(lives.len() as u32 > LIVES / 2, "{} lives were heard: {stats:?}", lives.len());
        eprintln!("{} lives heard, {} cut messages, {stats:?}", lives.len(), stats.torn);
    });
}

/// The life of the one that is not killed.
const LAST: u32 = 0xFFFF;

fn sends_until_killed(line: &mut Line) {
    let (life, mut random) = (line.number(0) as u32, Random::new(line.number(1)));
    let options = Sender::<Vec<u8>>::options().codec(Bytes).timeout(ms(20_000));
    let options = options.exclusive(line.argument(2) == "alone");
    let mut sender = options.open(line.path("a.fifo")).unwrap();
    for count in 0.. {
        let len = random.length(10, MOST);
        sender.send(&random.checked((life << 16) | count, len)).unwrap();
        if count == 0 {
            line.say("works");
        }
    }
}
