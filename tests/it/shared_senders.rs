//! Several processes send into one FIFO: no message is torn, none is lost, and each process's
//! messages come in its order.

use fifowire::codec::Bytes;
use fifowire::{Fifo, Receiver, Sender};

use crate::support::random::{Random, tag_of};
use crate::support::{Line, ms, scene, scene_within};

const SENDERS: u32 = 4;

/// The tag of a message: who sent it, and the how manyth of theirs it is.
fn tag(sender: u32, count: u32) -> u32 {
    (sender << 24) | count
}

#[test]
fn messages_of_100_b_to_200_kb_from_four_processes_arrive_whole() {
    scene_within(ms(60_000), &[("sender", sends)], |scene| {
        receive_from_processes(scene, 1000, "200000", None);
    });
}

#[test]
fn small_messages_from_four_processes_arrive_whole_through_one_page() {
    scene(&[("sender", sends)], |scene| {
        receive_from_processes(scene, 5000, "3000", Some(4096));
    });
}

fn receive_from_processes(
    scene: &crate::support::Scene,
    count: u32,
    most: &str,
    capacity: Option<usize>,
) {
    let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
    let mut options = Receiver::<Vec<u8>>::options().codec(Bytes);
    if let Some(capacity) = capacity {
        options = options.capacity(capacity);
    }
    let mut receiver = options.open(fifo.path()).unwrap();
    let seed = Random::seeded().next() >> 8;
    let mut senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let seed = (seed + u64::from(sender)).to_string();
            scene.start("sender", &[&sender.to_string(), &count.to_string(), most, &seed])
        })
        .collect();
    // All of them at once.
    senders.iter_mut().for_each(|sender| sender.expect("ready"));
    senders.iter_mut().for_each(|sender| sender.tell("go"));
    let mut next = [0; SENDERS as usize];
    for _ in 0..SENDERS * count {
        let message = receiver.recv_timeout(ms(10_000)).unwrap();
        let tagged = tag_of(&message).expect("a torn message");
        let (sender, at) = ((tagged >> 24) as usize, tagged & 0xFF_FFFF);
        assert_eq!(at, next[sender], "of sender {sender}: lost, doubled or out of order");
        next[sender] += 1;
    }
    senders.into_iter().for_each(crate::support::Peer::finish);
    assert_eq!(next, [count; SENDERS as usize]);
    assert_eq!(receiver.try_recv().unwrap(), None, "nothing beyond what was sent");
    let stats = receiver.stats();
    assert_eq!((stats.torn, stats.skipped_bytes, stats.unknown), (0, 0, 0));
}

fn sends(line: &mut Line) {
    let (own, count) = (line.number(0) as u32, line.number(1) as u32);
    let (most, mut random) = (line.number(2) as usize, Random::new(line.number(3)));
    let mut sender = Sender::<Vec<u8>>::options().codec(Bytes).open(line.path("a.fifo")).unwrap();
    line.say("ready");
    line.hear();
    for at in 0..count {
        let len = random.length(100, most);
        sender.send(&random.checked(tag(own, at), len)).unwrap();
    }
}
