//! Clients are killed; the server survives.

use fifowire::codec::Bytes;
use fifowire::{Client, Pair, Server};

use super::{LIMIT, LIVES, MOST, kill_at_random};
use crate::support::random::{Random, tag_of};
use crate::support::time::aside;
use crate::support::{Line, ms, scene_within};

/// The request that ends the server.
const LAST: u32 = u32::MAX;

#[test]
fn a_server_survives_the_kills_of_clients_and_none_gets_the_reply_of_another() {
    scene_within(LIMIT, &[("client", calls_until_killed)], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
        let mut server = options.open(&pair).unwrap();
        let mut random = Random::seeded();
        let mut numbers = random.clone();
        let serving = aside(move || {
            let mut served = 0_u32;
            let ended = server.serve(|request, context| {
                let tag = tag_of(&request).expect("a torn request was delivered");
                served += 1;
                if tag == LAST {
                    context.stop();
                }
                let len = numbers.length(10, MOST);
                Ok::<_, String>(numbers.checked(tag, len))
            });
            ended.unwrap();
            (served, server.stats())
        });
        for life in 0..LIVES {
            let (life, seed) = (life.to_string(), random.next().to_string());
            let said = kill_at_random(scene.start("client", &[&life, &seed]), &mut random);
            assert!(!said.iter().any(|line| line == "wrong"), "{said:?}");
        }
        let client = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).open(&pair).unwrap();
        let reply = client.request(&random.checked(LAST, 10)).timeout(ms(20_000)).call();
        assert_eq!(tag_of(&reply.unwrap()), Some(LAST));
        let (served, stats) = serving.join();
        assert!(served > LIVES / 2, "{served} served");
        eprintln!("{served} served, {stats:?}");
    });
}

fn calls_until_killed(line: &mut Line) {
    let (life, mut random) = (line.number(0) as u32, Random::new(line.number(1)));
    let pair = Pair::at(line.directory(), "agent").unwrap();
    let client = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).open(&pair).unwrap();
    for call in 0.. {
        let (tag, len) = ((life << 16) | call, random.length(10, MOST));
        let request = random.checked(tag, len);
        let reply = client.request(&request).timeout(ms(10_000)).call();
        if reply.as_ref().ok().and_then(|reply| tag_of(reply)) != Some(tag) {
            line.say("wrong");
            panic!("{reply:?}");
        }
        if call == 0 {
            line.say("works");
        }
    }
}
