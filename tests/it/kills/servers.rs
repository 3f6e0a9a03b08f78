//! Servers are killed; the client survives.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use fifowire::codec::Bytes;
use fifowire::{Client, ErrorKind, Pair, Server};

use super::{LIMIT, LIVES, MOST, kill_at_random};
use crate::support::random::{Random, tag_of};
use crate::support::{Line, ms, scene_within, until};

#[test]
fn a_client_survives_the_kills_of_servers_and_gets_no_wrong_reply() {
    scene_within(LIMIT, &[("server", serves_until_killed)], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let client = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).open(&pair).unwrap();
        let (over, answered, lost) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
        let mut random = Random::seeded();
        thread::scope(|threads| {
            for caller in 0..3 {
                let (client, over, answered, lost) = (&client, &over, &answered, &lost);
                let mut numbers = Random::new(random.next());
                threads.spawn(move || {
                    for call in 0.. {
                        if over.load(Ordering::Relaxed) {
                            return;
                        }
                        let (tag, len) = ((caller << 24) | call, numbers.length(10, MOST));
                        let request = numbers.checked(tag, len);
                        match client.request(&request).timeout(ms(1000)).call() {
                            Ok(reply) => {
                                assert_eq!(tag_of(&reply), Some(tag), "not the reply to this call");
                                answered.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => {
                                // A server that took the request, died before it had ever written
                                // anything, and was followed by the next at once is not missed by
                                // anybody before the deadline.
                                let kinds = [ErrorKind::PeerClosed, ErrorKind::TimedOut];
                                assert!(kinds.contains(&error.kind()), "{error}");
                                assert!(error.fate().is_some(), "{error}");
                                lost.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                });
            }
            for life in 0..LIVES {
                let seed = random.next().to_string();
                let before = answered.load(Ordering::Relaxed);
                let server = scene.start("server", &[&seed]);
                if life % 10 == 0 {
                    until("calls are answered again", || answered.load(Ordering::Relaxed) > before);
                }
                kill_at_random(server, &mut random);
            }
            let last = scene.start("server", &["1"]);
            let before = answered.load(Ordering::Relaxed);
            until("calls are answered again", || answered.load(Ordering::Relaxed) > before + 3);
            over.store(true, Ordering::Relaxed);
            until("nothing is in flight", || client.in_flight() == 0);
            last.kill();
        });
        eprintln!("{answered:?} answered, {lost:?} lost, {:?}", client.stats());
        assert!(lost.load(Ordering::Relaxed) > 0 && answered.load(Ordering::Relaxed) > LIVES / 2);
    });
}

fn serves_until_killed(line: &mut Line) {
    let pair = Pair::at(line.directory(), "agent").unwrap();
    let mut random = Random::new(line.number(0));
    let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
    let mut server = options.open(&pair).unwrap();
    let mut begun = false;
    let served = server.serve(|request, _| {
        if !begun {
            line.say("works");
            begun = true;
        }
        let tag = tag_of(&request).ok_or("a torn request")?;
        Ok::<_, &str>(random.clone().checked(tag, random.length(10, MOST)))
    });
    served.unwrap();
}
