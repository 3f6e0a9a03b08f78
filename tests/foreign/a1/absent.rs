//! No reader: every call ends at its deadline, and what timed out is never delivered later.

use std::time::{Duration, Instant};

use fifowire::{ErrorKind, Fate, Fifo, Phase};

use super::{Instance, PEERS};
use crate::support::{Case, Peer, act, judge, ms};

/// How long a reader that comes afterwards waits for what must not come, in seconds.
const AFTERWARDS: &str = "0.3";

#[test]
fn without_a_reader_open_fails_at_its_deadline_and_says_so() {
    act(|directory| {
        let fifo = Fifo::create(directory.join("bot.fifo")).unwrap();
        for timeout in [ms(0), ms(20), ms(500)] {
            let case = Case::begin(format!("no reader, D = {timeout:?}"));
            let error = Instance::commands().open_timeout(timeout).open(fifo.path()).unwrap_err();
            case.ends_at(timeout);
            assert_eq!(error.kind(), ErrorKind::NoReader);
            assert_eq!(error.phase(), Phase::Open);
            assert_eq!(error.fate(), None, "no message was at stake");
            assert_eq!(error.path(), Some(fifo.path()));
            assert!(error.elapsed().unwrap() >= timeout);
            assert!(error.deadline().unwrap().abs_diff(timeout) < ms(1));
        }
    });
}

#[test]
fn an_exchange_without_a_bot_fails_at_its_one_deadline() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        let case = Case::begin("no reader, a whole exchange");
        let error = instance.ask("echo hello", ms(300)).unwrap_err();
        case.ends_at(ms(300));
        assert_eq!((error.kind(), error.phase()), (ErrorKind::NoReader, Phase::Open));
    });
}

#[test]
fn a_thousand_timeouts_leave_nothing_behind() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        let slowest = (0..1000)
            .map(|_| {
                let began = Instant::now();
                let error = instance.ask("echo hello", ms(1)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NoReader);
                began.elapsed()
            })
            .max();
        judge("no reader, slowest of 1,000, D = 1 ms", slowest.unwrap(), ms(1), ms(51));
    });
}

#[test]
fn what_timed_out_at_open_is_not_delivered_to_a_reader_that_comes_afterwards() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for peer in PEERS {
            for _ in 0..20 {
                let error = instance.ask("echo hello", ms(5)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NoReader);
            }
            assert_nothing_comes(&instance, peer, "timeouts of open, then a reader");
        }
    });
}

#[test]
fn what_timed_out_in_an_open_sender_is_not_delivered_to_a_reader_that_comes_afterwards() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for peer in PEERS {
            let mut reader = Peer::start(&format!("stalled.{peer}"), [instance.pair.input()]);
            let mut sender = Instance::commands().open(instance.pair.input()).unwrap();
            reader.expect("ready");
            reader.kill();
            // The sender lives on, and each of its calls waits for the next reader.
            for _ in 0..20 {
                let error = sender.send_timeout(&"echo hello".to_owned(), ms(5)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NoReader, "{error}");
                assert_eq!(error.fate(), Some(Fate::NotSent));
            }
            assert_nothing_comes(&instance, peer, "timeouts of a live sender, then a reader");
            assert_eq!(sender.stats().poisoned, 0);
        }
    });
}

#[test]
fn after_timeouts_the_next_command_is_the_first_the_bot_hears() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for peer in PEERS {
            for _ in 0..20 {
                assert!(instance.ask("echo stale", ms(5)).is_err());
            }
            let bot = instance.bot(peer);
            let case = Case::begin(format!("timeouts, then a bot, {peer}"));
            assert_eq!(instance.ask("echo fresh", ms(2000)).unwrap(), "fresh");
            case.ends(ms(0), ms(500));
            bot.kill();
        }
    });
}

fn assert_nothing_comes(instance: &Instance, peer: &str, what: &str) {
    let case = Case::begin(format!("{what}, {peer}"));
    let path = instance.pair.input().to_str().unwrap();
    let mut reader = Peer::start(&format!("afterwards.{peer}"), [path, AFTERWARDS]);
    assert_eq!(reader.expect_number("read"), 0, "nothing is delivered later");
    reader.finish();
    case.ends(Duration::ZERO, ms(1500));
}
