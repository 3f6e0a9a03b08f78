//! The lines of the scenario, with a Rust client and a Python server.

use fifowire::{ErrorKind, Fate, Phase};

use super::{Instance, PLENTY, ask};
use crate::support::{Case, Peer, act, ms};

/// A request of 200,001 bytes in all, as the bytes of the codec.
fn long_request() -> Vec<u8> {
    let mut request = b"echo ".to_vec();
    request.resize(200_001, b'x');
    request
}

#[test]
fn without_a_server_a_call_fails_at_its_deadline_and_was_not_sent() {
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        let case = Case::begin("native: no server");
        let error = ask(&client, "echo hello", ms(500)).unwrap_err();
        case.ends_at(ms(500));
        assert_eq!((error.kind(), error.fate()), (ErrorKind::NoReader, Some(Fate::NotSent)));
        assert_eq!(error.path(), Some(instance.pair.input()));
        assert_eq!(client.in_flight(), 0);
    });
}

#[test]
fn a_server_half_a_second_late_gets_the_call() {
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        let mut bot = instance.peer("native_bot.py", &["0.5"]);
        bot.expect("ready");
        let case = Case::begin("native: server 0.5 s late");
        assert_eq!(ask(&client, "echo hello", PLENTY).unwrap(), "hello");
        case.ends(ms(450), ms(570));
    });
}

#[test]
fn two_hundred_thousand_bytes_to_a_stalled_server_fail_and_are_never_delivered() {
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        let mut bot = instance.peer("native_bot.py", &["0", "1.0"]);
        bot.expect("ready");
        bot.expect("open");
        let case = Case::begin("native: 200,001 bytes to a stalled server");
        let error = client.request(&long_request()).timeout(ms(500)).call().unwrap_err();
        case.ends_at(ms(500));
        assert_eq!((error.kind(), error.phase()), (ErrorKind::WriteStalled, Phase::Write));
        // The frame that was cut is made void, so this is certain.
        assert_eq!(error.fate(), Some(Fate::NotSent));
        assert_eq!(ask(&client, "echo fresh", PLENTY).unwrap(), "fresh");
        assert_eq!(ask(&client, "count", PLENTY).unwrap(), "2", "the long one never came");
    });
}

#[test]
fn a_stalled_server_that_dies_takes_nothing_along_to_the_next() {
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        let mut stalled = Peer::start("stalled.py", [instance.pair.input()]);
        stalled.expect("ready");
        assert!(client.request(&long_request()).timeout(ms(300)).call().is_err());
        stalled.kill();
        let _bot = instance.bot();
        assert_eq!(ask(&client, "count", PLENTY).unwrap(), "1");
    });
}

#[test]
fn a_call_behind_a_full_fifo_is_answered_once_it_is_drained() {
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        let mut bot = instance.peer("native_bot.py", &["0", "0.5"]);
        bot.expect("ready");
        bot.expect("open");
        let case = Case::begin("native: a full FIFO drained after 0.5 s");
        let reply = client.request(&long_request()).timeout(PLENTY).call().unwrap();
        case.ends(ms(450), ms(700));
        assert!(reply == long_request()["echo ".len()..]);
    });
}

#[test]
fn a_reply_fifo_opened_late_is_waited_for_and_one_never_opened_is_no_writer() {
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        let _bot = instance.bot();
        let case = Case::begin("native: reply FIFO never opened");
        let error = ask(&client, "late 0.6 slow", ms(300)).unwrap_err();
        case.ends_at(ms(300));
        assert_eq!(error.kind(), ErrorKind::NoWriter);
        assert_eq!((error.phase(), error.fate()), (Phase::Reply, Some(Fate::MaybeDelivered)));
        let case = Case::begin("native: reply FIFO opened late, a late reply before");
        assert_eq!(ask(&client, "echo next", PLENTY).unwrap(), "next");
        case.ends(ms(100), ms(600));
        assert_eq!(client.stats().late, 1, "the reply that nobody waited for");
        let case = Case::begin("native: a silent server");
        let error = ask(&client, "late 0.6 slow", ms(300)).unwrap_err();
        case.ends_at(ms(300));
        assert_eq!(error.kind(), ErrorKind::TimedOut, "its end of the FIFO is open by now");
    });
}

#[test]
fn calls_that_timed_out_are_not_delivered_to_a_server_that_comes_afterwards() {
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        for _ in 0..20 {
            let error = ask(&client, "echo stale", ms(5)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoReader);
        }
        let bot = instance.bot();
        let case = Case::begin("native: timeouts, then a server");
        assert_eq!(ask(&client, "count", PLENTY).unwrap(), "1");
        case.ends(ms(0), ms(500));
        assert_eq!(ask(&client, "quit", PLENTY).unwrap(), "");
        bot.finish();
    });
}

#[test]
fn two_hundred_kilobytes_pass_both_ways_in_parts_and_masked() {
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        let _bot = instance.bot();
        // The four bytes that every frame starts with, over and over.
        let magic = [0xF1, 0x46, 0x57, 0x8D].repeat(50_000);
        let plain: Vec<u8> = (0..200_000u32).map(|at| (at % 251) as u8).collect();
        for (name, payload) in [("plain", plain), ("masked", magic)] {
            let request = [b"echo ".as_slice(), &payload].concat();
            let case = Case::begin(format!("native: 200 KB there and back, {name}"));
            let reply = client.request(&request).timeout(PLENTY).call().unwrap();
            case.ends(ms(0), ms(1000));
            assert!(reply == payload, "{name}: {} bytes", reply.len());
        }
        assert_eq!(client.stats().skipped_bytes, 0);
    });
}

#[test]
fn a_failure_comes_with_its_words_and_a_ping_with_a_round_trip() {
    act(|directory| {
        let instance = Instance::create(directory);
        let client = instance.client();
        let _bot = instance.bot();
        let error = ask(&client, "fail no such agent", PLENTY).unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Remote, Some(Fate::Delivered)));
        assert_eq!(error.detail(), Some("no such agent"));
        assert!(client.ping(PLENTY).unwrap().round_trip < PLENTY);
        assert_eq!(ask(&client, "count", PLENTY).unwrap(), "2", "a ping is no request");
    });
}
