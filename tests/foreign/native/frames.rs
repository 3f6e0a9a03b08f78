//! Replies that are torn, stale or beside the point: never believed, and never in the way.

use fifowire::{ErrorKind, Fate, LinkStats};

use super::{Instance, PLENTY, ask};
use crate::support::{Case, act, ms};

/// One call to a server that replies in its own way; answers the reply and what was counted.
fn one_reply(how: &str) -> (Vec<u8>, LinkStats) {
    let mut answer = None;
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        let mut server = instance.peer("native_reply.py", &[how]);
        server.expect("open");
        let reply = client.request(&b"hello".to_vec()).timeout(PLENTY).call().unwrap();
        answer = Some((reply, client.stats()));
        server.finish();
    });
    answer.unwrap()
}

#[test]
fn replies_to_another_life_or_another_call_are_dropped_and_counted() {
    let (reply, stats) = one_reply("stale");
    assert_eq!(reply, b"right");
    assert_eq!(stats.late, 2);
}

#[test]
fn what_is_no_frame_is_skipped_to_the_next_frame() {
    let (reply, stats) = one_reply("garbage");
    assert_eq!(reply, b"right");
    assert!(stats.skipped_bytes > 40, "{stats:?}");
}

#[test]
fn a_frame_masked_for_no_reason_is_read_as_any_other() {
    let (reply, stats) = one_reply("masked");
    assert_eq!(reply, b"right");
    assert_eq!((stats.unknown, stats.torn), (0, 0));
}

#[test]
fn parts_of_any_size_make_one_reply() {
    let (reply, stats) = one_reply("parts");
    let expected: Vec<u8> = (0..=255).collect::<Vec<u8>>().repeat(800);
    assert!(reply == expected, "{} bytes", reply.len());
    assert_eq!(stats.torn, 0);
}

#[test]
fn a_server_killed_inside_a_reply_ends_the_call_and_the_next_server_is_understood() {
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        let mut server = instance.peer("native_reply.py", &["dies"]);
        server.expect("open");
        let case = Case::begin("native: server killed inside a reply");
        let error = ask(&client, "hello", PLENTY).unwrap_err();
        case.ends(ms(0), ms(500));
        assert_eq!(error.kind(), ErrorKind::PeerClosed);
        assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
        drop(server);
        let bot = instance.bot();
        assert_eq!(ask(&client, "echo again", PLENTY).unwrap(), "again");
        let stats = client.stats();
        assert_eq!((stats.torn, stats.peers_lost), (1, 1), "{stats:?}");
        bot.kill();
    });
}
